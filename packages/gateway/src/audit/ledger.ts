/**
 * The ledger as the rest of the gateway sees it: append, and know that it is on disk.
 *
 * Calls of one turn of the event loop go to the writer's thread in one message; outcomes of requests go with the next
 * one, or a little later.
 */

import type { Worker } from 'node:worker_threads';
import { EVENTS, type WaitClass } from '@countersign/ledger/events';
import { eventsBytes } from '../core/body-bytes.ts';
import { ERRORS } from '../core/error-rows.ts';
import { CountersignError, type ErrorCode } from '../core/errors.ts';
import type { BootId } from '../core/ids.ts';
import type { Appended, LedgerEvent, LedgerPort, ScopeKeys } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import { startThread } from '../threads/start-thread.ts';
import { join } from 'node:path';
import { LOG_FILES } from './file-port.ts';
import { decodeDurable, encodeAppends } from './append-text.ts';
import { lockLog, type LogLock } from './log-lock.ts';
import type { InterruptedSession } from './log-state.ts';
import type { AppendRequest, FromWriter, ToWriter, WireError, WriterData } from './writer-messages.ts';

export interface LedgerOptions {
  readonly directory: string;
  /** Directory of the second place. */
  readonly secondPlace: string;
  readonly origin: string;
  readonly node: string;
  /** Name and version of this software. */
  readonly software: string;
  readonly bootId: BootId;
  readonly signingSeed: Uint8Array;
  readonly keys: ScopeKeys;
  /** Set by an operator who has looked at a restored or damaged log. */
  readonly acceptRollback?: { readonly reason: string; readonly requestedBy: string };
  readonly checkpointDelayMs?: number;
  readonly segmentBytesMax?: number;
  readonly ballastBytes?: number;
  readonly heartbeatIntervalMs?: number;
  /** A shorter queue, so that a test fills it. */
  readonly testingOnlyQueueBytesMax?: number;
}

