/** One frontend message that the target answers, and what it means to the session. */

import type { ReadText } from '../../core/effects.ts';
import type { BoundPortal, PreparedStatement } from '../../protocols/postgres/operation.ts';
import type { Outcome, RequestKind } from '../../protocols/postgres/states.ts';
import type { Refusal } from './refusal.ts';
import type { RunningOperation } from './running-operation.ts';

export interface Request {
  /** The Operation, for messages that run something. */
  readonly operation: RunningOperation | undefined;
  /** Keeps or takes back what the message changed in the prepared statements. */
  readonly settled: ((outcome: Outcome) => void) | undefined;
  /** What the client gets in the place of the target's error, where policy stops it. */
  readonly refusal: Refusal | undefined;
  /** Takes its answer, of which the client gets nothing for now. */
  readonly keeper?: AnswerKeeper;
  /** Says which frames of its answer the client gets. */
  readonly meter?: AnswerMeter | undefined;
  /** Of a Parse, a Bind or a Describe that somebody remembers: what it makes, or is about. */
  readonly makes?: Made | undefined;
}

/** What the answer to a Parse, a Bind or a Describe is about. */
export type Made =
  | { readonly kind: 'statement'; readonly statement: PreparedStatement }
  | { readonly kind: 'portal'; readonly portal: BoundPortal }
  /** Of a Parse of the gateway's own, for a portal that is bound again. */
  | { readonly kind: 'again'; readonly portal: BoundPortal }
  /** Of a Describe, before which the server may analyse it anew. */
  | { readonly kind: 'described'; readonly statement: PreparedStatement };

/** What the answer to something that runs is about. */
export interface Runs {
  readonly kind: 'Query' | 'Execute' | 'other';
  /** Its text; undefined where nobody has read it. */
  readonly read: ReadText | undefined;
  /** Of an Execute, where somebody remembers it. */
  readonly portal: BoundPortal | undefined;
  readonly portalName: string | undefined;
}

/** Of a Bind whose name is remembered. */
export function madeBy(portal: BoundPortal | undefined): Made | undefined {
  return portal === undefined ? undefined : { kind: 'portal', portal };
}

export function runsOf(
  kind: RequestKind,
  read: ReadText | undefined,
  run: { readonly portalName: string; readonly portal: BoundPortal | undefined } | undefined,
): Runs {
  const known = kind === 'Query' || kind === 'Execute' ? kind : 'other';
  return { kind: known, read, portal: run?.portal, portalName: run?.portalName };
}

/** Lets an answer pass up to somewhere; see returned-rows.ts. */
export interface AnswerMeter {
  /**
   * Whether the client gets a frame of the answer.
   *
   * @param body empty where the frame comes in pieces
   * @param length that the frame declares
   */
  passes(type: number, body: Uint8Array, length: number): boolean;
  /** Something did not pass: whoever has sent the request says how it ended. */
  readonly isOver: boolean;
}

/** What becomes of an answer that is not passed on; see exchange.ts. */
export interface AnswerKeeper {
  /** A frame with its header; of a large one, the header alone. */
  frame(type: number, bytes: Uint8Array): void;
  /** A piece of the large frame that began last. */
  more(bytes: Uint8Array): void;
  /** Takes the notices that come before its answer, which the client does not get; absent: they are the client's. */
  readonly notices?: AnswerKeeper;
}

/** Sync, Flush, Close and Describe: nothing depends on how they end. */
export const PLAIN_REQUEST: Request = { operation: undefined, settled: undefined, refusal: undefined };
