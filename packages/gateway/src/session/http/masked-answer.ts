/**
 * Masks on the answer to a request: decoded, masked by field and by looks, and sent without an encoding.
 *
 * Pipeline: maskResult. Where no Mask reaches the client nothing of this is made, and bytes pass as they are. What
 * cannot be read as what it says it is, is withheld; so is every other protocol behind an upgrade.
 */

import { pipeline, Readable } from 'node:stream';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { DecodingBound } from '../../core/decoding-bound.ts';
import { CountersignError, reasonOf } from '../../core/errors.ts';
import type { HttpFields } from '../../core/http-message.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import { bodyFormatOf } from '../../masking/bodies/body-format.ts';
import { type BodyMasker, bodyMasker } from '../../masking/bodies/body-masker.ts';
import { BodyPlan } from '../../masking/bodies/body-plan.ts';
import type { CompiledRules } from '../../masking/detect/custom-rules.ts';
import { Scanner } from '../../masking/detect/scanner.ts';
import type { MaskingKeyRing } from '../../masking/operators/key-ring.ts';
import type { SessionMasks } from '../../masking/plan/session-masks.ts';
import { MaskMemory } from '../../masking/rows/mask-memory.ts';
import { valueOf, valuesOf } from '../../protocols/http/fields.ts';
import type { UpstreamAnswer } from '../../upstream/http-exchange.ts';
import { OperationMasking } from '../postgres/masked/operation-masking.ts';

/** What asks for a part, or for an encoding: a part cannot be read, and what is masked has no encoding. */
const ASKS: ReadonlySet<string> = new Set(['accept-encoding', 'range', 'if-range', 'te']);
/** What would be wrong about a content that was changed. */
const ABOUT_CONTENT: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-md5',
  'content-digest',
  'repr-digest',
  'digest',
  'etag',
  'accept-ranges',
]);

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** Owned by one request. */
export class AnswerMasking {
  readonly #plan: BodyPlan;
  readonly #keys: MaskingKeyRing;
  readonly #rules: CompiledRules | undefined;
  readonly #operation = new OperationMasking();

  /** @param rules what Detectors find beside the scanner's own */
  constructor(plan: BodyPlan, keys: MaskingKeyRing, rules?: CompiledRules) {
    this.#plan = plan;
    this.#rules = rules;
    this.#keys = keys;
  }

  /** What is asked of the target. */
  request(fields: HttpFields): HttpFields {
    return [...fields.filter(([name]) => !ASKS.has(name)), ['accept-encoding', 'identity']];
  }

  /** Of the head that the client gets. */
  answerFields(fields: HttpFields): HttpFields {
    return fields.filter(([name]) => !ABOUT_CONTENT.has(name));
  }

  /** The content as it is given out. Throws CONTENT_WITHHELD, as its stream does later. */
  content({ status, fields, content }: UpstreamAnswer): Readable {
    // Of a part nobody can say what it is a part of; some stores have fields of their own that ask for one.
    if (status === 206 || valueOf(fields, 'content-range') !== undefined) throw withheld('it is a part');
    const masker = this.#masker(valueOf(fields, 'content-type'));
    const names = valuesOf(fields, 'content-encoding')
      .flatMap((value) => value.split(','))
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== '' && name !== 'identity');
    const [name] = names;
    if (name === undefined) return Readable.from(masked(content, masker, undefined), { objectMode: false });
    const make = names.length === 1 && Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
    if (make === undefined) throw withheld('its Content-Encoding cannot be decoded');
    const bound = new DecodingBound();
    const decoder = make();
    content.on('data', (chunk: Uint8Array) => bound.encoded(chunk.length));
    pipeline(content, decoder, () => undefined);
    return Readable.from(masked(decoder, masker, bound), { objectMode: false });
  }

  /** Fields of the outcome. */
  body(): Record<string, BodyValue> {
    return this.#operation.body();
  }

  /** One for what cannot be looked into lets nothing through, and an empty content has nothing to hide. */
  #masker(contentType: string | undefined): BodyMasker {
    const format = bodyFormatOf(contentType);
    if (format === undefined) return NOTHING;
    const scannerOptions = this.#rules === undefined ? {} : { rules: this.#rules };
    return bodyMasker(format, this.#plan, {
      keys: this.#keys,
      scanner: new Scanner(scannerOptions),
      scannerOptions,
      memory: new MaskMemory(),
      counts: this.#operation.counts,
    });
  }
}

/** Undefined where no Mask reaches what HTTP returns. */
export async function answerMasking(
  masks: SessionMasks,
  keys: () => Promise<MaskingKeyRing>,
): Promise<AnswerMasking | undefined> {
  const plan = new BodyPlan(masks);
  return plan.isEmpty ? undefined : new AnswerMasking(plan, await keys(), masks.rules);
}

const NOTHING: BodyMasker = {
  push: (chunk) => {
    if (chunk.length > 0) throw withheld('nobody can look into a content of its type');
    return [];
  },
  finish: () => [],
};

async function* masked(
  source: Readable,
  masker: BodyMasker,
  bound: DecodingBound | undefined,
): AsyncGenerator<Uint8Array, void> {
  let bytes = 0;
  try {
    for await (const piece of source) {
      const chunk: unknown = piece;
      if (!(chunk instanceof Uint8Array)) throw new Error('a stream gave something that is no bytes');
      bound?.decoded(chunk.length);
      bytes += chunk.length;
      for (const part of masker.push(chunk)) if (part.length > 0) yield part;
    }
    // No content at all is of every format.
    if (bytes > 0) for (const part of masker.finish()) if (part.length > 0) yield part;
  } catch (error) {
    throw error instanceof CountersignError ? error : withheld(`it does not decode: ${reasonOf(error)}`);
  }
}

function withheld(reason: string): CountersignError {
  return new CountersignError('CONTENT_WITHHELD', { format: 'content', reason });
}
