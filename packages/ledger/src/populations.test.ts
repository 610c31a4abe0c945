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
      for (const field of Object.values(joined)) expect(EVENTS[joinedBy ?? '']?.body).toContain(field);
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
    ].map((next) => fold.push(next));
    expect(pushed.filter((row) => row !== undefined)).toMatchObject([
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
    ]);
  });

  it('takes no member that a body does not have itself', () => {
    const fold = new PopulationFold(PERIOD);
    const row = fold.push(
      event('auth.login', 11, { status: 'ok' }, JSON.parse('{"__proto__":{"name":"x"}}')),
    );
    expect(row?.row).toMatchObject({ actor_name: undefined, method: undefined });
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
