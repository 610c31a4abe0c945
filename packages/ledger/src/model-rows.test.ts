import { describe, expect, it } from 'vitest';
import type { Row } from './csv.ts';
import type { Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';
import { ModelRows } from './model-rows.ts';
import { columnsOf, populationsOf } from './population-columns.ts';
import { PopulationFiles } from './population-files.ts';
import { type PopulationEvent, PopulationFold } from './populations.ts';
import { testingOnlyEvent as event, testingOnlyTime as time } from './testing-events.ts';

type Values = Readonly<Record<string, Json>>;

const S = { session: 'ses_1', seq: 0, target: 'reranker' };
const HOLD = { rule: 'models', version: 3, verdict: 'hold' };
const PERIOD = { from: time(10), to: time(90) };
const ASKED = { rule: 'models', rule_version: 3, count: 1 };

function identity(
  n: number,
  status: string,
  digest: string,
  more: Values = {},
  target = 'reranker',
): PopulationEvent {
  const extra: Partial<Leaf> = { kind: 'system', status, target };
  return event('model.identity', n, extra, { model_identity: digest, ...more });
}

function canary(n: number, status: string, scores: readonly string[], more: Values = {}): PopulationEvent {
  const order = scores.map((_, place) => place);
  const values = { order, scores: [...scores], fingerprint: scores.join(), tolerance: '0.001', ...more };
  return event('model.canary', n, { kind: 'system', status, target: 'reranker' }, values);
}

/** A promotion that was held, and that somebody else agreed to: leaves n to n + 5, of which n + 3 lets it. */
function promotion(
  n: number,
  { votes = 1, status = 'ok', effects = ['model-change'] as Json, target = 'reranker' } = {},
): readonly PopulationEvent[] {
  const at = { ...S, target };
  return [
    event('http.intent', n, { ...at, decision: 'hold' }, { effects, rules: [HOLD] }),
    event('hold.asked', n + 1, { actor: 'ana', ref: n, target }, { hold_id: `hld_${n}`, ...ASKED }),
    votes === 0
      ? event('breakglass.used', n + 2, { actor: 'ana', ref: n + 1, target }, { hold_id: `hld_${n}` })
      : event(
          'approval.granted',
          n + 2,
          { actor: 'bo', ref: n + 1, target },
          { approver: 'bo', until: time(80) },
        ),
    event(
      'hold.taken',
      n + 3,
      { ref: n + 1, target },
      {
        hold_id: `hld_${n}`,
        intent_leaf: n,
        votes: [{ approver: 'bo', node: 'gw1', leaf: n + 2 }],
      },
    ),
    event(
      'http.outcome',
      n + 4,
      { ...at, ref: n, status: status === 'ok' ? 'ok' : 'error' },
      { http_status: status === 'ok' ? 200 : 400 },
    ),
    event('hold.executed', n + 5, { ref: n + 1, target, status }, { hold_id: `hld_${n}` }),
  ];
}

function rowsOf(events: readonly PopulationEvent[], name: string): readonly Row[] {
  const fold = new PopulationFold(PERIOD);
  fold.context(event('session.start', 1, S, { name: 'ana' }));
  const rows = [...events.flatMap((next) => fold.push(next)), ...fold.rest()];
  return rows.filter(({ population }) => population === name).map(({ row }) => row);
}

/** Index of each leaf that is a finding. */
function findings(...events: readonly PopulationEvent[]): readonly unknown[] {
  const unapproved = rowsOf(events, 'changes-unapproved').filter(({ why }) => why === 'unannounced');
  const indexes = unapproved.map(({ leaf_index: n }) => n);
  const probes = rowsOf(events, 'model-probes').filter(({ finding }) => finding === true);
  expect(probes.map(({ leaf_index: n }) => n)).toEqual(indexes);
  expect(
    rowsOf(events, 'changes').filter(
      ({ event_type: type }) => type === 'model.identity' || type === 'model.canary',
    ).length,
  ).toBe(indexes.length);
  return indexes;
}

const previous = (leaf: number, digest = 'a'): Values => ({ previous: { leaf, model_identity: digest } });

/** A change of a Connection that was held, and that somebody else agreed to: leaf 13 lets it. */
const held = (name: string): readonly PopulationEvent[] => [
  event(
    'hold.asked',
    11,
    { actor: 'ana' },
    { hold_id: 'hld_1', ...ASKED, changes: [{ kind: 'Connection', name }] },
  ),
  event('approval.granted', 12, { actor: 'bo', ref: 11 }, { approver: 'bo', until: time(80) }),
  event('hold.taken', 13, { ref: 11 }, { hold_id: 'hld_1', votes: [] }),
  event(
    'resource.apply',
    14,
    { ref: 13, status: 'updated' },
    { resource_kind: 'Connection', name, approval: 13 },
  ),
  event('hold.executed', 15, { ref: 11, status: 'ok' }, { hold_id: 'hld_1' }),
];

const minuteAt = (minutes: number): string =>
  `2026-11-24T0${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:14.000000Z`;

const from = (leaf: number): Values => ({ previous: { leaf, fingerprint: 'x' } });

const taken = (n: number): Leaf => ({ ...event('hold.taken', 0, { target: 'reranker' }).leaf, n });

/** The model is as before at these minutes, and another one at the last. */
function isFinding(...minutes: readonly number[]): boolean {
  const models = new ModelRows();
  const looks = minutes.map((minute, index) => {
    const isLast = index === minutes.length - 1;
    const { leaf, values } = isLast
      ? identity(20 + index, 'changed', 'b', { ...previous(10), approval: 14 })
      : identity(20 + index, 'same', 'a', previous(10));
    return { leaf: { ...leaf, t: minuteAt(minute) }, values };
  });
  const before = [identity(10, 'same', 'a'), ...promotion(11)];
  const found = [...before, ...looks].map(({ leaf, values }) => {
    models.see(leaf);
    if (leaf.type === 'hold.taken') models.taken(leaf, values, { isGranted: true, isModel: true });
    return ['model.identity'].includes(leaf.type) && models.probe(leaf, values).isFinding;
  });
  return found.at(-1) === true;
}

describe('a look at a model', () => {
  it('has a row each, and a finding is a change too', () => {
    const events = [
      identity(10, 'same', 'a', {
        model: 'm',
        source: 'tei GET /info',
        why: 'schedule',
        identity: { '/info': { '/model_id': '"m"' } },
      }),
      identity(11, 'unknown', '', { failure: '/info answered 503' }),
      identity(12, 'same', 'a', previous(10)),
      identity(13, 'changed', 'b', previous(10)),
    ];
    const rows = rowsOf(events, 'model-probes');
    expect(rows).toMatchObject([
      {
        leaf_index: 10,
        target: 'reranker',
        status: 'same',
        model: 'm',
        source: 'tei GET /info',
        finding: false,
      },
      { leaf_index: 11, status: 'unknown', failure: '/info answered 503', finding: undefined },
      { leaf_index: 12, finding: false },
      { leaf_index: 13, status: 'changed', model_identity: 'b', previous: { leaf: 10 }, finding: true },
    ]);
    for (const row of rows)
      expect(columnsOf('model-probes')).toEqual(expect.arrayContaining(Object.keys(row)));
    const [change, more] = rowsOf(events, 'changes-unapproved');
    expect(more).toBeUndefined();
    expect(change).toMatchObject({
      leaf_index: 13,
      event_type: 'model.identity',
      target: 'reranker',
      kinds: ['model'],
      operation: 'another model',
      reason: 'was a, is b',
      approved_before_executed: false,
      why: 'unannounced',
    });
    expect(columnsOf('changes-unapproved')).toEqual(expect.arrayContaining(Object.keys(change ?? {})));
    expect(rowsOf(events, 'changes')).toMatchObject([{ leaf_index: 13, kinds: ['model'] }]);
  });

  it('is a finding once, and again when the model comes back', () => {
    expect(
      findings(
        identity(10, 'same', 'a'),
        identity(11, 'changed', 'b', previous(10)),
        identity(12, 'same', 'b', previous(11, 'b')),
        identity(13, 'changed', 'a', previous(11, 'b')),
      ),
    ).toEqual([11, 13]);
  });

  it('is none where somebody else had agreed to a change of that model in between', () => {
    const change = identity(20, 'changed', 'b', { ...previous(10), approval: 14 });
    expect(findings(identity(10, 'same', 'a'), ...promotion(11), change)).toEqual([]);
    // One that goes on while it is looked at.
    expect(findings(identity(10, 'same', 'a'), ...promotion(11).slice(0, 4), change)).toEqual([]);
  });

  it.each<[string, readonly PopulationEvent[], Values]>([
    ['names nothing', promotion(11), {}],
    ['names something else', promotion(11), { approval: 13 }],
    ['names itself', promotion(11), { approval: 20 }],
    ['names no number', promotion(11), { approval: '14' }],
    ['names an emergency', promotion(11, { votes: 0 }), { approval: 14 }],
    ['names what the service refused', promotion(11, { status: 'failed' }), { approval: 14 }],
    ['names a change of no model', promotion(11, { effects: ['insert'] }), { approval: 14 }],
    ['names a request that nobody has read', promotion(11, { effects: 'none' }), { approval: 14 }],
    ['names a change behind another connection', promotion(11, { target: 'other' }), { approval: 14 }],
  ])('is a finding where it %s', (_, between, names) => {
    const change = identity(20, 'changed', 'b', { ...previous(10), ...names });
    expect(findings(identity(10, 'same', 'a'), ...between, change)).toEqual([20]);
  });

  it('is let by a change of its Connection that others agreed to, and by that of no other', () => {
    const change = identity(20, 'changed', 'b', { ...previous(10), approval: 13 });
    expect(findings(identity(10, 'same', 'a'), ...held('reranker'), change)).toEqual([]);
    expect(findings(identity(10, 'same', 'a'), ...held('other'), change)).toEqual([20]);
  });

  it('is let once, and by a grant that is not used before the last one that was', () => {
    const twice = [
      identity(20, 'changed', 'b', { ...previous(10), approval: 14 }),
      identity(21, 'changed', 'c', { ...previous(20, 'b'), approval: 14 }),
      // Back again, and nobody had agreed to that.
      identity(22, 'changed', 'a', { ...previous(21, 'c'), approval: 14 }),
    ];
    expect(findings(identity(10, 'same', 'a'), ...promotion(11), ...twice)).toEqual([21, 22]);
    const both = [...promotion(11), ...promotion(21)];
    const [first, second] = [14, 24].map((approval) => ({ ...previous(10), approval }));
    expect(
      findings(
        identity(10, 'same', 'a'),
        ...both,
        identity(30, 'changed', 'b', second),
        identity(31, 'changed', 'c', { ...first, ...previous(30, 'b') }),
      ),
    ).toEqual([31]);
    // The other kind of look sees the same change by itself.
    expect(
      findings(
        identity(9, 'same', 'a'),
        canary(10, 'same', ['0.9', '0.1']),
        ...promotion(11),
        identity(20, 'changed', 'b', { ...previous(9), approval: 14 }),
        canary(21, 'changed', ['0.5', '0.1'], { previous: { leaf: 10 }, approval: 14 }),
      ),
    ).toEqual([]);
  });

  it('is let by what took its time, within 15 minutes or by the first look behind them', () => {
    expect([isFinding(1), isFinding(100), isFinding(1, 14, 59)]).toEqual([false, false, false]);
    expect([isFinding(15, 16), isFinding(1, 20, 21)]).toEqual([true, true]);
  });

  it('is believed about what is before the range, and about nothing in it', () => {
    // Approval 5 and look 4 are before leaf 10, with which this range begins.
    expect(findings(identity(10, 'changed', 'b', { ...previous(4), approval: 5 }))).toEqual([]);
    expect(findings(identity(10, 'changed', 'b', previous(4)))).toEqual([10]);
    expect(
      findings(identity(10, 'same', 'a', previous(4)), identity(11, 'changed', 'b', previous(4))),
    ).toEqual([11]);
  });

  it('is a finding by what it has, whatever it says', () => {
    expect(findings(identity(10, 'same', 'a'), identity(11, 'same', 'b', previous(10)))).toEqual([11]);
    // A gateway that begins anew in silence.
    expect(findings(identity(10, 'same', 'a'), identity(11, 'same', 'b'))).toEqual([11]);
    // And one that says that it changed, where it did not, has found nothing.
    expect(findings(identity(10, 'same', 'a'), identity(11, 'changed', 'a', previous(10)))).toEqual([]);
  });

  it('is compared with the baseline, so that nothing creeps', () => {
    expect(
      findings(
        canary(10, 'same', ['0.5000', '0.1']),
        canary(11, 'same', ['0.5009', '0.1'], from(10)),
        canary(12, 'changed', ['0.5018', '0.1'], from(10)),
        canary(13, 'same', ['0.5026', '0.1'], from(12)),
      ),
    ).toEqual([12]);
    expect(
      findings(
        canary(10, 'same', ['0.5', '0.1']),
        canary(11, 'same', ['0.9', '0.1'], { ...from(10), tolerance: '1000' }),
      ),
    ).toEqual([11]);
  });

  it('is of its connection and of its kind alone', () => {
    expect(
      findings(identity(10, 'same', 'a'), identity(11, 'same', 'b', {}, 'other'), canary(12, 'same', ['1'])),
    ).toEqual([]);
  });

  it('has its row where a body is not there, and then says what its status says', () => {
    const shredded = { ...identity(11, 'changed', 'b'), values: {}, bodyState: 'shredded' as const };
    const events = [identity(10, 'same', 'a'), shredded];
    expect(rowsOf(events, 'changes-unapproved')).toMatchObject([
      { leaf_index: 11, kinds: ['undisclosed'], why: 'unannounced' },
    ]);
  });

  it('is of the period in which it was made, and compared across its border', () => {
    const events = [
      identity(8, 'same', 'a'),
      identity(9, 'changed', 'b', previous(8)),
      identity(10, 'same', 'b', previous(9, 'b')),
      identity(95, 'changed', 'c', previous(9, 'b')),
    ];
    expect(rowsOf(events, 'model-probes')).toMatchObject([{ leaf_index: 10, finding: false }]);
    expect(rowsOf(events, 'changes-unapproved')).toEqual([]);
  });

  it('is in packages of 1.4, and in none before', () => {
    expect(populationsOf(3)).not.toContain('model-probes');
    expect(populationsOf(4)).toContain('model-probes');
    const [row] = rowsOf(
      [identity(10, 'same', 'a'), identity(11, 'changed', 'b', previous(10))],
      'changes-unapproved',
    );
    const files = (minor: number): number =>
      new PopulationFiles(1_000_000, minor).add({ population: 'changes-unapproved', row: row ?? {} }).length;
    expect([files(3), files(4)]).toEqual([0, 2]);
  });

  it('is remembered with a bound: the newest grants count', () => {
    const models = new ModelRows();
    models.see(taken(0));
    for (let n = 1; n <= 10_001; n += 1) models.taken(taken(n), {}, { isGranted: true, isModel: true });
    const probe = (approval: number): boolean => {
      const { leaf, values } = identity(20, 'changed', 'b', { ...previous(0), approval });
      return models.probe({ ...leaf, n: 20_000, target: 'reranker' }, values).isFinding;
    };
    expect([probe(1), probe(2)]).toEqual([true, false]);
  });
});
