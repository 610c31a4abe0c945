import { describe, expect, it } from 'vitest';
import type { Row } from './csv.ts';
import type { Json } from './jcs.ts';
import { type PopulationEvent, PopulationFold } from './populations.ts';
import { testingOnlyEvent as event, testingOnlyTime as time } from './testing-events.ts';

const PERIOD = { from: time(10), to: time(90) };
const S = { session: 'ses_1', seq: 0 };
const HOLD = { rule: 'bulk', version: 3, verdict: 'hold' };
const ASKED = { hold_id: 'hld_1', rule: 'bulk', rule_version: 3, count: 1, requester: 'ana' };

function intent(n: number, decision: string, values: Readonly<Record<string, Json>>): PopulationEvent {
  return event('statement.intent', n, { ...S, decision }, values);
}

function outcome(n: number, ref: number, status: string, tags: readonly string[] = []): PopulationEvent {
  return event('statement.outcome', n, { ...S, ref, status }, { tags: [...tags], rows: 7 });
}

/** Rows of the two populations, after the last event too. */
function fold(events: readonly PopulationEvent[]): { changes: readonly Row[]; unapproved: readonly Row[] } {
  const made = new PopulationFold(PERIOD);
  made.context(event('session.start', 1, S, { name: 'ana', principal: 'prn_1', database: 'rerank' }));
  const rows = [...events.flatMap((next) => made.push(next)), ...made.rest()];
  const of = (name: string): readonly Row[] =>
    rows.filter(({ population }) => population === name).map(({ row }) => row);
  return { changes: of('changes'), unapproved: of('changes-unapproved') };
}

/** What grants, denies and uses the request of leaf 11. */
const granted = (n: number, actor: string, values: Readonly<Record<string, Json>> = {}): PopulationEvent =>
  event('approval.granted', n, { actor, ref: 11 }, { hold_id: 'hld_1', approver: actor, ...values });
const taken = (n: number, values: Readonly<Record<string, Json>> = {}): PopulationEvent =>
  event('hold.taken', n, { actor: 'ana', ref: 11 }, { hold_id: 'hld_1', ...values });
const until = { until: time(80) };

