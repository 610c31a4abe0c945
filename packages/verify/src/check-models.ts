/**
 * What looks at models say of themselves: spec/evidence.md, section 5, `sessions`.
 *
 * Whether a service said that, only the service knows. What can be checked is whether a digest is that of what stands
 * beside it, and whether a leaf that says "the same" has the same as the one that it names. Untrusted: leaves and bodies.
 */

import { isObject, type Json } from '@countersign/ledger/jcs';
import type { Leaf } from '@countersign/ledger/leaf';
import { fingerprintOf, identityDigest } from '@countersign/ledger/model-compare';
import { answerOf, MODEL_PROBES, ModelRows } from '@countersign/ledger/model-rows';

type Values = Readonly<Record<string, Json>>;

/** One for each package: takes every leaf of the range. */
export class ModelCheck {
  /** Compares as the populations do; what was agreed to has no part in what is checked here. */
  readonly #rows = new ModelRows();
  #others = 0;

  /** What cannot be true of this leaf, where it is of a look. */
  problemsOf(leaf: Leaf, values: Values): readonly string[] {
    if (!MODEL_PROBES.has(leaf.type)) return [];
    const { contradicts } = this.#rows.probe(leaf, values);
    if (contradicts === 'other-baseline') this.#others += 1;
    return [
      ...(contradicts === 'says-same' ? ['says that the model is as before, and what it has is not'] : []),
      ...digestProblems(leaf, values),
    ].map((problem) => `leaf ${leaf.n}: ${problem}`);
  }

  /** Looks that were compared with something else than the log has before them. */
  get otherBaselines(): number {
    return this.#others;
  }
}

function digestProblems({ type }: Leaf, values: Values): readonly string[] {
  const answer = answerOf(type, values);
  const identity = own(values, 'identity');
  if (answer?.kind === 'identity' && identity !== undefined && isObject(identity)) {
    return answer.digest === identityDigest(identity)
      ? []
      : ['its model_identity is not the digest of its identity'];
  }
  const fingerprint = own(values, 'fingerprint');
  if (answer?.kind !== 'canary' || fingerprint === undefined) return [];
  return fingerprint === fingerprintOf(answer.answer)
    ? []
    : ['its fingerprint is not that of its order and scores'];
}

// Field names are untrusted, and an object has members that nobody gave it.
function own(values: Values, field: string): Json | undefined {
  return Object.hasOwn(values, field) ? values[field] : undefined;
}
