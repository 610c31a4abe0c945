/**
 * The recording of one session, as the session sees it: bytes in, nothing to wait for.
 *
 * `record` copies into a block; a block goes to the recorder's thread when it is full or old. What is
 * on its way is counted, and a session that is `full` must pause its sockets. A recording that failed
 * once has failed for good, and every later call says so.
 */

import { CountersignError } from '../core/errors.ts';
import type { SessionId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { blockSizeFor } from './block-pool.ts';
import type { FromRecorder } from './recorder-messages.ts';
import {
  BASE_BYTES,
  type ByteChannel,
  CHANNEL,
  ENTRY_HEADER_BYTES_MAX,
  writeEntryHeader,
} from './segment-format.ts';
import type { SegmentSummary } from './segment-writer.ts';

/** What `session.end` states. */
export interface RecordingSummary {
  readonly segments: number;
  /** SHA-256 of the newest segment, hex, which commits to all; absent where nothing was recorded. */
  readonly sha256?: string;
  readonly bytes: number;
  readonly plainBytes: number;
  readonly blocks: number;
}

/** What the recorder does for its sessions. */
export interface RecordingHost {
  takeBuffer(size: number): ArrayBuffer;
  post(block: PostedBlock): void;
  postFlush(flush: number): void;
  /** A block was begun, so that it is asked for when it is old. */
  began(): void;
  /** The session records although bytes are waiting; `drained` is called when there is room again. */
  readonly totalIsFull: boolean;
  waitForRoom(): void;
  /** The session has failed on this side: nothing more comes from it. */
  abandon(): void;
}

export interface PostedBlock {
  readonly buffer: ArrayBuffer;
  readonly length: number;
  readonly firstUs: number;
  readonly lastUs: number;
  readonly final: boolean;
  /** Others wait before it: it is compressed faster, and less. */
  readonly hurried: boolean;
}

interface OpenBlock {
  bytes: Uint8Array;
  buffer: ArrayBuffer;
  length: number;
  readonly firstUs: number;
}

interface Pending {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** A piece that is smaller than this is not worth an entry of its own at the end of a block. */
const PIECE_BYTES_MIN = 1_024;

/** One session; the state is its own. Made by Recorder.open. */
export class SessionRecording {
  readonly sessionId: SessionId;
  readonly #host: RecordingHost;
  #block: OpenBlock | undefined;
  #blockSize = blockSizeFor(0);
  #lastUs = 0;
  #postedBytes = 0;
  #full = false;
  #failure: CountersignError | undefined;
  #closing: Promise<RecordingSummary> | undefined;
  #closed: Pending | undefined;
  #flushes = 0;
  readonly #flushing = new Map<number, Pending>();
  #summary: RecordingSummary = { segments: 0, bytes: 0, plainBytes: 0, blocks: 0 };
  readonly #onSegment: ((segment: SegmentSummary) => void)[] = [];
  readonly #onFailure: ((error: CountersignError) => void)[] = [];
  readonly #onDrain: (() => void)[] = [];

  constructor(sessionId: SessionId, host: RecordingHost) {
    this.sessionId = sessionId;
    this.#host = host;
  }

  /** Bytes that are not on disk's way out of this process yet. */
  get queuedBytes(): number {
    return this.#postedBytes + (this.#block?.length ?? 0);
  }

  /** The session's sockets must not be read until {@link SessionRecording.onDrain} calls. */
  get full(): boolean {
    return this.#full;
  }

  /** Whether it still waits for room, when there is some in the recorder as a whole. */
  get hasRoom(): boolean {
    return this.queuedBytes <= LIMITS.recording.queueBytesMax / 2;
  }

  get failure(): CountersignError | undefined {
    return this.#failure;
  }

  onSegment(callback: (segment: SegmentSummary) => void): void {
    this.#onSegment.push(callback);
  }

  onFailure(callback: (error: CountersignError) => void): void {
    this.#onFailure.push(callback);
  }

  onDrain(callback: () => void): void {
    this.#onDrain.push(callback);
  }

  /** Records bytes of a direction; throws RECORDING_FAILED where that is not possible any more. */
  record(channel: ByteChannel, bytes: Uint8Array, timeUs: number): void {
    this.#check();
    let offset = 0;
    while (offset < bytes.length) {
      const left = bytes.length - offset;
      const block = this.#blockFor(left, Math.min(left, PIECE_BYTES_MIN), timeUs);
      const room = block.bytes.length - block.length - ENTRY_HEADER_BYTES_MAX;
      const end = offset + Math.min(left, room);
      this.#append(block, channel, bytes.subarray(offset, end), timeUs);
      offset = end;
    }
    this.#countQueue();
  }

  /** Records an event: one JSON object. */
  event(json: string, timeUs: number): void {
    this.#check();
    const bytes = Buffer.from(json, 'utf8');
    if (bytes.length > LIMITS.recording.eventBytesMax) {
      const limit = 'bytes of one recorded event';
      const allowed = LIMITS.recording.eventBytesMax;
      throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual: bytes.length });
    }
    this.#append(this.#blockFor(bytes.length, bytes.length, timeUs), CHANNEL.event, bytes, timeUs);
    this.#countQueue();
  }

  /** Resolves when everything that was recorded so far is on disk. */
  async flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) {
      await this.#closing;
      return;
    }
    this.postBlock();
    const flush = this.#flushes++;
    await new Promise<void>((resolve, reject) => {
      this.#flushing.set(flush, { resolve, reject });
      this.#host.postFlush(flush);
    });
  }

  /** Ends the recording; resolves when all of it is on disk. */
  close(): Promise<RecordingSummary> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Sends the block that is being filled to the recorder's thread. */
  postBlock(): void {
    if (this.#block !== undefined) this.#post(this.#block, false);
  }

  /** The recorder's thread has an answer for this session. */
  take(message: FromRecorder): void {
    switch (message.kind) {
      case 'written':
        this.#postedBytes -= message.length;
        return;
      case 'segment':
        this.#takeSegment(message.segment);
        return;
      case 'flushed':
        this.#flushing.get(message.flush)?.resolve();
        this.#flushing.delete(message.flush);
        return;
      case 'closed':
        this.#closed?.resolve();
        return;
      case 'failed':
        this.fail(message.reason);
        return;
      default:
        message satisfies never;
    }
  }

  /** There is room in the recorder: the session may go on. */
  drained(): void {
    this.#full = false;
    for (const callback of this.#onDrain) callback();
  }

  /** The recording has failed, for good. */
  fail(reason: string): void {
    if (this.#failure !== undefined) return;
    const error = new CountersignError('RECORDING_FAILED', { reason });
    this.#failure = error;
    this.#block = undefined;
    this.#postedBytes = 0;
    for (const { reject } of this.#flushing.values()) reject(error);
    this.#flushing.clear();
    this.#closed?.reject(error);
    for (const callback of this.#onFailure) callback(error);
  }

  async #close(): Promise<RecordingSummary> {
    if (this.#failure !== undefined) throw this.#failure;
    const block = this.#block ?? this.#begin(BASE_BYTES, this.#lastUs);
    await new Promise<void>((resolve, reject) => {
      this.#closed = { resolve, reject };
      this.#post(block, true);
    });
    return this.#summary;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) {
      throw new CountersignError('RECORDING_FAILED', { reason: 'it was closed' });
    }
  }

  /** A block with room for at least `needed` bytes of one entry, better for all that are wanted. */
  #blockFor(wanted: number, needed: number, timeUs: number): OpenBlock {
    const header = ENTRY_HEADER_BYTES_MAX;
    const block = this.#block;
    if (block === undefined) return this.#begin(BASE_BYTES + header + wanted, timeUs);
    if (block.length + header + wanted <= block.bytes.length) return block;
    const larger = blockSizeFor(block.length + header + wanted);
    if (larger > block.bytes.length) this.#grow(block, larger);
    if (block.length + header + needed <= block.bytes.length) return block;
    this.#post(block, false);
    return this.#begin(BASE_BYTES + header + wanted, timeUs);
  }

  #begin(bytes: number, timeUs: number): OpenBlock {
    const buffer = this.#host.takeBuffer(Math.max(this.#blockSize, blockSizeFor(bytes)));
    const firstUs = Math.max(Math.round(timeUs), this.#lastUs);
    this.#lastUs = firstUs;
    new DataView(buffer).setBigUint64(0, BigInt(firstUs));
    const block = { buffer, bytes: new Uint8Array(buffer), length: BASE_BYTES, firstUs };
    this.#block = block;
    this.#host.began();
    return block;
  }

  #grow(block: OpenBlock, size: number): void {
    const buffer = this.#host.takeBuffer(size);
    const bytes = new Uint8Array(buffer);
    bytes.set(block.bytes.subarray(0, block.length));
    block.buffer = buffer;
    block.bytes = bytes;
  }

  #append(block: OpenBlock, channel: number, bytes: Uint8Array, timeUs: number): void {
    const nowUs = Math.max(Math.round(timeUs), this.#lastUs);
    const at = writeEntryHeader(block.bytes, block.length, nowUs - this.#lastUs, channel, bytes.length);
    block.bytes.set(bytes, at);
    block.length = at + bytes.length;
    this.#lastUs = nowUs;
  }

  #post(block: OpenBlock, final: boolean): void {
    this.#block = undefined;
    // The next block of a busy session starts as large as this one had to be.
    this.#blockSize = blockSizeFor(block.length / 2);
    const hurried = this.#postedBytes > LIMITS.recording.hurriedBytes;
    this.#postedBytes += block.length;
    const { buffer, length, firstUs } = block;
    this.#host.post({ buffer, length, firstUs, lastUs: this.#lastUs, final, hurried });
  }

  #countQueue(): void {
    const queued = this.queuedBytes;
    if (queued > LIMITS.recording.queueBytesRefused) {
      this.#host.abandon();
      this.fail('bytes came faster than the disk takes them, and nobody waited');
      this.#check();
    }
    if (this.#full || (queued <= LIMITS.recording.queueBytesMax && !this.#host.totalIsFull)) return;
    this.#full = true;
    this.#host.waitForRoom();
  }

  #takeSegment(segment: SegmentSummary): void {
    this.#summary = {
      segments: this.#summary.segments + 1,
      sha256: segment.sha256,
      bytes: this.#summary.bytes + segment.bytes,
      plainBytes: this.#summary.plainBytes + segment.plainBytes,
      blocks: this.#summary.blocks + segment.blocks,
    };
    for (const callback of this.#onSegment) callback(segment);
  }
}
