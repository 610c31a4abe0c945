/**
 * The content of a request or an answer, masked as it goes by: chunks in, chunks out.
 *
 * Spec: spec/masking.md, section 16. What is not masked is given on as the bytes that came, and the result does
 * not depend on how they were cut. What cannot be read as the format that it says it has is withheld: the error
 * comes before a byte of what is not understood is given on.
 *
 * @example
 * const format = bodyFormatOf('application/json');
 * const masker = format && bodyMasker(format, new BodyPlan(masks), tools);
 */

import { BodyLeaves, type BodyTools } from './body-leaves.ts';
import type { BodyFormat } from './body-format.ts';
import type { BodyPlan } from './body-plan.ts';
import { CsvMasker } from './csv-masker.ts';
import { EventStreamMasker } from './event-stream-masker.ts';
import { FormMasker } from './form-masker.ts';
import { JsonMasker } from './json-masker.ts';
import { TextMasker } from './text-masker.ts';
import { withheld } from './withheld.ts';

/** Throws CONTENT_WITHHELD, and is of no use behind it. */
export interface BodyMasker {
  /** What can be given on of what came so far; the parts stay as they are. */
  push(chunk: Uint8Array): readonly Uint8Array[];
  /** The rest. */
  finish(): readonly Uint8Array[];
}

/** A masker for one content. Throws CONTENT_WITHHELD where a Mask names fields and the format has none. */
export function bodyMasker(format: BodyFormat, plan: BodyPlan, tools: BodyTools): BodyMasker {
  const leaves = new BodyLeaves(plan, tools);
  const { root } = plan.places;
  switch (format) {
    case 'json':
      return new JsonMasker(leaves, root);
    case 'json-sequence':
      return new JsonMasker(leaves, root, true);
    case 'event-stream':
      return new EventStreamMasker(leaves, root);
    case 'form':
      return new FormMasker(leaves, root);
    case 'csv':
      return new CsvMasker(leaves, root, plan.hasFields);
    case 'text':
      if (plan.hasFields) throw withheld('text', 'a Mask names fields, and it has none');
      return new TextMasker(leaves, tools);
    default:
      return format satisfies never;
  }
}

/** All of a content at once. */
export function maskBody(masker: BodyMasker, bytes: Uint8Array): readonly Uint8Array[] {
  return [...masker.push(bytes), ...masker.finish()];
}
