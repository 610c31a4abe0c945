/**
 * The thread of the writer: takes all that waits, makes one group of it, answers, signs.
 *
 * A group is whatever arrived while the disk was busy with the one before.
 */

import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { formatVerifierKey } from '@countersign/ledger/note';
import { toCountersignError, reasonOf } from '../core/errors.ts';
import type { Appended, LedgerEvent } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import { type CheckpointStore, fileCheckpointStore } from './checkpoint-store.ts';
import { LOG_FILES } from './file-port.ts';
import { pooledRandom } from '../keys/pooled-random.ts';
import { signingKeyOf } from '../keys/signing-key.ts';
import type { LogWriter } from './log-writer.ts';
import { openWriter } from './open-writer.ts';
import { decodeAppends, encodeDurable } from './append-text.ts';
import { plugNativeSha256 } from './native-sha256.ts';
import { systemClock } from './system-clock.ts';
import type {
  AppendRequest,
  Durable,
  FromWriter,
  ToWriter,
  WireError,
  WriterData,
} from './writer-messages.ts';

class WriterThread {
  readonly #port: MessagePort;
  readonly #data: WriterData;
  readonly #writer: LogWriter;
  readonly #secondPlace: CheckpointStore;
  /** Appends that are durable and wait for a signature. */
  #unsigned: Durable[] = [];
  /** Appends that are staged and not durable. */
  #group: { readonly request: AppendRequest; readonly appended: readonly Appended[] }[] = [];
  /** Requests that were refused; they are answered with the group. */
  #rejected: { readonly id: number; readonly error: WireError }[] = [];
  /** Somebody waits for the group. */
  #urgent = false;
  #commitTimer: NodeJS.Timeout | undefined;
  #checkpointTimer: NodeJS.Timeout | undefined;
  readonly #heartbeat: NodeJS.Timeout;
  #closed = false;

