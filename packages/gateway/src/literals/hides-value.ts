/**
 * Whether a value that is bound to a statement is hidden where the statement is recorded.
 *
 * Spec: spec/masking.md, section 16. Types by their OIDs in pg_type.dat; the binary forms are those of the send
 * functions of PostgreSQL 18. A binary value of a type that is not known here is hidden: nobody has looked at it.
 * Untrusted: every byte.
 */

import { CONTEXT } from '../masking/detect/lexicon.ts';
import { findIn } from './find-in.ts';
import type { Hiding } from './hide-text.ts';

export interface BoundLiteral {
  readonly bytes: Uint8Array;
  readonly isBinary: boolean;
  /** 0 where nobody has said it. */
  readonly typeOid: number;
}

/** What stands in the place of one. */
export const HIDDEN_VALUE = '[REDACTED]';

/** Types whose binary form is their text: name, text, json, bpchar, varchar. */
const TEXTS: ReadonlySet<number> = new Set([19, 25, 114, 1042, 1043]);
/** int8, int2, int4, oid, and their lengths. */
const INTEGERS: ReadonlyMap<number, number> = new Map([
  [20, 8],
  [21, 2],
  [23, 4],
  [26, 4],
]);
/** bool, float4, float8, time, interval: nothing of a person is in one. */
const HARMLESS: ReadonlySet<number> = new Set([16, 700, 701, 1083, 1186, 1266]);
/** date, timestamp, timestamptz: of a birth where the text speaks of one. */
const DATES: ReadonlySet<number> = new Set([1082, 1114, 1184]);

/** @param context what the names of the text say */
export function hidesValue(value: BoundLiteral, hiding: Hiding, context: number): boolean {
  if (hiding === 'all') return true;
  const { bytes, isBinary, typeOid } = value;
  if (!isBinary || TEXTS.has(typeOid)) return isFound(bytes, context);
  if (HARMLESS.has(typeOid)) return false;
  if (DATES.has(typeOid)) return (context & CONTEXT.BIRTH) !== 0;
  const integer = integerText(bytes, typeOid);
  return integer === undefined || isFound(Buffer.from(integer), context);
}

function isFound(bytes: Uint8Array, context: number): boolean {
  return findIn(bytes, { context, isColumnValue: false, promoted: undefined }).count > 0;
}

function integerText(bytes: Uint8Array, typeOid: number): string | undefined {
  if (INTEGERS.get(typeOid) !== bytes.length) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 8) return String(view.readBigInt64BE(0));
  return String(bytes.length === 2 ? view.readInt16BE(0) : view.readInt32BE(0));
}
