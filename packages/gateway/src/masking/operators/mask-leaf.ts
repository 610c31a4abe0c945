/**
 * One value without types inside, by operator and type.
 *
 * Spec: spec/masking-operators.md, section 1. What an operator cannot do to a type, or to this value of it,
 * becomes `redact`; what redact has no constant for becomes NULL. Nothing of a value is ever let through
 * because it could not be masked.
 */

import { constantOf, TEXT_TYPES } from './constants.ts';
import { generalised } from './generalise.ts';
import { isMalformed } from './bytes.ts';
import { maskText, type TextRequest } from './mask-text.ts';
import { manufacturerOf, networkOf } from './network.ts';
import type { BaseType, ConstantDomain, LeafType, Masked, Wire } from './operator.ts';
import { readText, utf8Bytes } from './text-encoding.ts';
import { hashTyped, permuteTyped, tokenTyped, type TypedValue } from './typed-values.ts';

const NULL: Masked = { value: null, reversible: false };

/** The masked value of a leaf; one that is not of its type's form is redacted. */
export function maskLeaf(request: TextRequest, type: LeafType, value: Uint8Array, wire: Wire): Masked {
  const { operator, entity } = request;
  if (operator.kind === 'nullify' || operator.kind === 'drop') return NULL;
  switch (type.kind) {
    case 'base':
      return byOperator(request, type, value, wire) ?? redacted(type, value, wire, entity);
    case 'constant':
      return ofDomain(type, value, wire, entity);
    case 'enum':
      return oneWay(type.labels[0] === undefined ? undefined : utf8Bytes(type.labels[0])) ?? NULL;
    case 'unknown':
      return NULL;
    default:
      return type satisfies never;
  }
}

/** The constant of a type, or NULL where it has none. */
export function redacted(type: BaseType, value: Uint8Array, wire: Wire, entity: string): Masked {
  return oneWay(constantOf(type, wire, entity, value)) ?? NULL;
}

function byOperator(request: TextRequest, type: BaseType, value: Uint8Array, wire: Wire): Masked | undefined {
  if (TEXT_TYPES.has(type.name)) return maskText(request, type, value, wire);
  const text = wire.format === 'text' ? readText(value, wire.clientEncoding)?.text : undefined;
  // In text format a value is its text: one that is not read is not guessed at.
  if (wire.format === 'text' && text === undefined) return undefined;
  try {
    return byType(request, { typeName: type.name, bytes: value, text, wire, entity: request.entity });
  } catch (error) {
    if (!isMalformed(error)) throw error;
    // Not of its type's form: nothing is known of it, and all of it is replaced.
    return undefined;
  }
}

function byType({ operator, keys }: TextRequest, value: TypedValue): Masked | undefined {
  switch (operator.kind) {
    case 'partial':
      return oneWay(partOf(value));
    case 'hash':
      return oneWay(hashTyped(keys, value));
    case 'token':
      return tokenTyped(keys, value);
    case 'fpe': {
      const permuted = permuteTyped('encrypt', keys, value);
      return permuted === undefined ? undefined : { value: permuted, reversible: true };
    }
    case 'generalise':
      return oneWay(generalised(value.typeName, value.bytes, value.text, value.wire, operator));
    case 'redact':
    case 'mask':
    case 'fake':
    case 'nullify':
    case 'drop':
      return undefined;
    default:
      return operator satisfies never;
  }
}

function partOf({ typeName, bytes, text, wire }: TypedValue): Uint8Array | undefined {
  if (typeName === 'inet' || typeName === 'cidr') return networkOf(bytes, text, wire, typeName === 'cidr');
  return typeName === 'macaddr' || typeName === 'macaddr8' ? manufacturerOf(bytes, text) : undefined;
}

function oneWay(value: Uint8Array | undefined): Masked | undefined {
  return value === undefined ? undefined : { value, reversible: false };
}

function ofDomain({ base, constant }: ConstantDomain, value: Uint8Array, wire: Wire, entity: string): Masked {
  const isText = wire.format === 'text' || TEXT_TYPES.has(base.name);
  // ASCII, which every client encoding has.
  if (!isText || /[^\x20-\x7e]/.test(constant)) return redacted(base, value, wire, entity);
  return { value: utf8Bytes(constant), reversible: false };
}