describe('changes', () => {
  it('has who, where, what it does, which rule, who approved and what came of it', () => {
    const votes = [{ approver: 'bo', node: 'gw1', leaf: 12 }];
    const { changes, unapproved } = fold([
      intent(10, 'hold', { effects: ['read', 'update'], tables: ['rr.scores'], rules: [HOLD], sql: 'x' }),
      event('hold.asked', 11, { actor: 'ana', ref: 10 }, ASKED),
      granted(12, 'bo', until),
      taken(13, { intent_leaf: 10, approvals: [12], votes }),
      outcome(14, 10, 'ok', ['UPDATE 7']),
      event('hold.executed', 15, { ref: 11, status: 'ok' }, { hold_id: 'hld_1' }),
    ]);
    expect(unapproved).toEqual([]);
    expect(changes).toMatchObject([
      {
        leaf_index: 10,
        event_time_utc: time(10),
        actor_name: 'ana',
        principal: 'prn_1',
        database: 'rerank',
        kinds: ['data'],
        effects: ['read', 'update'],
        tables: ['rr.scores'],
        rules: [HOLD],
        hold_ids: ['hld_1'],
        approvers: ['bo'],
        approvals: [12],
        approved_before_executed: true,
        status: 'ok',
        outcome_leaf_index: 14,
        tags: ['UPDATE 7'],
        rows: 7,
      },
    ]);
    expect(changes[0]).not.toHaveProperty('sql');
  });

  it('joins a grant to the statement that uses it, where that is not the one that asked', () => {
    const { changes, unapproved } = fold([
      intent(10, 'allow', { effects: ['delete'] }),
      event('hold.asked', 11, { actor: 'ana', ref: 10 }, ASKED),
      outcome(12, 10, 'blocked'),
      granted(13, 'bo', until),
      intent(14, 'allow', { effects: ['delete'] }),
      taken(15, { intent_leaf: 14 }),
      outcome(16, 14, 'ok', ['DELETE 7']),
    ]);
    expect(unapproved).toEqual([]);
    expect(changes).toMatchObject([
      { leaf_index: 10, status: 'blocked', approved_before_executed: false, rules: [HOLD] },
      { leaf_index: 14, status: 'ok', approved_before_executed: true, rules: [HOLD], hold_ids: ['hld_1'] },
    ]);
  });

  it.each([
    ['nobody approved', []],
    ['it was used before it was approved', [taken(12, { intent_leaf: 10 }), granted(13, 'bo', until)]],
    ['it was approved and not used', [granted(12, 'bo', until)]],
    ['who asked approved it', [granted(12, 'ana', until), taken(13, { intent_leaf: 10 })]],
    ['the vote was not enough', [granted(12, 'bo'), taken(13, { intent_leaf: 10 })]],
    ['it was denied', [event('approval.denied', 12, { actor: 'bo', ref: 11 }, { hold_id: 'hld_1' })]],
    ['it was used for another', [granted(12, 'bo', until), taken(13, { intent_leaf: 4 })]],
  ])('is unapproved where %s', (_, between) => {
    const { changes, unapproved } = fold([
      intent(10, 'hold', { effects: ['update'], rules: [HOLD] }),
      event('hold.asked', 11, { actor: 'ana', ref: 10 }, ASKED),
      ...between,
      outcome(20, 10, 'ok', ['UPDATE 7']),
    ]);
    expect(changes).toHaveLength(1);
    expect(unapproved).toMatchObject([{ leaf_index: 10, why: 'held', approved_before_executed: false }]);
  });

  it('needs each rule that holds, and as many people as a rule says', () => {
    const other = { ...HOLD, rule: 'other' };
    const both = intent(10, 'hold', { effects: ['update'], rules: [HOLD, other] });
    const asked = event('hold.asked', 11, { actor: 'ana', ref: 10 }, ASKED);
    const one = [both, asked, granted(12, 'bo', until), taken(13, { intent_leaf: 10 })];
    expect(fold([...one, outcome(20, 10, 'ok')]).unapproved).toMatchObject([{ why: 'held' }]);
    const second = { hold_id: 'hld_2', intent_leaf: 10, votes: [{ approver: 'cleo', node: 'gw2', leaf: 4 }] };
    const two = [...one, event('hold.taken', 14, { actor: 'ana' }, second), outcome(20, 10, 'ok')];
    expect(fold(two).unapproved).toEqual([]);
    const three = event('hold.asked', 11, { actor: 'ana', ref: 10 }, { ...ASKED, count: 2 });
    const few = [intent(10, 'hold', { effects: ['update'] }), three, granted(12, 'bo', until)];
    expect(fold([...few, taken(13), outcome(20, 10, 'ok')]).unapproved).toMatchObject([{ why: 'held' }]);
  });

  it('is unapproved where it was blocked and ran, was not foreseen, or nobody ruled it', () => {
    const { changes, unapproved } = fold([
      intent(10, 'block', { effects: ['drop'] }),
      outcome(11, 10, 'blocked'),
      intent(12, 'block', { effects: ['drop'] }),
      outcome(13, 12, 'ok', ['DROP TABLE']),
      intent(14, 'allow', { effects: ['read'] }),
      outcome(15, 14, 'ok', ['INSERT 0 1']),
      intent(16, 'allow', {}),
      outcome(17, 16, 'ok', ['BEGIN', 'ALTER ROLE', 'SELECT 1']),
      intent(18, 'allow', { effects: ['create'] }),
      outcome(19, 18, 'ok', ['CREATE TABLE']),
      intent(20, 'allow', {}),
      outcome(21, 20, 'ok', ['SELECT 3', 'COPY 3', 'SET']),
      intent(22, 'hold', { effects: ['update'] }),
      outcome(23, 22, 'unknown'),
      intent(24, 'hold', { effects: ['update'] }),
      outcome(25, 24, 'error'),
    ]);
    expect(changes.map((row) => row['leaf_index'])).toEqual([10, 12, 14, 16, 18, 22, 24]);
    expect(unapproved.map((row) => [row['leaf_index'], row['kinds'], row['why']])).toEqual([
      [12, ['schema'], 'blocked'],
      [14, ['data'], 'unforeseen'],
      [16, ['grants'], 'unruled'],
      [22, ['data'], 'in-doubt'],
    ]);
  });

  it('knows by the tags, and by nothing else, what nobody has read', () => {
    const cases: readonly (readonly [PopulationEvent, readonly string[]])[] = [
      [
        outcome(11, 10, 'ok', ['MERGE 1', 'CREATE TABLE', 'DO', 'DROP DATABASE']),
        ['data', 'schema', 'server', 'unknown'],
      ],
      [
        event(
          'statement.outcome',
          11,
          { ...S, ref: 10, status: 'ok' },
          { tags: ['COPY 2'], bytes_from_client: 9 },
        ),
        ['data'],
      ],
      [
        event(
          'statement.outcome',
          11,
          { ...S, ref: 10, status: 'ok' },
          { tags: ['SELECT 1'], command: '99 commands' },
        ),
        ['unknown'],
      ],
      [outcome(11, 10, 'unknown'), ['unknown']],
      [outcome(11, 10, 'ok', ['UPDATED 1']), []],
    ];
    for (const [end, kinds] of cases) {
      const { changes } = fold([intent(10, 'allow', {}), end]);
      expect(changes.flatMap((row) => row['kinds'])).toEqual(kinds);
    }
    const call = intent(10, 'allow', { protocol_message: 'FunctionCall' });
    expect(fold([call, outcome(11, 10, 'ok')]).changes).toMatchObject([{ kinds: ['unknown'] }]);
  });

  it('lists what has no outcome, and calls nothing unapproved that waits', () => {
    const { changes, unapproved } = fold([
      intent(10, 'hold', { effects: ['update'] }),
      event('hold.asked', 11, { actor: 'ana', ref: 10 }, ASKED),
      intent(12, 'allow', {}),
      intent(13, 'allow', { effects: ['read'] }),
      event('statement.intent', 95, { ...S, decision: 'hold' }, { effects: ['drop'] }),
    ]);
    expect(changes.map((row) => [row['leaf_index'], row['kinds'], row['status']])).toEqual([
      [10, ['data'], undefined],
      [12, ['unknown'], undefined],
    ]);
    expect(unapproved).toEqual([]);
  });

  it('finds also without bodies what was held and ran unapproved', () => {
    const { changes, unapproved } = fold([
      event('statement.intent', 10, { ...S, decision: 'hold' }, 'shredded'),
      event('statement.outcome', 11, { ...S, ref: 10, status: 'ok' }, 'shredded'),
      event('statement.intent', 12, { ...S, decision: 'allow' }, 'shredded'),
      event('statement.outcome', 13, { ...S, ref: 12, status: 'ok' }, 'shredded'),
    ]);
    expect(changes).toMatchObject([{ kinds: ['undisclosed'] }, { kinds: ['undisclosed'] }]);
    expect(unapproved).toMatchObject([{ leaf_index: 10, why: 'held' }]);
  });

  it('takes bodies that no gateway writes', () => {
    const { changes } = fold([
      intent(10, 'hold', {
        effects: [7, 'never-heard-of'],
        rules: ['x', 7, { verdict: 'hold' }],
        tables: 'a',
      }),
      event('hold.taken', 11, {}, { intent_leaf: 10, votes: [7, { approver: 'bo' }], approvals: 'x' }),
      event('statement.outcome', 12, { ...S, ref: 10, status: 'ok' }, { tags: 'INSERT 0 1' }),
    ]);
    expect(changes).toMatchObject([{ kinds: ['unknown'], approvers: ['bo'], approvals: undefined }]);
  });
});

