import { describe, expect, it } from 'vitest';
import { type ReplayLine, replayText } from './replay-text.ts';

const STATEMENT: Extract<ReplayLine, { readonly kind: 'statement' }> = {
  kind: 'statement',
  startedUs: 1_000_000,
  endedUs: 1_001_500,
  protocol: 'simple',
  sql: 'drop table t',
  sqlCut: false,
  parameters: [],
  parametersCut: false,
  results: [],
  resultsCount: 0,
  outcome: 'failed',
  notices: [],
};
const NOTHING = { bytes: 0, text: '', isCut: false };
const REQUEST: Extract<ReplayLine, { readonly kind: 'request' }> = {
  kind: 'request',
  startedUs: 1_000_000,
  endedUs: 1_001_500,
  leaf: 7,
  method: 'DELETE',
  path: '/things',
  request: NOTHING,
  status: 403,
  answer: NOTHING,
  fromGateway: true,
  outcome: 'answered',
};

describe('a replay', () => {
  it('says what became of an operation in the words of its leaf', () => {
    expect(replayText({ ...STATEMENT, leaf: 3, leafStatus: 'blocked' })).toMatch(
      /leaf 3 {2}blocked {2}1\.5 ms\n/,
    );
    expect(replayText({ ...REQUEST, leafStatus: 'blocked' })).toMatch(/leaf 7 {2}blocked {2}1\.5 ms\n/);
  });

  it('says in the same words what no leaf says, and what only a recording tells in its own', () => {
    const words = (['completed', 'failed', 'skipped', 'unanswered'] as const).map(
      (outcome) => / own {2}(.*) {2}1\.5 ms/.exec(replayText({ ...STATEMENT, outcome }))?.[1],
    );
    expect(words).toEqual(['ok', 'error', 'skipped', 'unanswered']);
  });
});
