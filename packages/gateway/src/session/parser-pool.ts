/**
 * Threads that read long texts, each with a deadline: whoever sends what takes too long waits alone.
 *
 * A text that is not read in time is uninspectable, its thread is ended and another one takes its place.
 */

import type { Worker } from 'node:worker_threads';
import type { ReadText } from '../core/effects.ts';
import { LIMITS } from '../core/limits.ts';
import { startThread } from '../threads/start-thread.ts';

export interface ParserQuestion {
  readonly textBytes: Uint8Array;
}

/** `read` is undefined when the thread has made itself ready. */
export interface ParserAnswer {
  readonly read: ReadText | undefined;
}

interface Job {
  readonly textBytes: Uint8Array;
  readonly resolve: (read: ReadText) => void;
  waiting: NodeJS.Timeout | undefined;
}

const TOO_SLOW: ReadText = {
  kind: 'uninspectable',
  reason: `it takes longer than ${LIMITS.sql.parseTimeoutMs} ms to read`,
};
const TOO_MANY: ReadText = { kind: 'uninspectable', reason: 'too many long texts are being read' };
const CLOSED: ReadText = { kind: 'uninspectable', reason: 'the gateway is shutting down' };

/** Owns its threads. */
export class ParserPool {
  readonly #startWorker: () => Worker;
  readonly #threads = new Set<ParserThread>();
  readonly #queue: Job[] = [];
  #closed = false;

  /** @param startWorker what answers each question with one answer, after one that says it is ready */
  constructor(wasm: Uint8Array, startWorker: () => Worker = () => startParser(wasm)) {
    this.#startWorker = startWorker;
  }

  /** What the text does; never rejects. */
  read(textBytes: Uint8Array): Promise<ReadText> {
    if (this.#closed) return Promise.resolve(CLOSED);
    if (this.#queue.length >= LIMITS.sql.waitingTextsMax) return Promise.resolve(TOO_MANY);
    const { promise, resolve } = Promise.withResolvers<ReadText>();
    const job: Job = { textBytes: textBytes.slice(), resolve, waiting: undefined };
    job.waiting = setTimeout(() => this.#giveUp(job), LIMITS.sql.parseWaitMs);
    this.#queue.push(job);
    this.#assign();
    return promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#queue.splice(0)) finish(job, CLOSED);
    await Promise.all([...this.#threads].map((thread) => thread.end(CLOSED)));
  }

  #assign(): void {
    while (this.#threads.size < LIMITS.sql.parserThreads && !this.#closed) this.#start();
    for (const thread of this.#threads) {
      if (!thread.idle) continue;
      const job = this.#queue.shift();
      if (job === undefined) return;
      thread.take(job);
    }
  }

  #start(): void {
    const thread: ParserThread = new ParserThread(this.#startWorker(), {
      free: () => this.#assign(),
      gone: () => {
        this.#threads.delete(thread);
        if (!this.#closed && this.#queue.length > 0) this.#assign();
      },
    });
    this.#threads.add(thread);
  }

  #giveUp(job: Job): void {
    const at = this.#queue.indexOf(job);
    if (at === -1) return;
    this.#queue.splice(at, 1);
    finish(job, TOO_MANY);
  }
}

interface ThreadEvents {
  /** It may be given a text. */
  free(): void;
  /** It has ended. */
  gone(): void;
}

/** One thread, and the text that it reads. */
class ParserThread {
  readonly #worker: Worker;
  readonly #events: ThreadEvents;
  #ready = false;
  #job: Job | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(worker: Worker, events: ThreadEvents) {
    this.#events = events;
    this.#worker = worker;
    // Nothing of it keeps the process alive.
    this.#worker.unref();
    this.#worker.on('message', (answer: ParserAnswer) => this.#answered(answer));
    // An error ends the thread, and `exit` follows.
    this.#worker.on('error', () => undefined);
    this.#worker.on('exit', () => this.#gone());
  }

  get idle(): boolean {
    return this.#ready && this.#job === undefined;
  }

  take(job: Job): void {
    clearTimeout(job.waiting);
    this.#job = job;
    this.#deadline = setTimeout(() => void this.end(TOO_SLOW), LIMITS.sql.parseTimeoutMs);
    const question: ParserQuestion = { textBytes: job.textBytes };
    this.#worker.postMessage(question);
  }

  async end(read: ReadText): Promise<void> {
    this.#ready = false;
    this.#finish(read);
    await this.#worker.terminate();
  }

  #answered({ read }: ParserAnswer): void {
    if (read === undefined) this.#ready = true;
    else this.#finish(read);
    this.#events.free();
  }

  #gone(): void {
    this.#ready = false;
    this.#finish({ kind: 'uninspectable', reason: 'it is too complex for the parser' });
    this.#events.gone();
  }

  #finish(read: ReadText): void {
    clearTimeout(this.#deadline);
    const job = this.#job;
    this.#job = undefined;
    if (job !== undefined) finish(job, read);
  }
}

function startParser(wasm: Uint8Array): Worker {
  return startThread('./parser-worker', import.meta.url, {
    name: 'parser',
    workerData: { wasm },
    resourceLimits: {
      stackSizeMb: LIMITS.sql.parserStackMegabytes,
      maxOldGenerationSizeMb: LIMITS.sql.parserHeapMegabytes,
    },
  });
}

function finish(job: Job, read: ReadText): void {
  clearTimeout(job.waiting);
  job.resolve(read);
}
