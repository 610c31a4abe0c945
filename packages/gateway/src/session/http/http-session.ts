/**
 * One HTTP session: one principal on one connection from one address, with one recording and many requests.
 *
 * It has no socket of its own: a client may use several, and one socket may carry several sessions. It ends
 * when nothing was asked for some time, when access ends, or with the gateway; whatever runs then breaks off.
 */

import { CountersignError, toCountersignError } from '../../core/errors.ts';
import { HTTP_LIMITS as LIMITS } from '../../core/http-limits.ts';
import type { SessionId } from '../../core/ids.ts';
import type { Appended } from '../../core/ledger-port.ts';
import type { Principal } from '../../core/principal.ts';
import {
  encodeFrame,
  encodeFrameHeader,
  RECORDED,
  type RecordedKind,
} from '../../protocols/http/recorded.ts';
import type { ByteChannel } from '../../recording/segment-format.ts';
import type { RecordingSummary, SessionRecording } from '../../recording/session-recording.ts';
import type { HttpTarget } from '../../upstream/http-exchange.ts';
import type { EndReason, LiveSession, SessionPlace } from '../live-sessions.ts';
import type { HttpLeaves } from './http-leaves.ts';
import type { HttpAdmission, HttpPeer, HttpPorts } from './http-ports.ts';

/** A request, as far as its session ends it. */
export interface RunningExchange {
  abort(error: CountersignError): void;
}

export interface HttpSessionOptions {
  readonly id: SessionId;
  readonly principal: Principal;
  readonly tokenId: string;
  readonly peer: HttpPeer;
  readonly admission: HttpAdmission;
  readonly place: SessionPlace;
  readonly recording: SessionRecording;
  readonly leaves: HttpLeaves;
  readonly ports: HttpPorts;
  readonly start: Appended;
}

/** Pieces that are longer have their header in an entry of its own, so that they are not copied twice. */
const SMALL_BYTES = 1_024;

/** Made when `session.start` is durable. */
export class HttpSession implements LiveSession {
  readonly id: SessionId;
  readonly principal: Principal;
  readonly tokenId: string;
  readonly connection: string;
  readonly access: string;
  readonly database = '';
  readonly address: string;
  readonly startedUs: number;
  readonly closed: Promise<void>;
  readonly admission: HttpAdmission;
  readonly leaves: HttpLeaves;
  readonly ports: HttpPorts;
  readonly #options: HttpSessionOptions;
  readonly #recording: SessionRecording;
  readonly #running = new Map<RunningExchange, Promise<void>>();
  readonly #segmentLeaves: Promise<unknown>[] = [];
  readonly #resolveClosed: () => void;
  #idle: NodeJS.Timeout | undefined;
  readonly #checking: NodeJS.Timeout;
  #finishing = false;
  #endAtIdle: EndReason | undefined;
  #waitingForRoom: (() => void)[] = [];
  #next = 0;
  #intents = 0;
  #bytesToClient = 0;
  #bytesToTarget = 0;
  #checkedUs: number;
  #target: { readonly promise: Promise<HttpTarget>; readonly sinceUs: number } | undefined;

  constructor(options: HttpSessionOptions) {
    const { admission, recording, leaves, ports, start } = options;
    this.#options = options;
    this.id = options.id;
    this.principal = options.principal;
    this.tokenId = options.tokenId;
    this.connection = admission.connection;
    this.access = admission.access;
    this.address = options.peer.address;
    this.startedUs = start.timeUs;
    this.admission = admission;
    this.leaves = leaves;
    this.ports = ports;
    this.#recording = recording;
    this.#checkedUs = ports.clock.monotonicUs();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    recording.onSegment(({ status, number, sha256, bytes, blocks, plainBytes, firstUs, lastUs }) => {
      const times = { first_us: firstUs, last_us: lastUs };
      const body = { number, sha256, bytes, blocks, plain_bytes: plainBytes, ...times };
      const written = ports.ledger.append(leaves.segment(status, body));
      this.#segmentLeaves.push(written);
      written.catch((error: unknown) => this.#fail(error));
    });
    recording.onFailure((error) => this.#fail(error));
    recording.onDrain(() => this.#roomAgain());
    // A request may go on for hours, and the token of its client end meanwhile.
    this.#checking = setInterval(() => {
      if (this.#running.size > 0) this.check().catch(() => undefined);
    }, LIMITS.tokenCheckMs * 10);
    this.#checking.unref();
    this.#watchIdle();
  }

  /** Takes no requests any more. */
  get isOver(): boolean {
    return this.#finishing || this.#endAtIdle !== undefined;
  }

  get exchanges(): number {
    return this.#running.size;
  }

