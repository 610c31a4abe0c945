import { describe, expect, it } from 'vitest';
import type { Json } from './jcs.ts';
import { type PopulationEvent, PopulationFold, type PopulationRow } from './populations.ts';
import { columnsOf, populationsOf } from './population-columns.ts';
import { testingOnlyEvent as event, testingOnlyTime as time } from './testing-events.ts';

const PERIOD = { from: time(10), to: time(50) };

function taken(n: number, holdId: string, approver = 'bo'): PopulationEvent {
  return event('hold.taken', n, {}, { hold_id: holdId, votes: [{ approver, node: 'gw1', leaf: 3 }] });
}

const REVEAL = {
  viewed_session: 'ses_1',
  leaf: 7,
  name: 'aud',
  reason: 'complaint 4711',
  approval: 11,
  hold_ids: ['hld_1', 'hld_2'],
  masks: [{ mask: 'names', version: 1 }],
};

function reveal(values: Readonly<Record<string, Json>> | 'shredded' = REVEAL, n = 13): PopulationEvent {
  return event('literal.reveal', n, { actor: 'a', ref: 11 }, values);
}

function rows(events: readonly PopulationEvent[]): readonly PopulationRow['row'][] {
  const fold = new PopulationFold(PERIOD);
  const all = [...events.flatMap((one) => fold.push(one)), ...fold.rest()];
  return all.filter(({ population }) => population === 'reveals').map(({ row }) => row);
}

describe('reveals', () => {
  it('has a row for each, with who had agreed', () => {
    const events = [taken(11, 'hld_1'), taken(12, 'hld_2', 'cy'), reveal()];
    expect(rows(events)).toMatchObject([
      {
        leaf_index: 13,
        event_type: 'literal.reveal',
        actor_name: 'aud',
        viewed_session: 'ses_1',
        revealed_leaf: 7,
        reason: 'complaint 4711',
        approvers: ['bo', 'cy'],
        approved_before_shown: true,
        same_person: false,
      },
    ]);
  });

  it.each([
    ['nothing was taken', [reveal()]],
    ['one of the grants is missing', [taken(11, 'hld_1'), reveal()]],
    ['a grant was of something else', [taken(11, 'hld_1'), taken(12, 'hld_3'), reveal()]],
    [
      'a grant has no vote',
      [taken(11, 'hld_1'), event('hold.taken', 12, {}, { hold_id: 'hld_2', votes: [] }), reveal()],
    ],
    ['a grant came afterwards', [taken(11, 'hld_1'), reveal(), taken(14, 'hld_2')]],
    [
      'a grant was over before',
      [
        taken(10, 'hld_1'),
        taken(11, 'hld_2'),
        event('hold.executed', 12, {}, { hold_id: 'hld_1' }),
        reveal(),
      ],
    ],
    ['it names no hold', [taken(11, 'hld_1'), taken(12, 'hld_2'), reveal({ ...REVEAL, hold_ids: [] })]],
  ])('says that it was not approved where %s', (_why, events) => {
    expect(rows(events)).toMatchObject([{ approved_before_shown: false }]);
  });

  it('says where who asked is among those who agreed', () => {
    expect(rows([taken(11, 'hld_1', 'aud'), taken(12, 'hld_2'), reveal()])).toMatchObject([
      { same_person: true },
    ]);
  });

  it('keeps the row of what was shredded, by the use that its leaf refers to', () => {
    const [row] = rows([taken(11, 'hld_1'), reveal('shredded')]);
    expect(row).toMatchObject({ body_state: 'shredded', approvers: ['bo'], approved_before_shown: true });
    expect(row?.['same_person']).toBeUndefined();
  });

  it('has those of the period only', () => {
    expect(rows([taken(3, 'hld_1'), taken(4, 'hld_2'), reveal(REVEAL, 5)])).toEqual([]);
    // What let it may be earlier.
    expect(rows([taken(3, 'hld_1'), taken(4, 'hld_2'), reveal()])).toMatchObject([
      { approved_before_shown: true },
    ]);
  });

  it('is there from version 1.2 on', () => {
    expect([0, 1, 2].map((minor) => populationsOf(minor).includes('reveals'))).toEqual([false, false, true]);
    expect(columnsOf('reveals', 2).slice(-3)).toEqual(['approvers', 'approved_before_shown', 'same_person']);
  });
});
