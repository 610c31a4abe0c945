/**
 * Masks on a reranking call beside its pseudonyms: what they do everywhere else in it, and in its texts those of
 * the Masks that know no pseudonyms.
 *
 * Spec: spec/masking.md, section 19. A place that a Mask names is masked as it says, in a text as well.
 */

import { BodyLeaves, type BodyTools } from './body-leaves.ts';
import { BodyPlan, type FieldRule, fieldRule, fieldRules, type Named } from './body-plan.ts';
import type { RequestMasks, RerankSafeMasks } from '../plan/session-masks.ts';
import { JsonMasker, type JsonLeaves, type Leaf } from './json-masker.ts';
import { Places } from './places.ts';
import { textRules } from './rerank-safe.ts';

/** Of a place: the fields that Masks name there, and whether it is of a text that goes under pseudonyms. */
interface CallRule {
  readonly field: FieldRule | undefined;
}

/** A masker of a whole call. @param texts where those stand that go under pseudonyms */
export function callMasker(
  masks: RequestMasks,
  { others }: RerankSafeMasks,
  texts: readonly string[],
  tools: BodyTools,
): JsonMasker<CallRule> {
  const outside = new BodyLeaves(new BodyPlan(masks), tools);
  const inside = new BodyLeaves(new BodyPlan({ fields: [], detecting: others }), tools);
  const rules = [...masks.fields.flatMap(fieldRules), ...texts.flatMap(textRules)];
  const places = new Places<Named | true, CallRule>(rules, combined);
  return new JsonMasker(new CallLeaves(outside, inside), places.root);
}

function combined(all: readonly (Named | true)[]): CallRule {
  const [first, ...more] = all.filter((one) => one !== true);
  return { field: first === undefined ? undefined : fieldRule([first, ...more]) };
}

class CallLeaves implements JsonLeaves<CallRule> {
  readonly looks: boolean;
  readonly #outside: BodyLeaves;
  readonly #inside: BodyLeaves;

  constructor(outside: BodyLeaves, inside: BodyLeaves) {
    this.looks = outside.looks;
    this.#outside = outside;
    this.#inside = inside;
  }

  string(bytes: Uint8Array, from: number, to: number, context: number, rule: CallRule | undefined): Leaf {
    return this.#for(rule).string(bytes, from, to, context, rule?.field);
  }

  number(bytes: Uint8Array, from: number, to: number, context: number, rule: CallRule | undefined): Leaf {
    return this.#for(rule).number(bytes, from, to, context, rule?.field);
  }

  word(bytes: Uint8Array, from: number, to: number, { field }: CallRule): Leaf {
    return field === undefined ? undefined : this.#outside.word(bytes, from, to, field);
  }

  name(
    bytes: Uint8Array,
    from: number,
    to: number,
    context: number,
    rule: CallRule | undefined,
  ): Uint8Array | undefined {
    return this.#for(rule).name(bytes, from, to, context, rule?.field);
  }

  drops({ field }: CallRule): boolean {
    return field !== undefined && this.#outside.drops(field);
  }

  #for(rule: CallRule | undefined): BodyLeaves {
    return rule === undefined || rule.field !== undefined ? this.#outside : this.#inside;
  }
}
