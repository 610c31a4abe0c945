/**
 * A request on its way to the target, and the answer on its way back, both as they come.
 *
 * Pipeline: forward, record. Made when the intent is durable. Backpressure goes from each end to the other, and
 * from the recording to both. What is not understood of an encoding is left alone: bytes pass as they are.
 */

import { hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { CountersignError, reasonOf } from '../../core/errors.ts';
import { HTTP_LIMITS as LIMITS } from '../../core/http-limits.ts';
import type { HttpFields, HttpRequestHead } from '../../core/http-message.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import type { BodyMasker } from '../../masking/bodies/body-masker.ts';
import {
  answerFieldsFor,
  readFields,
  requestFieldsFor,
  trailersFor,
  valueOf,
  valuesOf,
} from '../../protocols/http/fields.ts';
import { RECORDED, type RecordedKind } from '../../protocols/http/recorded.ts';
import { CHANNEL } from '../../recording/segment-format.ts';
import {
  fieldsOf,
  type HttpCredential,
  inject,
  isInQuery,
  withoutSecret,
} from '../../upstream/http-credential.ts';
import type {
  HttpTarget,
  UpstreamAnswer,
  UpstreamExchange,
  UpstreamRequest,
} from '../../upstream/http-exchange.ts';
import { signatureFields } from '../../upstream/sigv4-fields.ts';
import type { ContentShare } from './content-budget.ts';
import { shownFields } from './decide-request.ts';
import type { HeldContent } from './held-content.ts';
import type { HttpOutcomeStatus } from './http-leaves.ts';
import type { ClientRequest } from './http-ports.ts';
import type { HttpSession } from './http-session.ts';
import type { IndexHosts } from './index-hosts.ts';
import type { AnswerChange } from './answer-change.ts';
import { answerMasking } from './masked-answer.ts';
import { PassedBytes } from './passed-bytes.ts';
import { RestoredAnswer } from './restored-answer.ts';
import { pump, Stalled } from './pump.ts';
import type { RerankEvidence } from './rerank-evidence.ts';
import type { RetrievedContent } from './retrieved-content.ts';
import { checkSignedContent, type SignedRequest } from './signed-request.ts';
import { type SpooledRequest, spoolRequest } from './spooled-request.ts';
import { joinUpgraded } from './upgrade.ts';

export interface ForwardedRequest {
  readonly request: ClientRequest;
  readonly head: HttpRequestHead;
  readonly contentLength: number | 'chunked' | 'none';
  /** Where it was read already. */
  readonly content: Pick<HeldContent, 'bytes' | 'sha256'> | undefined;
  /** What came, where that is not what is forwarded; its trailers are about another content then, and stay here. */
  readonly received: Pick<HeldContent, 'bytes' | 'sha256'> | undefined;
  /** Of the answer, where the call went under pseudonyms. */
  readonly restoring: (() => BodyMasker) | undefined;
  /** Where it is a rerank call: what came back is a part of its record. */
  readonly rerank: RerankEvidence | undefined;
  /** Where texts of the answer are remembered. */
  readonly retrieved: RetrievedContent | undefined;
  /** Where the answer may name addresses that lead past the gateway. */
  readonly hosts: IndexHosts | undefined;
  /** Fields that would lead past what was decided on. */
  readonly strip: readonly string[];
  /** What is read of it takes of this. */
  readonly budget: ContentShare;
  /** Where the client signed it: a content that nobody has read yet is checked before anything is sent. */
  readonly signed: SignedRequest | undefined;
  /** Of the exchange in its session. */
  readonly number: number;
  /** Aborted when nothing of it is wanted any more. */
  readonly signal: AbortSignal;
}

export class Forwarding {
  readonly #session: HttpSession;
  readonly #forwarded: ForwardedRequest;
  readonly #sent = new PassedBytes();
  readonly #received = new PassedBytes();
  #masking: AnswerChange | undefined;
  #upstream: UpstreamExchange | undefined;
  #credential: HttpCredential = { scheme: 'none' };
  #answer: UpstreamAnswer | undefined;
  /** Of the head that the client gets. */
  #fields: HttpFields | undefined;
  /** Where the target has to know the digest of the content first. */
  #spooled: SpooledRequest | undefined;
  #forwardedUs: number | undefined;
  #answeredUs: number | undefined;
  #hasAnswered = false;
  #destroyed = false;

  constructor(session: HttpSession, forwarded: ForwardedRequest) {
    this.#session = session;
    this.#forwarded = forwarded;
  }

  /** Monotonic µs of the moment at which the request went to the target. */
  get forwardedUs(): number | undefined {
    return this.#forwardedUs;
  }

  /** The client has a head. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** A byte may have reached the target. */
  get mayHaveRun(): boolean {
    return this.#upstream !== undefined;
  }

  /** What the target said. */
  get status(): number | undefined {
    return this.#answer?.status;
  }

  /** Breaks off towards the target. */
  destroy(): void {
    this.#destroyed = true;
    this.#upstream?.destroy();
  }

  /** Resolves when the client has the whole answer. */
  async run(): Promise<HttpOutcomeStatus> {
    try {
      return await this.#run();
    } finally {
      await this.#spooled?.release();
    }
  }

  async #run(): Promise<HttpOutcomeStatus> {
    const { request, signal } = this.#forwarded;
    const upstream = await this.#begin();
    const sending = this.#send(upstream);
    // A target may answer before it has everything; then what breaks here is told by the answer.
    let sendingFailed: unknown;
    sending.catch((error: unknown) => {
      sendingFailed = error;
      if (error instanceof CountersignError || error instanceof Stalled) upstream.destroy();
    });
    let answer: UpstreamAnswer;
    try {
      answer = await upstream.answer;
    } catch (error) {
      signal.throwIfAborted();
      if (sendingFailed instanceof CountersignError) throw sendingFailed;
      if (sendingFailed instanceof Stalled) {
        throw new CountersignError(
          'HTTP_CONTENT_REFUSED',
          { reason: sendingFailed.message },
          { cause: sendingFailed },
        );
      }
      throw error;
    }
    signal.throwIfAborted();
    this.#answer = answer;
    this.#answeredUs = this.#session.ports.clock.monotonicUs();
    if (answer.upgraded !== undefined) {
      await this.#joinUpgraded(answer.upgraded);
      return 'ok';
    }
    try {
      await this.#deliver(await this.#atTheGate(answer));
    } catch (error) {
      // What nobody reads any more must not hold a socket of the target.
      upstream.destroy();
      this.#forwarded.retrieved?.release();
      throw error;
    }
    // What the client still sends after a whole answer is of no use to anybody.
    if (!request.content.readableEnded) upstream.destroy();
    return answer.status < 400 ? 'ok' : 'error';
  }

  /** For the outcome: what passed in both directions. */
  outcome(): Record<string, BodyValue> {
    const answer = this.#answer;
    return {
      ...(answer === undefined ? {} : { headers: shownFields(this.#fields ?? this.#fieldsFor(answer)) }),
      ...(this.#forwardedUs === undefined || this.#answeredUs === undefined
        ? {}
        : { target_us: Math.max(0, Math.round(this.#answeredUs - this.#forwardedUs)) }),
      ...this.#sentBody(),
      body_bytes: this.#received.bytes,
      body_sha256: this.#received.sha256(),
      body_form: 'delivered',
      ...this.#masking?.body(),
      ...this.#forwarded.hosts?.body(),
    };
  }

  /** What came of the client, and where that is another content, what of it went to the target. */
  #sentBody(): Record<string, BodyValue> {
    const { received } = this.#forwarded;
    const sent = { bytes: this.#sent.bytes, sha256: this.#sent.sha256() };
    if (received === undefined) return { bytes_from_client: sent.bytes, sha256_from_client: sent.sha256 };
    return {
      bytes_from_client: received.bytes.length,
      sha256_from_client: received.sha256,
      forwarded_bytes: sent.bytes,
      forwarded_sha256: sent.sha256,
    };
  }

  async #begin(): Promise<UpstreamExchange> {
    const { request, head, strip, signal, restoring } = this.#forwarded;
    const { ports, connection } = this.#session;
    const { admission } = this.#session;
    this.#masking = await answerMasking(admission.policyNow().masks, () => admission.maskingKeys());
    if (this.#masking !== undefined && request.upgrade !== undefined) {
      throw new CountersignError('MASK_NOT_APPLIED', { connection });
    }
    // Who may see what comes back as it is, may see what they sent.
    if (this.#masking === undefined && restoring !== undefined) this.#masking = new RestoredAnswer(restoring);
    const target = await this.#session.target();
    this.#credential = target.credential;
    if (isInQuery(target.credential, head.query)) {
      throw new CountersignError('HTTP_MALFORMED', {
        reason: 'it has a key in its query, which is the gateway’s to send',
      });
    }
    const injected = inject(target.credential, head.query, connection);
    const own = new Set([...fieldsOf(target.credential), ...strip]);
    const plain = requestFieldsFor(head.fields, own).filter(([name]) => name !== 'content-length');
    const asked = this.#forwarded.hosts?.request(plain) ?? plain;
    const passing = this.#masking?.request(asked) ?? asked;
    const isSigned = target.credential.scheme === 'sigv4';
    if (isSigned) await this.#readAll();
    signal.throwIfAborted();
    const unsigned: UpstreamRequest = {
      method: head.method,
      path: pathAt(target, head.path, injected.query),
      fields: [...passing, ...injected.fields],
      content: this.#framing(),
      upgrade: request.upgrade === undefined ? undefined : 'websocket',
    };
    this.#forwardedUs = ports.clock.monotonicUs();
    const upstream = await ports.upstream.begin(target, this.#signed(target, unsigned));
    this.#upstream = upstream;
    if (this.#destroyed) upstream.destroy();
    return upstream;
  }

  /** All of a content that the target's signature is about, and that of the client, before a byte of it is sent. */
  async #readAll(): Promise<void> {
    const { request, content, contentLength, signed, budget, signal } = this.#forwarded;
    const { ports, principal } = this.#session;
    if (content === undefined && contentLength !== 'none') {
      request.sayContinue?.();
      const options = { spool: ports.spool, owner: principal.id, share: budget, signal };
      this.#spooled = await spoolRequest(request.content, options);
      checkSignedContent(signed, this.#spooled.sha256);
    }
    if (request.rawTrailers().length === 0) return;
    const reason = 'it has trailers, which no signature is about';
    throw new CountersignError('HTTP_MALFORMED', { reason });
  }

  #framing(): UpstreamRequest['content'] {
    const { request, content, contentLength } = this.#forwarded;
    if (this.#spooled !== undefined) return this.#spooled.bytes;
    return content === undefined ? contentLength : framedAs(content.bytes, contentLength, request);
  }

  /** With the signature of the gateway, over what is sent, where the target wants one. */
  #signed(target: HttpTarget, request: UpstreamRequest): UpstreamRequest {
    const { credential } = target;
    if (credential.scheme !== 'sigv4') return request;
    const { content } = this.#forwarded;
    const sha256 = this.#spooled?.sha256 ?? content?.sha256 ?? hash('sha256', '', 'hex');
    const nowUs = this.#session.ports.clock.nowUs();
    const own = signatureFields(target, credential, request, sha256, nowUs);
    return { ...request, fields: [...request.fields, ...own] };
  }

  async #send(upstream: UpstreamExchange): Promise<void> {
    const { request, content, contentLength } = this.#forwarded;
    const { content: sink } = upstream;
    // An error of the target's side is told by its answer.
    sink.on('error', () => undefined);
    if (content !== undefined) {
      this.#sent.addHashed(content);
      sink.write(content.bytes);
    } else if (contentLength !== 'none') {
      const spooled = this.#spooled;
      if (spooled === undefined) request.sayContinue?.();
      await pump(spooled?.read() ?? request.content, sink, {
        take: (chunk) => {
          this.#sent.add(chunk);
          this.#record(CHANNEL.clientToTarget, RECORDED.content, chunk);
          return this.#session.room();
        },
        silentMsMax: LIMITS.stalledContentMs,
        stalledMsMax: LIMITS.upstreamSilenceMs,
      });
    }
    this.#sendTrailers(upstream);
    this.#record(CHANNEL.clientToTarget, RECORDED.end, new Uint8Array(0));
    sink.end();
  }

  #sendTrailers(upstream: UpstreamExchange): void {
    const { request, contentLength, received } = this.#forwarded;
    if (contentLength === 'none' || received !== undefined) return;
    const read = readFields(request.rawTrailers(), 'trailers', LIMITS.fieldsMax);
    if (read.kind === 'malformed')
      throw new CountersignError('HTTP_MALFORMED', { reason: `in its trailers, ${read.reason}` });
    const { strip } = this.#forwarded;
    const own = fieldsOf(this.#credential);
    const trailers = trailersFor(read.fields).filter(([name]) => !own.has(name) && !strip.includes(name));
    if (trailers.length === 0) return;
    this.#record(CHANNEL.clientToTarget, RECORDED.trailers, Buffer.from(JSON.stringify(trailers)));
    upstream.trailers(trailers);
  }

  /** The answer with addresses of the gateway, where it may name others. */
  async #atTheGate(answer: UpstreamAnswer): Promise<UpstreamAnswer> {
    try {
      return (await this.#forwarded.hosts?.answer(answer)) ?? answer;
    } catch (error) {
      this.#forwarded.signal.throwIfAborted();
      throw error instanceof CountersignError ? error : this.#broken(reasonOf(error), error);
    }
  }

  async #deliver(answer: UpstreamAnswer): Promise<void> {
    const { request, rerank, retrieved } = this.#forwarded;
    if (valuesOf(answer.fields, 'transfer-encoding').some((value) => value.toLowerCase() !== 'chunked')) {
      throw this.#broken('its answer has a transfer coding that is not known');
    }
    const masking = this.#masking;
    const passing = this.#fieldsFor(answer);
    const fields = masking?.answerFields(passing) ?? passing;
    this.#fields = fields;
    // What is masked may turn out to be no content that can be: then the client has seen nothing of it.
    rerank?.watch(answer);
    const content =
      masking === undefined
        ? answer.content
        : await firstOf(masking.content(answer, (chunk) => rerank?.take(chunk)));
    this.#sendHead(answer.status, fields);
    const { body } = request.answer;
    try {
      await pump(content, body, {
        take: (chunk) => {
          if (masking === undefined) rerank?.take(chunk);
          retrieved?.take(chunk);
          this.#received.add(chunk);
          this.#record(CHANNEL.targetToClient, RECORDED.content, chunk);
          return this.#session.room();
        },
        silentMsMax: undefined,
        stalledMsMax: LIMITS.stalledAnswerMs,
      });
    } catch (error) {
      this.#forwarded.signal.throwIfAborted();
      throw error instanceof CountersignError ? error : this.#broken(reasonOf(error), error);
    }
    await retrieved?.ends(answer.status, fields);
    // Trailers are about a content that is another now.
    const trailers =
      masking === undefined ? withoutSecret(this.#credential, trailersFor(answer.trailers())) : [];
    if (trailers.length > 0) {
      this.#record(CHANNEL.targetToClient, RECORDED.trailers, Buffer.from(JSON.stringify(trailers)));
      request.answer.trailers(trailers);
    }
    this.#record(CHANNEL.targetToClient, RECORDED.end, new Uint8Array(0));
    body.end();
  }

  #sendHead(status: number, fields: HttpFields): void {
    const { answer } = this.#forwarded.request;
    this.#record(CHANNEL.targetToClient, RECORDED.head, Buffer.from(JSON.stringify({ status, fields })));
    this.#hasAnswered = true;
    answer.head(status, fields, valueOf(fields, 'content-length') === undefined);
  }

  async #joinUpgraded(upgraded: NonNullable<UpstreamAnswer['upgraded']>): Promise<void> {
    const { request, signal } = this.#forwarded;
    const answer = this.#answer;
    if (request.upgrade === undefined || answer === undefined) {
      upgraded.socket.destroy();
      throw this.#broken('it upgraded unasked');
    }
    const fields = this.#fieldsFor(answer);
    this.#record(
      CHANNEL.targetToClient,
      RECORDED.head,
      Buffer.from(JSON.stringify({ status: answer.status, fields })),
    );
    this.#hasAnswered = true;
    await joinUpgraded(request.upgrade, upgraded, fields, {
      signal,
      take: (direction, chunk) => {
        (direction === 'up' ? this.#sent : this.#received).add(chunk);
        const channel = direction === 'up' ? CHANNEL.clientToTarget : CHANNEL.targetToClient;
        this.#record(channel, RECORDED.upgraded, chunk);
        return this.#session.room();
      },
    });
    this.#record(CHANNEL.targetToClient, RECORDED.end, new Uint8Array(0));
  }

  /** A redirect often repeats the query of its request, and with it what was put there. */
  #fieldsFor({ fields }: UpstreamAnswer): HttpFields {
    return withoutSecret(this.#credential, answerFieldsFor(fields));
  }

  #broken(reason: string, cause?: unknown): CountersignError {
    return new CountersignError(
      'UPSTREAM_FAILED',
      { connection: this.#session.connection, reason },
      { cause },
    );
  }

  #record(channel: 0 | 1 | 2, kind: RecordedKind, bytes: Uint8Array): void {
    this.#session.record(channel, this.#forwarded.number, kind, bytes);
  }
}

/** What was held has a length by now; it is sent in chunks only where trailers follow. */
function framedAs(
  content: Uint8Array,
  declared: number | 'chunked' | 'none',
  request: ClientRequest,
): number | 'chunked' {
  return declared === 'chunked' && request.rawTrailers().length > 0 ? 'chunked' : content.length;
}

function pathAt({ prefix }: HttpTarget, path: string, query: string): string {
  const full = prefix !== '' && path === '/' ? prefix : `${prefix}${path}`;
  return query === '' ? full : `${full}?${query}`;
}

/** The same stream, once its first piece is there, or it has ended; rejects where it fails before. */
async function firstOf(content: Readable): Promise<Readable> {
  // Whoever does not come to read it must not end the process where it breaks off.
  content.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    content.once('error', reject);
    content.once('end', resolve);
    content.once('readable', () => {
      content.off('error', reject);
      resolve();
    });
  });
  return content;
}
