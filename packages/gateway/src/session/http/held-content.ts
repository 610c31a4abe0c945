/**
 * The content of a request that has to be there before it is decided on: read to its end, within bounds.
 *
 * Spec: spec/http.md §6. What is forwarded are the bytes that came; what is looked at is decoded beside it.
 * Refused: more than limits.http.heldContentBytesMax; an encoding that is not known, or more than one; what
 * inflates more than limits.http.inflationRatioMax times; what ends before it said.
 * Untrusted: every byte.
 */

import { hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { CountersignError } from '../../core/errors.ts';
import { HTTP_LIMITS as LIMITS } from '../../core/http-limits.ts';
import type { ContentShare } from './content-budget.ts';
import { Stalled } from './pump.ts';
import { readStream } from './read-stream.ts';

export interface HeldContent {
  /** As they came. */
  readonly bytes: Uint8Array;
  /** Of them, 64 hex digits. */
  readonly sha256: string;
  /** Gives its share of the memory back; more than once does nothing. */
  release(): void;
}

/** Reads all of it; rejects with LIMIT_EXCEEDED, HTTP_CONTENT_SHARE or HTTP_CONTENT_REFUSED. */
export async function holdContent(content: Readable, share: ContentShare): Promise<HeldContent> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const timer = setTimeout(
    () => content.destroy(new Stalled('source', LIMITS.stalledContentMs)),
    LIMITS.stalledContentMs,
  );
  try {
    await readStream(content, (chunk) => {
      timer.refresh();
      if (length + chunk.length > LIMITS.heldContentBytesMax) throw tooLarge(length + chunk.length);
      share.take(chunk.length);
      length += chunk.length;
      chunks.push(chunk);
      return undefined;
    });
  } catch (error) {
    share.give(length);
    if (error instanceof CountersignError) throw error;
    const reason = error instanceof Stalled ? error.message : 'it ended before it was complete';
    throw new CountersignError('HTTP_CONTENT_REFUSED', { reason }, { cause: error });
  } finally {
    clearTimeout(timer);
  }
  const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length);
  let held = length;
  return {
    bytes,
    sha256: hash('sha256', bytes, 'hex'),
    release: () => {
      share.give(held);
      held = 0;
    },
  };
}

/** Of what says its length beforehand, before the first byte is read. */
export function checkDeclaredLength(length: number | 'chunked' | 'none'): void {
  if (typeof length === 'number' && length > LIMITS.heldContentBytesMax) throw tooLarge(length);
}

const DECODERS: Readonly<
  Record<string, (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>>
> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
};

/** What the content means; rejects with HTTP_CONTENT_REFUSED. */
export async function decodeContent(bytes: Uint8Array, encodings: readonly string[]): Promise<Uint8Array> {
  const names = encodings
    .flatMap((value) => value.split(','))
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  const [name] = names;
  if (name === undefined) return bytes;
  if (names.length > 1) throw refused('it is encoded more than once');
  const decoder = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
  if (decoder === undefined) throw refused('its Content-Encoding is not known');
  const { inflationFreeBytes, inflationRatioMax, heldContentBytesMax } = LIMITS;
  const maxOutputLength = Math.min(
    heldContentBytesMax,
    Math.max(inflationFreeBytes, bytes.length * inflationRatioMax),
  );
  try {
    return await decoder(bytes, { maxOutputLength });
  } catch (error) {
    throw refused('it does not decode within bounds', error);
  }
}

function refused(reason: string, cause?: unknown): CountersignError {
  return new CountersignError('HTTP_CONTENT_REFUSED', { reason }, { cause });
}

function tooLarge(actual: number): CountersignError {
  return new CountersignError('LIMIT_EXCEEDED', {
    limit: 'http.heldContentBytesMax',
    allowed: LIMITS.heldContentBytesMax,
    actual,
  });
}
