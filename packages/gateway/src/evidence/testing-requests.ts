/** For tests: what a gateway writes into its log of requests over HTTP, of rerank calls, and of changes of models and looks at them. */

import { identityDigest } from '@countersign/ledger/model-compare';
import type { Appended, BodyValue, LedgerEvent } from '../core/ledger-port.ts';

/** Appends what a gateway would; testing-log.ts has it. */
export interface RequestScene {
  event(type: string, name: string, body: Readonly<Record<string, BodyValue>>): LedgerEvent;
  appended(event: LedgerEvent): Promise<Appended>;
  inSession(type: string, session: string): LedgerEvent;
}

type Body = Readonly<Record<string, BodyValue>>;

/** As of the sessions of testing-log.ts. */
const TARGET = 'rerank';
const RULE = { rule: 'models', version: 2, verdict: 'hold' };

/** A read, rerank calls with what became of them, and two changes of a model: one approved, and one that nobody was. */
export async function requestsWithin(scene: RequestScene, session: string): Promise<void> {
  const http = new Requests(scene, session);
  const read = await http.intent({ method: 'GET', path: '/v1/models', effects: ['read'] });
  await http.outcome(read, 'ok', 200);
  const lineage = { of: 2, matched: 1, sources: [{ leaf: read, documents: [1] }] };
  const call = { method: 'POST', path: '/v2/rerank', dialect: 'cohere-v2', effects: ['rerank'] };
  const ranked = {
    http_status: 200,
    model_effective: 'lexical-2',
    model_known_from: 'response',
    results_count: 2,
    results: [
      { document: 1, score: '0.70' },
      { document: 0, score: '1.0e-3' },
    ],
    sorted: true,
    usage: [{ name: 'search_units', value: '1' }],
  };
  await http.rerank(await http.intent(call), 'ok', ranked, { lineage });
  const unread = { http_status: 200, unread: 'it is no JSON: syntax' };
  await http.rerank(await http.intent(call), 'ok', unread);
  const rules = [{ rule: '=nothing', version: 1, verdict: 'block' }];
  await http.rerank(await http.intent({ ...call, decision: 'block', rules }), 'blocked', {
    error: 'blocked',
  });
  await changes(scene, http);
}

async function changes(scene: RequestScene, http: Requests): Promise<void> {
  const change = {
    method: 'POST',
    path: '/admin/models/lexical/activate',
    operation: 'model lexical',
    effects: ['model-change'],
    decision: 'hold',
    rules: [RULE],
  };
  const first = await look(scene, 'same', '1.4.0');
  const intent = await http.intent(change);
  const hold = { hold_id: 'hld_9', rule: RULE.rule, rule_version: RULE.version, count: 1, requester: 'ana' };
  const asked = await scene.appended({
    ...scene.event('hold.asked', 'ana', hold),
    decision: 'hold',
    ref: intent,
  });
  const until = '2026-11-24T14:00:00.000000Z';
  const vote = scene.event('approval.granted', 'bo', { hold_id: 'hld_9', approver: 'bo', until });
  const granted = await scene.appended({ ...vote, ref: asked.index });
  const taken = scene.event('hold.taken', 'ana', {
    hold_id: 'hld_9',
    intent_leaf: intent,
    approvals: [granted.index],
    votes: [{ approver: 'bo', node: 'gw1', leaf: granted.index }],
  });
  const { index: approval } = await scene.appended({ ...taken, target: TARGET, ref: asked.index });
  const outcome = await http.outcome(intent, 'ok', 200);
  const executed = scene.event('hold.executed', 'ana', { hold_id: 'hld_9', outcome_leaf: outcome });
  await scene.appended({ ...executed, ref: asked.index, status: 'ok' });
  const second = await look(scene, 'changed', '1.5.0', { previous: first, approval });
  await http.outcome(await http.intent(change), 'ok', 200);
  await look(scene, 'changed', '1.3.0', { previous: second });
}

/** A look at the model: the last of three finds another one, to which nobody had agreed. */
async function look(scene: RequestScene, status: string, version: string, more: Body = {}): Promise<Body> {
  const identity = { '/info': { '/model_version': version } };
  const said = {
    identity,
    model_identity: identityDigest(identity),
    source: 'tei GET /info',
    why: 'schedule',
  };
  const event = scene.event('model.identity', 'ana', { connection: TARGET, ...said, ...more });
  const { index } = await scene.appended({ ...event, status, target: TARGET });
  return { leaf: index, model_identity: said.model_identity };
}

class Requests {
  readonly #scene: RequestScene;
  readonly #session: string;

  constructor(scene: RequestScene, session: string) {
    this.#scene = scene;
    this.#session = session;
  }

  async intent({ decision = 'allow', ...said }: Body & { readonly decision?: string }): Promise<number> {
    const body = { scheme: 'https', authority: 'gateway', body_sha256: 'ab'.repeat(32), ...said };
    return this.#append('http.intent', { decision, body });
  }

  async outcome(ref: number, status: string, http: number): Promise<number> {
    const body = { http_status: http, body_sha256: 'cd'.repeat(32), duration_us: 900, target_us: 700 };
    return this.#append('http.outcome', { ref, status, body });
  }

  async rerank(intent: number, status: string, answer: Body, more: Body = {}): Promise<void> {
    const body = {
      dialect: 'cohere-v2',
      operation: 'rerank',
      endpoint: '/v2/rerank',
      model: 'lexical',
      model_known_from: 'request',
      query_hash: 'ef'.repeat(32),
      query_length: 22,
      documents_count: 2,
      documents: [
        { bytes: 27, hash: '01'.repeat(32), id: '=d1' },
        { bytes: 31, hash: '23'.repeat(32) },
      ],
      ...more,
    };
    const call = await this.#append('rerank.call', { ref: intent, body });
    await this.outcome(intent, status, status === 'ok' ? 200 : 403);
    const result = status === 'ok' ? 'ok' : 'cancelled';
    await this.#append('rerank.result', { ref: call, status: result, body: answer });
  }

  async #append(type: string, more: Partial<LedgerEvent>): Promise<number> {
    const event = { ...this.#scene.inSession(type, this.#session), ...more };
    return (await this.#scene.appended(event)).index;
  }
}
