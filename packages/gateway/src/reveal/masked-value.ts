/**
 * A masked value that somebody brings, which Masks could have made it, and what it stands for.
 *
 * Spec: spec/masking.md, section 17; spec/masking-operators.md, section 6. A mask does not say which Mask made it: all
 * that would make one of its kind have to let it be revealed, so that no Mask is read through another.
 */

import { CountersignError } from '../core/errors.ts';
import { compileMask } from '../masking/plan/compile-mask.ts';
import type { MaskingKeyRing } from '../masking/operators/key-ring.ts';
import type { BaseType, Operator, Wire } from '../masking/operators/operator.ts';
import { isEntity } from '../masking/operators/parse-operator.ts';
import { revealValue } from '../masking/operators/reveal.ts';
import { lookForTokens } from '../masking/operators/tokens.ts';
import type { Resources } from '../resources/resources.ts';
import { refused } from './demands.ts';

export const REVERSIBLE = ['token', 'fpe'] as const;
/** Not bytea: the token in it says what it is, and nobody has looked at that. */
export const REVEALED_TYPES = ['text', 'int4', 'int8', 'numeric', 'uuid'] as const;

export interface MaskedValue {
  readonly value: string;
  readonly operator: (typeof REVERSIBLE)[number];
  /** What the values are, as the Mask says it; a token that is a text says it itself. */
  readonly entity: string | undefined;
  readonly type: (typeof REVEALED_TYPES)[number];
  /** Of a mask that does not say whose key it is; the current one where none is given. */
  readonly keyId: number | undefined;
}

const WIRE: Wire = {
  format: 'text',
  clientEncoding: 'UTF8',
  dateStyle: 'ISO, MDY',
  intervalStyle: 'postgres',
};
const COLUMN = 'COLUMN';

/** The value, and what it is; REQUEST_INVALID for what is no mask of this installation. */
export function clearValueOf(
  keys: MaskingKeyRing,
  resources: Pick<Resources, 'get'>,
  { value, operator: kind, entity: given, type: name, keyId }: MaskedValue,
): { readonly clear: string; readonly entity: string; readonly masks: readonly string[] } {
  const entity = entityOf(keys, value) ?? given ?? COLUMN;
  if (!isEntity(entity)) throw invalid('an entity is a name in capitals, as EMAIL');
  const makers = makersOf(resources, kindsOf(kind, name), entity);
  const [first] = makers;
  if (first === undefined) throw refused(`no Mask makes masks of ${entity} by ${kind}`);
  const type: BaseType = { kind: 'base', name, typmod: -1 };
  // Masks of one kind that differ in their options make different masks; the first that it fits is it.
  const found = makers.map(({ operator }) => opened(keys, { operator, entity, type, keyId }, value));
  const clear = found.find((one) => one !== undefined);
  if (clear === undefined) throw invalid('it is no mask of this installation that can be undone');
  return { clear, entity, masks: makers.map(({ mask }) => mask) };
}

function opened(
  keys: MaskingKeyRing,
  { operator, entity, type, keyId }: OpenedBy,
  value: string,
): string | undefined {
  const request = { operator, entity, type, wire: WIRE, keys, ...(keyId === undefined ? {} : { keyId }) };
  const bytes = revealValue(request, Buffer.from(value, 'utf8'));
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

interface OpenedBy {
  readonly operator: Operator;
  readonly entity: string;
  readonly type: BaseType;
  readonly keyId: number | undefined;
}

/** What a token says that it is. */
function entityOf(keys: MaskingKeyRing, value: string): string | undefined {
  const [found] = lookForTokens(keys, value);
  return found?.start === 0 && found.end === value.length ? found.entity?.toUpperCase() : undefined;
}

/** Of numbers and uuid both operators are one permutation: either opens what the other has made. */
function kindsOf(kind: MaskedValue['operator'], type: MaskedValue['type']): readonly Operator['kind'][] {
  return type === 'text' ? [kind] : REVERSIBLE;
}

const OF_DETECTORS = 'CUSTOM';

function makersOf(
  resources: Pick<Resources, 'get'>,
  kinds: readonly Operator['kind'][],
  entity: string,
): readonly { readonly mask: string; readonly operator: Operator }[] {
  return resources.get('Mask').flatMap(({ document, version }) => {
    if (document.kind !== 'Mask') return [];
    const { mask, operator, ...compiled } = compileMask(document, version);
    // What Detectors find has one entity, and may be hidden by any Mask that detects: each of them is asked.
    const isOf =
      compiled.kind === 'detect'
        ? entity === OF_DETECTORS || compiled.entities.has(entity)
        : compiled.entity === entity;
    return kinds.includes(operator.kind) && isOf ? [{ mask, operator }] : [];
  });
}

function invalid(reason: string): CountersignError {
  return new CountersignError('REQUEST_INVALID', { reason });
}
