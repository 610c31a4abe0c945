/**
 * The two leaves of one rerank call: `rerank.call` is written with `http.intent`, in one group that is durable before
 * the target hears of it; `rerank.result` is written with `http.outcome`, in one group.
 *
 * Spec: spec/events.md, "Rerank calls". Hashes and order are of what client and service said, before anything was
 * masked. What cannot be read says why, and its outcome is written all the same.
 */

import { CountersignError, toCountersignError } from '../../core/errors.ts';
import type { HttpFields } from '../../core/http-message.ts';
import type { BodyValue, LedgerEvent } from '../../core/ledger-port.ts';
import { RERANK_LIMITS as LIMITS } from '../../core/rerank-limits.ts';
import type { RerankCall } from '../../core/rerank.ts';
import { valuesOf } from '../../protocols/http/fields.ts';
import { parseJson } from '../../protocols/http/json/parse-json.ts';
import { type JsonBody, nodesAt, textOf } from '../../protocols/http/operations/json-values.ts';
import { readRerankAnswer } from '../../protocols/http/operations/read-answer.ts';
import {
  callRecord,
  type RecordedCall,
  type RecordTools,
  resultRecord,
} from '../../protocols/http/operations/rerank-record.ts';
import type { UpstreamAnswer } from '../../upstream/http-exchange.ts';
import { decodeContent } from './held-content.ts';
import type { HttpOutcomeStatus, RerankResultStatus } from './http-leaves.ts';
import type { HttpSession } from './http-session.ts';
import { type AnswerBudget, KeptAnswer } from './kept-answer.ts';
import type { UnderstoodRequest } from './reading.ts';
import { type RecordMasking, recordMasking } from './record-masking.ts';

export interface RerankPorts {
  readonly answers: AnswerBudget;
}

type Body = Record<string, BodyValue>;

/** What never reached the model has no status of its own here: `http.outcome` says that it was blocked. */
const RESULT_STATUS: Readonly<Record<HttpOutcomeStatus, RerankResultStatus>> = {
  ok: 'ok',
  error: 'error',
  cancelled: 'cancelled',
  blocked: 'cancelled',
  unknown: 'unknown',
};

/** Owned by one request. */
export class RerankEvidence {
  readonly #session: HttpSession;
  readonly #call: RerankCall | undefined;
  readonly #recorded: RecordedCall;
  readonly #tools: RecordTools;
  readonly #kept: KeptAnswer;
  #answer: UpstreamAnswer | undefined;
  #leaf = 0;

