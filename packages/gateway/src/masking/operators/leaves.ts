/**
 * Walks a value by its type, down to what has no types inside: elements of arrays, fields of composites,
 * bounds of ranges, leaves of JSON.
 *
 * What is around the leaves stays: dimensions, bounds of arrays, names in JSON. Where a value is not of the
 * form that its type has, {@link malformed} is thrown.
 */

import { MASKING_OPERATOR_LIMITS } from '../../core/masking-limits.ts';
import { mapArrayBinary, mapCompositeBinary, mapMultirangeBinary, mapRangeBinary } from './binary-members.ts';
import { builtInType } from './built-in-types.ts';
import { joined, malformed } from './bytes.ts';
import { jsonString, mapJson, type JsonLeaf, type JsonReplacement } from './json.ts';
import type { BaseType, LeafType, TypeDescription, Wire } from './operator.ts';
import { mapArrayText, mapCompositeText, mapMultirangeText, mapRangeText } from './quoted-text.ts';
import { readText, utf8Bytes } from './text-encoding.ts';

/** What is done at the leaves. */
export interface LeafMapper {
  /** @param wire the format and encoding of this leaf, which in JSON are always text and UTF-8 */
  leaf(type: LeafType, value: Uint8Array, wire: Wire): Uint8Array | null;
  /** Whether ranges are walked, or replaced by the empty one. */
  readonly ranges: 'bounds' | 'empty';
  /** What a leaf of JSON becomes where `leaf` gives null. */
  readonly jsonNull: 'null' | 'drop';
}

/** The value with its leaves replaced. */
export function mapLeaves(
  type: TypeDescription,
  value: Uint8Array,
  wire: Wire,
  mapper: LeafMapper,
): Uint8Array | null {
  return new Walk(mapper, wire).value(type, value, 0);
}

const TEXT: BaseType = { kind: 'base', name: 'text', typmod: -1 };
const JSON_TYPES: Readonly<Record<JsonLeaf['kind'], BaseType>> = {
  string: TEXT,
  number: { kind: 'base', name: 'numeric', typmod: -1 },
  boolean: { kind: 'base', name: 'bool', typmod: -1 },
};
/** The one version of jsonb's binary form. */
const JSONB_VERSION = 1;

class Walk {
  readonly #mapper: LeafMapper;
  readonly #wire: Wire;

  constructor(mapper: LeafMapper, wire: Wire) {
    this.#mapper = mapper;
    this.#wire = wire;
  }

