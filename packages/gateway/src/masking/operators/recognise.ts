/**
 * Finds masked values again, in whatever a client sends: what was masked must not be written back over the
 * value that it stands for.
 *
 * Spec: spec/masking-operators.md, section 4, with the rate of false finds and what is not found.
 * Untrusted: every byte.
 */

import { MASKING_OPERATOR_LIMITS } from '../../core/masking-limits.ts';
import { byteaContent } from './bytea.ts';
import { isMalformed } from './bytes.ts';
import { TEXT_TYPES } from './constants.ts';
import { decimalOfBinary, decimalOfText } from './decimal.ts';
import type { MaskingKeyRing } from './key-ring.ts';
import { mapLeaves } from './leaves.ts';
import type { BaseType, LeafType, TypeDescription, Wire } from './operator.ts';
import { keyOfPseudonym, PSEUDONYM_FORM } from './pseudonym-names.ts';
import { lookForTokens } from './tokens.ts';
import { integerOf, uuidOfValue } from './typed-values.ts';
import { isSmallToken, uuidKey } from './typed-tokens.ts';

/** What a value was found to be, or to have in it. */
export interface Recognised {
  readonly kind:
    | 'token'
    | 'hash'
    | 'redacted'
    /** So much looks like tokens that not all of it was tried. */
    | 'unread';
  /** Undefined for what no key made. */
  readonly keyId: number | undefined;
}

/** Exactly what `redact` writes. */
const REDACTED = /\[REDACTED(?::[A-Z][A-Z0-9_]{0,39})?\]/;

/** What `fake` makes of e-mail addresses: the rest of a compact token. */
const FAKE_EMAIL = /user-([a-z2-7]{24})@example\.invalid/gi;

/**
 * The mask in a value, or undefined.
 *
 * @param type undefined for a parameter whose type the client left to the server
 */
export function recognise(
  keys: MaskingKeyRing,
  type: TypeDescription | undefined,
  value: Uint8Array,
  wire: Wire,
): Recognised | undefined {
  if (type === undefined) return inAnyType(keys, value, wire);
  let found: Recognised | undefined;
  try {
    mapLeaves(type, value, wire, {
      leaf(leafType, leaf, leafWire) {
        found ??= inLeaf(keys, leafType, leaf, leafWire);
        return leaf;
      },
      ranges: 'bounds',
      jsonNull: 'null',
    });
  } catch (error) {
    if (!isMalformed(error)) throw error;
    // The server will not read it as its type either; a token in it is one all the same.
    found ??= inText(keys, asciiOf(value));
  }
  return found;
}

/** Whether a value is, or has in it, something that this installation made of another value. */
export function isMaskedValue(
  keys: MaskingKeyRing,
  type: TypeDescription | undefined,
  value: Uint8Array,
  wire: Wire,
): boolean {
  return recognise(keys, type, value, wire) !== undefined;
}

const GUESSED: readonly BaseType[] = ['int8', 'uuid', 'bytea'].map((name) => ({
  kind: 'base',
  name,
  typmod: -1,
}));

function inAnyType(keys: MaskingKeyRing, value: Uint8Array, wire: Wire): Recognised | undefined {
  const found = inText(keys, asciiOf(value));
  if (found !== undefined) return found;
  for (const type of GUESSED) {
    const inGuess = recognise(keys, type, value, wire);
    if (inGuess !== undefined) return inGuess;
  }
  return undefined;
}

function inLeaf(keys: MaskingKeyRing, type: LeafType, value: Uint8Array, wire: Wire): Recognised | undefined {
  if (type.kind !== 'base' || TEXT_TYPES.has(type.name)) return inText(keys, asciiOf(value));
  const text = wire.format === 'text' ? asciiOf(value) : undefined;
  switch (type.name) {
    case 'bytea':
      return inText(keys, asciiOf(byteaContent(value, wire)));
    case 'uuid':
      return ofKey(uuidKey(keys, uuidOfValue(value, text))?.id);
    case 'int8':
      return ofSmallToken(keys, integerOf(value, text, 8));
    case 'numeric': {
      const number = text === undefined ? decimalOfBinary(value) : decimalOfText(text);
      return number === undefined || number.negative || number.scale !== 0
        ? undefined
        : ofSmallToken(keys, number.digits);
    }
    default:
      return inText(keys, asciiOf(value));
  }
}

function ofSmallToken(keys: MaskingKeyRing, number: bigint): Recognised | undefined {
  return ofKey(keys.all.find((key) => isSmallToken(key, number))?.id);
}

function ofKey(keyId: number | undefined): Recognised | undefined {
  return keyId === undefined ? undefined : { kind: 'token', keyId };
}

function inText(keys: MaskingKeyRing, text: string): Recognised | undefined {
  let looks = 0;
  for (const token of lookForTokens(keys, text.replace(FAKE_EMAIL, 'tok_$1'))) {
    if (token !== undefined) return { kind: token.marker === 'tok' ? 'token' : 'hash', keyId: token.keyId };
    looks += 1;
    if (looks >= MASKING_OPERATOR_LIMITS.forgedTokensMax) return { kind: 'unread', keyId: undefined };
  }
  for (const [word] of text.matchAll(PSEUDONYM_FORM)) {
    const key = keyOfPseudonym(keys.all, word);
    if (key !== undefined) return { kind: 'token', keyId: key.id };
    looks += 1;
    if (looks >= MASKING_OPERATOR_LIMITS.forgedTokensMax) return { kind: 'unread', keyId: undefined };
  }
  return REDACTED.test(text) ? { kind: 'redacted', keyId: undefined } : undefined;
}

/** Masks are ASCII in every encoding; other bytes are none of them. */
function asciiOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
