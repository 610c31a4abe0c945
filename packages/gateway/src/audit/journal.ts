/**
 * The journal: leaves with their sealed bodies in CRC-framed records; write-ahead log and body store.
 *
 * Spec: spec/ledger.md, section 9.
 * ```
 * segment = "CSJRNL01" ‖ uint64be first index ‖ record*
 * record  = uint32be length ‖ uint32be CRC-32 of payload ‖ payload
 * payload = uint32be leaf length ‖ leaf ‖ sealed body
 * ```
 * A segment may end in zeros: the file is made longer before its records are written.
 */

import { crc32 } from 'node:zlib';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

export const SEGMENT_HEADER_BYTES = 16;
/** Length and CRC; the length counts the payload only. */
const RECORD_HEADER_BYTES = 8;
const LEAF_LENGTH_BYTES = 4;
const MAGIC = 'CSJRNL01';

export interface JournalRecord {
  readonly leaf: Uint8Array;
  /** Empty where the leaf has no body. */
  readonly sealed: Uint8Array;
  /** Offset in the segment of the byte after the record. */
  readonly end: number;
}

/** Why reading stopped before the end of the bytes. */
export interface TornTail {
  readonly at: number;
  readonly reason: string;
}

export function segmentName(firstIndex: number): string {
  return `${String(firstIndex).padStart(12, '0')}.seg`;
}

/** The first index that a file name tells; undefined for files that are no segments. */
export function firstIndexOf(name: string): number | undefined {
  const match = /^([0-9]{12})\.seg$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

export function segmentHeader(firstIndex: number): Uint8Array {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  header.write(MAGIC, 'latin1');
  header.writeBigUInt64BE(BigInt(firstIndex), 8);
  return header;
}

/** Bytes that {@link writeRecord} takes. */
export function recordBytes(leaf: Uint8Array, sealed: Uint8Array): number {
  return RECORD_HEADER_BYTES + LEAF_LENGTH_BYTES + leaf.length + sealed.length;
}

/** Writes one record at `at`; the new offset. */
export function writeRecord(target: Buffer, at: number, leaf: Uint8Array, sealed: Uint8Array): number {
  const payload = at + RECORD_HEADER_BYTES;
  const end = at + recordBytes(leaf, sealed);
  target.writeUInt32BE(end - payload, at);
  target.writeUInt32BE(leaf.length, payload);
  target.set(leaf, payload + LEAF_LENGTH_BYTES);
  target.set(sealed, payload + LEAF_LENGTH_BYTES + leaf.length);
  target.writeUInt32BE(crc32(target.subarray(payload, end)), at + 4);
  return end;
}

/** Checks the header of a segment against its name. */
export function checkSegmentHeader(bytes: Uint8Array, firstIndex: number): void {
  const expected = segmentHeader(firstIndex);
  if (
    bytes.length < SEGMENT_HEADER_BYTES ||
    Buffer.compare(bytes.subarray(0, SEGMENT_HEADER_BYTES), expected) !== 0
  ) {
    throw new CountersignError('LEDGER_INCONSISTENT', { reason: `segment ${firstIndex} has another header` });
  }
}

/**
 * The whole records in `bytes`, which begin at `offset` of the segment; views, not copies.
 *
 * @returns what is behind the last whole record, or undefined where nothing is
 */
export function* readRecords(
  bytes: Uint8Array,
  offset: number,
): Generator<JournalRecord, TornTail | undefined> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at < buffer.length) {
    if (isZero(buffer, at)) return undefined;
    if (at + RECORD_HEADER_BYTES > buffer.length)
      return { at: offset + at, reason: 'an incomplete record header' };
    const length = buffer.readUInt32BE(at);
    const payload = at + RECORD_HEADER_BYTES;
    const end = payload + length;
    if (length < LEAF_LENGTH_BYTES || length > maxPayload)
      return { at: offset + at, reason: 'an impossible length' };
    if (end > buffer.length) return { at: offset + at, reason: 'an incomplete record' };
    if (crc32(buffer.subarray(payload, end)) !== buffer.readUInt32BE(at + 4)) {
      return { at: offset + at, reason: 'a record whose CRC-32 is wrong' };
    }
    const leafEnd = payload + LEAF_LENGTH_BYTES + buffer.readUInt32BE(payload);
    if (leafEnd > end) return { at: offset + at, reason: 'a leaf longer than its record' };
    const leaf = buffer.subarray(payload + LEAF_LENGTH_BYTES, leafEnd);
    yield { leaf, sealed: buffer.subarray(leafEnd, end), end: offset + end };
    at = end;
  }
  return undefined;
}

/** No record begins with four zeros, so that this looks far only where nothing was written. */
function isZero(bytes: Uint8Array, from: number): boolean {
  for (let at = from; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}

const maxPayload: number = LEAF_LENGTH_BYTES + LIMITS.ledger.leafBytesMax + 2 * LIMITS.ledger.bodyBytesMax;
