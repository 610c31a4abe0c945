/**
 * Masks on the answer to a request: decoded, masked by field and by looks, and sent without an encoding.
 *
 * Pipeline: maskResult. Where no Mask reaches the client nothing of this is made, and bytes pass as they are. What
 * cannot be read as what it says it is, is withheld; so is every other protocol behind an upgrade.
 */

import type { Readable } from 'node:stream';
import type { HttpFields } from '../../core/http-message.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import { bodyFormatOf } from '../../masking/bodies/body-format.ts';
import { type BodyTools, bodyTools } from '../../masking/bodies/body-leaves.ts';
import { type BodyMasker, bodyMasker } from '../../masking/bodies/body-masker.ts';
import { type BodyPlan, bodyPlanOf } from '../../masking/bodies/body-plan.ts';
import type { CompiledRules } from '../../masking/detect/custom-rules.ts';
import { HeadMasker } from '../../masking/bodies/head-masker.ts';
import type { MaskingKeyRing } from '../../masking/operators/key-ring.ts';
import type { SessionMasks } from '../../masking/plan/session-masks.ts';
import { valueOf } from '../../protocols/http/fields.ts';
import type { UpstreamAnswer } from '../../upstream/http-exchange.ts';
import { OperationMasking } from '../postgres/masked/operation-masking.ts';
import {
  type AnswerChange,
  type Came,
  changedRequest,
  contentThrough,
  withheld,
  withoutContentFields,
} from './answer-change.ts';

/** Owned by one request. */
class AnswerMasking implements AnswerChange {
  readonly #plan: BodyPlan;
  readonly #tools: BodyTools;
  readonly #operation = new OperationMasking();
  readonly #head: HeadMasker;

  /** @param rules what Detectors find beside the scanner's own */
  constructor(plan: BodyPlan, keys: MaskingKeyRing, rules?: CompiledRules) {
    this.#plan = plan;
    this.#tools = bodyTools(keys, this.#operation.counts, rules);
    this.#head = new HeadMasker(plan, this.#tools);
  }

  request(fields: HttpFields): HttpFields {
    return changedRequest(fields);
  }

  answerFields(fields: HttpFields): HttpFields {
    return this.#head.fields(withoutContentFields(fields));
  }

  content(answer: UpstreamAnswer, came: Came): Readable {
    const { status, fields } = answer;
    // Of a part nobody can say what it is a part of; some stores have fields of their own that ask for one.
    if (status === 206 || valueOf(fields, 'content-range') !== undefined) throw withheld('it is a part');
    return contentThrough(answer, this.#masker(valueOf(fields, 'content-type')), came);
  }

  body(): Record<string, BodyValue> {
    return this.#operation.body();
  }

  /** One for what cannot be looked into lets nothing through, and an empty content has nothing to hide. */
  #masker(contentType: string | undefined): BodyMasker {
    const format = bodyFormatOf(contentType);
    return format === undefined ? NOTHING : bodyMasker(format, this.#plan, this.#tools);
  }
}

/** Undefined where no Mask reaches what HTTP returns. */
export async function answerMasking(
  masks: SessionMasks,
  keys: () => Promise<MaskingKeyRing>,
): Promise<AnswerChange | undefined> {
  const plan = bodyPlanOf(masks);
  return plan.isEmpty ? undefined : new AnswerMasking(plan, await keys(), masks.rules);
}

const NOTHING: BodyMasker = {
  push: (chunk) => {
    if (chunk.length > 0) throw withheld('nobody can look into a content of its type');
    return [];
  },
  finish: () => [],
};
