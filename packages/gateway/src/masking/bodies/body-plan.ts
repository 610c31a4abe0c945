/**
 * What the Masks that reach somebody do to the contents of HTTP: by where a value stands, and by what it looks
 * like.
 *
 * Spec: spec/masking.md, section 18. Of several Masks on one value the most restrictive operator is taken, as of
 * several on one column. A value that a Mask names is not looked through.
 */

import type { BaseType } from '../operators/operator.ts';
import type { FieldMask } from '../plan/compile-mask.ts';
import type { DetectMask } from '../plan/column-plan.ts';
import { type Choice, strictest } from '../plan/precedence.ts';
import type { SessionMasks } from '../plan/session-masks.ts';
import { type PlaceRule, Places } from './places.ts';

/** What a value may be: of each, the choice is by what operators do to it. */
export type LeafKind = 'text' | 'number' | 'word';

export const LEAF_TYPES: Readonly<Record<LeafKind, BaseType>> = {
  text: { kind: 'base', name: 'text', typmod: -1 },
  number: { kind: 'base', name: 'numeric', typmod: -1 },
  word: { kind: 'base', name: 'bool', typmod: -1 },
};

/** What is done with one value, whatever it is. */
export interface FieldRule {
  readonly choices: Readonly<Record<LeafKind, Choice>>;
  /** Fields as the Masks write them, for leaves. */
  readonly column: string;
}

/** A Mask that names a field. */
export interface Named extends Choice {
  readonly field: string;
}

export class BodyPlan {
  readonly places: Places<Named, FieldRule>;
  readonly detecting: readonly DetectMask[];
  /** Whether some Mask names fields: a content without fields cannot be masked by it. */
  readonly hasFields: boolean;

  constructor({ fields, detecting }: Pick<SessionMasks, 'fields' | 'detecting'>) {
    this.places = new Places(fields.flatMap(fieldRules), fieldRule);
    this.detecting = detecting;
    this.hasFields = fields.length > 0;
  }

  /** Whether contents have to be looked at at all. */
  get isEmpty(): boolean {
    return !this.hasFields && this.detecting.length === 0;
  }
}

/** Made once for each set of Masks: every request asks for those of its session, which stay the same until they change. */
const plans = new WeakMap<object, BodyPlan>();

/** The plan of these Masks. @param masks the same object where they are the same */
export function bodyPlanOf(masks: Pick<SessionMasks, 'fields' | 'detecting'>): BodyPlan {
  const known = plans.get(masks);
  if (known !== undefined) return known;
  const made = new BodyPlan(masks);
  plans.set(masks, made);
  return made;
}

/** The places of one Mask. */
export function fieldRules({
  patterns,
  mask,
  version,
  operator,
  entity,
}: FieldMask): readonly PlaceRule<Named>[] {
  return patterns.map(({ text, segments, isOfNames }) => ({
    segments,
    isOfNames,
    what: { mask, version, operator, entity, field: text },
  }));
}

/** Of all Masks that name one place. */
export function fieldRule(all: readonly [Named, ...Named[]]): FieldRule {
  return {
    choices: {
      text: strictest(all, LEAF_TYPES.text),
      number: strictest(all, LEAF_TYPES.number),
      word: strictest(all, LEAF_TYPES.word),
    },
    column: [...new Set(all.map(({ field }) => field))].toSorted().join(', '),
  };
}
