/** What becomes of a request whose outcome the ledger does not take at first. */

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Ledger } from '../../packages/gateway/src/audit/ledger.ts';
import { CountersignError } from '../../packages/gateway/src/core/errors.ts';
import {
  ACCESS,
  type HttpHarness,
  PEOPLE,
  plainConnection,
  startHttpHarness,
  startUpstream,
  type Upstream,
} from './http-harness.ts';

const CALL = '{"model":"m","query":"kettle","documents":["a","b"]}';
const ANSWER = '{"results":[{"index":1,"relevance_score":0.5}]}';

let harness: HttpHarness;
let upstream: Upstream;
let token: string;

beforeAll(async () => {
  upstream = await startUpstream((incoming, response) => {
    incoming.resume();
    incoming.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(ANSWER);
    });
  });
  harness = await startHttpHarness();
  await harness.apply(`${plainConnection(upstream.url)}\n---${PEOPLE}\n---${ACCESS}`);
  token = await harness.token('ana');
});

afterEach(() => vi.restoreAllMocks());

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

/** The ledger has no room for the first group with an outcome. */
function refusesAnOutcome(): void {
  // oxlint-disable-next-line typescript/unbound-method -- It is called on what it was called on.
  const append = Ledger.prototype.appendMany;
  let refused = false;
  vi.spyOn(Ledger.prototype, 'appendMany').mockImplementation(function (this: Ledger, group) {
    if (group[0]?.type !== 'http.outcome' || refused) return append.call(this, group);
    refused = true;
    const error = { limit: 'ledger.appendQueueBytesMax', allowed: 1, actual: 2 };
    return Promise.reject(new CountersignError('LIMIT_EXCEEDED', error));
  });
}

/** Leaves of requests behind one, in their order, as `type:status`. */
async function leavesOf(path: string, body?: string): Promise<readonly string[]> {
  const { size } = harness.gateway.rooms.ledger;
  await fetch(`${harness.url}/api${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body }),
  }).then(
    (answer) => answer.text(),
    () => undefined,
  );
  const log = await harness.finishedLog();
  return log
    .slice(size)
    .filter(({ leaf }) => /^(?:http|rerank)\./.test(leaf.type))
    .map(({ leaf }) => `${leaf.type}:${leaf.status ?? leaf.decision ?? ''}`);
}

describe('an outcome', () => {
  it('is written though there is no room for what a model answered', async () => {
    refusesAnOutcome();
    expect(await leavesOf('/v2/rerank', CALL)).toEqual([
      'http.intent:allow',
      'rerank.call:',
      'http.outcome:ok',
      'rerank.result:ok',
    ]);
  });

  it('that is not taken is unknown, ends the session, and is not told of another request', async () => {
    refusesAnOutcome();
    expect(await leavesOf('/things')).toEqual(['http.intent:allow', 'http.outcome:unknown']);
    expect(harness.errors.join('\n')).toContain('LIMIT_EXCEEDED');
  });
});