  private constructor(session: HttpSession, { reading, body }: UnderstoodRequest, masking?: RecordMasking) {
    const { answers } = session.ports.rerank;
    const { retrieved } = session.ports;
    const { hash } = retrieved;
    this.#session = session;
    this.#call = reading.rerank;
    this.#tools = { hash, say: (texts) => masking?.texts(texts) ?? texts };
    this.#kept = new KeptAnswer(answers, session.principal.id);
    const { template } = reading;
    const endpoint = template === undefined ? {} : { endpoint: template };
    if (this.#call === undefined || body === undefined) {
      const dialect = reading.dialect === undefined ? {} : { dialect: reading.dialect };
      const unread = 'nobody could read its content';
      const unknown = { ...dialect, ...endpoint, model_known_from: 'unknown', unread };
      this.#recorded = { body: unknown, documents: [], texts: [] };
      return;
    }
    const recorded = callRecord(this.#call, body, this.#tools);
    const query = masking === undefined ? undefined : shownQuery(this.#call, body, masking);
    const { count } = this.#call.documents;
    const lineage = retrieved.lineageOf(session.principal.id, recorded.texts, count);
    const shown = {
      ...(query === undefined ? {} : { query }),
      ...(lineage === undefined ? {} : { lineage: { ...lineage } }),
    };
    this.#recorded = { ...recorded, body: { ...recorded.body, ...endpoint, ...shown } };
  }

  /** Undefined where the request asks for no order; nothing is written yet. */
  static async begin(
    session: HttpSession,
    understood: UnderstoodRequest,
  ): Promise<RerankEvidence | undefined> {
    const { reading } = understood;
    if (reading.rerank === undefined && !reading.effects.includes('rerank')) return undefined;
    const { admission } = session;
    const masking = await recordMasking(admission.policyNow().masks, () => admission.maskingKeys());
    return new RerankEvidence(session, understood, masking);
  }

  /** `rerank.call`, which stands right behind its `http.intent`. */
  call(): LedgerEvent {
    return this.#session.leaves.rerankCall(-1, this.#recorded.body);
  }

  /** Where it stands. */
  written(leaf: number): void {
    this.#leaf = leaf;
  }

  /** What is about to be delivered, as it came. */
  watch(answer: UpstreamAnswer): void {
    this.#answer = answer;
  }

  /** A piece of it, as it came. */
  take(chunk: Uint8Array): void {
    this.#kept.take(chunk);
  }

  /** `rerank.result`; whatever the answer is, there is one. */
  async result(status: HttpOutcomeStatus, error: CountersignError | undefined): Promise<LedgerEvent> {
    const { leaves, ports, id } = this.#session;
    let body: Body;
    try {
      body = await this.#resultBody(status, error);
    } catch (thrown) {
      const failed = toCountersignError(thrown);
      ports.onError(failed, id);
      // Not its message: what was thrown may repeat a piece of the text that it failed at.
      body = { model_known_from: this.#known(), unread: `it could not be read: ${failed.code}` };
    } finally {
      this.#kept.release();
    }
    return leaves.rerankResult(this.#leaf, RESULT_STATUS[status], body);
  }

  async #resultBody(status: HttpOutcomeStatus, error: CountersignError | undefined): Promise<Body> {
    const known = { model_known_from: this.#known() };
    const failed = error === undefined ? {} : { error: `${error.code}: ${error.message}` };
    const answer = this.#answer;
    if (answer === undefined) return { ...known, ...failed };
    const said = { ...known, http_status: answer.status, ...failed };
    if (status === 'error') return said;
    const read = status === 'ok' ? await this.#read(answer) : 'it was cut off';
    if (typeof read === 'string') return { ...said, unread: read };
    return { ...said, ...read };
  }

  /** What the answer says, or why nobody knows. */
  async #read({ status, fields }: UpstreamAnswer): Promise<Body | string> {
    const call = this.#call;
    if (call === undefined) return 'nobody could read the request';
    if (this.#kept.dropped !== undefined) return this.#kept.dropped;
    const body = await bodyOf(this.#kept.bytes(), fields);
    if (typeof body === 'string') return body;
    const result = readRerankAnswer(call, status, body, fields);
    if (result === undefined) return 'it is no answer of its dialect';
    return resultRecord(this.#recorded, result, body, this.#tools);
  }

  #known(): string {
    return this.#call?.model === undefined ? 'unknown' : 'request';
  }
}

/** The first query, as Masks leave it. */
function shownQuery(call: RerankCall, body: JsonBody, masking: RecordMasking): string | undefined {
  for (const pattern of call.query) {
    const [found] = nodesAt(body.root, pattern);
    const text = textOf(body, found?.node);
    if (found !== undefined && text !== undefined) {
      return masking
        .placed({ pointer: found.pointer, text })
        ?.slice(0, LIMITS.queryCharactersMax)
        .toWellFormed();
    }
  }
  return undefined;
}

async function bodyOf(bytes: Uint8Array, fields: HttpFields): Promise<JsonBody | string> {
  let decoded: Uint8Array;
  try {
    decoded = await decodeContent(bytes, valuesOf(fields, 'content-encoding'));
  } catch (error) {
    if (error instanceof CountersignError) return error.message;
    throw error;
  }
  if (decoded.length > LIMITS.answerBytesMax) return `it has more than ${LIMITS.answerBytesMax} bytes`;
  const result = parseJson(decoded);
  return result.kind === 'json' ? { bytes: decoded, root: result.root } : `it is no JSON: ${result.reason}`;
}
