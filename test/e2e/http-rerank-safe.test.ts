/**
 * A reranker that must not see personal data ranks as if it did: pseudonyms on the way to it, the call's own texts on
 * the way back, to whom they belong. The service is the demo's, in every dialect that it speaks, behind a real gateway.
 */

import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type LoggedEvent, sha256 } from './http-harness.ts';
import {
  type Answer,
  CANARY,
  DIALECTS,
  DOCUMENTS,
  QUERY,
  type RerankRig,
  startRerankRig,
} from './rerank-rig.ts';

let rig: RerankRig;

beforeAll(async () => {
  rig = await startRerankRig();
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** An answer without the service's own name for the call. */
function withoutId(text: string): string {
  return text.replace(/"id":"[^"]{30,}",?/, '').replace(/"created":\d+,?/, '');
}

describe.each(DIALECTS)('a call of %s%s', (prefix, path, call) => {
  it('leaves under pseudonyms, ranks as it would, and comes back as it was', async () => {
    const direct = await rig.post(`plain-${prefix}`, path, call(QUERY, DOCUMENTS));
    expect(rig.seen()).toContain('canary@example.org');
    const safe = await rig.post(`safe-${prefix}`, path, call(QUERY, DOCUMENTS));
    expect(rig.seen().toLowerCase()).not.toMatch(/canary|example|415|0132/);
    expect(rig.seen()).not.toContain('REDACTED');
    expect(withoutId(safe)).toBe(withoutId(direct));
    expect(safe.includes('ANA.CANARY@example.org')).toBe(direct.includes('ANA.CANARY@example.org'));
  });

  it('comes back under pseudonyms to whom something is hidden', async () => {
    const answer = await rig.post(`safe-${prefix}`, path, call(QUERY, DOCUMENTS), rig.other);
    expect(answer.toLowerCase()).not.toMatch(/canary|example\.|0132/);
  });
});

it('says in the intent what came, what went, and how many values were hidden', async () => {
  const call = { model: 'lexical-blend', query: QUERY, documents: DOCUMENTS };
  const body = JSON.stringify(call);
  await rig.post('safe-cohere', '/v2/rerank', call);
  const sent = rig.seen();
  const log = await rig.harness.finishedLog();
  const intent = log.findLast(({ leaf }) => leaf.type === 'http.intent');
  expect(intent?.body).toMatchObject({
    body_sha256: sha256(body),
    forwarded_sha256: sha256(sent),
    masked: [
      { mask: 'safe', column: 'content', entity: 'EMAIL', operator: 'pseudonym', values: 3 },
      { mask: 'safe', column: 'content', entity: 'PHONE', operator: 'pseudonym', values: 1 },
    ],
  });
  const recorded = log.findLast(({ leaf }) => leaf.type === 'rerank.call');
  expect(recorded?.body).toMatchObject({ query: 'refund for [REDACTED:EMAIL]', documents_count: 4 });
  expect(JSON.stringify(log)).not.toContain('canary');
});

describe('what a target answers', () => {
  const call = { model: 'm', query: QUERY, documents: [`To ${CANARY}`] };
  /** Everything that comes back. */
  async function answered(token: string, what: object = call): Promise<string> {
    const answer = await fetch(`${rig.harness.url}/safe-cohere/v2/rerank`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(what),
    });
    return `${answer.status} ${JSON.stringify(Object.fromEntries(answer.headers))} ${await answer.text()}`;
  }

  afterEach(() => {
    rig.answerWith(undefined);
  });

  it.each<readonly [string, Answer]>([
    ['in JSON', (body) => ({ type: 'application/json', body })],
    [
      'with escapes',
      (body) => ({ type: 'application/json; charset=utf-8', body: body.replaceAll('b', '\\u0062') }),
    ],
    [
      'compressed, which nobody asked for',
      (body) => ({ type: 'application/json', body: gzipSync(body), coding: 'gzip' }),
    ],
    [
      'in names of members',
      (body) => ({ type: 'application/json', body: JSON.stringify({ [body]: [{ [body]: 1 }] }) }),
    ],
    ['in pieces', (body) => ({ type: 'application/json', body: JSON.stringify(body.split(' ')) })],
  ])('comes back to its sender as it was: %s', async (_, answer) => {
    rig.answerWith(answer);
    const text = await answered(rig.entitled);
    expect(text).toMatch(/^200 /);
    expect(text.split(CANARY).length).toBeGreaterThan(2);
    rig.answerWith(answer);
    expect(await answered(rig.other)).not.toMatch(/canary/i);
  });

  it.each<readonly [string, Answer]>([
    ['a text', (body) => ({ type: 'text/plain', body })],
    ['no type that is known', (body) => ({ type: 'application/x-thing', body })],
    ['events', (body) => ({ type: 'text/event-stream', body: `data: ${body}\n\n` })],
    ['JSON that is none', (body) => ({ type: 'application/json', body: `${body}}` })],
  ])('is not guessed at where it is %s', async (_, answer) => {
    rig.answerWith(answer);
    expect(await answered(rig.entitled)).not.toMatch(/canary/i);
  });

  it('is never of another request, whoever sent that', async () => {
    rig.answerWith((body) => ({ type: 'application/json', body }));
    await answered(rig.entitled);
    const stolen = JSON.parse(rig.seen()) as { query: string; documents: string[] };
    // A target that knows them, and a client that sends them.
    for (const token of [rig.entitled, rig.third, rig.other]) {
      for (const query of ['nothing of that kind', 'bob@example.net', stolen.query]) {
        rig.answerWith(() => ({ type: 'application/json', body: JSON.stringify(stolen) }));
        // oxlint-disable-next-line no-await-in-loop -- One after the rig.other.
        expect(await answered(token, { ...call, query, documents: stolen.documents })).not.toMatch(/canary/i);
      }
    }
  });

  it('has nothing back in its head', async () => {
    rig.answerWith((body) => ({ type: 'application/json', body }));
    const [, head = ''] = /^\d+ (\{.*?\}) /.exec(await answered(rig.entitled)) ?? [];
    expect(head).toContain('x-said');
    expect(head).not.toMatch(/canary/i);
  });

  it('is recorded as it was delivered, and what was sent as it was sent', async () => {
    rig.answerWith((body) => ({ type: 'application/json', body }));
    await answered(rig.entitled);
    await answered(rig.other);
    const log = await rig.harness.finishedLog();
    const [ofEntitled, ofOther] = log.filter(({ leaf }) => leaf.type === 'http.intent').slice(-2);
    const recorded = await Promise.all([ofEntitled, ofOther].map((intent) => recordedOf(intent)));
    for (const { request } of recorded) {
      expect(request.text).toMatch(/"documents":\["To [a-z]{12}\./);
      expect(request.text).not.toMatch(/canary/i);
    }
    expect(recorded[0]?.answer.text).toBe(JSON.stringify(call));
    expect(recorded[1]?.answer.text).toBe(recorded[1]?.request.text);
  });
});

interface Recorded {
  readonly leaf?: number;
  readonly request: { readonly text?: string };
  readonly answer: { readonly text?: string };
}

/** What the recording has of a request and its answer. */
async function recordedOf(intent: LoggedEvent | undefined): Promise<Recorded> {
  const { host, port } = rig.harness.gateway.api;
  const url = `http://${host}:${port}/v1/sessions/${intent?.leaf.session ?? ''}/replay?reason=audit`;
  const lines = await (await fetch(url, { headers: { authorization: `Bearer ${rig.auditor}` } })).text();
  const items = lines
    .trim()
    .split('\n')
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The gateway's own lines.
    .map((line) => JSON.parse(line) as Recorded);
  const found = items.find(({ leaf }) => leaf === intent?.leaf.n);
  if (found === undefined) throw new Error(`it is not recorded: ${lines}`);
  return found;
}

// These add Masks, and so come last.
it('hides outside of the texts as the Mask says, and lets no rig.other Mask be undone', async () => {
  const call = { model: 'lexical-blend', query: QUERY, documents: DOCUMENTS };
  await rig.post('safe-cohere', '/v2/rerank', { ...call, instruction: CANARY }).catch(() => undefined);
  expect(rig.seen()).toContain('"instruction":"[REDACTED:EMAIL]"');
  // A model by another name is another call.
  const refused = rig.post('safe-cohere', '/v2/rerank', { ...call, model: `of ${CANARY}` });
  await expect(refused).rejects.toThrow('400');
  await rig.harness.apply(`
kind: Mask
name: no-telephones
on: [label:way=safe]
detect: [phone]
direction: [request]
as: redact
---
kind: Mask
name: a-field
on: [safe-jina]
fields: [/documents/3]
direction: [request]
as: redact`);
  await rig.post('safe-cohere', '/v2/rerank', call);
  expect(rig.seen()).toContain('call [REDACTED:PHONE]');
  expect(rig.seen().toLowerCase()).not.toMatch(/canary@|example/);
  await rig.post('safe-jina', '/v1/rerank', call);
  expect(JSON.parse(rig.seen())).toMatchObject({ documents: expect.arrayContaining(['[REDACTED:FIELD]']) });
});

it('masks as the Mask says what is no call of a reranker', async () => {
  await rig.post('safe-cohere', '/v1/models', { a: CANARY }).catch(() => undefined);
  expect(await rig.harness.log()).not.toContain(CANARY);
  await rig.harness.apply(`
kind: Access
name: everything-else
who: [ana]
to: [safe-cohere]
may: [unknown, read, write, rerank]`);
  await rig.post('safe-cohere', '/v1/invented', { query: CANARY }).catch(() => undefined);
  expect(rig.seen()).toBe('{"query":"[REDACTED:EMAIL]"}');
});
