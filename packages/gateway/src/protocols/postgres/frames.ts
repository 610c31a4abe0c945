/**
 * PostgreSQL frames: any pieces of bytes → whole frames, or the pieces of a frame too large to hold.
 *
 * Spec: PostgreSQL 18, "Message Formats" (https://www.postgresql.org/docs/18/protocol-message-formats.html)
 * Frame: Byte1 type, Int32 length (counts itself, not the type), body.
 * Refused: a type that the reader does not know, before a length is awaited; length < 4; length > the
 * limit of the reader or of the message type, before a byte of the body is awaited.
 * Untrusted: every byte. Memory: one header, and at most one frame of heldBytesMax.
 */

import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { violation } from './byte-reader.ts';
import { BACKEND, FRONTEND } from './messages.ts';

/** Byte1 type and Int32 length. */
export const HEADER_LENGTH = 5;
/** The Int32 length counts itself. */
export const LENGTH_MIN = 4;
/** A buffer that has grown beyond this is given back after its frame. */
const KEPT_BUFFER_BYTES = 64 * 1024;
const FIRST_BUFFER_BYTES = 1024;

/** What {@link FrameReader.next} found. */
export const FRAME = {
  /** The chunk is used up; push the next one. */
  needMore: 0,
  /** A whole frame, header included. */
  whole: 1,
  /** The header alone of a frame that comes in pieces; at least one `piece` follows. */
  begins: 2,
  /** Payload of the frame that began; `last` says whether it ends here. */
  piece: 3,
} as const;

export type FrameEvent = (typeof FRAME)[keyof typeof FRAME];

/** How a frame that is cut at the end of a chunk is delivered. */
export type Delivery = 'whole' | 'pieces';

export interface FrameReaderOptions {
  /** What a type is delivered as unless {@link FrameReader.deliver} says otherwise. */
  readonly delivery: Delivery;
  /** Types that are delivered the other way. */
  readonly except: readonly number[];
  /** A frame with a longer declared length comes in pieces, whatever its type. */
  readonly heldBytesMax: number;
  /** No type may declare more than this. */
  readonly lengthMax: number;
  /** Types that never need more than limits.postgres.smallMessageBytesMax. */
  readonly small: readonly number[];
  /** The types that there are; any, unless given. */
  readonly known?: readonly number[];
}

/** For bytes from a client in a session: CopyData in pieces, all else whole up to heldMessageBytesMax. */
export const FRONTEND_FRAMES: FrameReaderOptions = {
  delivery: 'whole',
  except: [FRONTEND.CopyData],
  heldBytesMax: LIMITS.postgres.heldMessageBytesMax,
  lengthMax: LIMITS.postgres.requestBytesMax,
  // A password has no place in a session: PostgreSQL does not know its type there.
  known: Object.values(FRONTEND).filter((type) => type !== FRONTEND.AuthenticationResponse),
  small: [
    FRONTEND.Close,
    FRONTEND.CopyDone,
    FRONTEND.CopyFail,
    FRONTEND.Describe,
    FRONTEND.Execute,
    FRONTEND.Flush,
    FRONTEND.Sync,
    FRONTEND.Terminate,
  ],
};

/** For bytes from a server: DataRow and CopyData in pieces, all else whole. */
export const BACKEND_FRAMES: FrameReaderOptions = {
  delivery: 'whole',
  except: [0x44, 0x64],
  heldBytesMax: LIMITS.postgres.heldMessageBytesMax,
  lengthMax: LIMITS.postgres.frameBytesMax,
  // libpq takes these for a loss of synchronisation when they are long (VALID_LONG_MESSAGE_TYPE).
  small: [
    BACKEND.BackendKeyData,
    BACKEND.BindComplete,
    BACKEND.CloseComplete,
    BACKEND.CommandComplete,
    BACKEND.CopyDone,
    BACKEND.EmptyQueryResponse,
    BACKEND.NoData,
    BACKEND.ParseComplete,
    BACKEND.PortalSuspended,
    BACKEND.ReadyForQuery,
  ],
};

/**
 * A cursor over the frames of a byte stream; nothing is allocated for a frame inside one chunk.
 *
 * The bytes of all events, in order, are the bytes that were pushed: what is not changed can be
 * forwarded as the range `bytes[start, end)` of each event, and neighbouring ranges of one chunk in
 * one write. `bytes` is the pushed chunk where the event lies in it (then {@link inChunk} is true)
 * and the reader's own buffer otherwise; both are valid until the next call of `next` or `push`.
 *
 * @example
 * const reader = new FrameReader(FRONTEND_FRAMES);
 * reader.push(Uint8Array.of(0x53, 0, 0, 0, 4, 0x48, 0, 0));
 * reader.next() === FRAME.whole; // reader.type is 0x53, reader.start 0, reader.end 5
 * reader.next() === FRAME.needMore;
 */
export class FrameReader {
  readonly #pieces = new Uint8Array(256);
  readonly #lengthsMax = new Uint32Array(256);
  readonly #known = new Uint8Array(256);
  readonly #heldBytesMax: number;

