/**
 * The bytes of a segment: header, sealed blocks, entries.
 *
 * Spec: spec/recording.md, sections 1 to 3.
 * Refused: another magic, lengths out of bounds, a block that does not open, a plaintext that is no
 * sequence of entries, a varint that is not in its shortest form.
 * Untrusted: everything that is read here.
 */

import { createCipheriv, createDecipheriv, hash, hkdfSync } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { giveBack } from '../core/give-back.ts';
import { withoutMethods } from '../core/without-methods.ts';
import { LIMITS } from '../core/limits.ts';

/** `CSREC001`, session id, number, previous, start. */
export const HEADER_BYTES = 82;
/** Nonce and tag of a block. */
const BLOCK_OVERHEAD_BYTES = 28;
/** The length, nonce and tag of a block without anything in it. */
export const LENGTH_BYTES = 4;
/** Base time of a block's plaintext. */
export const BASE_BYTES = 8;
/** Two varints of at most eight bytes and the channel. */
export const ENTRY_HEADER_BYTES_MAX = 17;
export const NONCE_BYTES = 12;
export const NO_PREVIOUS: Uint8Array = new Uint8Array(32);

const MAGIC = 'CSREC001';
const TAG_BYTES = 16;
/** The largest plaintext, compressed, with nonce and tag. */
const SEALED_BYTES_MAX = compressedBytesMax(LIMITS.recording.plainBytesMax) + BLOCK_OVERHEAD_BYTES;
/** A little more than a block commonly has: it is decompressed in one piece. */
const PIECE_BYTES = LIMITS.recording.blockBytesMax + 1_024;
/** The level that spec/recording.md leaves open; docs/decisions/0004-recording.md has the figures. */
export const LEVEL = 1;
/** Where blocks come faster than they are written: half the time, and half of what is saved. */
export const LEVEL_HURRIED = -7;

export const CHANNEL = {
  clientToTarget: 0,
  targetToClient: 1,
  gatewayToClient: 2,
  spooled: 3,
  sealed: 4,
  event: 255,
} as const;

/** What a caller may record; events have a method of their own. */
export type ByteChannel = 0 | 1 | 2 | 3 | 4;

export interface SegmentHeader {
  readonly sessionId: string;
  readonly number: number;
  readonly previous: Uint8Array;
  readonly startUs: number;
}

/** Where a block stands: all of it is authenticated with the block. */
export interface BlockPlace {
  readonly headerSha256: Uint8Array;
  readonly number: number;
  readonly last: boolean;
}

/** One entry as it stands in a block. */
export interface RawEntry {
  readonly timeUs: number;
  readonly channel: number;
  readonly bytes: Uint8Array;
}

/** The key of a recording, from the key of its session's scope. */
export function recordingKey(scopeKey: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdfSync('sha256', scopeKey, new Uint8Array(0), 'countersign/recording/v1', 32));
}

/** `000042.csr` */
export function segmentName(number: number): string {
  return `${String(number).padStart(6, '0')}.csr`;
}

export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC, 0, 'latin1');
  bytes.write(header.sessionId, 8, 30, 'latin1');
  bytes.writeUInt32BE(header.number, 38);
  bytes.set(header.previous, 42);
  bytes.writeBigUInt64BE(BigInt(header.startUs), 74);
  return bytes;
}

/** The header of a segment whose session is expected; throws RECORDING_INVALID. */
export function parseHeader(bytes: Uint8Array, session: string): SegmentHeader {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = view.toString('latin1', 0, 8);
  if (magic !== MAGIC) {
    const found = /^CSREC\d{3}$/.test(magic) ? `version ${magic}` : 'no version of a recording';
    throw invalid(session, `expected version ${MAGIC}, found ${found}`);
  }
  const sessionId = view.toString('latin1', 8, 38);
  if (sessionId !== session) throw invalid(session, 'a segment names another session');
  const startUs = Number(view.readBigUInt64BE(74));
  if (!Number.isSafeInteger(startUs)) throw invalid(session, 'a segment has an impossible start');
  return { sessionId, number: view.readUInt32BE(38), previous: bytes.slice(42, 74), startUs };
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

/** zstd.h's ZSTD_COMPRESSBOUND: what does not compress grows by no more. */
function compressedBytesMax(plainBytes: number): number {
  return plainBytes + (plainBytes >> 8) + 64;
}

/** Compresses the plaintext of a block; a level of 0 is for measuring only. */
export function compressBlock(plain: Uint8Array, level: number = LEVEL): Uint8Array {
  return zstdCompressSync(plain, {
    params: { [constants.ZSTD_c_compressionLevel]: level },
    pledgedSrcSize: plain.length,
    // All of it in one piece: nothing is put together afterwards.
    chunkSize: compressedBytesMax(plain.length),
  });
}

/** A whole block, with its length, as it stands in the file. */
export function sealBlock(
  key: Uint8Array,
  nonce: Uint8Array,
  compressed: Uint8Array,
  place: BlockPlace,
): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(additionalData(place));
  const block = Buffer.allocUnsafe(LENGTH_BYTES + BLOCK_OVERHEAD_BYTES + compressed.length);
  const sealedLength = BLOCK_OVERHEAD_BYTES + compressed.length;
  block.writeUInt32BE(place.last ? sealedLength + 0x8000_0000 : sealedLength, 0);
  block.set(nonce, LENGTH_BYTES);
  const ciphertext = cipher.update(compressed);
  block.set(ciphertext, LENGTH_BYTES + NONCE_BYTES);
  giveBack(ciphertext);
  cipher.final();
  block.set(cipher.getAuthTag(), LENGTH_BYTES + NONCE_BYTES + compressed.length);
  return block;
}

