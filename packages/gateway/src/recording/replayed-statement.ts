/** What a replay shows: statements with their results, and what else a recording holds. */

/** A value as text; null is NULL. Binary values without a known type are `\x` and hex. */
export type ReplayedValue = string | null;

export interface ReplayedResult {
  readonly columns: readonly string[];
  /** The first rows; `rowsCount` says how many there were. */
  readonly rows: readonly (readonly ReplayedValue[])[];
  readonly rowsCount: number;
  /** CommandComplete, for example `SELECT 3`; absent where the command did not complete. */
  readonly commandTag?: string;
  /** The client asked for so many rows and no more. */
  readonly suspended: boolean;
  readonly copy?: { readonly direction: 'in' | 'out' | 'both'; readonly bytes: number };
}

export interface ReplayedError {
  readonly severity: string;
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  /** The gateway said it, not the target. */
  readonly fromGateway: boolean;
}

export interface ReplayedNotice {
  readonly severity: string;
  readonly sqlstate: string;
  readonly message: string;
}

/** `skipped`: an error before it made the server ignore it. `unanswered`: the recording ends before its answer. */
export type ReplayedOutcome = 'completed' | 'failed' | 'skipped' | 'unanswered';

export interface ReplayedStatement {
  readonly kind: 'statement';
  /** When its message was recorded, and the last byte of its answer. */
  readonly startedUs: number;
  readonly endedUs: number;
  readonly protocol: 'simple' | 'extended' | 'function';
  readonly sql: string;
  /** Only the beginning of the text is here. */
  readonly sqlCut: boolean;
  readonly parameters: readonly ReplayedValue[];
  /** The values were too large to be kept. */
  readonly parametersCut: boolean;
  /** One for each command of a simple Query, the first of them; `resultsCount` says how many there were. */
  readonly results: readonly ReplayedResult[];
  readonly resultsCount: number;
  readonly outcome: ReplayedOutcome;
  readonly error?: ReplayedError;
  readonly notices: readonly ReplayedNotice[];
}

export type ReplayedItem =
  | ReplayedStatement
  | { readonly kind: 'event'; readonly timeUs: number; readonly json: string }
  /** Something that a reader should know of: an error that belongs to no statement, a cut, unknown bytes. */
  | { readonly kind: 'note'; readonly timeUs: number; readonly text: string };
