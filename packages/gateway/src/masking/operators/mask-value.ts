/**
 * Masks a value of any PostgreSQL type, in the format in which it came, to one that its type accepts.
 *
 * Spec: spec/masking-operators.md. NULL stays NULL. A value that is not of the form that its type has is
 * replaced as a whole: by its type's constant where it has one, by NULL where it has none.
 */

import { isMalformed } from './bytes.ts';
import { type LeafMapper, mapLeaves } from './leaves.ts';
import { maskLeaf, redacted } from './mask-leaf.ts';
import type { Masked, MaskRequest, TypeDescription } from './operator.ts';
import { checkEntity } from './parse-operator.ts';

/**
 * The masked value.
 *
 * @example
 * maskValue({ operator: { kind: 'redact' }, entity: 'EMAIL', type, wire, keys }, bytes); // [REDACTED:EMAIL]
 */
export function maskValue(request: MaskRequest, value: Uint8Array | null): Masked {
  const { operator, type, wire, keys, entity } = request;
  checkEntity(entity);
  if (value === null) return { value: null, reversible: false };
  // Of JSON a leaf can go; of anything else only all of it.
  if (operator.kind === 'nullify' || (operator.kind === 'drop' && !isJson(type))) {
    return { value: null, reversible: false };
  }
  let reversible = true;
  let leaves = 0;
  const mapper: LeafMapper = {
    leaf(leafType, leaf, leafWire) {
      const masked = maskLeaf({ operator, entity, keys: keys.current }, leafType, leaf, leafWire);
      reversible &&= masked.reversible;
      leaves += 1;
      return masked.value;
    },
    ranges: operator.kind === 'generalise' ? 'bounds' : 'empty',
    jsonNull: operator.kind === 'drop' ? 'drop' : 'null',
  };
  try {
    const result = mapLeaves(type, value, wire, mapper);
    return { value: result, reversible: reversible && leaves > 0 };
  } catch (error) {
    if (!isMalformed(error)) throw error;
    // Nothing is known of such a value, and so all of it is replaced.
    return type.kind === 'base' ? redacted(type, value, wire, entity) : { value: null, reversible: false };
  }
}

function isJson(type: TypeDescription): boolean {
  if (type.kind === 'domain') return isJson(type.base);
  return type.kind === 'base' && (type.name === 'json' || type.name === 'jsonb');
}
