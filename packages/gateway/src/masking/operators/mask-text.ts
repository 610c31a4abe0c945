/**
 * One value of a type whose values are text, or a part of such a value.
 *
 * Spec: spec/masking-operators.md, section 1.
 */

import { charactersMax, fittingText } from './constants.ts';
import { permuteText } from './digits.ts';
import { fakeText } from './fake.ts';
import { generalisedText } from './generalise.ts';
import type { PurposeKeys } from './key-ring.ts';
import { normalised } from './normalised.ts';
import type { BaseType, Masked, Operator, Wire } from './operator.ts';
import { partly, starred } from './stars.ts';
import { readText, utf8Bytes, withoutPadding } from './text-encoding.ts';
import { compactOf, hashOf, tokenOf } from './tokens.ts';

interface MaskedText {
  readonly text: string;
  readonly reversible: boolean;
}

export interface TextRequest {
  readonly operator: Operator;
  readonly entity: string;
  readonly keys: PurposeKeys;
}

/** Undefined where the value has no such form: it is redacted. */
export function maskText(
  request: TextRequest,
  type: BaseType,
  value: Uint8Array,
  wire: Wire,
): Masked | undefined {
  const read = readText(value, wire.clientEncoding);
  if (read === undefined) return undefined;
  // The spaces that fill char(n) up are none of the value.
  const text = type.name === 'bpchar' ? withoutPadding(read.text) : read.text;
  const masked = maskedText(request, text, charactersMax(type));
  const fitting = masked === undefined ? undefined : fittingText(type, masked.text);
  const bytes = fitting === undefined ? undefined : read.encode(fitting);
  if (masked === undefined || bytes === undefined) return undefined;
  return { value: bytes, reversible: masked.reversible };
}

/** @param max characters that there is room for */
export function maskedText(
  { operator, entity, keys }: TextRequest,
  text: string,
  max: number | undefined,
): MaskedText | undefined {
  switch (operator.kind) {
    case 'mask':
      return oneWay(starred(text));
    case 'partial':
      return oneWay(partly(text, entity, operator));
    case 'hash':
      return hashText(keys, entity, utf8Bytes(normalised(entity, text)), max);
    case 'token':
      return tokenText(keys, entity, utf8Bytes(text), max);
    case 'fpe': {
      const permuted = permuteText('encrypt', keys, entity, text, operator);
      return permuted === undefined ? undefined : { text: permuted, reversible: true };
    }
    case 'generalise':
      return oneWay(generalisedText(text, operator));
    case 'fake':
      return oneWay(fakeText(keys, entity, utf8Bytes(text), text));
    case 'redact':
    case 'nullify':
    case 'drop':
      return undefined;
    default:
      return operator satisfies never;
  }
}

function oneWay(text: string | undefined): MaskedText | undefined {
  return text === undefined ? undefined : { text, reversible: false };
}

function hashText(
  keys: PurposeKeys,
  entity: string,
  value: Uint8Array,
  max: number | undefined,
): MaskedText | undefined {
  const long = hashOf(keys, entity, value);
  return oneWay(long.length <= (max ?? long.length) ? long : compactOf(keys, 'hash', entity, value));
}

/** Whatever of it there is room for; a type has the same room for each of its values, but not each type. */
function tokenText(
  keys: PurposeKeys,
  entity: string,
  value: Uint8Array,
  max: number | undefined,
): MaskedText | undefined {
  const long = tokenOf(keys, entity, value);
  if (long !== undefined && long.length <= (max ?? long.length)) return { text: long, reversible: true };
  return oneWay(compactOf(keys, 'tok', entity, value));
}