/** What the four bytes before a block say; throws where the length is out of bounds. */
export function parseLength(bytes: Uint8Array, session: string): { length: number; last: boolean } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, LENGTH_BYTES);
  const word = view.readUInt32BE(0);
  const length = word % 0x8000_0000;
  if (length < BLOCK_OVERHEAD_BYTES || length > SEALED_BYTES_MAX) {
    throw invalid(session, `a block declares ${length} bytes`);
  }
  return { length, last: word >= 0x8000_0000 };
}

/** The plaintext of a block: `sealed` is what follows its length. */
export function openBlock(
  key: Uint8Array,
  sealed: Uint8Array,
  place: BlockPlace,
  session: string,
): Uint8Array {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(additionalData(place));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const compressed = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
  try {
    decipher.final();
  } catch (error) {
    throw invalid(session, `block ${place.number} does not open under the key of its session`, error);
  }
  try {
    const { plainBytesMax } = LIMITS.recording;
    return withoutMethods(
      zstdDecompressSync(compressed, { maxOutputLength: plainBytesMax, chunkSize: PIECE_BYTES }),
    );
  } catch (error) {
    throw invalid(session, `block ${place.number} does not decompress: ${reasonOf(error)}`, error);
  } finally {
    giveBack(compressed);
  }
}

/** The entries of an opened block; their bytes are views of it. */
export function* readEntries(plain: Uint8Array, session: string): Generator<RawEntry> {
  if (plain.length < BASE_BYTES) throw invalid(session, 'a block has no base time');
  const view = Buffer.from(plain.buffer, plain.byteOffset, plain.length);
  const position = { offset: BASE_BYTES };
  let timeUs = Number(view.readBigUInt64BE(0));
  while (position.offset < plain.length) {
    timeUs += readVarint(plain, position, session);
    if (!Number.isSafeInteger(timeUs)) throw invalid(session, 'an entry has an impossible time');
    const channel = plain[position.offset];
    position.offset += 1;
    const length = readVarint(plain, position, session);
    const end = position.offset + length;
    if (channel === undefined || end > plain.length) throw invalid(session, 'an entry is cut off');
    yield { timeUs, channel, bytes: plain.subarray(position.offset, end) };
    position.offset = end;
  }
}

/** Writes an entry's header; the caller has left ENTRY_HEADER_BYTES_MAX of room. Returns the offset after it. */
export function writeEntryHeader(
  into: Uint8Array,
  offset: number,
  deltaUs: number,
  channel: number,
  length: number,
): number {
  const at = writeVarint(into, offset, deltaUs);
  into[at] = channel;
  return writeVarint(into, at + 1, length);
}

/** The one error of reading: what is on disk is not what was written. */
export function invalid(session: string, reason: string, cause?: unknown): CountersignError {
  const options = cause === undefined ? undefined : { cause };
  return new CountersignError('RECORDING_INVALID', { session, reason }, options);
}

export function isInvalid(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'RECORDING_INVALID';
}

function additionalData(place: BlockPlace): Uint8Array {
  const bytes = Buffer.alloc(37);
  bytes.set(place.headerSha256, 0);
  bytes.writeUInt32BE(place.number, 32);
  bytes.writeUInt8(place.last ? 1 : 0, 36);
  return bytes;
}

function writeVarint(into: Uint8Array, offset: number, value: number): number {
  let rest = value;
  let at = offset;
  while (rest >= 0x80) {
    into[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  into[at++] = rest;
  return at;
}

function readVarint(bytes: Uint8Array, position: { offset: number }, session: string): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 8; i++) {
    const byte = bytes[position.offset];
    if (byte === undefined) throw invalid(session, 'an entry is cut off');
    position.offset += 1;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      const shortest = i === 0 || byte !== 0;
      if (!shortest || !Number.isSafeInteger(value)) throw invalid(session, 'a number is not well-formed');
      return value;
    }
    scale *= 0x80;
  }
  throw invalid(session, 'a number is too long');
}
