/**
 * The content of a zip entry, piece by piece: inflated, counted and checked against its CRC.
 *
 * Untrusted: every byte; what inflates to more than was declared stops there.
 */

import { BOUNDS } from './bounds.ts';
import type { Host, Source } from './host.ts';
import { PackageError, reasonOf } from './report.ts';
import type { ZipEntry } from './zip.ts';

/**
 * The bytes of an entry; throws PackageError where they are not what the directory says.
 *
 * @param onRaw called with the bytes as they lie in the zip
 */
export async function* readEntry(
  source: Source,
  entry: ZipEntry,
  host: Host,
  onRaw: (piece: Uint8Array) => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  let crc = 0;
  for await (const piece of inflated(source, entry, host, onRaw)) {
    bytes += piece.length;
    if (bytes > entry.bytes) throw new PackageError(`zip: ${entry.name} is longer than it says`);
    crc = host.crc32(piece, crc);
    yield piece;
  }
  if (bytes !== entry.bytes) throw new PackageError(`zip: ${entry.name} is shorter than it says`);
  if (crc !== entry.crc) throw new PackageError(`zip: the CRC of ${entry.name} is wrong`);
}

async function* inflated(
  source: Source,
  entry: ZipEntry,
  host: Host,
  onRaw: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const raw = readRaw(source, entry, onRaw);
  if (entry.stored) {
    yield* raw;
    return;
  }
  const { inflateRaw } = host;
  const isSmall = entry.compressedBytes <= BOUNDS.chunkBytes && entry.bytes <= BOUNDS.chunkBytes;
  if (inflateRaw === undefined || !isSmall) {
    yield* inflate(raw, entry.name);
    return;
  }
  const { done, value } = await raw.next();
  const compressed = done === true ? new Uint8Array(0) : value;
  let whole: Uint8Array | undefined;
  try {
    whole = inflateRaw(compressed, entry.bytes);
  } catch (error) {
    throw doesNotInflate(entry.name, error);
  }
  if (whole === undefined) throw new PackageError(`zip: ${entry.name} is longer than it says`);
  yield whole;
}

async function* readRaw(
  source: Source,
  entry: ZipEntry,
  onRaw: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const end = entry.dataOffset + entry.compressedBytes;
  for (let at = entry.dataOffset; at < end; at += BOUNDS.chunkBytes) {
    const piece = await source.read(at, Math.min(end, at + BOUNDS.chunkBytes));
    onRaw(piece);
    yield piece;
  }
}

async function* inflate(raw: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const stream = new DecompressionStream('deflate-raw');
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  const fed = feed(raw, writer);
  // The reader sees the same error; nobody else waits for this one.
  fed.catch(() => undefined);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw doesNotInflate(name, error);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function feed(
  raw: AsyncIterable<Uint8Array>,
  writer: WritableStreamDefaultWriter<BufferSource>,
): Promise<void> {
  try {
    for await (const piece of raw) {
      await writer.ready;
      await writer.write(new Uint8Array(piece));
    }
    await writer.close();
  } catch (error) {
    // Without this, whoever reads would wait for ever.
    await writer.abort(error);
    throw error;
  }
}

function doesNotInflate(name: string, error: unknown): PackageError {
  return new PackageError(`zip: ${name} does not inflate (${reasonOf(error)})`);
}
