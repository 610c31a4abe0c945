/**
 * The value that a mask stands for, for whoever was granted it.
 *
 * Spec: spec/masking-operators.md, section 6. Who may, and the leaf that says so, are the caller's.
 */

import { CountersignError } from '../../core/errors.ts';
import { byteaContent } from './bytea.ts';
import { fittingText, TEXT_TYPES } from './constants.ts';
import { permuteText } from './digits.ts';
import { hexOf, isMalformed } from './bytes.ts';
import type { MaskingKeyRing, PurposeKeys } from './key-ring.ts';
import type { BaseType, Operator, Wire } from './operator.ts';
import { readText, utf8Bytes, withoutPadding } from './text-encoding.ts';
import { lookForTokens } from './tokens.ts';
import { isSmallToken } from './typed-tokens.ts';
import { integerOf, permuteTyped } from './typed-values.ts';

export interface RevealRequest {
  /** As it was masked. */
  readonly operator: Operator;
  readonly entity: string;
  readonly type: BaseType;
  readonly wire: Wire;
  readonly keys: MaskingKeyRing;
  /**
   * Whose mask it is, where the mask has no room to say so: `fpe`, and tokens of int4, numeric and large
   * int8. Left out, the current key's; a wrong one gives a wrong value, and nothing tells.
   */
  readonly keyId?: number;
}

/** The value; undefined where the mask cannot be undone, or is none. */
export function revealValue(request: RevealRequest, value: Uint8Array): Uint8Array | undefined {
  try {
    return TEXT_TYPES.has(request.type.name) ? revealText(request, value) : revealTyped(request, value);
  } catch (error) {
    if (!isMalformed(error)) throw error;
    // Not of its type's form, so that no mask was.
    return undefined;
  }
}

function revealText(request: RevealRequest, value: Uint8Array): Uint8Array | undefined {
  const { operator, entity, type, wire, keys } = request;
  const read = readText(value, wire.clientEncoding);
  if (read === undefined) return undefined;
  const text = type.name === 'bpchar' ? withoutPadding(read.text) : read.text;
  const plain =
    operator.kind === 'fpe'
      ? permuteText('decrypt', namedKeys(request), entity, text, operator)
      : wholeToken(keys, text, readPlain);
  const fitting = plain === undefined ? undefined : fittingText(type, plain);
  return fitting === undefined ? undefined : read.encode(fitting);
}

function revealTyped(request: RevealRequest, value: Uint8Array): Uint8Array | undefined {
  const { operator, entity, type, wire, keys } = request;
  if (operator.kind !== 'fpe' && operator.kind !== 'token') return undefined;
  if (type.name === 'bytea') return revealBytea(keys, value, wire);
  // Its token is a hash.
  if (type.name === 'uuid' && operator.kind === 'token') return undefined;
  const text = wire.format === 'text' ? readText(value, wire.clientEncoding)?.text : undefined;
  if (wire.format === 'text' && text === undefined) return undefined;
  let key = namedKeys(request);
  if (type.name === 'int8') {
    const number = integerOf(value, text, 8);
    key = keys.all.find((each) => isSmallToken(each, number)) ?? key;
  }
  return permuteTyped('decrypt', key, { typeName: type.name, bytes: value, text, wire, entity });
}

function revealBytea(keys: MaskingKeyRing, value: Uint8Array, wire: Wire): Uint8Array | undefined {
  const text = readText(byteaContent(value, wire), 'UTF8')?.text;
  const plain = text === undefined ? undefined : wholeToken(keys, text, (bytes) => bytes);
  if (plain === undefined || wire.format === 'binary') return plain;
  // Hex, which every client reads since PostgreSQL 9.0.
  return utf8Bytes(`\\x${hexOf(plain)}`);
}

/** What the token stands for that the text is, and nothing but it. */
function wholeToken<T>(
  keys: MaskingKeyRing,
  text: string,
  read: (plain: Uint8Array) => T | undefined,
): T | undefined {
  const [token] = lookForTokens(keys, text);
  const isWhole = token?.start === 0 && token.end === text.length;
  return isWhole && token.plain !== undefined ? read(token.plain) : undefined;
}

function readPlain(plain: Uint8Array): string | undefined {
  return readText(plain, 'UTF8')?.text;
}

function namedKeys({ keys, keyId }: RevealRequest): PurposeKeys {
  if (keyId === undefined) return keys.current;
  const named = keys.find(keyId);
  if (named === undefined) throw new CountersignError('NOT_FOUND', { what: `masking key ${keyId}` });
  return named;
}
