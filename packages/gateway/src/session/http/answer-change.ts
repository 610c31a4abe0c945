/**
 * What the contents of answers that are changed have in common: they are asked for without an encoding, decoded
 * where they have one all the same, and sent without what was about another content.
 */

import { pipeline, Readable, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { DecodingBound } from '../../core/decoding-bound.ts';
import { CountersignError, reasonOf } from '../../core/errors.ts';
import type { HttpFields } from '../../core/http-message.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import type { BodyMasker } from '../../masking/bodies/body-masker.ts';
import { valuesOf } from '../../protocols/http/fields.ts';
import type { UpstreamAnswer } from '../../upstream/http-exchange.ts';
import { readStream } from './read-stream.ts';

/** Sees each piece of a content as it came, before it is changed. */
export type Came = (chunk: Uint8Array) => void;

/** Somebody who changes an answer on its way. */
export interface AnswerChange {
  /** What is asked of the target. */
  request(fields: HttpFields): HttpFields;
  /** Of the head that the client gets. */
  answerFields(fields: HttpFields): HttpFields;
  /** The content as it is given out. Throws CONTENT_WITHHELD, as its stream does later. */
  content(answer: UpstreamAnswer, came: Came): Readable;
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
export function contentThrough(
  { fields, content }: UpstreamAnswer,
  masker: BodyMasker,
  came: Came = () => undefined,
): Readable {
  const names = valuesOf(fields, 'content-encoding')
    .flatMap((value) => value.split(','))
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  const [name] = names;
  if (name === undefined) return new ChangedContent(content, masker, came);
  const make = names.length === 1 && Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
  if (make === undefined) throw withheld('its Content-Encoding cannot be decoded');
  const bound = new DecodingBound();
  const decoder = make();
  content.on('data', (chunk: Uint8Array) => {
    bound.encoded(chunk.length);
    came(chunk);
  });
  pipeline(content, decoder, () => undefined);
  return new ChangedContent(decoder, masker, (chunk) => bound.decoded(chunk.length));
}

/** The same content, seen as it goes by. */
export function passing(content: Readable, came: Came): Readable {
  const through = new Transform({
    transform: (chunk: unknown, _encoding, done) => {
      if (chunk instanceof Uint8Array) came(chunk);
      done(null, chunk);
    },
  });
  // What goes wrong is told by the stream that is read.
  pipeline(content, through, () => undefined);
  return through;
}

/** What a masker makes of a stream, at the pace of whoever reads it; nothing is read before they do. */
class ChangedContent extends Readable {
  readonly #source: Readable;
  readonly #masker: BodyMasker;
  readonly #came: Came;
  #bytes = 0;
  #isReading = false;
  /** Goes on with the source. */
  #goOn: (() => void) | undefined;

  constructor(source: Readable, masker: BodyMasker, came: Came) {
    super();
    this.#source = source;
    this.#masker = masker;
    this.#came = came;
  }

  override _read(): void {
    if (this.#isReading) return this.#resume();
    this.#isReading = true;
    readStream(this.#source, (chunk) => this.#take(chunk))
      .then(() => this.#end())
      .catch((error: unknown) => {
        const isOurs = error instanceof CountersignError;
        this.destroy(isOurs ? error : withheld(`it does not decode: ${reasonOf(error)}`));
      });
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // What has ended closes by itself: a stream of HTTP/2 may still take what the client sends.
    if (!this.#source.readableEnded) this.#source.destroy();
    this.#resume();
    callback(error);
  }

  #take(chunk: Uint8Array): Promise<void> | undefined {
    this.#came(chunk);
    this.#bytes += chunk.length;
    if (this.#give(this.#masker.push(chunk))) return undefined;
    return new Promise((resolve) => {
      this.#goOn = resolve;
    });
  }

  #end(): void {
    // No content at all is of every format.
    if (this.#bytes > 0) this.#give(this.#masker.finish());
    this.push(null);
  }

  /** Whether there is room for more. */
  #give(parts: readonly Uint8Array[]): boolean {
    let hasRoom = true;
    for (const part of parts) if (part.length > 0) hasRoom = this.push(part);
    return hasRoom;
  }

  #resume(): void {
    const goOn = this.#goOn;
    this.#goOn = undefined;
    goOn?.();
  }
}

export function withheld(reason: string): CountersignError {
  return new CountersignError('CONTENT_WITHHELD', { format: 'content', reason });
}
