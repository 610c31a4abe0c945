/**
 * Masks in what a client writes: a form that was filled with masked values and is sent back would overwrite what
 * they stand for.
 *
 * Spec: spec/masking.md, section 13. What no key has made (stars, parts) is not found.
 */

import type { Effect, StatementFacts } from '../../../core/effects.ts';
import type { MaskingKeyRing } from '../../../masking/operators/key-ring.ts';
import type { TypeDescription, Wire } from '../../../masking/operators/operator.ts';
import { findMaskedLiteral, findMaskedValue } from '../../../masking/rows/written-masks.ts';
import type { BoundValue } from '../../../protocols/postgres/operation.ts';
import { TokenCursor } from '../../../sql/tokens.ts';

const WRITES: ReadonlySet<Effect> = new Set<Effect>(['insert', 'update', 'update-unqualified', 'merge']);
const LITERALS: ReadonlySet<TokenCursor['kind']> = new Set<TokenCursor['kind']>([
  'literal',
  'escape-literal',
  'unicode-literal',
  'dollar-literal',
]);

export function writes({ effects }: StatementFacts): boolean {
  return effects.some(({ effect }) => WRITES.has(effect));
}

/** Why a text must not be run; undefined where nothing in it is a mask. */
export function maskInText(keys: MaskingKeyRing, textBytes: Uint8Array): string | undefined {
  const cursor = new TokenCursor(textBytes);
  while (cursor.next()) {
    if (!LITERALS.has(cursor.kind)) continue;
    const literal = Buffer.from(textBytes.subarray(cursor.from, cursor.to)).toString('utf8');
    // Quotes and tags around it are no part of any mask.
    if (findMaskedLiteral(keys, literal.replaceAll("''", "'")) !== undefined) {
      return 'a literal in it is a masked value, which would be written back over what it stands for';
    }
  }
  return undefined;
}

/** The same of values that are bound to it. */
export function maskInValues(
  keys: MaskingKeyRing,
  values: readonly BoundValue[],
  typeOf: (index: number) => TypeDescription | undefined,
  settings: Omit<Wire, 'format'>,
): string | undefined {
  const at = values.findIndex(({ bytes, format }, index) => {
    return findMaskedValue(keys, typeOf(index), bytes, { ...settings, format }) !== undefined;
  });
  return at === -1
    ? undefined
    : `parameter $${at + 1} is a masked value, which would be written back over what it stands for`;
}
