/** One frontend message that the target answers, and what it means to the session. */

import type { Outcome } from '../../protocols/postgres/states.ts';
import type { RunningOperation } from './running-operation.ts';

export interface Request {
  /** The Operation, for messages that run something. */
  readonly operation: RunningOperation | undefined;
  /** Keeps or takes back what the message changed in the prepared statements. */
  readonly settled: ((outcome: Outcome) => void) | undefined;
}

/** Sync, Flush, Close and Describe: nothing depends on how they end. */
export const PLAIN_REQUEST: Request = { operation: undefined, settled: undefined };
