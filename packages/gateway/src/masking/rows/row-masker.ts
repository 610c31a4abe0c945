/**
 * Rows of a result with what must not be shown in them masked: the body of one DataRow → another.
 *
 * Grammar: Int16 columns, and for each Int32 length (-1 is NULL) and that many bytes.
 * Refused: a row with another number of columns than the plan, lengths that its bytes do not bear out,
 * formats that are neither text nor binary. Whoever meets the error lets nothing of the row go by.
 * Untrusted: every byte of a row. A row in which nothing changes is given back as the object that came.
 */

import { CountersignError } from '../../core/errors.ts';
import type { Scanner } from '../detect/scanner.ts';
import type { MaskingKeyRing } from '../operators/key-ring.ts';
import type { Wire } from '../operators/operator.ts';
import type { ColumnPlan } from '../plan/column-plan.ts';
import { type ColumnMasker, columnMasker } from './column-masker.ts';
import type { MaskCounts } from './mask-counts.ts';
import type { MaskMemory } from './mask-memory.ts';

/** Int16 of how many columns there are. */
const COUNT_BYTES = 2;
/** Int32 of how many bytes a value has, which does not count itself. */
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;
const NOTHING = new Uint8Array(0);

export interface RowMaskerOptions {
  /** One for each column, in the order of RowDescription. */
  readonly plans: readonly ColumnPlan[];
  /** Codes as Bind has them: none is text for all, one is for all, or one for each column. */
  readonly resultFormats: readonly number[];
  /** What the server last reported. */
  readonly settings: Omit<Wire, 'format'>;
  readonly keys: MaskingKeyRing;
  /** One for each session, as it looks at one text at a time. */
  readonly scanner: Scanner;
  /** One for each session. */
  readonly memory: MaskMemory;
  /** One for each operation. */
  readonly counts: MaskCounts;
}

/**
 * Masks the rows of one result.
 *
 * @example
 * const masker = new RowMasker({ plans, resultFormats: [], settings, keys, scanner, memory, counts });
 * masker.mask(body) === body; // nothing in it was masked
 */
export class RowMasker {
  readonly #columns: readonly (ColumnMasker | undefined)[];
  readonly #isClear: boolean;
  /** What becomes of each column of the row that is looked at; undefined where it stays. */
  readonly #masked: (Uint8Array | null | undefined)[];
  /** Where its length begins in the row that came. */
  readonly #offsets: Int32Array;
  /** The row that was measured, where something in it is masked. */
  #body: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;

  constructor(options: RowMaskerOptions) {
    const { plans, resultFormats, settings } = options;
    const formats = formatsOf(resultFormats, plans.length);
    this.#columns = plans.map((plan, index) =>
      columnMasker(plan, index, { ...settings, format: formats[index] ?? 'text' }, options),
    );
    this.#isClear = this.#columns.every((column) => column === undefined);
    this.#masked = plans.map(() => undefined);
    this.#offsets = new Int32Array(plans.length);
  }

  /** The body of a DataRow with its values masked; the same object where none is. */
  mask(body: Uint8Array): Uint8Array {
    const length = this.measure(body, 0, body.length);
    if (length === undefined) return body;
    const result = new Uint8Array(length);
    this.write(result, 0);
    return result;
  }

  /**
   * Masks the body of a DataRow that lies in `body[start, end)`, for {@link write} to put down before another is
   * masked.
   *
   * @returns how long it becomes; undefined where nothing in it is masked
   */
  measure(body: Uint8Array, start: number, end: number): number | undefined {
    const columns = this.#columns;
    const count = end - start < COUNT_BYTES ? -1 : ((body[start] ?? 0) << 8) | (body[start + 1] ?? 0);
    if (count !== columns.length) throw broken(`a row of ${columns.length} columns came with ${count}`);
    if (this.#isClear) return undefined;
    let at = start + COUNT_BYTES;
    let length = end - start;
    let isSame = true;
    for (let index = 0; index < count; index += 1) {
      this.#offsets[index] = at;
      const from = at + LENGTH_BYTES;
      if (from > end) throw broken('a row ends inside a length');
      const valueLength =
        ((body[at] ?? 0) << 24) |
        ((body[at + 1] ?? 0) << 16) |
        ((body[at + 2] ?? 0) << 8) |
        (body[at + 3] ?? 0);
      at = from;
      if (valueLength === NULL_LENGTH) {
        const instead = columns[index]?.ofNull ?? undefined;
        this.#masked[index] = instead;
        if (instead === undefined) continue;
        isSame = false;
        length += instead.length;
        continue;
      }
      at += valueLength;
      if (valueLength < 0 || at > end) throw broken('a value of a row is longer than the row');
      const masked = columns[index]?.mask(body, from, at);
      this.#masked[index] = masked;
      if (masked === undefined) continue;
      isSame = false;
      length += (masked?.length ?? 0) - valueLength;
    }
    if (at !== end) throw broken('a row goes on behind its last value');
    if (isSame) return undefined;
    this.#body = body;
    this.#start = start;
    this.#end = end;
    return length;
  }

  /** Puts down the row that was measured last; what stays is copied in as few pieces as there are. */
  write(result: Uint8Array, at: number): void {
    const body = this.#body;
    let copied = this.#start;
    let to = at;
    for (let index = 0; index < this.#masked.length; index += 1) {
      const masked = this.#masked[index];
      if (masked === undefined) continue;
      const offset = this.#offsets[index] ?? 0;
      result.set(body.subarray(copied, offset), to);
      to += offset - copied;
      copied = this.#offsets[index + 1] ?? this.#end;
      writeLength(result, to, masked?.length ?? NULL_LENGTH);
      to += LENGTH_BYTES;
      if (masked === null) continue;
      result.set(masked, to);
      to += masked.length;
    }
    result.set(body.subarray(copied, this.#end), to);
    this.#body = NOTHING;
  }

  /** One value, for rows that travel in other forms than DataRow; null is NULL. */
  maskField(index: number, value: Uint8Array | null): Uint8Array | null {
    if (index >= this.#columns.length) {
      throw broken(`a row of ${this.#columns.length} columns came with ${index + 1} or more`);
    }
    if (value === null) return this.#columns[index]?.ofNull ?? null;
    const masked = this.#columns[index]?.mask(value, 0, value.length);
    return masked === undefined ? value : masked;
  }
}

/** The format of each column: none given is text, one given is for all. */
export function formatsOf(codes: readonly number[], columns: number): readonly Wire['format'][] {
  if (codes.length > 1 && codes.length !== columns) {
    throw broken(`${codes.length} formats are for as many columns, not ${columns}`);
  }
  return Array.from({ length: columns }, (_, index) => {
    const code = (codes.length === 1 ? codes[0] : codes[index]) ?? 0;
    if (code !== 0 && code !== 1) throw broken(`a value is text or binary, not of format ${code}`);
    return code === 0 ? 'text' : 'binary';
  });
}

function writeLength(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = length >>> 24;
  bytes[at + 1] = (length >>> 16) & 0xff;
  bytes[at + 2] = (length >>> 8) & 0xff;
  bytes[at + 3] = length & 0xff;
}

function broken(reason: string): CountersignError {
  return new CountersignError('PROTOCOL_VIOLATION', { reason });
}
