/**
 * Of several Masks on one column, what becomes of its values.
 *
 * Spec: spec/masking.md, section 8.3. The most restrictive operator is taken:
 * `partial < generalise < token, fpe, fake < hash < mask < redact < nullify < drop`, by what each does to the
 * type of the column: what can only be redacted there counts as `redact`. Two that are alike and not the same
 * (two hashes under two entities) show two things of one value, and become `redact`. So another Mask never makes
 * more be shown.
 */

import { TEXT_TYPES } from '../operators/constants.ts';
import { isFaked } from '../operators/fake.ts';
import type { Operator, Partial, TypeDescription } from '../operators/operator.ts';
import type { MaskRef } from './mask.ts';

/** What one Mask does to values. */
export interface Choice extends MaskRef {
  readonly operator: Operator;
  readonly entity: string;
}

const RANKS: Readonly<Record<Operator['kind'], number>> = {
  partial: 1,
  generalise: 2,
  token: 3,
  fpe: 3,
  fake: 3,
  hash: 4,
  mask: 5,
  redact: 6,
  nullify: 8,
  drop: 9,
};
/** Of JSON it takes the leaves with their names, and leaves what they were in. */
const RANK_OF_DROP_IN_JSON = 7;
const REDACT: Operator = { kind: 'redact' };

/** What operators do to types that are no texts; everything else there is `redact`. */
const OWN: Readonly<Record<string, readonly Operator['kind'][]>> = {
  bytea: ['hash', 'token'],
  cidr: ['partial', 'generalise'],
  date: ['generalise'],
  float4: ['generalise'],
  float8: ['generalise'],
  inet: ['partial', 'generalise'],
  int2: ['generalise'],
  int4: ['generalise', 'token', 'fpe'],
  int8: ['generalise', 'token', 'fpe', 'hash'],
  macaddr: ['partial'],
  macaddr8: ['partial'],
  numeric: ['generalise', 'token', 'fpe'],
  point: ['generalise'],
  timestamp: ['generalise'],
  timestamptz: ['generalise'],
  uuid: ['token', 'fpe', 'hash'],
};
/** What depends on more than the value and the key: under two entities it is two things. */
const BY_ENTITY: ReadonlySet<string> = new Set(['partial', 'hash', 'token', 'fpe', 'fake']);

/** The most restrictive choice of at least one; the same for the same choices in any order. */
export function strictest(choices: readonly [Choice, ...Choice[]], type: TypeDescription): Choice {
  const sorted = choices.toSorted(byName);
  const candidates = [...Map.groupBy(sorted, (choice) => rankOf(choice, type)).values()].flatMap(combined);
  const best = candidates.reduce((one, other) => (rankOf(other, type) > rankOf(one, type) ? other : one));
  const differ = sorted.some((choice) => !isSame(choice, choices[0]));
  // Each leaf would have an order of its own.
  if (differ && hasManyTypes(type) && rankOf(best, type) < RANKS.redact) return redacting(best);
  return best;
}

/** How much it hides of a type; more is less shown. */
export function rankOf(
  { operator, entity }: Pick<Choice, 'operator' | 'entity'>,
  type: TypeDescription,
): number {
  if (operator.kind === 'drop' && isJson(type)) return RANK_OF_DROP_IN_JSON;
  const rank = RANKS[operator.kind];
  return rank < RANKS.redact && !isOwn(operator, entity, type) ? RANKS.redact : rank;
}

/** Whether nothing of a value is left. */
export function hidesAll({ operator }: Pick<Choice, 'operator'>): boolean {
  return RANKS[operator.kind] >= RANKS.redact;
}

/** Those of one rank as one, or as `redact` where they are not the same. */
function combined(choices: readonly Choice[]): readonly Choice[] {
  const [first] = choices;
  if (first === undefined) return [];
  let one = first;
  for (const other of choices) {
    if (isSame(one, other)) continue;
    const merged = mergedPartial(one, other);
    if (merged === undefined) return [first, redacting(first)];
    one = merged;
  }
  return [one];
}

function isSame(one: Choice, other: Choice): boolean {
  if (optionsOf(one.operator) !== optionsOf(other.operator)) {
    // A rank is one thing from `redact` on, whoever asked for it.
    return hidesAll(one) && one.operator.kind === other.operator.kind;
  }
  return one.entity === other.entity || !BY_ENTITY.has(one.operator.kind);
}

/** Fewer characters at each end than either of them leaves. */
function mergedPartial(one: Choice, other: Choice): Choice | undefined {
  const [a, b] = [one.operator, other.operator];
  if (a.kind !== 'partial' || b.kind !== 'partial' || one.entity !== other.entity) return undefined;
  // What is usual for an entity is no number that could be compared.
  if (isUsual(a) || isUsual(b)) return undefined;
  const operator: Partial = {
    kind: 'partial',
    keepFirst: Math.min(a.keepFirst ?? 0, b.keepFirst ?? 0),
    keepLast: Math.min(a.keepLast ?? 0, b.keepLast ?? 0),
  };
  return { ...(optionsOf(operator) === optionsOf(b) ? other : one), operator };
}

function isUsual({ keepFirst, keepLast }: Partial): boolean {
  return keepFirst === undefined && keepLast === undefined;
}

function redacting(choice: Choice): Choice {
  return { ...choice, operator: REDACT };
}

/** The operator with its options in one order. */
function optionsOf(operator: Operator): string {
  return JSON.stringify(Object.entries(operator).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether an operator does something of its own to some value of a type. */
function isOwn(operator: Operator, entity: string, type: TypeDescription): boolean {
  switch (type.kind) {
    case 'base':
      if (isJson(type)) return true;
      if (TEXT_TYPES.has(type.name)) return operator.kind !== 'fake' || isFaked(entity);
      return OWN[type.name]?.includes(operator.kind) === true;
    case 'array':
      return isOwn(operator, entity, type.element);
    case 'composite':
      return type.fields === undefined || type.fields.some((field) => isOwn(operator, entity, field));
    case 'range':
    case 'multirange':
      return operator.kind === 'generalise' && isOwn(operator, entity, type.subtype);
    case 'domain':
      return type.constant === undefined && isOwn(operator, entity, type.base);
    case 'enum':
    case 'unknown':
      return false;
    default:
      return type satisfies never;
  }
}

/** Whether values have leaves of several types. */
function hasManyTypes(type: TypeDescription): boolean {
  switch (type.kind) {
    case 'base':
      return isJson(type);
    case 'array':
      return hasManyTypes(type.element);
    case 'composite':
      return true;
    case 'domain':
      return hasManyTypes(type.base);
    case 'range':
    case 'multirange':
    case 'enum':
    case 'unknown':
      return false;
    default:
      return type satisfies never;
  }
}

function isJson(type: TypeDescription): boolean {
  if (type.kind === 'domain') return isJson(type.base);
  return type.kind === 'base' && (type.name === 'json' || type.name === 'jsonb');
}

function byName(one: MaskRef, other: MaskRef): number {
  return one.mask < other.mask ? -1 : one.mask > other.mask ? 1 : 0;
}
