/**
 * Binary forms of arrays, composites, ranges and multiranges: their members replaced one by one.
 *
 * Spec: PostgreSQL 18, array_send, record_send, range_send, multirange_send.
 *   array      = Int32 dimensions, Int32 has NULLs, Int32 element OID, (Int32 length, Int32 bound)*, value*
 *   composite  = Int32 fields, (Int32 OID, value)*
 *   range      = Int8 flags, [value lower], [value upper]
 *   multirange = Int32 count, (Int32 length, range)*
 *   value      = Int32 length or -1, bytes
 * Untrusted: lengths and counts, which are held against the bytes that are there.
 */

import { int32Bytes, joined, malformed, valueBytes, ValueReader } from './bytes.ts';

export type MapBytes = (member: Uint8Array | null, index: number) => Uint8Array | null;

/** MAXDIM of PostgreSQL. */
const DIMENSIONS_MAX = 6;
/** Int32 of its length, and of a bound. */
const DIMENSION_BYTES = 8;

export function mapArrayBinary(bytes: Uint8Array, map: MapBytes): Uint8Array {
  const reader = new ValueReader(bytes, 'an array');
  const dimensions = reader.int32();
  reader.int32();
  const elementOid = reader.bytes(4);
  if (dimensions < 0 || dimensions > DIMENSIONS_MAX) throw malformed('an array');
  const shape = reader.bytes(dimensions * DIMENSION_BYTES);
  const shapeReader = new ValueReader(shape, 'an array');
  let count = dimensions === 0 ? 0 : 1;
  while (shapeReader.remaining > 0) {
    count *= shapeReader.int32();
    shapeReader.int32();
  }
  const members: (Uint8Array | null)[] = [];
  // A count that the bytes do not bear out ends at the first member that is not there.
  for (let index = 0; index < count; index++) members.push(map(reader.value(), index));
  reader.end();
  const hasNulls = int32Bytes(members.includes(null) ? 1 : 0);
  return joined([int32Bytes(dimensions), hasNulls, elementOid, shape, ...members.map(valueBytes)]);
}

/** @param map is given the OID that the value names, for anonymous records */
export function mapCompositeBinary(
  bytes: Uint8Array,
  map: (member: Uint8Array | null, index: number, oid: number) => Uint8Array | null,
): Uint8Array {
  const reader = new ValueReader(bytes, 'a composite');
  const count = reader.int32();
  const parts: Uint8Array[] = [int32Bytes(count)];
  if (count < 0) throw malformed('a composite');
  for (let index = 0; index < count; index++) {
    const oid = reader.int32();
    parts.push(int32Bytes(oid), valueBytes(map(reader.value(), index, oid >>> 0)));
  }
  reader.end();
  return joined(parts);
}

/** `src/include/utils/rangetypes.h`. */
const RANGE = {
  empty: 0x01,
  lowerInclusive: 0x02,
  upperInclusive: 0x04,
  lowerInfinite: 0x08,
  upperInfinite: 0x10,
} as const;
const BOTH_INCLUSIVE = RANGE.lowerInclusive | RANGE.upperInclusive;

export function mapRangeBinary(bytes: Uint8Array, map: (bound: Uint8Array) => Uint8Array | null): Uint8Array {
  const reader = new ValueReader(bytes, 'a range');
  let flags = reader.uint8();
  const isEmpty = (flags & RANGE.empty) !== 0;
  const bounds = [RANGE.lowerInfinite, RANGE.upperInfinite].filter(
    (flag) => !isEmpty && (flags & flag) === 0,
  );
  const parts = bounds.flatMap((infinite) => {
    const value = reader.value();
    const mapped = value === null ? null : map(value);
    if (mapped !== null) return [valueBytes(mapped)];
    flags |= infinite;
    return [];
  });
  reader.end();
  const [lower, upper] = parts;
  const isOne = lower !== undefined && upper !== undefined && Buffer.from(lower).equals(upper);
  // From one value to the same one, and not with it.
  if (isOne && (flags & BOTH_INCLUSIVE) !== BOTH_INCLUSIVE) return Uint8Array.of(RANGE.empty);
  return joined([Uint8Array.of(flags), ...parts]);
}

export function mapMultirangeBinary(
  bytes: Uint8Array,
  map: (bound: Uint8Array) => Uint8Array | null,
): Uint8Array {
  const reader = new ValueReader(bytes, 'a multirange');
  const count = reader.int32();
  const ranges: Uint8Array[] = [];
  if (count < 0) throw malformed('a multirange');
  for (let index = 0; index < count; index++) {
    const range = reader.value();
    if (range === null) throw malformed('a multirange');
    const mapped = mapRangeBinary(range, map);
    if (((mapped[0] ?? 0) & RANGE.empty) === 0) ranges.push(valueBytes(mapped));
  }
  reader.end();
  return joined([int32Bytes(ranges.length), ...ranges]);
}
