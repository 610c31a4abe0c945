/** A statement while its answer is read: keeps what there is room for, counts the rest. */

import { LIMITS } from '../core/limits.ts';
import type {
  ReplayedError,
  ReplayedNotice,
  ReplayedOutcome,
  ReplayedStatement,
  ReplayedValue,
} from './replayed-statement.ts';

/** What all statements of one replay that wait for their answers may keep in memory. */
export class ReplayBudget {
  #left: number = LIMITS.recording.replayBytesMax;

  /** Whether there was room. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** A text of which perhaps only the beginning is kept. */
export interface KeptText {
  readonly text: string;
  readonly cut: boolean;
}

/** What a statement asks, before anything is answered. */
export interface Asked {
  readonly protocol: ReplayedStatement['protocol'];
  readonly sql: KeptText;
  readonly parameters: readonly ReplayedValue[];
  readonly parametersCut: boolean;
}

interface ResultDraft {
  columns: readonly string[];
  readonly rows: (readonly ReplayedValue[])[];
  rowsCount: number;
  commandTag?: string;
  suspended: boolean;
  copy?: { direction: 'in' | 'out' | 'both'; bytes: number };
}

/** Characters take at most this much in memory, and an object of its own costs more than its text. */
const BYTES_PER_CHARACTER = 2;
const OBJECT_BYTES = 48;

/** One statement; owned by the replay. */
export class StatementDraft {
  readonly startedUs: number;
  readonly #asked: Asked;
  readonly #budget: ReplayBudget;
  #kept = 0;
  #results: ResultDraft[] = [];
  #resultsCount = 0;
  #current: ResultDraft | undefined;
  #error: ReplayedError | undefined;
  readonly #notices: ReplayedNotice[] = [];

  constructor(startedUs: number, asked: Asked, budget: ReplayBudget) {
    this.startedUs = startedUs;
    this.#budget = budget;
    const size = sizeOf([asked.sql.text, ...asked.parameters]);
    this.#asked = this.#keep(size)
      ? asked
      : {
          ...asked,
          sql: { text: asked.sql.text.slice(0, LIMITS.postgres.largeHeadBytesMax), cut: true },
          parameters: [],
          parametersCut: true,
        };
  }

  get hasError(): boolean {
    return this.#error !== undefined;
  }

  /** Rows with these columns follow. */
  begin(columns: readonly string[]): void {
    this.#result.columns = this.#keep(sizeOf(columns)) ? columns : [];
  }

  get begun(): boolean {
    return this.#current !== undefined;
  }

  row(values: () => readonly ReplayedValue[]): void {
    const result = this.#result;
    result.rowsCount += 1;
    // Once a row was left out, later ones are too: what is shown is the beginning without gaps.
    if (result.rows.length !== result.rowsCount - 1 || result.rows.length >= LIMITS.recording.replayRowsMax)
      return;
    const row = values();
    if (this.#keep(sizeOf(row))) result.rows.push(row);
  }

  copy(direction: 'in' | 'out' | 'both'): void {
    this.#result.copy = { direction, bytes: 0 };
  }

  /** Whether a COPY is going on. */
  get copying(): boolean {
    return this.#current?.copy !== undefined;
  }

  copied(bytes: number): void {
    const copy = this.#current?.copy;
    if (copy !== undefined) copy.bytes += bytes;
  }

  complete(commandTag: string): void {
    this.#result.commandTag = commandTag;
    this.#end();
  }

  suspend(): void {
    this.#result.suspended = true;
    this.#end();
  }

  fail(error: ReplayedError): void {
    this.#error ??= error;
    if (this.#current !== undefined) this.#end();
  }

  notice(notice: ReplayedNotice): void {
    if (this.#keep(sizeOf([notice.message]))) this.#notices.push(notice);
  }

  /** The statement as it is shown; nothing may be added afterwards. */
  finish(endedUs: number, outcome: ReplayedOutcome): ReplayedStatement {
    if (this.#current !== undefined) this.#end();
    this.#budget.give(this.#kept);
    this.#kept = 0;
    const { protocol, sql, parameters, parametersCut } = this.#asked;
    return {
      kind: 'statement',
      startedUs: this.startedUs,
      endedUs,
      protocol,
      sql: sql.text,
      sqlCut: sql.cut,
      parameters,
      parametersCut,
      results: this.#results,
      resultsCount: this.#resultsCount,
      outcome: this.#error === undefined ? outcome : 'failed',
      ...(this.#error === undefined ? {} : { error: this.#error }),
      notices: this.#notices,
    };
  }

  get #result(): ResultDraft {
    this.#current ??= { columns: [], rows: [], rowsCount: 0, suspended: false };
    return this.#current;
  }

  #end(): void {
    const result = this.#result;
    this.#current = undefined;
    this.#resultsCount += 1;
    if (this.#results.length < LIMITS.recording.replayResultsMax) this.#results.push(result);
  }

  #keep(bytes: number): boolean {
    if (!this.#budget.take(bytes)) return false;
    this.#kept += bytes;
    return true;
  }
}

function sizeOf(texts: readonly ReplayedValue[]): number {
  let bytes = OBJECT_BYTES;
  for (const text of texts) bytes += OBJECT_BYTES + (text?.length ?? 0) * BYTES_PER_CHARACTER;
  return bytes;
}
