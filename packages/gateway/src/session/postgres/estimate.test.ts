/** What a plan says about rows that are written. */

import { expect, it } from 'vitest';
import { guessedRows, writtenBy } from './estimate.ts';

function writing(...sources: readonly unknown[]): unknown {
  return { 'Node Type': 'ModifyTable', 'Plan Rows': 0, Plans: sources };
}

function source(rows: unknown, relationship = 'Outer'): unknown {
  return { 'Node Type': 'Seq Scan', 'Parent Relationship': relationship, 'Plan Rows': rows };
}

it.each([
  ['what a node is given that writes', [{ Plan: writing(source(500)) }], 500],
  ['each node of several', [{ Plan: writing(source(500), { ...Object(writing(source(2))), x: 1 }) }], 502],
  [
    'one source for each child, as before PostgreSQL 14',
    [{ Plan: writing(source(3, 'Member'), source(4, 'Member')) }],
    7,
  ],
  ['a sub-plan that gives it none', [{ Plan: writing(source(3), source(90, 'SubPlan')) }], 3],
  ['no node that writes', [{ Plan: source(500) }], undefined],
  ['no number', [{ Plan: writing(source('500')) }], undefined],
  ['a number below none', [{ Plan: writing(source(-1)) }], undefined],
  ['more than can be written down', [{ Plan: writing(source(1e300)) }], undefined],
  ['nothing', [], undefined],
])('%s', (_, plan, rows) => {
  expect(writtenBy(JSON.stringify(plan))).toBe(rows);
});

it.each([
  ['what a query returns', [{ Plan: source(500) }], 500],
  ['nothing that returns', [{ Plan: source(0) }], 0],
  ['what is written', [{ Plan: writing(source(500)) }], 500],
  [
    'what is returned, where that is more',
    [{ Plan: { ...Object(source(900)), x: writing(source(5)) } }],
    900,
  ],
  ['what is written, where that is more', [{ Plan: { ...Object(source(5)), x: writing(source(900)) } }], 900],
  ['several queries, by a rule of the table', [{ Plan: source(5) }, { Plan: source(6) }], 11],
  ['a write without a source', [{ Plan: writing() }], undefined],
  ['a query without a number', [{ Plan: source('7') }], undefined],
  ['a number that is none', [{ Plan: source(-1) }], undefined],
  ['one of several that has no plan', [{ Plan: source(5) }, 'Utility Statement'], undefined],
  ['more than can be written down', [{ Plan: source(1e300) }], undefined],
  ['nothing', [], undefined],
])('a guess: %s', (_, plan, rows) => {
  expect(guessedRows(JSON.stringify(plan))).toBe(rows);
});

it('is none where it is no plan', () => {
  expect(writtenBy('')).toBeUndefined();
  expect(writtenBy('[{"Plan":')).toBeUndefined();
  expect(writtenBy('null')).toBeUndefined();
  expect(guessedRows('[{"Plan":')).toBeUndefined();
  expect(guessedRows('{"Plan":{"Plan Rows":1}}')).toBeUndefined();
});
