/**
 * What the contents of answers that are changed have in common: they are asked for without an encoding, decoded
 * where they have one all the same, and sent without what was about another content.
 */

import { pipeline, Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { DecodingBound } from '../../core/decoding-bound.ts';
import { CountersignError, reasonOf } from '../../core/errors.ts';
import type { HttpFields } from '../../core/http-message.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import type { BodyMasker } from '../../masking/bodies/body-masker.ts';
import { valuesOf } from '../../protocols/http/fields.ts';
import type { UpstreamAnswer } from '../../upstream/http-exchange.ts';

/** Somebody who changes an answer on its way. */
export interface AnswerChange {
  /** What is asked of the target. */
  request(fields: HttpFields): HttpFields;
  /** Of the head that the client gets. */
  answerFields(fields: HttpFields): HttpFields;
  /** The content as it is given out. Throws CONTENT_WITHHELD, as its stream does later. */
  content(answer: UpstreamAnswer): Readable;
  /** Fields of the outcome. */
  body(): Record<string, BodyValue>;
}

/** What asks for a part, or for an encoding: a part cannot be read, and what is changed has no encoding. */
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

/** What is asked of a target whose answer is changed. */
export function changedRequest(fields: HttpFields): HttpFields {
  return [...fields.filter(([name]) => !ASKS.has(name)), ['accept-encoding', 'identity']];
}

/** Of a request or an answer: what is about the content that it had. */
export function withoutContentFields(fields: HttpFields): HttpFields {
  return fields.filter(([name]) => !ABOUT_CONTENT.has(name) && !name.startsWith('x-amz-checksum-'));
}

/** The content, decoded, behind whoever changes it. */
export function contentThrough({ fields, content }: UpstreamAnswer, masker: BodyMasker): Readable {
  const names = valuesOf(fields, 'content-encoding')
    .flatMap((value) => value.split(','))
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  const [name] = names;
  if (name === undefined) return Readable.from(changed(content, masker, undefined), { objectMode: false });
  const make = names.length === 1 && Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
  if (make === undefined) throw withheld('its Content-Encoding cannot be decoded');
  const bound = new DecodingBound();
  const decoder = make();
  content.on('data', (chunk: Uint8Array) => bound.encoded(chunk.length));
  pipeline(content, decoder, () => undefined);
  return Readable.from(changed(decoder, masker, bound), { objectMode: false });
}

async function* changed(
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

export function withheld(reason: string): CountersignError {
  return new CountersignError('CONTENT_WITHHELD', { format: 'content', reason });
}
