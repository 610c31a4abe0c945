/**
 * One value for each type that tells nothing: what `redact` gives, in text and in binary.
 *
 * Spec: spec/masking-operators.md, section 2. Every row was accepted by PostgreSQL 15 and 18 in both formats
 * (test/real/mask-types.test.ts). A type without a row, and a format without a value, becomes NULL.
 */

import { bytesOfHex, int32Bytes, joined } from './bytes.ts';
import { extensionConstant } from './extension-constants.ts';
import type { BaseType, Wire } from './operator.ts';
import { charactersIn, utf8Bytes } from './text-encoding.ts';

interface Constant {
  readonly text: string;
  /** Undefined where the server takes no such value in binary. */
  readonly binary: Uint8Array | undefined;
}

/** Names, text form, binary form in hex. */
const ROWS: readonly (readonly [names: string, text: string, hex: string | undefined])[] = [
  ['bool', 'f', '00'],
  ['int2', '0', '0000'],
  ['int4 oid xid float4', '0', '00000000'],
  ['int8 money float8', '0', '0000000000000000'],
  ['uuid', '00000000-0000-0000-0000-000000000000', '00'.repeat(16)],
  ['time', '00:00:00', '00'.repeat(8)],
  ['timetz', '00:00:00+00', '00'.repeat(12)],
  ['jsonpath', '$', '0124'],
  ['xml', '<redacted/>', '3c72656461637465642f3e'],
  ['json', '"[REDACTED]"', '225b52454441435445445d22'],
  ['jsonb', '"[REDACTED]"', '01225b52454441435445445d22'],
  ['inet', '0.0.0.0', '0220000400000000'],
  ['cidr', '0.0.0.0/0', '0200010400000000'],
  ['macaddr', '00:00:00:00:00:00', '00'.repeat(6)],
  ['macaddr8', '00:00:00:00:00:00:00:00', '00'.repeat(8)],
  ['varbit', '', '00000000'],
  ['point', '(0,0)', '00'.repeat(16)],
  ['lseg', '[(0,0),(0,0)]', '00'.repeat(32)],
  ['box', '(0,0),(0,0)', '00'.repeat(32)],
  // A and B must not both be 0.
  ['line', '{1,0,0}', `3ff0000000000000${'00'.repeat(16)}`],
  ['path', '((0,0))', `0100000001${'00'.repeat(16)}`],
  ['polygon', '((0,0))', `00000001${'00'.repeat(16)}`],
  ['circle', '<(0,0),0>', '00'.repeat(24)],
  ['tsvector', '', '00000000'],
  // tsqueryrecv refuses an empty query, which tsqueryin takes.
  ['tsquery', '', undefined],
  ['pg_lsn', '0/0', '00'.repeat(8)],
  ['hstore', '', '00000000'],
  ['ltree', '', '01'],
];

const CONSTANTS: ReadonlyMap<string, Constant> = new Map(
  ROWS.flatMap(([names, text, hex]) => {
    const binary = hex === undefined ? undefined : bytesOfHex(hex);
    return names.split(' ').map((name) => [name, { text, binary }]);
  }),
);

/** Types whose values are text, and have the same bytes in both formats. */
export const TEXT_TYPES: ReadonlySet<string> = new Set([
  'text',
  'varchar',
  'bpchar',
  'name',
  'citext',
  'char',
]);

/** 1970-01-01 in days and microseconds of PostgreSQL's epoch, 2000-01-01. */
const DATE_BINARY = 'ffffd533';
const TIMESTAMP_BINARY = 'fffca2fec4c82000';
/** Days and months are alike, so that the order of DateStyle does not matter. */
const EPOCH: Readonly<Record<string, readonly [date: string, timestamp: string]>> = {
  ISO: ['1970-01-01', '1970-01-01 00:00:00'],
  SQL: ['01/01/1970', '01/01/1970 00:00:00'],
  GERMAN: ['01.01.1970', '01.01.1970 00:00:00'],
  POSTGRES: ['01-01-1970', 'Thu Jan 01 00:00:00 1970'],
};
const ZERO_INTERVAL: Readonly<Record<string, string>> = {
  postgres: '00:00:00',
  postgres_verbose: '@ 0',
  sql_standard: '0',
  iso_8601: 'PT0S',
};

/** Characters, or for `name` and "char" bytes, that a text may have. */
export function charactersMax({ name, typmod }: BaseType): number | undefined {
  if (name === 'name') return 63;
  if (name === 'char') return 1;
  // A typmod counts the four bytes of a length that is no longer stored.
  return (name === 'varchar' || name === 'bpchar') && typmod >= 4 ? typmod - 4 : undefined;
}

