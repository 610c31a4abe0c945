import { describe, expect, it } from 'vitest';
import type { Row } from './csv.ts';
import type { Json } from './jcs.ts';
import { type PopulationEvent, PopulationFold } from './populations.ts';
import { columnsOf, populationsOf } from './population-columns.ts';
import { PopulationFiles } from './population-files.ts';
import { RerankRows } from './rerank-rows.ts';
import { testingOnlyEvent as event, testingOnlyTime as time } from './testing-events.ts';

const PERIOD = { from: time(10), to: time(90) };
const S = { session: 'ses_1', seq: 0 };
const HOLD = { rule: 'models', version: 3, verdict: 'hold' };

type Values = Readonly<Record<string, Json>>;

function intent(n: number, decision: string, values: Values | 'shredded' = {}): PopulationEvent {
  return event('http.intent', n, { ...S, decision, policy: 'ab'.repeat(32) }, values);
}

function outcome(n: number, ref: number, status = 'ok', values: Values | 'shredded' = {}): PopulationEvent {
  return event('http.outcome', n, { ...S, ref, status }, values);
}

function call(n: number, ref: number, values: Values | 'shredded' = {}): PopulationEvent {
  return event('rerank.call', n, { ...S, ref }, values);
}

function result(n: number, ref: number, values: Values | 'shredded' = {}): PopulationEvent {
  return event('rerank.result', n, { ...S, ref, status: 'ok' }, values);
}

function fold(events: readonly PopulationEvent[], name = 'rerank-requests'): readonly Row[] {
  const made = new PopulationFold(PERIOD);
  const start = { name: 'ana', principal: 'prn_1', client: 'cohere-node/8', address: '10.0.0.7' };
  made.context(event('session.start', 1, S, start));
  const rows = [...events.flatMap((next) => made.push(next)), ...made.rest()];
  return rows.filter(({ population }) => population === name).map(({ row }) => row);
}

