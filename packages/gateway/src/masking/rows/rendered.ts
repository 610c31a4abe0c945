/**
 * Binary values as the text that they are in text format, so that what is found does not depend on the
 * format in which a driver asks for its rows.
 *
 * Spec: PostgreSQL 18, the `…_send` functions of each type.
 * Untrusted: every byte; a value that is not of its type's form has no text.
 */

import { isMalformed, ValueReader } from '../operators/bytes.ts';
import { bytesOfDays, daysOfBinary, daysOfTimestampBinary } from '../operators/date-time.ts';
import { bytesOfDecimal, decimalOfBinary } from '../operators/decimal.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';

type Render = (value: Uint8Array) => Uint8Array | string | undefined;

const RENDERED: Readonly<Record<string, Render>> = {
  int2: (value) => String(whole(value, (reader) => reader.int16())),
  int4: (value) => String(whole(value, (reader) => reader.int32())),
  oid: (value) => String(whole(value, (reader) => reader.int32()) >>> 0),
  int8: (value) => String(whole(value, (reader) => reader.int64())),
  numeric(value) {
    const number = decimalOfBinary(value);
    return number === undefined ? undefined : bytesOfDecimal(number, 'text');
  },
  float4: (value) => String(floatOf(whole(value, (reader) => reader.bytes(4)))),
  float8: (value) => String(whole(value, (reader) => reader.float64())),
  date: (value) => dayText(daysOfBinary(value)),
  timestamp: (value) => dayText(daysOfTimestampBinary(value)),
  timestamptz: (value) => dayText(daysOfTimestampBinary(value)),
  inet: networkAddress,
  cidr: networkAddress,
  macaddr: hardwareAddress,
  macaddr8: hardwareAddress,
  point: (value) => whole(value, (reader) => `(${reader.float64()},${reader.float64()})`),
};

/** Types whose binary values have no text in them that anybody looks for. */
const TEXTLESS: ReadonlySet<string> = new Set(
  'bool time timetz interval uuid xid bit varbit money lseg path box polygon line circle pg_lsn vector halfvec sparsevec'.split(
    ' ',
  ),
);

/** What to look through: nothing for types without text, the bytes themselves for types that are not known. */
export function rendered(typeName: string, value: Uint8Array): Uint8Array | undefined {
  if (TEXTLESS.has(typeName)) return undefined;
  const render = RENDERED[typeName];
  if (render === undefined) return value;
  try {
    const text = render(value);
    return typeof text === 'string' ? utf8Bytes(text) : text;
  } catch (error) {
    if (!isMalformed(error)) throw error;
    // Not of its type's form: whatever is in it is looked for in the bytes.
    return value;
  }
}

function whole<T>(value: Uint8Array, read: (reader: ValueReader) => T): T {
  const reader = new ValueReader(value, 'of its length');
  const result = read(reader);
  reader.end();
  return result;
}

/** To the seven digits that it has. */
function floatOf(value: Uint8Array): number {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return Number(view.getFloat32(0).toPrecision(7));
}

function dayText(days: number | undefined): Uint8Array | undefined {
  if (days === undefined) return undefined;
  return bytesOfDays(days, {
    format: 'text',
    clientEncoding: 'UTF8',
    dateStyle: 'ISO',
    intervalStyle: 'postgres',
  });
}

function hardwareAddress(value: Uint8Array): string {
  return Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** inet and cidr: family, bits, whether it is a cidr, length, address. */
function networkAddress(value: Uint8Array): string {
  const reader = new ValueReader(value, 'a network address');
  reader.uint8();
  const bits = reader.uint8();
  reader.uint8();
  const address = reader.bytes(reader.uint8());
  reader.end();
  const suffix = bits === 8 * address.length ? '' : `/${bits}`;
  if (address.length === 4) return address.join('.') + suffix;
  const hex = Array.from(address, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.replace(/(?<=^(?:.{4})+)(?=.)/g, ':')}${suffix}`;
}
