/**
 * One request from its head to its outcome: understand, decide, write down, wait, forward, deliver, record.
 *
 * Nothing goes to the target before the intent is durable, because this is the one place that begins a request
 * there, and it does so behind that. Whatever breaks off gets an outcome that says how far it had come.
 */

import { CountersignError, toCountersignError } from '../../core/errors.ts';
import { HTTP_LIMITS as LIMITS } from '../../core/http-limits.ts';
import type { HttpRequestHead } from '../../core/http-message.ts';
import type { LedgerEvent } from '../../core/ledger-port.ts';
import { valuesOf } from '../../protocols/http/fields.ts';
import { RECORDED, type RecordedKind } from '../../protocols/http/recorded.ts';
import { CHANNEL } from '../../recording/segment-format.ts';
import { approve } from './approval.ts';
import { blockedError, intentBody, judge, type JudgedRequest } from './decide-request.ts';
import { Forwarding } from './forwarding.ts';
import type { ContentShare } from './content-budget.ts';
import { mayNameHosts } from '../../protocols/http/operations/pinecone-hosts.ts';
import { IndexHosts } from './index-hosts.ts';
import { checkDeclaredLength, decodeContent, type HeldContent, holdContent } from './held-content.ts';
import type { HttpOutcomeStatus } from './http-leaves.ts';
import type { ClientRequest } from './http-ports.ts';
import type { HttpSession, RunningExchange } from './http-session.ts';
import { understand, type UnderstoodRequest, wantsContent } from './reading.ts';
import { RerankEvidence } from './rerank-evidence.ts';
import { RetrievedContent } from './retrieved-content.ts';
import { refusalOf, sendRefusal } from './refuse.ts';
import { checkNoneYet, type RequestMasking, requestMasking } from './masked-request.ts';
import { isSameRequest } from './same-request.ts';
import { checkSignedContent, checkSignedFor, type SignedRequest } from './signed-request.ts';

/** A request of a client that is known, on a connection that it may use. */
export interface KnownRequest {
  readonly request: ClientRequest;
  /** What is matched and forwarded: normalised, and without what stays here. */
  readonly head: HttpRequestHead;
  readonly authority: string;
  /** Its connection was found by the host name. */
  readonly isByHost: boolean;
  readonly contentLength: number | 'chunked' | 'none';
  readonly budget: ContentShare;
  /** Where it is signed. */
  readonly signed: SignedRequest | undefined;
}

/** What an approval said, where one was needed. */
type Done = (status: 'ok' | 'failed' | 'unknown', outcomeLeaf?: number) => Promise<void>;

/** What a client does, or everybody knows; no operator has to look. */
const NOT_OURS: ReadonlySet<string> = new Set(['SHUTTING_DOWN', 'HTTP_CONTENT_SHARE']);

export class Exchange implements RunningExchange {
  readonly #session: HttpSession;
  readonly #known: KnownRequest;
  readonly #abort = new AbortController();
  readonly #receivedUs: number;
  #number = 0;
  #content: HeldContent | undefined;
  /** Until its outcome is written. */
  #intent: number | undefined;
  /** How far its leaves have come; `ending`: its outcome is on its way, or was not taken. */
  #written: 'nothing' | 'intent' | 'ending' | 'outcome' = 'nothing';
  #forwarding: Forwarding | undefined;
  #done: Done | undefined;
  #hosts: IndexHosts | undefined;
  #dialect: string;
  #rerank: RerankEvidence | undefined;
  #masking: RequestMasking | undefined;
  /** The head as it is forwarded, shown and recorded. */
  #head: HttpRequestHead;

  constructor(session: HttpSession, known: KnownRequest) {
    this.#session = session;
    this.#known = known;
    this.#receivedUs = session.ports.clock.monotonicUs();
    this.#dialect = session.admission.dialect;
    this.#head = known.head;
    this.#content = known.signed?.content;
    known.request.onGone(() => {
      this.#abort.abort(new CountersignError('HTTP_CLIENT_LEFT'));
      this.#forwarding?.destroy();
    });
  }