describe('a rerank call', () => {
  it('has who, what was ranked, what came back, and what let it', () => {
    const votes = [{ approver: 'bo', node: 'gw1', leaf: 13 }];
    const [row, more] = fold([
      intent(10, 'hold', { effects: ['rerank'], rules: [HOLD], body_sha256: 'r' }),
      call(11, 10, {
        model: 'm',
        model_known_from: 'request',
        query_hash: 'q',
        documents: [{ hash: 'a', id: 'd1' }, { hash: 'b' }, { hash: 'c', id_hash: 'x' }],
        documents_count: 3,
        lineage: { of: 3, matched: 2, sources: [{ leaf: 7, documents: [0, 1] }] },
      }),
      event('hold.asked', 12, { actor: 'ana', ref: 10 }, { hold_id: 'hld_1', ...ASKED }),
      event('approval.granted', 13, { actor: 'bo', ref: 12 }, { approver: 'bo', until: time(80) }),
      event('hold.taken', 14, { ref: 12 }, { hold_id: 'hld_1', intent_leaf: 10, approvals: [13], votes }),
      outcome(15, 10, 'ok', { http_status: 200, duration_us: 9, target_us: 7, held_us: 5, body_sha256: 'w' }),
      result(16, 11, {
        model_effective: 'm-2',
        model_known_from: 'response',
        results: [{ document: 2, score: '0.70' }, { id: 'z', score: '"0.1"' }, { id_hash: 'y' }, {}],
        results_count: 4,
      }),
    ]);
    expect(more).toBeUndefined();
    expect(row).toMatchObject({
      leaf_index: 11,
      event_type: 'rerank.call',
      actor_name: 'ana',
      src_ip: '10.0.0.7',
      principal: 'prn_1',
      client: 'cohere-node/8',
      decision: 'hold',
      policy_id: 'ab'.repeat(32),
      status: 'ok',
      intent_leaf_index: 10,
      outcome_leaf_index: 15,
      result_leaf_index: 16,
      request_sha256: 'r',
      answer_sha256: 'w',
      http_status: 200,
      duration_us: 9,
      target_us: 7,
      held_us: 5,
      model: 'm',
      model_effective: 'm-2',
      model_known_from: 'response',
      documents: 'd1=a b x=c',
      documents_count: 3,
      order: '2:0.70 z:"0.1" y: ?:',
      lineage_of: 3,
      lineage_matched: 2,
      lineage_leaves: [7],
      rules: [HOLD],
      hold_ids: ['hld_1'],
      approvers: ['bo'],
      approvals: [13],
      approved_before_executed: true,
    });
    expect(columnsOf('rerank-requests')).toEqual(expect.arrayContaining(Object.keys(row ?? {})));
  });

  it('shows fifty of a list, and counts the others', () => {
    const documents = Array.from({ length: 60 }, (_, at) => ({ hash: `h${at}` }));
    const results = documents.map((_, document) => ({ document, score: '1' }));
    const [row] = fold([
      intent(10, 'allow'),
      call(11, 10, { documents, documents_rest: { count: 5, hash: 'x' } }),
      outcome(12, 10),
      result(13, 11, { results }),
    ]);
    expect(row?.['documents']).toMatch(/^h0 .* h49 \(and 15 more\)$/);
    expect(row?.['order']).toMatch(/^0:1 .* 49:1 \(and 10 more\)$/);
  });

  it('has its row where a key was destroyed, where nothing answered it, and where its request is not in the range', () => {
    const rows = fold([
      intent(10, 'allow', 'shredded'),
      call(11, 10, 'shredded'),
      outcome(12, 10, 'ok', 'shredded'),
      result(13, 11, 'shredded'),
      intent(14, 'block', { rules: [HOLD] }),
      call(15, 14, { model: 'm' }),
      call(16, 3, { model: 'n' }),
      result(17, 16, { unread: 'it was cut off' }),
      call(18, 4, { model: 'o' }),
    ]);
    expect(rows).toMatchObject([
      { leaf_index: 11, body_state: 'shredded', decision: 'allow', status: 'ok', outcome_leaf_index: 12 },
      { leaf_index: 16, model: 'n', unread: 'it was cut off', result_leaf_index: 17 },
      { leaf_index: 15, model: 'm', decision: 'block', rules: [HOLD] },
      { leaf_index: 18, model: 'o' },
    ]);
  });

  it('is of the period in which it was asked', () => {
    const all = [intent(8, 'allow'), call(9, 8), outcome(20, 8), result(21, 9)];
    expect(fold(all)).toEqual([]);
    expect(fold([intent(88, 'allow'), call(89, 88), outcome(91, 88), result(92, 89)])).toMatchObject([
      { leaf_index: 89, result_leaf_index: 92 },
    ]);
  });

  it('keeps nothing of a request that is over', () => {
    const made = new PopulationFold(PERIOD);
    for (let n = 10; n < 80; n += 2) {
      made.push(intent(n, 'allow', { effects: ['read'] }));
      made.push(outcome(n + 1, n));
    }
    expect([...made.rest()].filter(({ population }) => population === 'http-requests')).toEqual([]);
    const rows = new RerankRows();
    const steps = [intent(10, 'allow'), outcome(11, 10), intent(12, 'allow')];
    const take = ({ leaf, values }: PopulationEvent): void => {
      if (leaf.type === 'http.intent') rows.request(leaf, values);
      else rows.outcome(leaf, values, {});
    };
    steps.forEach(take);
    expect(rows.openCount).toBe(1);
    rows.begin(call(13, 12).leaf, {}, {});
    take(outcome(14, 12));
    expect(rows.openCount).toBe(3);
    rows.result(result(15, 13).leaf, {});
    expect(rows.openCount).toBe(0);
  });

  it.each<[string, Values]>([
    ['a text in place of a list', { documents: 'x', queries: 7, lineage: 'y', results: true }],
    ['a list in place of an object', { lineage: [], documents_rest: [], documents: [[], 'x', 7, {}] }],
    ['names that every object has', { lineage: { of: 1 }, documents: [{ toString: 'x' }] }],
  ])('with %s does no harm', (_, values) => {
    const known = Object.fromEntries(Object.entries(values).filter(([field]) => field !== 'results'));
    const said = values['results'] === undefined ? {} : { results: values['results'] };
    const rows = fold([intent(10, 'allow'), call(11, 10, known), outcome(12, 10), result(13, 11, said)]);
    expect(rows).toHaveLength(1);
  });
});

