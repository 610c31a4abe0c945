/** What types of results can hide, and what they can hold. */

import type { TypeDescription } from '../operators/operator.ts';

/**
 * Types whose constant is the same for every value: not bit, vectors and geometries, whose length or kind it
 * keeps, nor bytea, whose form it keeps, nor JSON, whose members have names.
 */
const WITH_CONSTANT: ReadonlySet<string> = words(
  'bool int2 int4 int8 oid xid float4 float8 numeric money uuid',
  'text varchar bpchar name citext char xml jsonpath hstore ltree tsvector varbit pg_lsn',
  'date time timetz timestamp timestamptz interval inet cidr macaddr macaddr8',
  'point lseg box line path polygon circle',
);

/** Types in whose values no text is. Everything else may have some: what extensions bring is not known. */
const WITHOUT_TEXT: ReadonlySet<string> = words(
  'bool int2 int4 int8 oid xid float4 float8 numeric money uuid bit varbit pg_lsn',
  'date time timetz timestamp timestamptz interval inet cidr macaddr macaddr8',
  'point lseg box line path polygon circle vector halfvec sparsevec geometry geography',
);

/** Whether `redact` makes one value of all values of the type, so that it tells nothing but the type. */
export function hasOneConstant(type: TypeDescription): boolean {
  switch (type.kind) {
    case 'base':
      return WITH_CONSTANT.has(type.name);
    case 'domain':
      return hasOneConstant(type.base);
    case 'enum':
      return type.labels.length > 0;
    case 'array':
    case 'composite':
    case 'range':
    case 'multirange':
    case 'unknown':
      return false;
    default:
      return type satisfies never;
  }
}

/** Whether there may be text in values of the type. */
export function mayHoldText(type: TypeDescription): boolean {
  switch (type.kind) {
    case 'base':
      return !WITHOUT_TEXT.has(type.name);
    case 'array':
      return mayHoldText(type.element);
    case 'composite':
      return type.fields === undefined || type.fields.some(mayHoldText);
    case 'range':
    case 'multirange':
      return mayHoldText(type.subtype);
    case 'domain':
      return mayHoldText(type.base);
    case 'enum':
      return false;
    case 'unknown':
      return true;
    default:
      return type satisfies never;
  }
}

function words(...lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.flatMap((line) => line.split(' ')));
}