  /** Its session ends: whatever it does breaks off. */
  abort(error: CountersignError): void {
    this.#abort.abort(error);
    this.#forwarding?.destroy();
    const { answer, content } = this.#known.request;
    // Before its head is sent it can still be told why; what it still sends is not waited for.
    if (!answer.isOpen) answer.destroy();
    else if (this.#intent === undefined) content.destroy();
  }

  /** Never rejects: what goes wrong is told to the client, and to the operator where it is ours. */
  async run(number: number): Promise<void> {
    this.#number = number;
    try {
      await this.#session.check();
      await this.#pass();
    } catch (thrown) {
      await this.#failed(this.#reasonOf(thrown));
    } finally {
      this.#content?.release();
      this.#masking?.release();
      this.#hosts?.release();
    }
  }

  async #pass(): Promise<void> {
    const { head, signed } = this.#known;
    const { admission, ports } = this.#session;
    checkSignedFor(admission, signed, this.#known.contentLength);
    const looked = wantsContent(admission.dialect, head);
    const masking = await this.#findMasks();
    const wanted = looked || masking !== undefined;
    if (wanted) await this.#holdContent();
    // Behind an upgrade anything may be said, and nobody reads it.
    const { contentLength, request } = this.#known;
    const unread = request.upgrade !== undefined || (!looked && contentLength !== 'none');
    const decoded = wanted ? await this.#decoded() : undefined;
    const understood = understand(admission.dialect, head, looked ? decoded : undefined, unread);
    this.#dialect = understood.reading.dialect ?? this.#dialect;
    if (mayNameHosts(admission.dialect, understood.reading)) this.#hosts = this.#indexHosts();
    const decided = judge(admission, understood, ports.clock.nowUs());
    const judged = masking?.shown(decided) ?? decided;
    // What is approved is this content and no other.
    if (judged.decision.kind === 'hold') await this.#holdContent();
    await this.#mask(decoded, understood, judged, looked);
    this.#abort.signal.throwIfAborted();
    await this.#writeIntent(judged, await RerankEvidence.begin(this.#session, understood));
    this.#abort.signal.throwIfAborted();
    if (judged.decision.kind === 'block') return this.#refuse(blockedError(judged.decision), 'blocked');
    if (judged.decision.kind === 'hold' && !(await this.#isApprovedWithin(decoded, judged))) return undefined;
    this.#abort.signal.throwIfAborted();
    return this.#forward(understood.reading.strip);
  }

  #indexHosts(): IndexHosts {
    const { connection, principal, ports } = this.#session;
    const { authority, isByHost, budget, request } = this.#known;
    const asked = { authority, isByHost, isTls: request.peer.tls !== 'none' };
    return new IndexHosts(connection, budget, (host) => ports.indexAddress(host, asked, principal));
  }

  /** The Masks that reach what the client sends; from here on its head is shown and forwarded behind them. */
  async #findMasks(): Promise<RequestMasking | undefined> {
    const { admission, connection } = this.#session;
    const { masks } = admission.policyNow();
    this.#masking = await requestMasking(
      connection,
      masks,
      () => admission.maskingKeys(),
      this.#known.budget,
    );
    this.#head = this.#masking?.head(this.#known.head) ?? this.#head;
    if (this.#masking === undefined || this.#known.request.upgrade === undefined) return this.#masking;
    throw new CountersignError('MASK_NOT_APPLIED', { connection });
  }

  /** Of what is blocked nothing is forwarded, and what cannot be masked of it is not recorded. */
  async #mask(
    decoded: Uint8Array | undefined,
    understood: UnderstoodRequest,
    { decision }: JudgedRequest,
    looked: boolean,
  ): Promise<void> {
    const masking = this.#masking;
    if (masking === undefined) return;
    try {
      await masking.mask(this.#known.head, this.#head, decoded, understood.reading.rerank);
    } catch (error) {
      if (decision.kind === 'block') return;
      throw error;
    }
    if (decision.kind === 'block') return;
    const { admission, ports } = this.#session;
    const content = looked ? masking.content?.bytes : undefined;
    const unread = !looked && decoded !== undefined;
    const after = understand(admission.dialect, this.#head, content, unread);
    const again = judge(admission, after, ports.clock.nowUs());
    const isSame = isSameRequest({ understood, decision }, { understood: after, decision: again.decision });
    if (!isSame) throw masking.another();
  }

  async #holdContent(): Promise<void> {
    const { request, contentLength, budget, signed } = this.#known;
    if (contentLength === 'none' || this.#content !== undefined) return;
    checkDeclaredLength(contentLength);
    request.sayContinue?.();
    this.#content = await holdContent(request.content, budget);
    checkSignedContent(signed, this.#content.sha256);
  }

  async #decoded(): Promise<Uint8Array | undefined> {
    const { fields } = this.#known.head;
    if (this.#content === undefined) return undefined;
    return decodeContent(this.#content.bytes, valuesOf(fields, 'content-encoding'));
  }

  async #writeIntent(judged: JudgedRequest, rerank?: RerankEvidence): Promise<void> {
    const { authority, request } = this.#known;
    const { leaves, ports } = this.#session;
    const head = this.#head;
    const masking = this.#masking;
    const scheme = request.peer.tls === 'none' ? 'http' : 'https';
    const said = intentBody(head, authority, scheme, judged, this.#content, (text) =>
      masking === undefined ? text : masking.text(text),
    );
    const body = { ...said, ...masking?.body() };
    const decided = { decision: judged.decision.kind, policy: judged.policy };
    const intent = leaves.intent(body, decided);
    // One group, so that a rerank call waits once for the disk.
    const [own, call] = await ports.ledger.appendMany(
      rerank === undefined ? [intent] : [intent, rerank.call()],
    );
    if (own === undefined) throw new CountersignError('INTERNAL');
    const { index } = own;
    this.#intent = index;
    this.#written = 'intent';
    this.#rerank = rerank;
    if (call !== undefined) rerank?.written(call.index);
    this.#session.intentWritten();
    const recorded = {
      method: head.method,
      path: head.path,
      query: head.query,
      fields: head.fields,
      version: request.version,
      leaf: index,
    };
    this.#record(CHANNEL.clientToTarget, RECORDED.head, Buffer.from(JSON.stringify(recorded)));
    const content = masking === undefined ? this.#content : masking.content;
    if (content === undefined) return;
    this.#record(CHANNEL.clientToTarget, RECORDED.content, content.bytes);
    await this.#session.room();
  }

  /** What was read of it stays in memory while people are asked, and counts. */
  async #isApprovedWithin(decoded: Uint8Array | undefined, judged: JudgedRequest): Promise<boolean> {
    const { budget } = this.#known;
    const bytes = (decoded?.length ?? 0) * LIMITS.readBytesPerByte;
    budget.take(bytes);
    try {
      return await this.#isApproved(judged);
    } finally {
      budget.give(bytes);
    }
  }

  /** False where the client was told to come back. */
  async #isApproved({ decision, policy, reading }: JudgedRequest): Promise<boolean> {
    const { head } = this.#known;
    const masking = this.#masking;
    const say = (text: string): string => masking?.text(text) ?? text;
    const approval = await approve(
      this.#session,
      {
        head,
        content: this.#content,
        shown: masking === undefined ? undefined : { head: this.#head, content: masking.content },
        decision,
        policy,
        effects: reading?.effects ?? ['unknown'],
        objects: (reading?.objects ?? []).map(({ kind, name }) => say(`${kind} ${name}`)),
        reasons: (reading?.reasons ?? []).map(say),
        intent: this.#intent ?? 0,
        upgrade: this.#known.request.upgrade !== undefined,
      },
      this.#abort.signal,
    );
    if (approval.kind === 'refused') {
      await this.#refuse(approval.error, 'blocked', approval.approval);
      return false;
    }
    this.#done = approval.done;
    return true;
  }

  async #forward(strip: readonly string[]): Promise<void> {
    const { request, contentLength, budget, signed } = this.#known;
    const masking = this.#masking;
    const { admission, connection } = this.#session;
    const { masks } = admission.policyNow();
    if (masking === undefined) checkNoneYet(connection, masks);
    else masking.checkStill(masks);
    const forwarding = new Forwarding(this.#session, {
      request,
      head: this.#head,
      contentLength: masking === undefined ? contentLength : (masking.content?.bytes.length ?? 'none'),
      content: masking === undefined ? this.#content : masking.content,
      received: masking === undefined ? undefined : this.#content,
      restoring: masking?.restoring,
      rerank: this.#rerank,
      retrieved: admission.lineage ? new RetrievedContent(this.#session, this.#intent ?? 0) : undefined,
      hosts: this.#hosts,
      strip,
      budget,
      signed,
      number: this.#number,
      signal: this.#abort.signal,
    });
    this.#forwarding = forwarding;
    const status = await forwarding.run();
    await this.#writeOutcome(status, forwarding.status, undefined);
  }

  async #refuse(
    error: CountersignError,
    status: HttpOutcomeStatus,
    approval?: { readonly id: string; readonly url: string },
  ): Promise<void> {
    const { request, head, signed } = this.#known;
    const refusal = refusalOf(error, this.#dialect, { approval, isSigned: signed !== undefined });
    if (request.answer.isOpen && this.#intent !== undefined) {
      const shown = { status: refusal.status, fields: refusal.fields };
      this.#record(CHANNEL.gatewayToClient, RECORDED.head, Buffer.from(JSON.stringify(shown)));
      this.#record(CHANNEL.gatewayToClient, RECORDED.content, Buffer.from(refusal.body));
      this.#record(CHANNEL.gatewayToClient, RECORDED.end, new Uint8Array(0));
    }
    if (this.#content === undefined) request.answer.closeAfter();
    // What a client is told happened is in the log before.
    await this.#writeOutcome(status, refusal.status, error);
    sendRefusal(request.answer, head.method, refusal);
  }

  /** Something went wrong: before the target heard of it, or behind that. */
  async #failed(error: CountersignError): Promise<void> {
    const { ports } = this.#session;
    try {
      const isOurs = error.row.http >= 500 || this.#written === 'ending';
      if (isOurs && !NOT_OURS.has(error.code)) ports.onError(error, this.#session.id);
      const gone = error.code === 'HTTP_CLIENT_LEFT';
      if (this.#written === 'outcome') {
        // What broke behind its end changes nothing of what happened to it.
        if (this.#forwarding?.hasAnswered !== true) this.#known.request.answer.destroy();
        return;
      }
      // The session ends; another intent would tell of a request that nobody has sent.
      if (this.#written === 'ending') throw error;
      if (this.#written === 'nothing' && !gone) await this.#writeRefusedIntent(error);
      const status = this.#statusOf(error);
      if (this.#forwarding?.hasAnswered === true || gone) {
        this.#known.request.answer.destroy();
        this.#recordBroken(error);
        await this.#writeOutcome(status, this.#forwarding?.status, error);
      } else await this.#refuse(error, status);
    } catch (thrown) {
      // The recording or the ledger cannot be written: the session ends, and this request with it.
      this.#known.request.answer.destroy();
      await this.#writeOutcome('unknown', undefined, toCountersignError(thrown)).catch((again: unknown) =>
        ports.onError(toCountersignError(again), this.#session.id),
      );
      this.#session.end({ reason: 'it cannot be recorded', error: toCountersignError(thrown) });
    }
  }

  #statusOf(error: CountersignError): HttpOutcomeStatus {
    if (this.#forwarding === undefined) return error.code === 'HTTP_CLIENT_LEFT' ? 'cancelled' : 'blocked';
    if (error.code === 'HTTP_CLIENT_LEFT') return 'cancelled';
    return this.#forwarding.mayHaveRun ? 'unknown' : 'error';
  }

  /** What could not be read, or held: the leaf says that it was turned away. */
  async #writeRefusedIntent(error: CountersignError): Promise<void> {
    const { admission } = this.#session;
    const digest = admission.policyNow().digest;
    const cause = {
      rule: `error:${error.code}`,
      version: 0,
      verdict: 'block' as const,
      description: undefined,
    };
    const judged: JudgedRequest = {
      reading: undefined,
      policy: digest,
      decision: {
        kind: 'block',
        causes: [{ ...cause, what: error.message, from: 0, to: 0 }],
        holds: [],
        statements: [],
        breakGlass: [],
        counted: [],
        returned: [],
        estimated: [],
        onlyReads: false,
        syntaxError: undefined,
      },
    };
    await this.#writeIntent(judged);
  }

  async #writeOutcome(
    status: HttpOutcomeStatus,
    httpStatus: number | undefined,
    error: CountersignError | undefined,
  ): Promise<void> {
    const intent = this.#intent;
    if (intent === undefined) return;
    this.#intent = undefined;
    this.#written = 'ending';
    const { ports, leaves } = this.#session;
    const nowUs = ports.clock.monotonicUs();
    const forwarding = this.#forwarding;
    const sinceUs = forwarding?.forwardedUs;
    const body = {
      ...(httpStatus === undefined ? {} : { http_status: httpStatus }),
      duration_us: sinceUs === undefined ? 0 : Math.max(0, Math.round(nowUs - sinceUs)),
      held_us: Math.max(0, Math.round((sinceUs ?? nowUs) - this.#receivedUs)),
      ...forwarding?.outcome(),
      ...(error === undefined ? {} : { error: `${error.code}: ${error.message}` }),
    };
    const result = await this.#rerank?.result(status, error);
    let index: number | undefined;
    try {
      index = await this.#appendOutcome(leaves.outcome(intent, status, body), result);
    } catch (thrown) {
      // Whoever ends it because of that tries once more.
      this.#intent = intent;
      throw thrown;
    }
    this.#written = 'outcome';
    const done = this.#done;
    this.#done = undefined;
    await done?.(
      status === 'ok' || status === 'error' ? 'ok' : status === 'blocked' ? 'failed' : 'unknown',
      index,
    );
  }

  /** One group: what a model answered is in the log as surely as that it did. */
  async #appendOutcome(outcome: LedgerEvent, result: LedgerEvent | undefined): Promise<number | undefined> {
    const { ledger } = this.#session.ports;
    try {
      const [own] = await ledger.appendMany(result === undefined ? [outcome] : [outcome, result]);
      return own?.index;
    } catch (thrown) {
      const error = toCountersignError(thrown);
      if (result === undefined || error.code !== 'LIMIT_EXCEEDED') throw error;
      const { body: _, ...rest } = result;
      const short = { ...rest, body: { unread: error.message } };
      const [own] = await ledger.appendMany([outcome, short]);
      return own?.index;
    }
  }

  #recordBroken(error: CountersignError): void {
    if (this.#intent === undefined) return;
    const bytes = Buffer.from(JSON.stringify({ code: error.code, reason: error.message }));
    this.#record(CHANNEL.gatewayToClient, RECORDED.broken, bytes);
  }

  #record(channel: 0 | 1 | 2, kind: RecordedKind, bytes: Uint8Array): void {
    this.#session.record(channel, this.#number, kind, bytes);
  }

  /** Why it was broken off goes before what broke then; a content that is none is one, whoever left behind it. */
  #reasonOf(thrown: unknown): CountersignError {
    const { signal } = this.#abort;
    if (thrown instanceof CountersignError && thrown.code === 'HTTP_CONTENT_REFUSED') return thrown;
    return toCountersignError(signal.aborted ? signal.reason : thrown);
  }
}