  /** Whether the principal may still be here; asked again now and then, because tokens end by themselves. */
  async check(): Promise<void> {
    const { ports } = this;
    const { clock } = ports;
    const nowUs = clock.monotonicUs();
    if (nowUs - this.#checkedUs < LIMITS.tokenCheckMs * 1_000) return;
    if (!(await ports.stillGood(this.principal, this.tokenId, this.connection))) {
      this.end({ reason: 'its access has ended' });
      throw ended('its access has ended');
    }
    this.#checkedUs = nowUs;
  }

  /** The target with its credential, which is fetched again now and then. */
  target(): Promise<HttpTarget> {
    const nowUs = this.ports.clock.monotonicUs();
    const known = this.#target;
    if (known !== undefined && nowUs - known.sinceUs < LIMITS.credentialKeptMs * 1_000) return known.promise;
    const promise = this.admission.openTarget();
    this.#target = { promise, sinceUs: nowUs };
    promise.catch(() => {
      this.#target = undefined;
    });
    return promise;
  }

  /** Runs a request; its number is its own in this session. Throws where the session takes no more. */
  run(exchange: RunningExchange, work: (number: number) => Promise<void>): Promise<void> {
    if (this.isOver) throw ended('it has ended');
    if (this.#running.size >= LIMITS.exchangesMax) {
      throw new CountersignError('TOO_MANY_CONNECTIONS', {
        allowed: LIMITS.exchangesMax,
        what: 'requests of one session',
      });
    }
    clearTimeout(this.#idle);
    const number = this.#next++;
    const done = work(number).finally(() => {
      this.#running.delete(exchange);
      if (this.#running.size > 0) return;
      if (this.#endAtIdle === undefined) this.#watchIdle();
      else void this.#finish('ended', ended(this.#endAtIdle.reason));
    });
    this.#running.set(exchange, done);
    return done;
  }

  /** An `http.intent` is durable; the end says how many there were. */
  intentWritten(): void {
    this.#intents += 1;
  }

  /** Records a frame; throws RECORDING_FAILED. */
  record(channel: ByteChannel, exchange: number, kind: RecordedKind, bytes: Uint8Array): void {
    const nowUs = this.ports.clock.nowUs();
    const recording = this.#recording;
    if (bytes.length <= SMALL_BYTES) recording.record(channel, encodeFrame(exchange, kind, bytes), nowUs);
    else {
      recording.record(channel, encodeFrameHeader(exchange, kind, bytes.length), nowUs);
      recording.record(channel, bytes, nowUs);
    }
    if (kind === RECORDED.content || kind === RECORDED.upgraded) {
      if (channel === 0) this.#bytesToTarget += bytes.length;
      else this.#bytesToClient += bytes.length;
    }
  }

  /** What has to be waited for before more is recorded; nothing where there is room. */
  room(): Promise<void> | undefined {
    if (!this.#recording.full) return undefined;
    return new Promise((resolve) => {
      this.#waitingForRoom.push(resolve);
    });
  }

  end(reason: EndReason): void {
    void this.#finish('ended', reason.error ?? ended(reason.reason));
  }

  endWhenIdle(reason: EndReason): void {
    if (this.#running.size === 0) this.end(reason);
    else this.#endAtIdle ??= reason;
  }

  /** A request is given up by closing its stream or connection. */
  cancel(): void {
    // Nothing of HTTP asks for this.
  }

  #watchIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#finish('ok', undefined), LIMITS.sessionIdleMs);
    this.#idle.unref();
  }

  #roomAgain(): void {
    const waiting = this.#waitingForRoom;
    this.#waitingForRoom = [];
    for (const resume of waiting) resume();
  }

  #fail(thrown: unknown): void {
    const error = toCountersignError(thrown);
    if (!this.#finishing) this.ports.onError(error, this.id);
    void this.#finish('failed', error);
  }

  async #finish(status: 'ok' | 'failed' | 'ended', error: CountersignError | undefined): Promise<void> {
    if (this.#finishing) return;
    this.#finishing = true;
    clearInterval(this.#checking);
    clearTimeout(this.#idle);
    const { ports, leaves, start, place } = this.#options;
    try {
      const running = [...this.#running];
      for (const [exchange] of running) exchange.abort(error ?? ended('it was idle'));
      this.#roomAgain();
      await Promise.allSettled(running.map(([, done]) => done));
      const recorded = await this.#closeRecording();
      const outcome = recorded === undefined && status === 'ok' ? 'failed' : status;
      const appended = await ports.ledger.append(
        leaves.end(outcome, {
          reason: error?.code ?? (outcome === 'ok' ? 'closed' : 'RECORDING_FAILED'),
          ...(error === undefined ? {} : { error: error.message }),
          statements: this.#intents,
          bytes_to_client: this.#bytesToClient,
          bytes_to_target: this.#bytesToTarget,
          duration_us: Math.max(0, ports.clock.nowUs() - start.timeUs),
          recording_segments: recorded?.segments ?? 0,
          ...(recorded?.sha256 === undefined ? {} : { recording_sha256: recorded.sha256 }),
        }),
      );
      await ports.index.ended({
        id: this.id,
        endedUs: appended.timeUs,
        status: outcome,
        statements: this.#intents,
        lastLeaf: appended.index,
      });
    } catch (thrown) {
      // The ledger has halted: the next start writes what is missing.
      ports.onError(toCountersignError(thrown), this.id);
    } finally {
      ports.ledger.closeScope(this.id);
      ports.sessions.remove(place);
      this.#resolveClosed();
    }
  }

  async #closeRecording(): Promise<RecordingSummary | undefined> {
    try {
      const summary = await this.#recording.close();
      await Promise.all(this.#segmentLeaves);
      return summary;
    } catch (error) {
      await Promise.allSettled(this.#segmentLeaves);
      this.ports.onError(toCountersignError(error), this.id);
      return undefined;
    }
  }
}

function ended(reason: string): CountersignError {
  return new CountersignError('SESSION_ENDED', { reason });
}
