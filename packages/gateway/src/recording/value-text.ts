/**
 * Values of the PostgreSQL wire as text for people.
 *
 * Spec: PostgreSQL 18, src/backend/utils/adt, the send functions of the types below; everything else
 * in binary format is shown as `\x` and hex, as the server shows bytea. Untrusted: every byte.
 */

import type { FormatCode } from '../protocols/postgres/messages.ts';
import type { ReplayedValue } from './replayed-statement.ts';

const lenientUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** OIDs of pg_type.dat whose binary form is small enough to be read here. */
const BINARY: ReadonlyMap<number, (bytes: Buffer) => string | undefined> = new Map([
  [16, (b: Buffer) => (b.length === 1 ? (b[0] === 0 ? 'f' : 't') : undefined)],
  [20, (b: Buffer) => (b.length === 8 ? String(b.readBigInt64BE(0)) : undefined)],
  [21, (b: Buffer) => (b.length === 2 ? String(b.readInt16BE(0)) : undefined)],
  [23, (b: Buffer) => (b.length === 4 ? String(b.readInt32BE(0)) : undefined)],
  [26, (b: Buffer) => (b.length === 4 ? String(b.readUInt32BE(0)) : undefined)],
  [700, (b: Buffer) => (b.length === 4 ? String(b.readFloatBE(0)) : undefined)],
  [701, (b: Buffer) => (b.length === 8 ? String(b.readDoubleBE(0)) : undefined)],
  [2950, (b: Buffer) => (b.length === 16 ? uuid(b) : undefined)],
  // name, text, json, bpchar, varchar: the same in both formats.
  ...[19, 25, 114, 1042, 1043].map((oid): [number, (b: Buffer) => string] => [oid, textOf]),
]);

/** Bytes as text; what is not UTF-8 becomes U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  return lenientUtf8.decode(bytes);
}

/** A value in either format; a type of 0 is unknown. */
export function valueText(value: Uint8Array | null, format: FormatCode, typeOid: number): ReplayedValue {
  if (value === null) return null;
  if (format === 0) return textOf(value);
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return BINARY.get(typeOid)?.(bytes) ?? `\\x${bytes.toString('hex')}`;
}

function uuid(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