interface Pending {
  readonly bytes: number;
  readonly resolve: (appended: readonly Appended[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The one ledger of a process. */
export class Ledger implements LedgerPort {
  readonly #worker: Worker;
  readonly #lock: LogLock;
  readonly #keys: ScopeKeys;
  readonly #scopes = new Set<string>();
  readonly #pending = new Map<number, Pending>();
  readonly #signing = new Map<
    number,
    { resolve: (note: string) => void; reject: (error: unknown) => void }
  >();
  readonly #haltListeners: ((error: CountersignError) => void)[] = [];
  #batch: AppendRequest[] = [];
  #batchBytes = 0;
  #isFlushing = false;
  /** Runs while there are outcomes of requests in the batch. */
  #later: NodeJS.Timeout | undefined;
  readonly #queueBytesMax: number;
  #pendingBytes = 0;
  #nextId = 1;
  #size = 0;
  #verifierKey = '';
  #interrupted: readonly InterruptedSession[] = [];
  #shreds: readonly number[] = [];
  #halted: CountersignError | undefined;
  #ready: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #closed: (() => void) | undefined;

  private constructor(worker: Worker, lock: LogLock, options: LedgerOptions) {
    this.#worker = worker;
    this.#lock = lock;
    this.#keys = options.keys;
    this.#queueBytesMax = options.testingOnlyQueueBytesMax ?? LIMITS.ledger.appendQueueBytesMax;
    this.#scopes.add(options.bootId);
    worker.on('message', (message: FromWriter) => this.#take(message));
    worker.on('error', (error) =>
      this.#halt(new CountersignError('LEDGER_HALTED', { reason: error.message }, { cause: error })),
    );
    worker.on('exit', () => {
      this.#lock.release();
      this.#halt(new CountersignError('LEDGER_HALTED', { reason: 'the writer has ended' }));
      this.#closed?.();
    });
  }

  /** Opens the log, recovers it, and writes `ledger.boot`; rejects where it may not be written. */
  static async open(options: LedgerOptions): Promise<Ledger> {
    LOG_FILES.makeDirectory(options.directory);
    LOG_FILES.makeDirectory(join(options.directory, 'journal'));
    const lock = lockLog(options.directory);
    let bootKey: Uint8Array;
    try {
      bootKey = await options.keys.create(options.bootId);
    } catch (error) {
      lock.release();
      throw error;
    }
    const data: WriterData = {
      directory: options.directory,
      secondPlace: options.secondPlace,
      origin: options.origin,
      node: options.node,
      software: options.software,
      bootId: options.bootId,
      bootKey,
      signingSeed: options.signingSeed,
      acceptRollback: options.acceptRollback,
      checkpointDelayMs: options.checkpointDelayMs ?? LIMITS.ledger.checkpointDelayMs,
      segmentBytesMax: options.segmentBytesMax ?? LIMITS.ledger.segmentBytesMax,
      ballastBytes: options.ballastBytes ?? LIMITS.ledger.ballastBytes,
      heartbeatIntervalMs: options.heartbeatIntervalMs ?? LIMITS.ledger.heartbeatIntervalMs,
    };
    const worker = startThread('./writer-worker', import.meta.url, {
      name: 'ledger writer',
      workerData: data,
    });
    const ledger = new Ledger(worker, lock, options);
    try {
      await new Promise<void>((resolve, reject) => {
        ledger.#ready = { resolve, reject };
      });
      return ledger;
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  /** Leaves that are durable. */
  get size(): number {
    return this.#size;
  }

  get verifierKey(): string {
    return this.#verifierKey;
  }

  /** Sessions that were open when the process before this one ended. */
  get interrupted(): readonly InterruptedSession[] {
    return this.#interrupted;
  }

  /** Leaves `ledger.shred` of the process before this one, whose keys may still be there. */
  get shreds(): readonly number[] {
    return this.#shreds;
  }

  get halted(): CountersignError | undefined {
    return this.#halted;
  }

  /** Called once, when nothing can be written any more. */
  onHalt(listener: (error: CountersignError) => void): void {
    this.#haltListeners.push(listener);
  }

  async append(event: LedgerEvent): Promise<Appended> {
    const [appended] = await this.appendMany([event]);
    if (appended === undefined) throw new CountersignError('INTERNAL');
    return appended;
  }

  appendMany(events: readonly LedgerEvent[]): Promise<readonly Appended[]> {
    const missing = events.find((event) => event.body !== undefined && !this.#scopes.has(event.keyId));
    if (missing !== undefined) return this.#loadScope(missing.keyId).then(() => this.appendMany(events));
    if (this.#halted !== undefined) return Promise.reject(this.#halted);
    const { appendQueueMax, appendSmallBytesMax, groupBytesMax } = LIMITS.ledger;
    const bytes = eventsBytes(events);
    if (this.#pending.size >= appendQueueMax) {
      return Promise.reject(exceeded('ledger.appendQueueMax', appendQueueMax, appendQueueMax + 1));
    }
    const waiting = this.#pendingBytes + bytes;
    if (waiting > this.#queueBytesMax && bytes > appendSmallBytesMax && this.#pending.size > 0) {
      return Promise.reject(exceeded('ledger.appendQueueBytesMax', this.#queueBytesMax, waiting));
    }
    // One message is one text, whose length has a limit.
    if (this.#batchBytes + bytes > groupBytesMax) this.#flush();
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#pending.set(id, { bytes, resolve, reject });
      this.#pendingBytes = waiting;
      const urgent = !events.every(isUnhurried);
      this.#batch.push({ id, wait: waitOf(events), urgent, events });
      this.#batchBytes += bytes;
      if (!events.every(isHeldBack)) this.#flushSoon();
      else if (this.#later === undefined) {
        this.#later = setTimeout(() => this.#flushLate(), LIMITS.ledger.unhurriedDelayMs);
      }
    });
  }

  /** Hands the writer the key of a scope, so that its bodies can be sealed. */
  openScope(keyId: string, key: Uint8Array): void {
    this.#flush();
    this.#scopes.add(keyId);
    this.#post({ kind: 'openScope', keyId, key });
  }

  /** The writer forgets the key, after all that was appended before. */
  closeScope(keyId: string): void {
    this.#flush();
    this.#scopes.delete(keyId);
    this.#post({ kind: 'closeScope', keyId });
  }

  /** A signed checkpoint over all that is durable, kept in the history. */
  checkpoint(): Promise<string> {
    return this.#signed((id) => ({ kind: 'checkpoint', id }));
  }

  /**
   * Replaces the signing key under the same origin.
   *
   * @param announced the leaf that names the new key is in the log already
   */
  rotateKey(
    signingSeed: Uint8Array,
    reason: string,
    requestedBy: string,
    announced = false,
  ): Promise<string> {
    return this.#signed((id) => ({ kind: 'rotate', id, signingSeed, announced, reason, requestedBy }));
  }

  /** Writes `ledger.shutdown`, signs, and ends. */
  async close(reason: string): Promise<void> {
    if (this.#halted === undefined) {
      this.#flush();
      const closed = new Promise<void>((resolve) => {
        this.#closed = resolve;
      });
      this.#post({ kind: 'close', reason });
      await closed;
    }
    await this.#worker.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close('disposed');
  }

  #signed(message: (id: number) => ToWriter): Promise<string> {
    if (this.#halted !== undefined) return Promise.reject(this.#halted);
    this.#flush();
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#signing.set(id, { resolve, reject });
      this.#post(message(id));
    });
  }

  async #loadScope(keyId: string): Promise<void> {
    const key = await this.#keys.find(keyId);
    if (key === undefined) throw new CountersignError('SHREDDED', { session: keyId });
    if (!this.#scopes.has(keyId)) this.openScope(keyId, key);
  }

  /** With whatever else this turn appends. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  /** Nobody has come whose message they could have shared; the writer is not to wait for one again. */
  #flushLate(): void {
    this.#later = undefined;
    this.#batch = this.#batch.map((request) => ({ ...request, urgent: true }));
    this.#flush();
  }

  #flush(): void {
    if (this.#batch.length === 0) return;
    const requests = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#post(encodeAppends(requests));
  }

  #post(message: ToWriter): void {
    this.#worker.postMessage(message);
  }

  #take(message: FromWriter): void {
    if (typeof message === 'string') {
      const { size, results } = decodeDurable(message);
      this.#size = size;
      for (const { id, appended } of results) this.#settle(id)?.resolve(appended);
      return;
    }
    switch (message.kind) {
      case 'ready':
        this.#size = message.size;
        this.#verifierKey = message.verifierKey;
        this.#interrupted = message.interrupted;
        this.#shreds = message.shreds;
        this.#ready?.resolve();
        break;
      case 'rejected':
        this.#settle(message.id)?.reject(fromWire(message.error));
        break;
      case 'signed':
        this.#verifierKey = message.verifierKey;
        this.#signing.get(message.id)?.resolve(message.note);
        this.#signing.delete(message.id);
        break;
      case 'halted':
        this.#halt(fromWire(message.error));
        break;
      case 'closed':
        this.#halt(new CountersignError('SHUTTING_DOWN'));
        this.#closed?.();
        break;
      default:
        message satisfies never;
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    this.#pendingBytes -= pending?.bytes ?? 0;
    return pending;
  }

  #halt(error: CountersignError): void {
    if (this.#halted !== undefined) return;
    this.#halted = error;
    this.#ready?.reject(error);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#pendingBytes = 0;
    for (const { reject } of this.#signing.values()) reject(error);
    this.#signing.clear();
    if (error.code === 'SHUTTING_DOWN') return;
    for (const listener of this.#haltListeners) listener(error);
  }
}

function exceeded(limit: string, allowed: number, actual: number): CountersignError {
  return new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual });
}

const STRENGTH: Readonly<Record<WaitClass, number>> = { async: 0, durable: 1, signed: 2 };

function waitOf(events: readonly LedgerEvent[]): WaitClass {
  let wait: WaitClass = 'async';
  for (const event of events) {
    const own = EVENTS[event.type]?.wait ?? 'durable';
    if (STRENGTH[own] > STRENGTH[wait]) wait = own;
  }
  return wait;
}

/** Of requests, which are not as many as statements: a message to the writer costs more than that it seals later. */
const HELD_BACK: ReadonlySet<string> = new Set(['http.outcome', 'rerank.result']);

/** An outcome follows what was delivered; a crash before it is durable is what `unknown` says. */
function isUnhurried({ type }: LedgerEvent): boolean {
  return type === 'statement.outcome' || HELD_BACK.has(type) || EVENTS[type]?.wait === 'async';
}

function isHeldBack({ type }: LedgerEvent): boolean {
  return HELD_BACK.has(type);
}

function fromWire(error: WireError): CountersignError {
  const code = isCode(error.code) ? error.code : 'INTERNAL';
  return new CountersignError(code, error.details, { cause: new Error(error.reason) });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