  constructor(port: MessagePort, data: WriterData) {
    plugNativeSha256();
    this.#port = port;
    this.#data = data;
    this.#secondPlace = fileCheckpointStore(data.secondPlace);
    const { writer, interrupted, shreds, cut, note } = openWriter(data, {
      files: LOG_FILES,
      secondPlace: this.#secondPlace,
      clock: systemClock(),
      randomBytes: pooledRandom(),
    });
    this.#writer = writer;
    this.#heartbeat = setInterval(() => this.#beat(), data.heartbeatIntervalMs);
    port.on('message', (message: ToWriter) => this.#run(message));
    this.#say({
      kind: 'ready',
      size: writer.size,
      verifierKey: this.#vkey(),
      note,
      interrupted,
      shreds,
      cut,
    });
  }

  #stage(type: string, body: NonNullable<LedgerEvent['body']>): void {
    this.#writer.stage({ type, kind: 'system', keyId: this.#data.bootId, body });
  }

  #vkey(): string {
    return formatVerifierKey(this.#writer.verifierKey);
  }

  /** One message, and all that wait behind it, as one group. */
  #run(first: ToWriter): void {
    if (this.#closed) return;
    try {
      let message: ToWriter | undefined = first;
      while (message !== undefined) {
        if (typeof message === 'string') {
          for (const request of decodeAppends(message)) this.#stageRequest(request);
          if (this.#writer.stagedBytes >= LIMITS.ledger.groupBytesMax) this.#commit();
        } else {
          this.#commit();
          this.#control(message);
          if (this.#closed) return;
        }
        // Whatever came by postMessage is one of ours.
        message = receiveMessageOnPort(this.#port)?.message;
      }
      if (this.#urgent) this.#commit();
      else this.#commitSoon();
    } catch (error) {
      this.#halt(error);
    }
  }

  #stageRequest(request: AppendRequest): void {
    this.#urgent ||= request.urgent;
    try {
      this.#group.push({ request, appended: this.#writer.stageAll(request.events) });
    } catch (thrown) {
      const error = toCountersignError(thrown);
      if (error.code === 'LEDGER_HALTED') throw error;
      this.#rejected.push({ id: request.id, error: wireError(error) });
    }
  }

  /** Makes the group durable, and answers it. */
  #commit(): void {
    clearTimeout(this.#commitTimer);
    this.#commitTimer = undefined;
    this.#writer.commit();
    const results: Durable[] = [];
    const group = this.#group;
    for (const { id, error } of this.#rejected) this.#say({ kind: 'rejected', id, error });
    this.#rejected = [];
    this.#group = [];
    this.#urgent = false;
    let sign = false;
    for (const { request, appended } of group) {
      if (request.wait === 'signed') {
        this.#unsigned.push({ id: request.id, appended });
        sign = true;
      } else {
        results.push({ id: request.id, appended });
      }
    }
    if (results.length > 0) this.#say(encodeDurable(this.#writer.size, results));
    if (sign) this.#sign();
    else if (group.length > 0) this.#signSoon();
  }

  /** Nobody waits for these: they go with the next group that somebody waits for. */
  #commitSoon(): void {
    if (this.#group.length + this.#rejected.length === 0) return;
    this.#commitTimer ??= setTimeout(() => {
      try {
        this.#commit();
      } catch (error) {
        this.#halt(error);
      }
    }, LIMITS.ledger.unhurriedDelayMs);
  }

  #signSoon(): void {
    this.#checkpointTimer ??= setTimeout(() => {
      this.#checkpointTimer = undefined;
      try {
        this.#sign();
      } catch (error) {
        this.#halt(error);
      }
    }, this.#data.checkpointDelayMs);
  }

  #sign(keep = false): string {
    clearTimeout(this.#checkpointTimer);
    this.#checkpointTimer = undefined;
    const note = this.#writer.checkpoint(keep);
    const results = this.#unsigned;
    this.#unsigned = [];
    if (results.length > 0) this.#say(encodeDurable(this.#writer.size, results));
    return note;
  }

  #control(message: Exclude<ToWriter, string>): void {
    switch (message.kind) {
      case 'openScope':
        this.#writer.openScope(message.keyId, message.key);
        break;
      case 'closeScope':
        this.#writer.closeScope(message.keyId);
        break;
      case 'checkpoint':
        this.#say({ kind: 'signed', id: message.id, note: this.#sign(true), verifierKey: this.#vkey() });
        break;
      case 'rotate':
        this.#rotate(message);
        break;
      case 'close':
        this.#close(message.reason);
        break;
      default:
        message satisfies never;
    }
  }

  /** The leaf that names the new key is signed by the old one; then the new one signs a larger tree. */
  #rotate(message: Extract<ToWriter, { readonly kind: 'rotate' }>): void {
    const next = signingKeyOf(message.signingSeed);
    const fromVkey = this.#vkey();
    const toVkey = formatVerifierKey({ ...this.#writer.verifierKeyOf(next.publicKey) });
    const { reason, requestedBy } = message;
    if (!message.announced) {
      this.#stage('ledger.key.rotate', {
        from_vkey: fromVkey,
        to_vkey: toVkey,
        reason,
        requested_by: requestedBy,
      });
      this.#writer.commit();
    }
    this.#sign(true);
    this.#writer.replaceKey(next);
    // One more leaf: the tree grows, so that the last checkpoint is one of the key that is in force.
    this.#stageHeartbeat();
    this.#writer.commit();
    this.#say({ kind: 'signed', id: message.id, note: this.#sign(true), verifierKey: toVkey });
  }

  #beat(): void {
    try {
      this.#stageHeartbeat();
      this.#commit();
      this.#signSoon();
    } catch (error) {
      this.#halt(error);
    }
  }

  #stageHeartbeat(): void {
    const { counts, sessions } = this.#writer.state;
    this.#stage('ledger.heartbeat', {
      counts: Object.fromEntries(counts),
      interval_s: Math.round(this.#data.heartbeatIntervalMs / 1000),
      open_sessions: sessions.size,
    });
  }

  #close(reason: string): void {
    const { counts } = this.#writer.state;
    this.#stage('ledger.shutdown', { reason, counts: Object.fromEntries(counts) });
    this.#writer.commit();
    this.#sign(true);
    // The thread is ended as soon as it has said so: the files come first.
    this.#release();
    this.#say({ kind: 'closed' });
    this.#port.close();
  }

  #halt(error: unknown): void {
    // Said first: what is posted to a port behind its end is lost, and nobody would know why.
    this.#say({ kind: 'halted', error: wireError(error) });
    this.#release();
    this.#port.close();
  }

  #release(): void {
    this.#closed = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#checkpointTimer);
    clearTimeout(this.#commitTimer);
    this.#writer.close();
    this.#secondPlace.close();
  }

  #say(message: FromWriter): void {
    this.#port.postMessage(message);
  }
}

function wireError(thrown: unknown): WireError {
  const error = toCountersignError(thrown);
  const reason = error.cause === undefined ? error.message : reasonOf(error.cause);
  return { code: error.code, details: error.details, reason };
}

/** @param data what the main thread of the same process made */
function startWriter(port: MessagePort, data: WriterData): WriterThread {
  return new WriterThread(port, data);
}

if (parentPort !== null) {
  const port = parentPort;
  try {
    startWriter(port, workerData);
  } catch (error) {
    port.postMessage({ kind: 'halted', error: wireError(error) } satisfies FromWriter);
    port.close();
  }
}