function request(n: number, decision: string, values: Readonly<Record<string, Json>>): PopulationEvent {
  return event('http.intent', n, { ...S, decision }, { method: 'POST', path: '/models', ...values });
}

function answered(
  n: number,
  ref: number,
  status: string,
  values: Readonly<Record<string, Json>> = {},
): PopulationEvent {
  return event('http.outcome', n, { ...S, ref, status }, values);
}

describe('a request over HTTP that changes a model', () => {
  const effects = ['model-change'];

  it('is approved where somebody else did before, also by the request that came again', () => {
    const votes = [{ approver: 'bo', node: 'gw1', leaf: 12 }];
    const { changes, unapproved } = fold([
      request(10, 'hold', { effects, rules: [HOLD] }),
      event('hold.asked', 11, { actor: 'ana', ref: 10 }, ASKED),
      answered(12, 10, 'blocked', { http_status: 423 }),
      granted(13, 'bo', until),
      request(14, 'hold', { effects, rules: [HOLD] }),
      taken(15, { intent_leaf: 14, approvals: [13], votes }),
      answered(16, 14, 'ok', { http_status: 200, bytes_from_client: 2 }),
    ]);
    expect(unapproved).toEqual([]);
    expect(changes).toMatchObject([
      { leaf_index: 10, kinds: ['model'], status: 'blocked', approved_before_executed: false },
      { leaf_index: 14, kinds: ['model'], status: 'ok', approved_before_executed: true, approvers: ['bo'] },
    ]);
  });

  it.each<[string, string, readonly string[], readonly [string, Readonly<Record<string, Json>>], unknown]>([
    ['nothing asked anybody', 'allow', effects, ['ok', { http_status: 200 }], 'unasked'],
    ['a rule wanted approval', 'hold', effects, ['ok', { http_status: 200 }], 'held'],
    ['a rule blocked it', 'block', effects, ['ok', { http_status: 200 }], 'blocked'],
    ['it was given up on its way', 'allow', effects, ['cancelled', { bytes_from_client: 0 }], 'unasked'],
    [
      'it was held and given up on its way',
      'hold',
      effects,
      ['cancelled', { bytes_from_client: 9 }],
      'in-doubt',
    ],
    ['the service failed', 'allow', effects, ['error', { http_status: 500 }], 'unasked'],
    ['nobody knows', 'allow', effects, ['unknown', {}], 'unasked'],
    ['it stopped in its middle', 'allow', effects, ['error', { http_status: 409 }], 'unasked'],
    ['it was held and took too long', 'hold', effects, ['error', { http_status: 408 }], 'in-doubt'],
    ['the service refused it', 'allow', effects, ['error', { http_status: 404 }], undefined],
    ['it was given up before', 'allow', effects, ['cancelled', {}], undefined],
    ['it was blocked', 'block', effects, ['blocked', { http_status: 403 }], undefined],
    // A rule that lets people write was approved itself.
    ['it writes data', 'allow', ['insert'], ['ok', { http_status: 200 }], undefined],
  ])('where %s is listed with the reason', (_, decision, its, [status, values], why) => {
    const rules = decision === 'hold' ? { rules: [HOLD] } : {};
    const { changes, unapproved } = fold([
      request(10, decision, { effects: [...its], ...rules }),
      answered(11, 10, status, values),
    ]);
    expect(changes).toHaveLength(1);
    expect(unapproved.map((row) => row['why'])).toEqual(why === undefined ? [] : [why]);
  });
});
