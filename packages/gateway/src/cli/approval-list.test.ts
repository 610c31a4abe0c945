/** A list of holds fits a terminal, and what it shows of ids is enough. */

import { expect, it } from 'vitest';
import type { ApprovalRow } from '../api/answers.ts';
import { listLines } from './approval-list.ts';

const HOLD: ApprovalRow = {
  id: 'hld_01m8erg00kpgkw5x1nt077ncnr',
  state: 'asked',
  protocol: 'postgres',
  connection: 'reranker-db',
  database: 'rerank',
  rule: 'rr-bulk-scores',
  ruleVersion: 1,
  requester: 'ana',
  approved: 0,
  count: 1,
  askedAt: '2026-11-27T15:03:01.000000Z',
  expiresAt: '2026-11-27T15:18:01.000000Z',
};

it('has one line for each', () => {
  const lines = listLines([HOLD, { ...HOLD, id: 'hld_01m8erfh1ehfnkahqrxz1e2wb6' }]);
  expect(lines).toEqual([
    'ID                STATE  VOTES   UNTIL         WHO  CONNECTION   RULE',
    'hld_01m8erg00kpg  asked  0 of 1  11-27 15:18Z  ana  reranker-db  rr-bulk-scores',
    'hld_01m8erfh1ehf  asked  0 of 1  11-27 15:18Z  ana  reranker-db  rr-bulk-scores',
  ]);
});

it('says what is reviewed on a line of its own', () => {
  const opened: ApprovalRow = { ...HOLD, review: 'unreviewed', reviewBy: '2026-11-28T15:03:01.000000Z' };
  expect(listLines([opened, HOLD])[2]).toBe('  by break-glass, review by 2026-11-28 15:03:01Z');
});

it.each([1, 10, 63, 200])('has no line above 80 columns, with names of %d characters', (length) => {
  const name = 'n'.repeat(length);
  const long: ApprovalRow = {
    ...HOLD,
    state: 'withdrawn',
    requester: name,
    connection: name,
    rule: name,
    approved: 16,
    count: 16,
  };
  const lines = listLines([long, HOLD]);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines[1]).toContain('n');
});

it('is a head where nothing waits', () => {
  expect(listLines([])).toHaveLength(1);
});