  #chunk: Uint8Array = new Uint8Array(0);
  #offset = 0;

  /** Bytes of a frame whose header or body is cut: the first HEADER_LENGTH are the header. */
  #held: Uint8Array = new Uint8Array(FIRST_BUFFER_BYTES);
  #heldLength = 0;
  /** Whole length of the frame in #held, with its type byte; 0 while its header is incomplete. */
  #heldTotal = 0;
  /** Payload still to come of the frame that is delivered in pieces. */
  #piecesLeft = 0;
  #failure: unknown;
  #refusedHeader: Uint8Array = new Uint8Array(0);

  #type = 0;
  #length = 0;
  #bytes: Uint8Array = this.#chunk;
  #start = 0;
  #end = 0;
  /** How many of the current event's bytes are the header. */
  #headerLength = 0;

  constructor(options: FrameReaderOptions) {
    this.#pieces.fill(options.delivery === 'pieces' ? 1 : 0);
    for (const type of options.except) this.#pieces[type] = options.delivery === 'pieces' ? 0 : 1;
    this.#heldBytesMax = options.heldBytesMax;
    this.#known.fill(options.known === undefined ? 1 : 0);
    for (const type of options.known ?? []) this.#known[type] = 1;
    this.#lengthsMax.fill(options.lengthMax);
    for (const type of options.small) {
      this.#lengthsMax[type] = Math.min(options.lengthMax, LIMITS.postgres.smallMessageBytesMax);
    }
  }

  /** Type byte of the current event's frame. */
  get type(): number {
    return this.#type;
  }

  /** Declared length of the current event's frame: counts itself, not the type byte. */
  get length(): number {
    return this.#length;
  }

  /** Where the current event's bytes are. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** Whether `bytes` is the chunk that was pushed. */
  get inChunk(): boolean {
    return this.#bytes === this.#chunk;
  }

  /** Whether the frame ends with the current event. */
  get last(): boolean {
    return this.#piecesLeft === 0;
  }

  /** What `next` refused: a type alone, or a type and a length. No part of the frame's body. */
  get refusedHeader(): Uint8Array {
    return this.#refusedHeader;
  }

  /** Whether the stream is between two frames; where it ends elsewhere, a frame was cut off. */
  get atBoundary(): boolean {
    const nothingHeld = this.#heldLength === this.#heldTotal;
    return this.#piecesLeft === 0 && nothingHeld && this.#offset === this.#chunk.length;
  }

  /** A copy of what there is of a frame that is not delivered, because it is cut. */
  unfinished(): Uint8Array {
    const whole = this.#heldTotal > 0 && this.#heldLength === this.#heldTotal;
    return whole ? new Uint8Array(0) : this.#held.slice(0, this.#heldLength);
  }

  /** A view of the current whole frame's body, or of the current piece. */
  body(): Uint8Array {
    return this.#bytes.subarray(this.#start + this.#headerLength, this.#end);
  }

  /** Changes the delivery of a type, from the next frame on: DataRow is wanted whole while it is masked. */
  deliver(type: number, delivery: Delivery): void {
    this.#pieces[type] = delivery === 'pieces' ? 1 : 0;
  }

  /** Takes untrusted bytes. The last chunk must be used up. */
  push(chunk: Uint8Array): void {
    if (this.#offset !== this.#chunk.length) {
      throw new CountersignError('INTERNAL', {}, { cause: 'a chunk was pushed before the last was used up' });
    }
    this.#chunk = chunk;
    this.#offset = 0;
  }

  /**
   * Copies what is not used up yet, so that the memory given to `push` can be used again while a
   * decision is awaited. The current event's bytes are kept too, at other offsets.
   */
  detach(): void {
    const from = this.inChunk ? this.#start : this.#offset;
    const rest = this.#chunk.slice(from);
    if (this.inChunk) {
      this.#bytes = rest;
      this.#end -= from;
      this.#start = 0;
    }
    this.#offset -= from;
    this.#chunk = rest;
  }

