/** One frontend message that the target answers, and what it means to the session. */

import type { Outcome } from '../../protocols/postgres/states.ts';
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
