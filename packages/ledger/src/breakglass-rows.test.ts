import { describe, expect, it } from 'vitest';
import type { Row } from './csv.ts';
import type { Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';
import { type PopulationEvent, PopulationFold } from './populations.ts';
import { testingOnlyEvent as event, testingOnlyTime as time } from './testing-events.ts';

const PERIOD = { from: time(10), to: time(50) };
const S = { session: 'ses_1', seq: 0 };
const HOLD = { rule: 'bulk', version: 3, verdict: 'hold' };
const USED = {
  hold_id: 'hld_1',
  rule: 'night',
  rule_version: 4,
  requester: 'ana',
  requester_groups: ['night'],
  reason: 'the shop is down',
  until: time(40),
  reviewers: ['group:leads'],
  review_by: time(45),
};
const BROKEN = { break_glass: { rule: 'night', node: 'gw1', leaf: 12 } };

/** A statement that was held, and whose hold was opened: leaves 10 to 15. */
function story(change: { used?: Parameters<typeof event>[3]; taken?: Parameters<typeof event>[3] } = {}) {
  const asked = { hold_id: 'hld_1', rule: 'bulk', rule_version: 3, count: 1, requester: 'ana' };
  const { used = USED, taken = { hold_id: 'hld_1', intent_leaf: 10, votes: [], ...BROKEN } } = change;
  return [
    event('statement.intent', 10, { ...S, decision: 'hold' }, { effects: ['update'], rules: [HOLD] }),
    event('hold.asked', 11, { actor: 'a', ref: 10 }, asked),
    event('breakglass.used', 12, { actor: 'a', ref: 11 }, used),
    event('hold.taken', 13, { actor: 'a', ref: 11 }, taken),
    event('statement.outcome', 14, { ...S, ref: 10, status: 'ok' }, { tags: ['UPDATE 7'] }),
    event('hold.executed', 15, { actor: 'a', ref: 11, status: 'ok' }, { hold_id: 'hld_1', rows: 7 }),
  ];
}

/** Where the request is in another log. */
function takenElsewhere(values: Readonly<Record<string, Json>>): PopulationEvent {
  return event('hold.taken', 13, { actor: 'a' }, { hold_id: 'hld_1', intent_leaf: 10, ...values });
}

function review(n: number, extra: Partial<Leaf> = {}): PopulationEvent {
  const said = { hold_id: 'hld_1', reviewer: 'lea', reviewer_groups: ['leads'], comment: 'I was called' };
  return event('breakglass.reviewed', n, { actor: 'l', ref: 12, status: 'justified', ...extra }, said);
}

function fold(events: readonly PopulationEvent[]): (name: string) => readonly Row[] {
  const made = new PopulationFold(PERIOD);
  const rows = [...events.flatMap((next) => made.push(next)), ...made.rest()];
  return (name) => rows.filter(({ population }) => population === name).map(({ row }) => row);
}

describe('break-glass', () => {
  it('has who, why, by which rule, what it was used for, who was told, and what was said of it', () => {
    const receiver = 'webhook hooks.example';
    const notified = { hold_id: 'hld_1', notice: 'breakglass.used', receiver, tries: 1 };
    const of = fold([
      ...story(),
      event('breakglass.notified', 16, { kind: 'system', ref: 12, status: 'ok' }, notified),
      review(20),
    ]);
    expect(of('breakglass')).toMatchObject([
      {
        leaf_index: 12,
        event_time_utc: time(12),
        event_type: 'breakglass.used',
        actor_id: 'a',
        actor_name: 'ana',
        status: 'ok',
        rule: 'night',
        reason: 'the shop is down',
        asked_leaf_index: 11,
        taken_leaf_index: 13,
        statement_leaf_index: 10,
        notified: [{ leaf: 16, time: time(16), status: 'ok', notice: 'breakglass.used', receiver }],
        verdict: 'justified',
        reviewer: 'lea',
        reviewer_id: 'l',
        comment: 'I was called',
        review_leaf_index: 20,
        review_time_utc: time(20),
        same_person: false,
        seconds_to_review: 8,
        in_time: true,
      },
    ]);
    expect(of('breakglass-unreviewed')).toEqual([]);
  });

  it('is no approval: the change is one of those that nobody approved, with that as the reason', () => {
    const of = fold([...story(), review(20)]);
    expect(of('changes')).toMatchObject([{ leaf_index: 10, approved_before_executed: false }]);
    expect(of('changes-unapproved')).toMatchObject([{ leaf_index: 10, why: 'break-glass' }]);
    expect(of('approvals')).toMatchObject([
      {
        leaf_index: 11,
        outcome: 'executed',
        approved: 0,
        break_glass: 12,
        granted_at: time(12),
        until: time(40),
      },
    ]);
  });

  it.each([
    ['the leaf of its use does not say so', { taken: { hold_id: 'hld_1', intent_leaf: 10, votes: [] } }],
    ['the leaf of its opening was shredded', { used: 'shredded' as const }],
    ['the leaf of its use was shredded', { taken: 'shredded' as const }],
    [
      'votes that were not enough stand in it',
      { taken: { hold_id: 'hld_1', intent_leaf: 10, votes: [{ approver: 'bo' }], ...BROKEN } },
    ],
  ])('is none either where %s', (_, change) => {
    expect(fold(story(change))('changes-unapproved')).toMatchObject([{ leaf_index: 10, why: 'break-glass' }]);
  });

  it('is none where its request and its opening are in another log, by the word of the use', () => {
    const [intent, , , , outcome] = story();
    if (intent === undefined || outcome === undefined) throw new Error('no story');
    const votes = [{ approver: 'bo', node: 'gw2', leaf: 3 }];
    const why = (values: Readonly<Record<string, Json>>) =>
      fold([intent, takenElsewhere(values), outcome])('changes-unapproved').map((row) => row['why']);
    expect(why({ votes })).toEqual([]);
    expect(why({ votes, ...BROKEN })).toEqual(['break-glass']);
    expect(why({ votes: [] })).toEqual(['held']);
  });

  it('is held, and not excused, where one of two holds was neither approved nor opened', () => {
    const events = story();
    const second = event(
      'hold.asked',
      12,
      { actor: 'a', ref: 10 },
      { hold_id: 'hld_2', rule: 'other', count: 1 },
    );
    expect(fold([...events.slice(0, 3), second, ...events.slice(3)])('changes-unapproved')).toMatchObject([
      { why: 'held' },
    ]);
  });

  it('that nobody has reviewed is in a list of its own, late where its time is over', () => {
    const of = fold(story());
    expect(of('breakglass')).toEqual(of('breakglass-unreviewed'));
    expect(of('breakglass-unreviewed')).toMatchObject([{ leaf_index: 12, in_time: false }]);
    expect(of('breakglass-unreviewed')[0]).not.toHaveProperty('verdict');
    const later = fold(story({ used: { ...USED, review_by: time(55) } }));
    expect(later('breakglass-unreviewed')).toMatchObject([{ leaf_index: 12, in_time: undefined }]);
  });

  it('that was never used says so', () => {
    expect(fold(story().slice(0, 3))('breakglass')).toMatchObject([
      { leaf_index: 12, taken_leaf_index: undefined, statement_leaf_index: undefined, status: undefined },
    ]);
  });

  it.each([
    [review(46), { in_time: false, verdict: 'justified' }],
    [review(20, { status: 'not_justified' }), { in_time: true, verdict: 'not_justified' }],
    [review(20, { actor: 'a' }), { same_person: true }],
  ])('says of a review how it was', (given, expected) => {
    expect(fold([...story(), given])('breakglass')).toMatchObject([expected]);
  });

  it('keeps its row where bodies were shredded', () => {
    const shredded = event(
      'breakglass.reviewed',
      20,
      { actor: 'l', ref: 12, status: 'justified' },
      'shredded',
    );
    expect(fold([...story({ used: 'shredded' }), shredded])('breakglass')).toMatchObject([
      {
        leaf_index: 12,
        actor_id: 'a',
        body_state: 'shredded',
        reason: undefined,
        taken_leaf_index: 13,
        verdict: 'justified',
        reviewer_id: 'l',
        seconds_to_review: 8,
      },
    ]);
  });

  it('has a row for a review of what was opened before the period, and none for what is outside of it', () => {
    const before = event('breakglass.used', 5, { actor: 'a', ref: 4 }, USED);
    const of = fold([before, review(20, { ref: 5 }), review(51, { ref: 6 })]);
    expect(of('breakglass')).toMatchObject([
      { leaf_index: 20, event_type: 'breakglass.reviewed', actor_name: 'lea', verdict: 'justified' },
    ]);
    expect(of('breakglass-unreviewed')).toEqual([]);
  });
});
