/**
 * What a leaf shows of texts that Masks reach: the query of a rerank call, and names that a request gives things.
 *
 * Spec: spec/events.md, "Rerank calls". Where no Mask reaches HTTP, a leaf has no query in any form: its hash is
 * there, and its text in the recording.
 */

import { CountersignError } from '../../core/errors.ts';
import { segmentsOf } from '../../core/json-pattern.ts';
import { BodyLeaves, type BodyTools, bodyTools } from '../../masking/bodies/body-leaves.ts';
import { type BodyPlan, bodyPlanOf } from '../../masking/bodies/body-plan.ts';
import { bodyMasker, maskBody } from '../../masking/bodies/body-masker.ts';
import type { MaskingKeyRing } from '../../masking/operators/key-ring.ts';
import { utf8Bytes } from '../../masking/operators/text-encoding.ts';
import type { ContentMasks, SessionMasks } from '../../masking/plan/session-masks.ts';
import { OperationMasking } from '../postgres/masked/operation-masking.ts';

/** A text of a content, and its RFC 6901 pointer in there. */
export interface PlacedText {
  readonly pointer: string;
  readonly text: string;
}

/** Owned by one request. */
export class RecordMasking {
  readonly #plan: BodyPlan;
  readonly #tools: BodyTools;
  /** Names have no place in a leaf that a Mask could mean: what they look like counts. */
  readonly #looks: BodyLeaves;

  constructor(masks: ContentMasks, keys: MaskingKeyRing) {
    this.#plan = bodyPlanOf(masks);
    this.#tools = bodyTools(keys, new OperationMasking().counts, masks.rules);
    this.#looks = new BodyLeaves(this.#plan, this.#tools);
  }

  /** One text as the Masks leave it where it stands; undefined where they leave nothing that is a text. */
  placed({ pointer, text }: PlacedText): string | undefined {
    const segments = segmentsOf(pointer) ?? [];
    const content = segments.reduceRight<unknown>((inner, segment) => ({ [segment]: inner }), text);
    let masked = orNothing(() => this.#masked(content));
    for (const segment of segments) masked = membersOf(masked)[segment];
    return typeof masked === 'string' ? masked : undefined;
  }

  /** Each text as it looks. */
  texts(texts: readonly string[]): readonly string[] {
    if (!this.#looks.looks || texts.length === 0) return texts;
    return orNothing(() => texts.map((text) => this.#text(text))) ?? texts.map(() => '');
  }

  #text(text: string): string {
    const bytes = utf8Bytes(text);
    const masked = this.#looks.string(bytes, 0, bytes.length, 0, undefined);
    if (masked === undefined) return text;
    return masked === null ? '' : Buffer.from(masked).toString('utf8');
  }

  #masked(content: unknown): unknown {
    const masker = bodyMasker('json', this.#plan, this.#tools);
    const bytes = maskBody(masker, Buffer.from(JSON.stringify(content)));
    const masked: unknown = JSON.parse(Buffer.concat(bytes).toString('utf8'));
    return masked;
  }
}

/** Undefined where no Mask reaches what goes over HTTP. */
export async function recordMasking(
  { either }: SessionMasks,
  keys: () => Promise<MaskingKeyRing>,
): Promise<RecordMasking | undefined> {
  return bodyPlanOf(either).isEmpty ? undefined : new RecordMasking(either, await keys());
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** What could not be masked is not shown. */
function orNothing<T>(masked: () => T): T | undefined {
  try {
    return masked();
  } catch (error) {
    if (error instanceof CountersignError) return undefined;
    throw error;
  }
}