  value(type: TypeDescription, value: Uint8Array, depth: number): Uint8Array | null {
    if (depth > MASKING_OPERATOR_LIMITS.nestingMax) throw malformed('of so few levels');
    switch (type.kind) {
      case 'base':
        return type.name === 'json' || type.name === 'jsonb'
          ? this.#json(type, value)
          : this.#mapper.leaf(type, value, this.#wire);
      case 'enum':
      case 'unknown':
        return this.#mapper.leaf(type, value, this.#wire);
      case 'domain':
        return type.constant !== undefined && type.base.kind === 'base'
          ? this.#mapper.leaf(
              { kind: 'constant', base: type.base, constant: type.constant },
              value,
              this.#wire,
            )
          : this.value(type.base, value, depth);
      case 'array':
        return this.#array(type.element, type.delimiter, value, depth);
      case 'composite':
        return this.#composite(type.fields, value, depth);
      case 'range':
      case 'multirange':
        return this.#range(type, value, depth);
      default:
        return type satisfies never;
    }
  }

  #array(element: TypeDescription, delimiter: ',' | ';', value: Uint8Array, depth: number): Uint8Array {
    if (this.#wire.format === 'text') {
      return this.#text(value, (text, map) =>
        mapArrayText(text, delimiter, (member) => (member === null ? null : map(element, member, depth))),
      );
    }
    return mapArrayBinary(value, (member) => this.#optional(element, member, depth));
  }

  #composite(fields: readonly TypeDescription[] | undefined, value: Uint8Array, depth: number): Uint8Array {
    if (this.#wire.format === 'text') {
      let count = 0;
      const result = this.#text(value, (text, map) =>
        mapCompositeText(text, (member, index) => {
          count = index + 1;
          const type = fields?.[index] ?? { kind: 'unknown' };
          return member === null ? null : map(type, member, depth);
        }),
      );
      if (fields !== undefined && fields.length !== count) throw malformed('a composite of this type');
      return result;
    }
    return mapCompositeBinary(value, (member, index, oid) => {
      if (fields !== undefined && index >= fields.length) throw malformed('a composite of this type');
      return this.#optional(fields?.[index] ?? builtInType(oid), member, depth);
    });
  }

  #range(
    { kind, subtype }: TypeDescription & { readonly kind: 'range' | 'multirange' },
    value: Uint8Array,
    depth: number,
  ): Uint8Array {
    const isText = this.#wire.format === 'text';
    if (this.#mapper.ranges === 'empty') return emptyRange(kind, isText);
    if (!isText) {
      const walk = kind === 'range' ? mapRangeBinary : mapMultirangeBinary;
      return walk(value, (bound) => this.value(subtype, bound, depth + 1));
    }
    const walk = kind === 'range' ? mapRangeText : mapMultirangeText;
    return this.#text(value, (text, map) => walk(text, (bound) => map(subtype, bound, depth)));
  }

  #json(type: BaseType, value: Uint8Array): Uint8Array {
    const hasVersion = type.name === 'jsonb' && this.#wire.format === 'binary';
    if (hasVersion && value[0] !== JSONB_VERSION) throw malformed('jsonb');
    const read = readText(hasVersion ? value.subarray(1) : value, this.#wire.clientEncoding);
    const mapped = read?.encode(mapJson(read.text, (leaf) => this.#jsonLeaf(leaf)));
    if (mapped === undefined) throw malformed('JSON in an encoding that is read');
    return hasVersion ? joined([Uint8Array.of(JSONB_VERSION), mapped]) : mapped;
  }

  #jsonLeaf({ kind, text }: JsonLeaf): JsonReplacement {
    const wire: Wire = { ...this.#wire, format: 'text', clientEncoding: 'UTF8' };
    const boolean = text === 'true' ? 't' : 'f';
    const value = utf8Bytes(kind === 'boolean' ? boolean : text);
    const mapped = this.#mapper.leaf(JSON_TYPES[kind], value, wire);
    if (mapped === value) return 'keep';
    if (mapped === null) return this.#mapper.jsonNull === 'drop' ? 'drop' : { json: 'null' };
    const result = readText(mapped, 'UTF8')?.text ?? '';
    if (kind === 'string') return { json: jsonString(result) };
    if (kind === 'boolean') return { json: result === 't' ? 'true' : 'false' };
    return { json: result };
  }

  #optional(type: TypeDescription, member: Uint8Array | null, depth: number): Uint8Array | null {
    return member === null ? null : this.value(type, member, depth + 1);
  }

  /** Reads a value as characters, and has its members mapped as the bytes that they would be alone. */
  #text(
    value: Uint8Array,
    walk: (
      text: string,
      map: (type: TypeDescription, member: string, depth: number) => string | null,
    ) => string,
  ): Uint8Array {
    const read = readText(value, this.#wire.clientEncoding);
    if (read === undefined) throw malformed('in an encoding that is read');
    const mapMember = (type: TypeDescription, member: string, depth: number): string | null => {
      const bytes = read.encode(member);
      const mapped = bytes === undefined ? null : this.value(type, bytes, depth + 1);
      return mapped === null ? null : (readText(mapped, this.#wire.clientEncoding)?.text ?? null);
    };
    const mapped = read.encode(walk(read.text, mapMember));
    if (mapped === undefined) throw malformed('in an encoding that is read');
    return mapped;
  }
}

/** Flag RANGE_EMPTY, or a count of 0. */
function emptyRange(kind: 'range' | 'multirange', isText: boolean): Uint8Array {
  if (kind === 'range') return isText ? utf8Bytes('empty') : Uint8Array.of(1);
  return isText ? utf8Bytes('{}') : new Uint8Array(4);
}
