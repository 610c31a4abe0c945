/**
 * What a client was given, piece by piece, for whoever looks at all of it while a recording is read.
 *
 * Untrusted: every byte, as it was on the wire.
 */

import type { FormatCode } from '../protocols/postgres/messages.ts';
import type { ReplayedStatement } from './replayed-statement.ts';
import { textOf, valueText } from './value-text.ts';

/** What a piece of text was in. */
export type DeliveredPlace = 'copy' | 'row' | 'error' | 'notice' | 'notification' | 'parameter';

/** Takes what was delivered, in its order. Bytes are valid during the call only. */
export interface DeliveryObserver {
  /**
   * A value of a row.
   *
   * @param owner the same object for all of one statement; undefined where nobody knows whose it is
   * @param column as the result names it
   */
  value(owner: object | undefined, column: string, bytes: Uint8Array): void;
  /** A field of a message. */
  text(owner: object | undefined, place: DeliveredPlace, bytes: Uint8Array): void;
  /** The next bytes of what is too long to be held: COPY data until the statement ends, a row until `isLast`. */
  stream(owner: object | undefined, place: 'copy' | 'row', bytes: Uint8Array, isLast: boolean): void;
  /** Nothing of this statement follows. */
  ended(owner: object, statement: ReplayedStatement): void;
}

/** Types whose binary form is their text: name, text, json, bpchar, varchar. */
const TEXTS: ReadonlySet<number> = new Set([19, 25, 114, 1042, 1043]);
const JSONB = 3802;
/** int8, int2, int4, oid: read as people write them. */
const INTEGERS: ReadonlySet<number> = new Set([20, 21, 23, 26]);
/** bool, floats, uuid, dates and times: fixed widths in which no text is. */
const FIXED: ReadonlySet<number> = new Set([
  16, 700, 701, 790, 1082, 1083, 1114, 1184, 1186, 1266, 2950, 3220, 600, 601, 603, 628, 718,
]);

/** The text in a value; undefined where its type cannot hold any. What is unknown is looked at as it is. */
export function textIn(value: Uint8Array, format: FormatCode, typeOid: number): Uint8Array | undefined {
  if (format === 0 || TEXTS.has(typeOid)) return value;
  if (typeOid === JSONB) return value.subarray(1);
  if (INTEGERS.has(typeOid)) return Buffer.from(valueText(value, format, typeOid) ?? '');
  return FIXED.has(typeOid) ? undefined : value;
}

/** Names of columns, of those that have one. */
export function columnNames(
  fields: readonly { readonly nameBytes: Uint8Array }[],
  count: number,
): readonly string[] {
  return Array.from({ length: count }, (_, i) => {
    const field = fields[i];
    return field === undefined ? `column${i + 1}` : textOf(field.nameBytes);
  });
}
