/**
 * One PostgreSQL session: two sockets, both sides, the recording, and the end of it all.
 *
 * Owns the life of both sockets. Whatever goes wrong, the session ends in `finish`, once: nothing more
 * is forwarded, every intent gets its outcome, the recording is closed, `session.end` is written.
 */

import type { Socket } from 'node:net';
import { CountersignError, toCountersignError } from '../../core/errors.ts';
import type { SessionId } from '../../core/ids.ts';
import type { Appended } from '../../core/ledger-port.ts';
import { LIMITS } from '../../core/limits.ts';
import { withoutMethods } from '../../core/without-methods.ts';
import type { Principal } from '../../core/principal.ts';
import { encodeErrorResponse } from '../../protocols/postgres/encode.ts';
import { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import { type ByteChannel, CHANNEL } from '../../recording/segment-format.ts';
import type { RecordingSummary, SessionRecording } from '../../recording/session-recording.ts';
import type { ReadyTarget } from '../../upstream/postgres-login.ts';
import { cancelOnTarget, type PostgresTarget } from '../../upstream/postgres-target.ts';
import type { EndReason, LiveSession, SessionPlace } from '../live-sessions.ts';
import type { Admission, SessionPorts } from '../session-ports.ts';
import { Cancellation, type Delivery } from './cancellation.ts';
import { ClientSide } from './client-side.ts';
import { Conducting } from './conducting.ts';
import { type EndStatus, endSession } from './end-session.ts';
import { Gate } from './gate.ts';
import { Inspection } from './inspection.ts';
import type { SessionLiterals } from './hidden/session-literals.ts';
import { Intents } from './intents.ts';
import { largeMessages } from './large-message.ts';
import { type SessionMasking, sessionMasking } from './masked/session-masking.ts';
import type { KnownClient } from './open-session.ts';
import type { RunningOperation } from './running-operation.ts';
import type { Request } from './request.ts';
import { retrievedRows } from './retrieved-rows.ts';
import type { SessionLeaves } from './session-leaves.ts';
import { TargetSide } from './target-side.ts';
import { writeCopy } from './write-copy.ts';

export interface PostgresSessionOptions {
  readonly id: SessionId;
  readonly client: KnownClient;
  readonly admission: Admission;
  readonly target: PostgresTarget;
  readonly ready: ReadyTarget;
  readonly place: SessionPlace;
  readonly recording: SessionRecording;
  readonly leaves: SessionLeaves;
  readonly literals?: SessionLiterals | undefined;
  readonly ports: SessionPorts;
  readonly start: Appended;
}

/** Of a session that began before. */
const MASKS_CHANGED = 'Masks apply to it since it began; connect again';

/** Made when `session.start` is durable. */
export class PostgresSession implements LiveSession {
  readonly id: SessionId;
  readonly principal: Principal;
  readonly tokenId: string;
  readonly connection: string;
  readonly access: string;
  readonly database: string;
  readonly address: string;
  readonly startedUs: number;
  readonly closed: Promise<void>;
  readonly #options: PostgresSessionOptions;
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #recording: SessionRecording;
  readonly #inspection: Inspection;
  readonly #intents: Intents;
  readonly #responses: ResponseQueue<Request>;
  readonly #gate: Gate;
  readonly #cancellation: Cancellation;
  readonly #conducting: Conducting;
  readonly #clientSide: ClientSide;
  readonly #targetSide: TargetSide;
  readonly #masking: SessionMasking | undefined;
  readonly #resolveClosed: () => void;
  readonly #segmentLeaves: Promise<unknown>[] = [];
  #bytesToClient = 0;
  #clientAtBoundary = true;
  #bytesToTarget = 0;
  #finishing = false;
  #terminated = false;
  #leaving = false;
  /** The client's bytes are no messages: the target says so, and ends the session. */
  #broken: CountersignError | undefined;
  /** Why the session ends as soon as nothing runs. */
  #endAtIdle: EndReason | undefined;

  constructor(options: PostgresSessionOptions) {
    const { client, admission, ports, recording, leaves, start } = options;
    this.#options = options;
    this.id = options.id;
    this.principal = client.principal;
    this.tokenId = client.tokenId;
    this.connection = admission.connection;
    this.access = admission.access;
    this.database = admission.database;
    this.address = client.socket.remoteAddress ?? '';
    this.startedUs = start.timeUs;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#client = client.socket;
    this.#target = options.ready.socket;
    this.#recording = recording;
    const failed = (error: unknown): void => this.#fail(error);
    this.#inspection = this.#inspectionOf(admission, ports);
    const inspection = this.#inspection;
    this.#intents = new Intents({
      ledger: ports.ledger,
      leaves,
      clock: ports.clock,
      random: ports.randomBytes(16),
      inspection,
      failed,
    });
    const unlike = new Set<Request>();
    this.#responses = new ResponseQueue((request, outcome) => {
      unlike.delete(request);
      // Whoever keeps an answer says what becomes of the statement.
      if (request.keeper !== undefined || request.meter?.isOver === true) request.settled?.(outcome);
      else this.#conducting.answered(request, outcome);
    });
    this.#gate = new Gate(this.#target, { failed, drained: () => this.#drained() });
    this.#cancellation = new Cancellation({
      responses: this.#responses,
      gate: this.#gate,
      deliver: () => this.#deliverCancel(),
      failed,
    });
    this.#masking = this.#maskingWith(unlike);
    this.#conducting = this.#conductingWith(unlike);
    const openLarge = largeMessages(() => ports.spool.open(this.principal.id));
    this.#clientSide = new ClientSide(
      this.#responses,
      this.#intents,
      this.#gate,
      openLarge,
      unlike,
      this.#conducting,
      {
        failed,
        targetIsBetweenFrames: () => this.#targetSide.atBoundary,
        drained: () => this.#pace(),
        terminated: () => this.#clientLeaves(),
        broken: (error) => this.#clientBreaks(error),
      },
    );
    this.#targetSide = new TargetSide(this.#responses, unlike, {
      transactionEnded: () => {
        this.#intents.transactionEnded();
        this.#conducting.transactionEnded();
      },
      row: retrievedRows(options),
      idle: () => inspection.idle(this.#targetSide.transactionStatus === 'I'),
      parameterStatus: (name, value) => {
        inspection.parameterStatus(name, value);
        this.#masking?.parameterStatus(name, value);
      },
    });
    for (const { bytes } of options.ready.greeting) {
      inspection.greeted(bytes);
      this.#masking?.greeted(bytes);
    }
  }

  #maskingWith(unlike: Set<Request>): SessionMasking | undefined {
    return sessionMasking(this.#options, {
      pass: (bytes) => this.#targetSide.push(bytes),
      responses: this.#responses,
      gate: this.#gate,
      unlike,
    });
  }

  /** Ends it where nothing of it could be masked: it began before any Mask did, or its role may read what is masked. */
  get #isUnmasked(): boolean {
    const { admission } = this.#options;
    const { masks } = admission.policyNow();
    const isBefore = this.#masking === undefined && masks !== undefined && !masks.isEmpty;
    const reason = isBefore ? MASKS_CHANGED : admission.serverRole.stopped();
    if (reason !== undefined) this.end({ reason });
    return reason !== undefined;
  }

  #inspectionOf(admission: Admission, ports: SessionPorts): Inspection {
    return new Inspection({
      policyNow: () => admission.policyNow(),
      reader: ports.sql,
      nowUs: () => ports.clock.nowUs(),
      settled: () => this.#responses.length === 0,
      mayBeUnflushed: () => this.#responses.mayBeUnflushed,
      resumed: () => this.#drained(),
      trees: () => this.#conducting.trees,
    });
  }

  #conductingWith(unlike: Set<Request>): Conducting {
    const { ports, admission } = this.#options;
    return new Conducting({
      holds: ports.holds,
      holdLink: ports.holdLink,
      session: this,
      asksForTrees: admission.asksForTrees,
      masking: this.#masking,
      nowUs: () => ports.clock.monotonicUs(),
      random: ports.randomBytes(16),
      responses: this.#responses,
      gate: this.#gate,
      unlike,
      intents: this.#intents,
      clientSide: () => this.#clientSide,
      targetSide: () => this.#targetSide,
      deliver: (bytes, as) => this.#deliver(bytes, as),
      stop: () => this.#cancellation.request(() => undefined),
      failed: (error) => ports.onError(toCountersignError(error), this.id),
    });
  }

  /** @param rest bytes that the client has sent before it was greeted */
  async run(rest: Uint8Array): Promise<void> {
    this.#attach();
    // What was closed while the session was opened told nobody.
    if (this.#target.destroyed) this.#targetLeaves();
    if (this.#client.destroyed) this.#clientLost();
    this.#fromTarget(this.#options.ready.rest);
    this.#fromClient(rest);
    // Its goodbye is behind what it has sent.
    if (this.#client.readableEnded) this.#clientLeaves();
    this.#target.resume();
    this.#pace();
    await this.closed;
  }

  end({ reason, error }: EndReason): void {
    const { ready, target, ports } = this.#options;
    // PostgreSQL would run it to its end, and commit it, before it notices that nobody listens.
    if (!this.#finishing && this.#running !== undefined) {
      const cancelled = cancelOnTarget(target, ready.cancelProcessId, ready.cancelSecret);
      cancelled.catch((thrown: unknown) => ports.onError(toCountersignError(thrown), this.id));
    }
    this.#finish('ended', error ?? new CountersignError('SESSION_ENDED', { reason }));
  }

  endWhenIdle(reason: EndReason): void {
    this.#endAtIdle = reason;
    this.#endIfIdle();
  }

  cancel(address: string): void {
    if (this.#finishing) return;
    this.#conducting.cancel();
    this.#cancellation.request((intent, status) => {
      const { ports, leaves } = this.#options;
      const leaf = ports.ledger.append(
        leaves.cancel(intent, status, { address, delivered: status === 'ok' }),
      );
      leaf.catch((error: unknown) => this.#fail(error));
    });
  }

  async #deliverCancel(): Promise<Delivery> {
    const { ports, ready, target } = this.#options;
    try {
      const taken = await cancelOnTarget(target, ready.cancelProcessId, ready.cancelSecret);
      return taken ? 'taken' : 'unknown';
    } catch (error) {
      ports.onError(toCountersignError(error), this.id);
      return 'never sent';
    }
  }

  /** What the target runs now. */
  get #running(): RunningOperation | undefined {
    const operation = this.#responses.head?.operation;
    return operation?.forwardedUs === undefined || operation.intent === undefined ? undefined : operation;
  }

  #endIfIdle(): void {
    if (this.#endAtIdle === undefined || this.#responses.length > 0 || !this.#clientSide.idle) return;
    this.end(this.#endAtIdle);
  }

  #attach(): void {
    const client = this.#client;
    const target = this.#target;
    client.on('data', (chunk: Uint8Array) => this.#fromClient(withoutMethods(chunk)));
    client.on('end', () => this.#clientLeaves());
    client.on('error', () => this.#clientLost());
    client.on('close', () => this.#clientClosed());
    client.on('drain', () => target.resume());
    target.on('data', (chunk: Uint8Array) => this.#fromTarget(withoutMethods(chunk)));
    target.on('end', () => this.#targetLeaves());
    target.on('error', () => this.#targetLeaves());
    target.on('close', () => this.#targetLeaves());
    this.#recording.onFailure((error) => this.#fail(error));
    this.#recording.onDrain(() => this.#resume());
    this.#recording.onSegment(({ status, number, sha256, bytes, blocks, plainBytes, firstUs, lastUs }) => {
      const times = { first_us: firstUs, last_us: lastUs };
      const body = { number, sha256, bytes, blocks, plain_bytes: plainBytes, ...times };
      const written = this.#options.ports.ledger.append(this.#options.leaves.segment(status, body));
      written.catch((error: unknown) => this.#fail(error));
      this.#segmentLeaves.push(written);
    });
  }

  /** Untrusted bytes. */
  #fromClient(chunk: Uint8Array): void {
    // Behind a goodbye, and behind what is no message, nothing is read.
    if (this.#finishing || this.#terminated || chunk.length === 0) return;
    if (this.#isUnmasked) return;
    this.#bytesToTarget += chunk.length;
    const isRecorded =
      this.#options.literals?.record(chunk, (channel, piece) => this.#record(channel, piece)) ??
      this.#record(CHANNEL.clientToTarget, chunk);
    if (!isRecorded) return;
    this.#clientSide.push(chunk);
    this.#pace();
  }

  /** Untrusted bytes. */
  #fromTarget(chunk: Uint8Array): void {
    if (this.#finishing || chunk.length === 0) return;
    if (this.#isUnmasked) return;
    let passed: readonly Uint8Array[];
    try {
      passed = this.#masking?.stream.push(chunk) ?? this.#targetSide.push(chunk);
    } catch (error) {
      this.#fail(error);
      return;
    }
    for (const piece of passed) {
      if (!this.#record(CHANNEL.targetToClient, piece)) return;
      this.#bytesToClient += piece.length;
      // Nobody reads any more, but what was sent before still runs, as it does without a gateway.
      if (!this.#client.destroyed && !writeCopy(this.#client, piece)) this.#target.pause();
    }
    this.#clientAtBoundary = this.#targetSide.atBoundary;
    this.#clientSide.resume();
    this.#pace();
    this.#endIfIdle();
  }

  /** What the gateway has for the client, between two frames of the target's. */
  #deliver(bytes: Uint8Array, as: 'answer' | 'word'): void {
    if (this.#finishing) return;
    if (!this.#record(as === 'answer' ? CHANNEL.targetToClient : CHANNEL.gatewayToClient, bytes)) return;
    this.#bytesToClient += bytes.length;
    if (!this.#client.destroyed && !writeCopy(this.#client, bytes)) this.#target.pause();
  }

  #record(channel: ByteChannel, chunk: Uint8Array): boolean {
    try {
      this.#recording.record(channel, chunk, this.#options.ports.clock.nowUs());
      if (this.#recording.full) this.#target.pause();
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /** What waited for the disk or the target has passed. */
  #drained(): void {
    if (this.#finishing) return;
    this.#clientSide.resume();
    this.#pace();
  }

  /** The slowest leg sets the pace. */
  #pace(): void {
    if (this.#finishing) return;
    if (this.#clientSide.stalled || this.#recording.full) this.#client.pause();
    else this.#client.resume();
    this.#leaveWhenDrained();
  }

  #resume(): void {
    if (this.#client.destroyed || !this.#client.writableNeedDrain) this.#target.resume();
    this.#pace();
  }

  /** The client said goodbye or closed its side: what it sent before still reaches the target. */
  #clientLeaves(): void {
    this.#terminated = true;
    this.#conducting.leave();
    this.#leaveWhenDrained();
  }

  #clientBreaks(error: unknown): void {
    this.#broken = toCountersignError(error);
    this.#options.ports.onError(this.#broken, this.id);
    this.#clientLeaves();
  }

  /** The target hears the goodbye behind all that was sent before it. */
  #leaveWhenDrained(): void {
    if (this.#leaving || !this.#terminated || !this.#clientSide.idle) return;
    this.#leaving = true;
    this.#gate.whenEmpty(() => {
      // Behind what is no message the target closes; a client that is still there must not look gone.
      if (this.#broken === undefined) this.#target.end();
      this.#expectTheEnd();
    });
  }

  /** A target that owes nothing more has this long to close; one that still runs a statement, longer. */
  #expectTheEnd(waitedMs = 0): void {
    const { farewellMs, orphanedStatementMs } = LIMITS.postgres;
    setTimeout(() => {
      if (this.#finishing) return;
      if (this.#responses.length === 0)
        this.#finish(this.#broken === undefined ? 'ok' : 'failed', this.#broken);
      else if (waitedMs < orphanedStatementMs) this.#expectTheEnd(waitedMs + farewellMs);
      else {
        const reason = 'it has not answered since its client left';
        this.#finish(
          'failed',
          new CountersignError('UPSTREAM_FAILED', { connection: this.connection, reason }),
        );
      }
    }, farewellMs).unref();
  }

  /** The connection broke. */
  #clientLost(): void {
    if (this.#terminated) this.#clientClosed();
    else this.#finish('failed', new CountersignError('PROTOCOL_VIOLATION', { reason: 'the client is gone' }));
  }

  /** Both sides are closed: the target ends the session when it has run what came before. */
  #clientClosed(): void {
    if (this.#finishing) return;
    if (!this.#terminated) this.#clientLost();
    else if (!this.#recording.full) this.#target.resume();
  }

  #targetLeaves(): void {
    if (this.#finishing) return;
    // What the target said last is on its way to the client; its goodbye follows.
    const left = this.#terminated || this.#responses.length === 0;
    if (this.#broken !== undefined) this.#finish('failed', this.#broken, 'silently');
    else this.#finish(left ? 'ok' : 'failed');
  }

  #fail(error: unknown): void {
    if (this.#finishing) return;
    const known = toCountersignError(error);
    this.#options.ports.onError(known, this.id);
    this.#finish('failed', known);
  }

  /** @param how `silently`: the client has its answer from the target */
  #finish(status: EndStatus, error?: CountersignError, how: 'aloud' | 'silently' = 'aloud'): void {
    if (this.#finishing) return;
    this.#finishing = true;
    this.#conducting.end();
    this.#clientSide.close();
    this.#gate.close();
    this.#target.destroy();
    if (error !== undefined && how === 'aloud' && this.#client.writable && this.#clientAtBoundary) {
      const farewell = encodeErrorResponse(error, 'FATAL');
      this.#recordFarewell(farewell);
      this.#client.write(farewell);
    }
    if (!this.#client.destroyed) {
      this.#client.end();
      this.#client.resume();
      setTimeout(() => this.#client.destroy(), LIMITS.postgres.farewellMs).unref();
    }
    const counts = { toClient: this.#bytesToClient, toTarget: this.#bytesToTarget };
    const over = { ...this.#options, counts, responses: this.#responses, intents: this.#intents };
    void endSession(over, status, error, () => this.#closeRecording()).then(this.#resolveClosed);
  }

  async #closeRecording(): Promise<RecordingSummary | undefined> {
    try {
      const summary = await this.#recording.close();
      await Promise.all(this.#segmentLeaves);
      return summary;
    } catch (error) {
      this.#options.ports.onError(toCountersignError(error), this.id);
      return undefined;
    }
  }

  #recordFarewell(farewell: Uint8Array): void {
    try {
      this.#recording.record(CHANNEL.gatewayToClient, farewell, this.#options.ports.clock.nowUs());
    } catch {
      // The recording has failed already, which may be why the session ends; session.end says so.
    }
  }
}