const ASKED = { rule: 'models', rule_version: 3, count: 1, requester: 'ana' };

function change(n: number, decision = 'hold', rules: readonly Json[] = [HOLD]): PopulationEvent {
  return intent(n, decision, {
    effects: ['model-change'],
    method: 'POST',
    path: '/m',
    operation: 'model m',
    rules: [...rules],
  });
}

describe('changes over HTTP', () => {
  const approved = [
    event('hold.asked', 11, { actor: 'ana', ref: 10 }, { hold_id: 'hld_1', ...ASKED }),
    event('approval.granted', 12, { actor: 'bo', ref: 11 }, { approver: 'bo', until: time(80) }),
    event('hold.taken', 13, { ref: 11 }, { hold_id: 'hld_1', intent_leaf: 10 }),
  ];

  it('of a model are listed with what approved them', () => {
    const events = [change(10), ...approved, outcome(14, 10, 'ok', { http_status: 200 })];
    expect(fold(events, 'changes')).toMatchObject([
      {
        leaf_index: 10,
        event_type: 'http.intent',
        kinds: ['model'],
        method: 'POST',
        path: '/m',
        operation: 'model m',
        approved_before_executed: true,
        http_status: 200,
        status: 'ok',
      },
    ]);
    expect(fold(events, 'changes-unapproved')).toEqual([]);
  });

  it.each<[string, readonly PopulationEvent[], readonly string[]]>([
    ['that nobody approved', [change(10), outcome(14, 10)], ['held']],
    ['that a service refused', [change(10), outcome(14, 10, 'error', { http_status: 404 })], []],
    [
      'after which a service failed',
      [change(10), outcome(14, 10, 'error', { http_status: 500 })],
      ['in-doubt'],
    ],
    ['after which nobody knows', [change(10), outcome(14, 10, 'unknown')], ['in-doubt']],
    ['that were blocked', [change(10, 'block'), outcome(14, 10, 'blocked')], []],
    ['that were blocked and ran', [change(10, 'block', []), outcome(14, 10)], ['blocked']],
    ['that a rule allows', [change(10, 'allow', []), outcome(14, 10)], ['unasked']],
    ['that were withdrawn', [change(10), outcome(14, 10, 'cancelled')], []],
  ])('%s are unapproved where they may have run: %#', (_, events, why) => {
    expect(fold(events, 'changes')).toHaveLength(1);
    expect(fold(events, 'changes-unapproved').map((row) => row['why'])).toEqual(why);
  });

  it('are none where a request reads, and are not known where its key was destroyed', () => {
    const reads = [intent(10, 'allow', { effects: ['read', 'rerank', 'egress:model'] }), outcome(11, 10)];
    expect(fold(reads, 'changes')).toEqual([]);
    const gone = [intent(10, 'allow', 'shredded'), outcome(11, 10)];
    expect(fold(gone, 'changes')).toMatchObject([{ kinds: ['undisclosed'] }]);
    expect(fold([intent(10, 'allow', {}), outcome(11, 10)], 'changes')).toMatchObject([
      { kinds: ['unknown'] },
    ]);
  });
});

describe('version 1.3', () => {
  it('has the two lists, and requests among changes', () => {
    expect([2, 3].map((minor) => populationsOf(minor).includes('rerank-requests'))).toEqual([false, true]);
    expect([2, 3].map((minor) => populationsOf(minor).includes('http-requests'))).toEqual([false, true]);
    const row = { event_type: 'http.intent', leaf_index: 10, method: 'POST' };
    const counts = [2, 3].map((minor) => {
      const files = new PopulationFiles(1_000, minor);
      files.add({ population: 'changes', row });
      files.add({ population: 'denied', row });
      return [
        files.rows.get('changes'),
        files.rows.get('denied'),
        columnsOf('changes', minor).includes('method'),
      ];
    });
    expect(counts).toEqual([
      [0, 1, false],
      [1, 1, true],
    ]);
  });
});
