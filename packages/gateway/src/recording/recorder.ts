/**
 * Records sessions: one thread for all of them compresses, seals, hashes and writes.
 *
 * Spec: spec/recording.md. Fails closed: where the thread is lost, every session's recording fails.
 */

import type { Worker } from 'node:worker_threads';
import type { Clock } from '../core/clock.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { SessionId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { startThread } from '../threads/start-thread.ts';
import { BlockPool } from './block-pool.ts';
import type { FromRecorder, RecorderThreadData, ToRecorder } from './recorder-messages.ts';
import { NONCE_BYTES, recordingKey } from './segment-format.ts';
import { type PostedBlock, type RecordingHost, SessionRecording } from './session-recording.ts';

export interface RecorderOptions {
  /** `<data>/recordings`; made where it is missing. */
  readonly directory: string;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Smaller segments, so that a test has several. */
  readonly testingOnlySegmentBytesMax?: number;
  /** Fewer descriptors, so that a test runs out of them. */
  readonly testingOnlyOpenFilesMax?: number;
}

/** The recordings of one gateway. */
export class Recorder implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #randomBytes: (length: number) => Uint8Array;
  readonly #worker: Worker;
  readonly #pool = new BlockPool();
  readonly #sessions = new Map<number, SessionRecording>();
  /** Bytes on their way, by session, so that a failed one gives its share back. */
  readonly #queued = new Map<number, number>();
  #queuedBytes = 0;
  readonly #waiting = new Set<SessionRecording>();
  /** Sessions with a block that is being filled, oldest block first, and when it was begun. */
  readonly #filling = new Map<SessionRecording, number>();
  #timer: NodeJS.Timeout | undefined;
  #nextSession = 0;
  #failure: string | undefined;

  constructor(options: RecorderOptions) {
    this.#clock = options.clock;
    this.#randomBytes = options.randomBytes;
    const workerData: RecorderThreadData = {
      directory: options.directory,
      segmentBytesMax: options.testingOnlySegmentBytesMax ?? LIMITS.recording.segmentBytesMax,
      openFilesMax: options.testingOnlyOpenFilesMax ?? LIMITS.recording.openFilesMax,
    };
    this.#worker = startThread('./recorder-worker', import.meta.url, { name: 'recorder', workerData });
    this.#worker.on('message', (message: FromRecorder) => this.#take(message));
    this.#worker.on('error', (error) => this.#lose(reasonOf(error)));
    this.#worker.on('exit', () => this.#lose('the recorder has stopped'));
  }

  /** Bytes of all sessions that are on their way to the recorder. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Begins the recording of a session; its first file is made with its first block. */
  open(sessionId: SessionId, scopeKey: Uint8Array): SessionRecording {
    if (this.#failure !== undefined)
      throw new CountersignError('RECORDING_FAILED', { reason: this.#failure });
    const session = this.#nextSession++;
    const key = recordingKey(scopeKey);
    this.#post({ kind: 'open', session, sessionId, key }, [key.buffer]);
    const recording: SessionRecording = new SessionRecording(
      sessionId,
      this.#host(session, () => recording),
    );
    this.#sessions.set(session, recording);
    this.#queued.set(session, 0);
    return recording;
  }

  /** Closes what is still open and ends the thread. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#sessions.values()].map((recording) => recording.close()));
    clearTimeout(this.#timer);
    await this.#worker.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #host(session: number, recording: () => SessionRecording): RecordingHost {
    const totalIsFull = (): boolean => this.#queuedBytes > LIMITS.recording.queueBytesTotalMax;
    return {
      takeBuffer: (size) => this.#pool.take(size),
      post: (block) => this.#postBlock(session, recording(), block),
      postFlush: (flush) => this.#post({ kind: 'flush', session, flush }, []),
      began: () => this.#began(recording()),
      get totalIsFull() {
        return totalIsFull();
      },
      waitForRoom: () => this.#waiting.add(recording()),
      abandon: () => {
        this.#forget(session);
        this.#post({ kind: 'abandon', session }, []);
      },
    };
  }

  #postBlock(session: number, recording: SessionRecording, block: PostedBlock): void {
    this.#filling.delete(recording);
    this.#queued.set(session, (this.#queued.get(session) ?? 0) + block.length);
    this.#queuedBytes += block.length;
    const nonce = this.#randomBytes(NONCE_BYTES);
    this.#post({ kind: 'block', session, nonce, ...block }, [block.buffer]);
  }

  #post(message: ToRecorder, moved: ArrayBuffer[]): void {
    this.#worker.postMessage(message, moved);
  }

  #take(message: FromRecorder): void {
    const { session, kind } = message;
    const recording = this.#sessions.get(session);
    if (kind === 'written') {
      this.#pool.give(message.buffer);
      const before = this.#queued.get(session);
      if (before !== undefined) {
        this.#queued.set(session, before - message.length);
        this.#queuedBytes -= message.length;
      }
    }
    if (kind === 'failed' || kind === 'closed') this.#forget(session);
    recording?.take(message);
    this.#drain();
  }

  #forget(session: number): void {
    const recording = this.#sessions.get(session);
    this.#sessions.delete(session);
    this.#queuedBytes -= this.#queued.get(session) ?? 0;
    this.#queued.delete(session);
    if (recording === undefined) return;
    this.#waiting.delete(recording);
    this.#filling.delete(recording);
  }

  #drain(): void {
    for (const recording of this.#waiting) {
      if (this.#queuedBytes > LIMITS.recording.queueBytesTotalMax / 2) return;
      if (!recording.hasRoom) continue;
      this.#waiting.delete(recording);
      recording.drained();
    }
  }

  #began(recording: SessionRecording): void {
    this.#filling.set(recording, this.#clock.monotonicUs());
    this.#timer ??= setTimeout(() => this.#postOld(), LIMITS.recording.blockDelayMs);
  }

  /** One timer for all sessions: it comes when the oldest block is old. */
  #postOld(): void {
    this.#timer = undefined;
    const nowUs = this.#clock.monotonicUs();
    for (const [recording, begunUs] of this.#filling) {
      const waitMs = LIMITS.recording.blockDelayMs - (nowUs - begunUs) / 1000;
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#postOld(), Math.ceil(waitMs));
        return;
      }
      recording.postBlock();
    }
  }

  #lose(reason: string): void {
    this.#failure ??= reason;
    for (const [session, recording] of this.#sessions) {
      this.#forget(session);
      recording.fail(this.#failure);
    }
  }
}
