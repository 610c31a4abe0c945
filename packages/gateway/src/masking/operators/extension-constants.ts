/**
 * Constants of types that extensions bring, which have a size or a kind that a column may ask for: vectors
 * of pgvector keep their dimensions, and are zero; geometries of PostGIS keep their kind and reference
 * system, and are empty.
 *
 * Spec: pgvector 0.8, vector_send, halfvec_send, sparsevec_send; PostGIS 3, EWKB. Geometry in text is the
 * hex of its binary form.
 * Untrusted: the value, of which nothing but dimensions, kind and reference system is looked at.
 */

import { bytesOfHex, hexOf, int16Bytes, int32Bytes, isMalformed, joined, ValueReader } from './bytes.ts';
import type { BaseType, Wire } from './operator.ts';

interface Constant {
  readonly text: string;
  readonly binary: Uint8Array | undefined;
}

/** VECTOR_MAX_DIM and HALFVEC_MAX_DIM of pgvector. */
const DIMENSIONS_MAX = 16_000;

/** Undefined for other types, and for values that are not of their type's form. */
export function extensionConstant(type: BaseType, wire: Wire, value: Uint8Array): Constant | undefined {
  try {
    return BY_TYPE[type.name]?.(type, wire, value);
  } catch (error) {
    if (!isMalformed(error)) throw error;
    // Such a value has no dimensions and no kind: it becomes NULL.
    return undefined;
  }
}

const BY_TYPE: Readonly<
  Record<string, (type: BaseType, wire: Wire, value: Uint8Array) => Constant | undefined>
> = {
  vector: (type, wire, value) => zeroVector(dimensionsOf(type, wire, value), 4),
  halfvec: (type, wire, value) => zeroVector(dimensionsOf(type, wire, value), 2),
  sparsevec(type, wire, value) {
    const text = wire.format === 'text' ? asciiOf(value) : undefined;
    const declared =
      text === undefined ? new ValueReader(value, 'a vector').int32() : Number(text.split('/')[1]);
    const dimensions = type.typmod > 0 ? type.typmod : declared;
    if (!Number.isInteger(dimensions) || dimensions < 1) return undefined;
    const binary = joined([int32Bytes(dimensions), int32Bytes(0), int32Bytes(0)]);
    return { text: `{}/${dimensions}`, binary };
  },
  geometry: emptyGeometry,
  geography: emptyGeometry,
};

function dimensionsOf({ typmod }: BaseType, wire: Wire, value: Uint8Array): number {
  if (typmod > 0) return typmod;
  if (wire.format === 'binary') return new ValueReader(value, 'a vector').uint16();
  return asciiOf(value).split(',').length;
}

function zeroVector(dimensions: number, width: 2 | 4): Constant | undefined {
  if (dimensions < 1 || dimensions > DIMENSIONS_MAX) return undefined;
  return {
    text: `[${Array.from({ length: dimensions }, () => '0').join(',')}]`,
    binary: joined([int16Bytes(dimensions), int16Bytes(0), new Uint8Array(width * dimensions)]),
  };
}

/** Flags of an EWKB type, and its kinds that hold a number of parts. */
const EWKB = { z: 0x8000_0000, m: 0x4000_0000, srid: 0x2000_0000, kind: 0x0fff_ffff, point: 1 } as const;
/** Up to TIN; curves of curves and all, each begins with a count. */
const KIND_MAX = 17;

/** The header of a value, and nothing behind it. */
function emptyGeometry(_: BaseType, wire: Wire, value: Uint8Array): Constant | undefined {
  const bytes = wire.format === 'text' ? bytesOfHex(asciiOf(value)) : value;
  if (bytes === undefined || bytes.length < 5) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittle = bytes[0] === 1;
  const type = view.getUint32(1, isLittle);
  const kind = type & EWKB.kind;
  const hasSRID = (type & EWKB.srid) !== 0;
  const headerBytes = hasSRID ? 9 : 5;
  if ((bytes[0] ?? 2) > 1 || kind < 1 || kind > KIND_MAX || bytes.length < headerBytes) return undefined;
  const header = bytes.slice(0, headerBytes);
  const empty = joined([header, kind === EWKB.point ? noCoordinates(type, isLittle) : new Uint8Array(4)]);
  return { text: hexOf(empty).toUpperCase(), binary: empty };
}

/** A point has no count: it is empty where its coordinates are no numbers. */
function noCoordinates(type: number, isLittle: boolean): Uint8Array {
  const count = 2 + ((type & EWKB.z) === 0 ? 0 : 1) + ((type & EWKB.m) === 0 ? 0 : 1);
  const bytes = new Uint8Array(8 * count);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < count; index++) view.setFloat64(8 * index, Number.NaN, isLittle);
  return bytes;
}

function asciiOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
