/**
 * A reranking call under pseudonyms: which of its texts they stand in, and who is given back what they stand for.
 *
 * Pipeline: as masked-request.ts, of a call whose dialect is known. Spec: spec/masking.md, section 19.
 */

import { PSEUDONYM_LIMITS } from '../../core/http-body-limits.ts';
import type { RerankCall } from '../../core/rerank.ts';
import type { BodyTools } from '../../masking/bodies/body-leaves.ts';
import type { BodyMasker } from '../../masking/bodies/body-masker.ts';
import { callMasker } from '../../masking/bodies/rerank-leaves.ts';
import { RerankSafe } from '../../masking/bodies/rerank-safe.ts';
import type { DetectMask } from '../../masking/plan/column-plan.ts';
import type { RequestMasks, RerankSafeMasks } from '../../masking/plan/session-masks.ts';
import type { MaskCounts } from '../../masking/rows/mask-counts.ts';

/** A call of which texts go under pseudonyms. Owned by one request. */
export class RerankSafeCall {
  readonly #masks: RequestMasks;
  readonly #safeMasks: RerankSafeMasks;
  readonly #texts: readonly string[];
  readonly #tools: BodyTools;
  readonly #safe: RerankSafe;

  constructor(
    connection: string,
    masks: RequestMasks,
    safeMasks: RerankSafeMasks,
    call: RerankCall,
    tools: BodyTools,
  ) {
    this.#masks = masks;
    this.#safeMasks = safeMasks;
    this.#tools = tools;
    this.#texts = textsOf(call);
    this.#safe = new RerankSafe({
      texts: this.#texts,
      connection,
      keys: tools.keys.current,
      scanner: tools.scanner,
      entities: new Set(safeMasks.detecting.flatMap(({ entities }) => [...entities])),
    });
  }

  /** The first pass: whatever else is masked in the call. */
  masker(): BodyMasker {
    return callMasker(this.#masks, this.#safeMasks, this.#texts, this.#tools);
  }

  /** The second, over what the first gave; it changes nothing. */
  finding(): BodyMasker {
    return this.#safe.finding();
  }

  /** Whether the second found something, so that there is a third. */
  get isNeeded(): boolean {
    return this.#safe.isNeeded;
  }

  /** The third, over the same. */
  replacing(): BodyMasker {
    return this.#safe.replacing();
  }

  /** What it takes to know the words again. */
  get bytes(): number {
    return this.#safe.wordsCount * PSEUDONYM_LIMITS.bytesPerWord;
  }

  /** Adds what went under pseudonyms. */
  count(counts: MaskCounts): void {
    for (const [entity, values] of this.#safe.found) {
      const mask = this.#safeMasks.detecting.find(({ entities }) => entities.has(entity));
      if (mask !== undefined) counts.tally(keyOf(mask, entity)).values += values;
    }
  }

  /** Of the answer. */
  restoring(): BodyMasker {
    return this.#safe.restoring();
  }
}

/**
 * The call whose texts may go under pseudonyms. A search that is ranked finds nothing by them: its documents are the
 * store's, and are there as they are.
 */
export function pseudonymousCall(call: RerankCall | undefined): RerankCall | undefined {
  return call === undefined || call.operation === 'retrieve-rerank' ? undefined : call;
}

/** Names of documents too: one that is masked is no name any more. */
function textsOf({ query, documents }: RerankCall): readonly string[] {
  return [...new Set([...query, ...documents.texts, ...documents.ids])];
}

function keyOf({ mask, version }: DetectMask, entity: string): Parameters<MaskCounts['tally']>[0] {
  return { mask, version, column: 'content', entity, operator: 'pseudonym' };
}
