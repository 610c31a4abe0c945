/** Where a piece runs so that it can be undone. */

import { isUndoable, verbsOf } from './conducted-text.ts';
import type { CountStatement } from './count-statement.ts';
import type { Exchange } from './exchange.ts';
import { ClientTransaction, type Ground, OwnTransaction } from './ground.ts';
import { isPlain } from './inspection.ts';
import type { Piece } from './piece.ts';
import { Pipeline, type PipelineBlock } from './pipeline-ground.ts';
import { BehindSavepoint, type BlockGround } from './savepoint-ground.ts';

/** The target's side of a session. */
export interface Grounds {
  readonly exchange: Exchange;
  /** For names of ours that no client has. */
  readonly name: string;
  readonly block: PipelineBlock;
  readonly count: CountStatement;
  /** `I`, `T` or `E`. */
  readonly status: string;
}

export function groundOf(piece: Piece, grounds: Grounds): Ground {
  const ground = plainGroundOf(piece, grounds);
  if (ground instanceof OwnTransaction || !mayWaitInside(piece, grounds)) return ground;
  return new BehindSavepoint(ground, grounds.name);
}

/**
 * Whether a rule lets its client wait inside of its own transaction, and it can be run again there as it
 * was: not with data that comes with it, nor behind something else of its pipeline.
 */
function mayWaitInside({ understood, portal, judgement }: Piece, { status }: Grounds): boolean {
  const { decision, read } = judgement;
  if (![...decision.holds, ...decision.counted].some(({ hold }) => hold?.inTransaction === 'wait'))
    return false;
  if (status !== 'T' || understood.copyIn || read.kind !== 'read' || verbsOf(read).length > 0) return false;
  if (understood.kind === 'Execute' && portal?.isJustBound !== true) return false;
  return decision.counted.length === 0 || isUndoable(read);
}

function plainGroundOf(
  { understood, portal, inBlock, judgement }: Piece,
  grounds: Grounds,
): OwnTransaction | BlockGround {
  const { exchange, count, status } = grounds;
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
  return isIdle ? new OwnTransaction(exchange, count) : new ClientTransaction(exchange, count);
}

/** Where what is bound runs, or was bound: it is never run again there. */
export function pipelineOf(inBlock: boolean, { exchange, name, block, count }: Grounds): Pipeline {
  return new Pipeline(exchange, {
    name,
    block,
    count,
    inBlock,
    portalName: '',
    portal: undefined,
    alone: false,
    isJustBound: false,
    mayBegin: true,
    isDoubtful: false,
  });
}