/** A text of the type: char(n) is filled up with spaces. Undefined where it is too long. */
export function fittingText(type: BaseType, text: string): string | undefined {
  const max = charactersMax(type);
  if (max === undefined) return text;
  const spaces = max - charactersIn(text);
  if (spaces < 0) return undefined;
  return type.name === 'bpchar' ? text + ' '.repeat(spaces) : text;
}

/** The text that stands for what was redacted, as long as the type lets it be. */
function redactedText(entity: string, type: BaseType): string {
  return (
    fittingText(type, `[REDACTED:${entity}]`) ??
    fittingText(type, '[REDACTED]') ??
    '*'.repeat(charactersMax(type) ?? 0)
  );
}

/** The constant of a type. `value` is looked at for its length where a type has no other. */
export function constantOf(
  type: BaseType,
  wire: Wire,
  entity: string,
  value: Uint8Array,
): Uint8Array | undefined {
  const isText = wire.format === 'text';
  if (TEXT_TYPES.has(type.name)) return utf8Bytes(redactedText(entity, type));
  const constant = CONSTANTS.get(type.name) ?? constantByWire(type, wire, value);
  if (constant === undefined) return undefined;
  return isText ? utf8Bytes(constant.text) : constant.binary?.slice();
}

function constantByWire(type: BaseType, wire: Wire, value: Uint8Array): Constant | undefined {
  switch (type.name) {
    case 'numeric':
      return zeroNumeric(type.typmod);
    case 'bytea':
      return { text: isEscaped(value, wire) ? '' : '\\x', binary: new Uint8Array(0) };
    case 'bit':
      return zeroBits(bitLength(type, wire, value));
    case 'date':
      return { text: epoch(wire)[0], binary: bytesOfHex(DATE_BINARY) };
    case 'timestamp':
      return { text: epoch(wire)[1], binary: bytesOfHex(TIMESTAMP_BINARY) };
    case 'timestamptz':
      return { text: epoch(wire)[1] + utcSuffix(wire), binary: bytesOfHex(TIMESTAMP_BINARY) };
    case 'interval':
      return { text: ZERO_INTERVAL[wire.intervalStyle] ?? '00:00:00', binary: new Uint8Array(16) };
    default:
      return extensionConstant(type, wire, value);
  }
}

/** `0`, with the decimals that the column declares. */
function zeroNumeric(typmod: number): Constant {
  // Precision in the high half, scale in eleven bits, of which the highest is its sign.
  const declared = typmod >= 4 ? (((typmod - 4) & 0x7ff) ^ 1024) - 1024 : 0;
  const scale = Math.max(0, declared);
  const text = scale === 0 ? '0' : `0.${'0'.repeat(scale)}`;
  return { text, binary: Uint8Array.of(0, 0, 0, 0, 0, 0, scale >> 8, scale & 0xff) };
}

function zeroBits(length: number): Constant {
  return {
    text: '0'.repeat(length),
    binary: joined([int32Bytes(length), new Uint8Array(Math.ceil(length / 8))]),
  };
}

/** bit(n) has n bits always, so that its length tells nothing. */
function bitLength({ typmod }: BaseType, wire: Wire, value: Uint8Array): number {
  if (typmod >= 0) return typmod;
  if (wire.format === 'text') return value.length;
  if (value.length < 4) return 1;
  const declared = new DataView(value.buffer, value.byteOffset, 4).getInt32(0);
  // A length that its own bytes do not bear out is not believed.
  return declared >= 0 && Math.ceil(declared / 8) === value.length - 4 ? declared : 1;
}

/** `bytea_output = escape`: what begins otherwise than hex does. */
export function isEscaped(value: Uint8Array, wire: Wire): boolean {
  return wire.format === 'text' && !(value[0] === 0x5c && value[1] === 0x78);
}

/** `ISO`, `SQL`, `GERMAN`, `POSTGRES`; what is not known reads as ISO, which every server takes. */
export function dateStyleOf(wire: Wire): 'ISO' | 'SQL' | 'GERMAN' | 'POSTGRES' {
  const name = wire.dateStyle.split(',')[0]?.trim().toUpperCase();
  return name === 'SQL' || name === 'GERMAN' || name === 'POSTGRES' ? name : 'ISO';
}

function epoch(wire: Wire): readonly [date: string, timestamp: string] {
  return EPOCH[dateStyleOf(wire)] ?? ['1970-01-01', '1970-01-01 00:00:00'];
}

function utcSuffix(wire: Wire): string {
  return dateStyleOf(wire) === 'ISO' ? '+00' : ' UTC';
}
