/**
 * Which leaf a statement of a recording is about: the next intent of the session with its text, as a replay finds it.
 *
 * Texts are kept as 48 bits of their SHA-256. A recording also has messages that failed before they ran, and so have
 * no intent: a few intents are looked at, and what is passed over is let go.
 */

import { hash } from 'node:crypto';
import type { Json } from '@countersign/ledger/jcs';
import { recordedText } from '../literals/recorded-text.ts';
import { MASKING_SCAN_LIMITS as LIMITS } from '../core/masking-scan-limits.ts';
import type { ReplayedStatement } from '../recording/replayed-statement.ts';

/** In place of a hash: a text that is not there to be compared, a call of a function, and neither. */
const ANY_TEXT = -1;
const FUNCTION = -2;
const NOTHING = -3;
const HASH_BYTES = 6;

/** The intents of one session, in their order. */
export class StatementWindow {
  readonly #leaves: number[] = [];
  readonly #marks: number[] = [];
  #at = 0;

  get length(): number {
    return this.#leaves.length;
  }

  /** The next intent. */
  push(leaf: number, values: Readonly<Record<string, Json>>): void {
    this.#leaves.push(leaf);
    this.#marks.push(markOf(values));
  }

  /** The intent of the next statement. */
  find(statement: ReplayedStatement): number | undefined {
    const wanted = statement.protocol === 'function' ? FUNCTION : hashOf(statement.sql);
    const end = Math.min(this.#at + LIMITS.windowMax, this.#marks.length);
    for (let i = this.#at; i < end; i += 1) {
      const mark = this.#marks[i];
      if (mark !== wanted && !(mark === ANY_TEXT && wanted !== FUNCTION)) continue;
      this.#at = i + 1;
      return this.#leaves[i];
    }
    return undefined;
  }
}

function markOf({ sql, masks, function_oid: oid }: Readonly<Record<string, Json>>): number {
  if (oid !== undefined) return FUNCTION;
  if (typeof sql === 'string') return hashOf(recordedText(sql, masks));
  return sql === undefined ? NOTHING : ANY_TEXT;
}

function hashOf(text: string): number {
  return hash('sha256', text, 'buffer').readUIntBE(0, HASH_BYTES);
}