  /** Moves to the next event. Throws PROTOCOL_VIOLATION or LIMIT_EXCEEDED, and then always. */
  next(): FrameEvent {
    if (this.#failure !== undefined) throw this.#failure;
    const available = this.#chunk.length - this.#offset;
    if (this.#piecesLeft > 0) return this.#piece(available);
    if (this.#heldTotal > 0 && this.#heldLength === this.#heldTotal) this.#release();
    if (this.#heldLength > 0) return this.#gather(available);
    if (available < HEADER_LENGTH) return this.#gather(available);

    const chunk = this.#chunk;
    const start = this.#offset;
    const total = this.#readHeader(chunk, start);
    if (total <= available) return this.#at(FRAME.whole, chunk, start, start + total);
    if (this.#comesInPieces()) {
      this.#piecesLeft = total - HEADER_LENGTH;
      return this.#at(FRAME.begins, chunk, start, start + HEADER_LENGTH);
    }
    this.#heldTotal = total;
    return this.#gather(available);
  }

  #at(event: FrameEvent, bytes: Uint8Array, start: number, end: number): FrameEvent {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#headerLength = event === FRAME.piece ? 0 : HEADER_LENGTH;
    if (bytes === this.#chunk) this.#offset = end;
    return event;
  }

  #piece(available: number): FrameEvent {
    if (available === 0) return FRAME.needMore;
    const length = Math.min(available, this.#piecesLeft);
    this.#piecesLeft -= length;
    return this.#at(FRAME.piece, this.#chunk, this.#offset, this.#offset + length);
  }

  /** Adds what is there to the frame that is being put together. */
  #gather(available: number): FrameEvent {
    if (this.#heldTotal === 0) {
      const taken = this.#take(Math.min(available, HEADER_LENGTH - this.#heldLength));
      if (taken > 0) this.#refuseUnknown(this.#held, 0);
      if (this.#heldLength < HEADER_LENGTH) return FRAME.needMore;
      const total = this.#readHeader(this.#held, 0);
      this.#heldTotal = total;
      if (total > HEADER_LENGTH && this.#comesInPieces()) {
        this.#piecesLeft = total - HEADER_LENGTH;
        this.#heldTotal = HEADER_LENGTH;
        return this.#at(FRAME.begins, this.#held, 0, HEADER_LENGTH);
      }
      return this.#gather(available - taken);
    }
    this.#take(Math.min(available, this.#heldTotal - this.#heldLength));
    if (this.#heldLength < this.#heldTotal) return FRAME.needMore;
    return this.#at(FRAME.whole, this.#held, 0, this.#heldTotal);
  }

  #take(count: number): number {
    const needed = this.#heldLength + count;
    if (needed > this.#held.length) {
      const larger = new Uint8Array(Math.max(needed, Math.min(this.#held.length * 2, this.#heldTotal)));
      larger.set(this.#held.subarray(0, this.#heldLength));
      this.#held = larger;
    }
    this.#held.set(this.#chunk.subarray(this.#offset, this.#offset + count), this.#heldLength);
    this.#heldLength = needed;
    this.#offset += count;
    return count;
  }

  #release(): void {
    if (this.#held.length > KEPT_BUFFER_BYTES) this.#held = new Uint8Array(FIRST_BUFFER_BYTES);
    this.#heldLength = 0;
    this.#heldTotal = 0;
  }

  #comesInPieces(): boolean {
    return this.#pieces[this.#type] === 1 || this.#length > this.#heldBytesMax;
  }

  /** Sets type and length from a header; returns the length of the frame with its type byte. */
  #readHeader(bytes: Uint8Array, start: number): number {
    this.#refuseUnknown(bytes, start);
    this.#type = bytes[start] ?? 0;
    this.#length = lengthAt(bytes, start + 1);
    const max = this.#lengthsMax[this.#type] ?? 0;
    if (this.#length < LENGTH_MIN || this.#length > max) {
      this.#refuse(lengthError(this.#length, max), bytes.slice(start, start + HEADER_LENGTH));
    }
    return this.#length + 1;
  }

  #refuseUnknown(bytes: Uint8Array, start: number): void {
    const type = bytes[start] ?? 0;
    if (this.#known[type] === 1) return;
    this.#refuse(violation(`invalid frontend message type ${type}`), Uint8Array.of(type));
  }

  #refuse(failure: CountersignError, header: Uint8Array): never {
    this.#failure = failure;
    this.#refusedHeader = header;
    throw failure;
  }
}

/**
 * The length of a start-up packet, from its first four bytes: it counts itself.
 * Throws where it is not between 8 and limits.postgres.startupBytesMax, which does not count the
 * length itself, as in PostgreSQL.
 */
export function startupPacketLength(header: Uint8Array): number {
  return checkedLength(header, 0, 8, LIMITS.postgres.startupBytesMax + 4);
}

/**
 * The declared length of a frame, from its first five bytes, for a dialogue that reads one message
 * at a time: the body is `length - 4` bytes.
 */
export function frameLength(header: Uint8Array, lengthMax: number): number {
  return checkedLength(header, 1, LENGTH_MIN, lengthMax);
}

function checkedLength(header: Uint8Array, offset: number, min: number, max: number): number {
  if (header.length < offset + 4) throw violation('a header is cut off');
  const length = lengthAt(header, offset);
  if (length < min || length > max) throw lengthError(length, max);
  return length;
}

function lengthAt(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] ?? 0) << 24) |
    ((bytes[offset + 1] ?? 0) << 16) |
    ((bytes[offset + 2] ?? 0) << 8) |
    (bytes[offset + 3] ?? 0)
  );
}

function lengthError(length: number, max: number): CountersignError {
  if (length <= max) return violation(`a message declares the length ${length}`);
  return new CountersignError('LIMIT_EXCEEDED', {
    limit: 'message length in bytes',
    allowed: max,
    actual: length,
  });
}
