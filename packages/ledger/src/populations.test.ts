import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { utf8Text } from './bytes.ts';
import { EVENTS } from './events.ts';
import type { Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';
import { COMMON_COLUMNS, columnsOf, POPULATION_NAMES, POPULATIONS } from './population-columns.ts';
import { Parts, PopulationFiles } from './population-files.ts';
import { type PopulationEvent, PopulationFold } from './populations.ts';

const SPEC = await readFile(join(import.meta.dirname, '../../../spec/evidence.md'), 'utf8');
const PERIOD = { from: time(10), to: time(20) };

function time(second: number): string {
  return `2026-11-24T00:00:${String(second).padStart(2, '0')}.000000Z`;
}

function event(
  type: string,
  n: number,
  extra: Partial<Leaf> = {},
  values: Readonly<Record<string, Json>> = {},
): PopulationEvent {
  const leaf: Leaf = {
    v: 1,
    log: 'log',
    n,
    t: time(n),
    boot: 'bot_00000000000000000000000000',
    type,
    kind: 'user',
    ...extra,
  };
  return { leaf, hash: new Uint8Array(32), values, bodyState: 'disclosed' };
}

const S = { session: 'ses_1', seq: 0 };

describe('the columns', () => {
  it('are those of spec/evidence.md, and show fields that the catalogue has', () => {
    expect(SPEC).toContain(COMMON_COLUMNS.map((column) => `\`${column}\``).join(' '));
    for (const name of POPULATION_NAMES) {
      const { types, joinedBy, own, joined } = POPULATIONS[name];
      const named = [...columnsOf(name), ...types, joinedBy ?? 'session.start'];
      expect(named.filter((column) => !SPEC.includes(`\`${column}\``))).toEqual([]);
      const fields = types.flatMap((type) => EVENTS[type]?.body ?? []);
      for (const field of Object.values(own).filter((text) => text !== '')) expect(fields).toContain(field);
      const completing = EVENTS[joinedBy ?? '']?.body;
      for (const field of Object.values(joined).filter((text) => text !== ''))
        expect(completing).toContain(field);
    }
  });
});

describe('the fold', () => {
  it('gives a row when its second half comes, and the rest at the end, by the period of the first half', () => {
    const fold = new PopulationFold(PERIOD);
    fold.context(event('session.start', 1, S, { name: 'before', address: '::1' }));
    const pushed = [
      event('statement.intent', 9, S, { sql: 'too early' }),
      event('statement.intent', 10, S, { sql: 'a' }),
      event('statement.outcome', 11, { ...S, ref: 9, status: 'ok' }),
      event('statement.intent', 12, S, { sql: 'never answered' }),
      event('session.start', 13, { session: 'ses_2', seq: 0 }, { name: 'two' }),
      event('statement.outcome', 21, { ...S, ref: 10, status: 'error' }, { rows: 0 }),
      event('session.end', 22, { session: 'ses_1', seq: 9, status: 'ok' }),
      event('auth.login', 23, { status: 'ok' }),
    ].flatMap((next) => fold.push(next));
    expect(pushed).toMatchObject([
      {
        population: 'statements',
        row: {
          leaf_index: 10,
          actor_name: 'before',
          src_ip: '::1',
          sql: 'a',
          status: 'error',
          rows: 0,
          outcome_leaf_index: 21,
        },
      },
    ]);
    expect([...fold.rest()]).toMatchObject([
      { population: 'sessions', row: { leaf_index: 13, display_name: undefined, actor_name: 'two' } },
      { population: 'statements', row: { leaf_index: 12, sql: 'never answered', status: undefined } },
      { population: 'changes', row: { leaf_index: 12, kinds: ['unknown'], status: undefined } },
    ]);
  });

  it('takes no member that a body does not have itself', () => {
    const fold = new PopulationFold(PERIOD);
    const [row] = fold.push(
      event('auth.login', 11, { status: 'ok' }, JSON.parse('{"__proto__":{"name":"x"}}')),
    );
    expect(row?.row).toMatchObject({ actor_name: undefined, method: undefined });
  });

  it('has a row for each request with its votes, and whether who asked approved it', () => {
    const fold = new PopulationFold(PERIOD);
    const asked = { hold_id: 'hld_1', rule: 'bulk', requester: 'ana', address: '::1', count: 2 };
    const bo = { hold_id: 'hld_1', approver: 'bo', approver_groups: ['owners'], comment: 'yes' };
    const rows = [
      event('hold.asked', 10, { actor: 'a', decision: 'hold' }, asked),
      event('hold.asked', 11, { actor: 'a' }, { ...asked, hold_id: 'hld_2' }),
      event('approval.granted', 12, { actor: 'b', ref: 10 }, bo),
      event('approval.granted', 13, { actor: 'a', ref: 11 }, { ...bo, hold_id: 'hld_2', until: time(19) }),
      event('approval.granted', 14, { actor: 'c', ref: 10 }, { ...bo, approver: 'cleo', until: time(19) }),
      event('hold.taken', 15, { actor: 'a', ref: 10 }, { hold_id: 'hld_1' }),
      // After the period: the row is that of the request.
      event('hold.executed', 21, { actor: 'a', ref: 10, status: 'ok' }, { hold_id: 'hld_1', rows: 120 }),
    ].flatMap((next) => fold.push(next));
    expect(rows).toMatchObject([
      {
        population: 'approvals',
        row: {
          leaf_index: 10,
          actor_name: 'ana',
          src_ip: '::1',
          status: 'ok',
          decision: 'hold',
          rule: 'bulk',
          approved: 2,
          granted_at: time(14),
          until: time(19),
          same_person: false,
          outcome: 'executed',
          outcome_leaf_index: 21,
          rows: 120,
          votes: [
            { decision: 'approve', actor: 'b', approver: 'bo', comment: 'yes', leaf: 12, time: time(12) },
            { decision: 'approve', actor: 'c', approver: 'cleo', leaf: 14 },
          ],
        },
      },
    ]);
    expect([...fold.rest()]).toMatchObject([
      {
        population: 'approvals',
        row: { leaf_index: 11, outcome: 'granted', same_person: true, approved: 1 },
      },
    ]);
  });

  it('leaves no answer out whose request is not in the range, and joins also where bodies are shredded', () => {
    const fold = new PopulationFold(PERIOD);
    fold.push(event('hold.asked', 9, { actor: 'a' }, { hold_id: 'hld_0' }));
    const rows = [
      event('hold.asked', 10, { actor: 'a' }),
      event('approval.granted', 11, { actor: 'b' }, { hold_id: 'hld_9', approver: 'bo', until: time(19) }),
      event('approval.expired', 12, { ref: 9 }, { hold_id: 'hld_0', reason: 'nobody answered in time' }),
      event('approval.withdrawn', 13, { ref: 10 }),
      event('hold.executed', 22, { ref: 3, status: 'ok' }),
    ].flatMap((next) => fold.push(next));
    expect(rows.map(({ population, row }) => [population, row['leaf_index'], row['outcome']])).toEqual([
      ['approvals', 11, 'granted'],
      ['approvals', 12, 'expired'],
      ['denied', 12, undefined],
      ['approvals', 10, 'withdrawn'],
    ]);
    expect(rows[0]?.row).toMatchObject({ actor_name: 'bo', same_person: undefined, approved: 1 });
  });

  it('has a row for everything that was blocked, denied or expired, beside that of its own population', () => {
    const fold = new PopulationFold(PERIOD);
    fold.context(event('session.start', 1, S, { name: 'ana' }));
    const rows = [
      event(
        'statement.intent',
        10,
        { ...S, decision: 'block' },
        { sql: 'drop table a', rules: ['no-drops'] },
      ),
      event('statement.outcome', 11, { ...S, ref: 10, status: 'blocked' }),
      event('hold.asked', 12, { actor: 'a' }, { requester: 'ana', rule: 'bulk' }),
      event('approval.denied', 13, { actor: 'b', ref: 12 }, { approver: 'bo', comment: 'no' }),
      event('statement.intent', 14, { ...S, decision: 'allow' }, { sql: 'select 1' }),
      event('statement.intent', 21, { ...S, decision: 'block' }, { sql: 'after the period' }),
    ].flatMap((next) => fold.push(next));
    expect(rows.filter(({ population }) => population === 'denied').map(({ row }) => row)).toMatchObject([
      { leaf_index: 10, decision: 'block', actor_name: 'ana', sql: 'drop table a', rules: ['no-drops'] },
      { leaf_index: 13, actor_name: 'bo', rule: 'bulk', requester: 'ana', comment: 'no' },
    ]);
    expect(rows.filter(({ population }) => population !== 'denied').map(({ row }) => row)).toMatchObject([
      { leaf_index: 10, status: 'blocked' },
      {
        leaf_index: 12,
        outcome: 'denied',
        outcome_reason: 'no',
        votes: [{ decision: 'deny', approver: 'bo' }],
      },
    ]);
  });

  it('begins a part with the header where a row would lead above the bound', () => {
    const parts = new Parts('x', 'csv', 'h\n', 8);
    const given = [
      parts.first(),
      ...['aaa\n', 'bbb\n', 'a line that is longer\n', 'c\n'].flatMap((line) =>
        parts.add(new TextEncoder().encode(line)),
      ),
    ];
    const files = new Map<string, string>();
    for (const { name, bytes } of given) files.set(name, (files.get(name) ?? '') + utf8Text(bytes));
    expect([...files]).toEqual([
      ['x.csv', 'h\naaa\n'],
      ['x-0002.csv', 'h\nbbb\n'],
      ['x-0003.csv', 'h\na line that is longer\n'],
      ['x-0004.csv', 'h\nc\n'],
    ]);
  });

  it('has a file for each population in both forms, also without a row', () => {
    const names = new PopulationFiles(1000).first().map(({ name }) => name);
    expect(names).toEqual(
      POPULATION_NAMES.map((name) => `${name}.csv`).concat(POPULATION_NAMES.map((name) => `${name}.jsonl`)),
    );
  });
});
