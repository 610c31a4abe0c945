/**
 * What a recording of an HTTP session holds: frames that say to which exchange bytes belong.
 *
 * Spec: spec/http.md §8. Requests of one session run at once, and a recording is one stream a direction.
 * Frame: u32 number of the exchange, u8 kind, u32 length, and so many bytes. Numbers are big-endian.
 * Kinds: 1 head (JSON), 2 content as it was on the wire behind its framing, 3 trailers (JSON), 4 end,
 * 5 broken off (JSON with a reason), 6 bytes behind an upgrade.
 * Refused while reading: an unknown kind, a length above limits.http.frameBytesMax.
 */

import { HTTP_LIMITS } from '../../core/http-limits.ts';

export const RECORDED = { head: 1, content: 2, trailers: 3, end: 4, broken: 5, upgraded: 6 } as const;
export type RecordedKind = (typeof RECORDED)[keyof typeof RECORDED];

/** Number, kind, length. */
const HEADER_BYTES = 9;

export interface RecordedFrame {
  readonly exchange: number;
  readonly kind: RecordedKind;
  /** Valid until the next push. */
  readonly bytes: Uint8Array;
}

/** The header of a frame; the bytes follow as they are. */
export function encodeFrameHeader(exchange: number, kind: RecordedKind, length: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  writeHeader(bytes, exchange, kind, length);
  return bytes;
}

/** One frame in one piece: small ones. */
export function encodeFrame(exchange: number, kind: RecordedKind, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + bytes.length);
  writeHeader(frame, exchange, kind, bytes.length);
  frame.set(bytes, HEADER_BYTES);
  return frame;
}

/** Five frames of each exchange: a view of each would take longer than its bytes. */
function writeHeader(into: Uint8Array, exchange: number, kind: RecordedKind, length: number): void {
  writeUint32(into, 0, exchange);
  into[4] = kind;
  writeUint32(into, 5, length);
}

function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

/** Bytes of one direction in pieces → frames; those of content come in pieces too. */
export class RecordedFrameReader {
  #left: Uint8Array = new Uint8Array(0);
  /** Of a frame of content whose bytes are still to come. */
  #open: { exchange: number; kind: RecordedKind; missing: number } | undefined;

  /** Throws a RangeError for what is no frame. */
  push(chunk: Uint8Array): readonly RecordedFrame[] {
    const frames: RecordedFrame[] = [];
    let bytes = this.#left.length === 0 ? chunk : joined(this.#left, chunk);
    for (;;) {
      if (this.#open !== undefined) {
        const piece = bytes.subarray(0, this.#open.missing);
        const { exchange, kind } = this.#open;
        if (piece.length > 0) frames.push({ exchange, kind, bytes: piece });
        bytes = bytes.subarray(piece.length);
        this.#open.missing -= piece.length;
        if (this.#open.missing > 0) break;
        this.#open = undefined;
      }
      if (bytes.length < HEADER_BYTES) break;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const kind = kindOf(view.getUint8(4));
      const length = view.getUint32(5);
      const exchange = view.getUint32(0);
      if (kind === RECORDED.content || kind === RECORDED.upgraded) {
        bytes = bytes.subarray(HEADER_BYTES);
        if (length > 0) this.#open = { exchange, kind, missing: length };
        continue;
      }
      if (length > HTTP_LIMITS.frameBytesMax)
        throw new RangeError('a frame is longer than any that is written');
      if (bytes.length < HEADER_BYTES + length) break;
      frames.push({ exchange, kind, bytes: bytes.subarray(HEADER_BYTES, HEADER_BYTES + length) });
      bytes = bytes.subarray(HEADER_BYTES + length);
    }
    this.#left = bytes.length === 0 ? new Uint8Array(0) : bytes.slice();
    return frames;
  }
}

function kindOf(value: number): RecordedKind {
  const kind = Object.values(RECORDED).find((one) => one === value);
  if (kind === undefined) throw new RangeError(`there is no kind ${value} of frame`);
  return kind;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
