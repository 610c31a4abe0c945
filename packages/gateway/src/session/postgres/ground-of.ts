/** Where a piece runs so that it can be undone. */

import { isUndoable } from './conducted-text.ts';
import type { Exchange } from './exchange.ts';
import { ClientTransaction, type Ground, OwnTransaction } from './ground.ts';
import { isPlain } from './inspection.ts';
import type { Piece } from './piece.ts';
import { Pipeline, type PipelineBlock } from './pipeline-ground.ts';

/** The target's side of a session. */
export interface Grounds {
  readonly exchange: Exchange;
  /** For names of ours that no client has. */
  readonly name: string;
  readonly block: PipelineBlock;
  /** `I`, `T` or `E`. */
  readonly status: string;
}

export function groundOf({ understood, portal, inBlock, judgement }: Piece, grounds: Grounds): Ground {
  const { exchange, status } = grounds;
  const isIdle = status === 'I';
  if (understood.kind === 'Execute' && portal !== undefined) {
    const { decision, read } = judgement;
    return new Pipeline(exchange, {
      ...grounds,
      ...portal,
      alone: portal.alone && isIdle,
      inBlock,
      mayBegin: decision.counted.length > 0 || isUndoable(read),
      isDoubtful: read.kind === 'read' && !isPlain(read.doubts),
    });
  }
  return isIdle ? new OwnTransaction(exchange) : new ClientTransaction(exchange);
}

/** Where what is bound runs, or was bound: it is never run again there. */
export function pipelineOf(inBlock: boolean, { exchange, name, block }: Grounds): Pipeline {
  return new Pipeline(exchange, {
    name,
    block,
    inBlock,
    portalName: '',
    portal: undefined,
    alone: false,
    mayBegin: true,
    isDoubtful: false,
  });
}
