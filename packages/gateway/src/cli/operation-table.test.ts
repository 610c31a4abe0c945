import { describe, expect, it } from 'vitest';
import { operationTable } from './operation-table.ts';

const AT = '2026-11-28T12:00:00.000000Z';

describe('the operations of a session', () => {
  it('are statements with the rows that they had', () => {
    const lines = operationTable([
      {
        leaf: 7,
        at: AT,
        status: 'ok',
        intent: { sql: 'select\n 1' },
        outcome: { rows: 12, duration_us: 1_500 },
      },
      { leaf: 9, at: AT, status: 'open', intent: { sql: { bytes: 9 } } },
    ]);
    expect(lines).toEqual([
      'LEAF  AT                    STATUS  ROWS  TOOK    STATEMENT',
      '7     2026-11-28 12:00:00Z  ok      12    1.5 ms  select 1',
      '9     2026-11-28 12:00:00Z  open    -     -       {"bytes":9}',
    ]);
  });

  it('are requests with the status of their answers, and no rows', () => {
    const lines = operationTable([
      {
        leaf: 7,
        at: AT,
        status: 'blocked',
        intent: { method: 'POST', path: '/rerank' },
        outcome: { http_status: 403 },
      },
      { leaf: 9, at: AT, status: 'open', intent: { method: 'GET', path: '/\u001b[2J' } },
    ]);
    expect(lines).toEqual([
      'LEAF  AT                    STATUS   HTTP  TOOK  REQUEST',
      '7     2026-11-28 12:00:00Z  blocked  403   -     POST /rerank',
      '9     2026-11-28 12:00:00Z  open     -     -     GET /\\x1b[2J',
    ]);
  });

  it('have their place where nothing of them can be read any more', () => {
    expect(operationTable([{ leaf: 7, at: AT, status: 'ok' }])[1]).toMatch(/^7 .* ok +- +-$/);
    expect(operationTable([])).toHaveLength(1);
  });
});
