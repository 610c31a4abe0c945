import { describe, expect, it } from 'vitest';
import { EFFECTS, type StatementFacts } from '../core/effects.ts';
import { openersOf } from './break-glass.ts';
import { SessionPolicy } from './decide.ts';
import { overBound, type ObservedTable } from './observed.ts';
import type { CompiledRule, When } from './rule.ts';
import { breakGlassRule, HOLD, rule, statement, text } from './testing-facts.ts';

const ALLOWANCE = { access: 'all', version: 1, effects: new Set(EFFECTS) };
const CALLER = { kind: 'user', address: '10.0.0.1', client: '' } as const;
const EVERYTHING = rule('everything', {}, 'hold');

const SCORES = { schema: 'rr', name: 'scores' };
const CUSTOMERS = { schema: undefined, name: 'customers' };
const UPDATE_SCORES = statement({
  effects: [{ effect: 'update', from: 0, to: 6, object: 'rr.scores' }],
  writes: [{ ...SCORES, verb: 'update', columns: 'all' }],
});
const UPDATE_FROM_CUSTOMERS = statement({
  ...UPDATE_SCORES,
  effects: [...UPDATE_SCORES.effects, { effect: 'read', from: 0, to: 6, object: 'customers' }],
  reads: [CUSTOMERS],
});
const DROP = statement({ effects: [{ effect: 'drop', from: 0, to: 4, object: 'rr.scores' }] });
const DELETE_CUSTOMERS = statement({
  effects: [{ effect: 'delete-unqualified', from: 0, to: 6, object: 'customers' }],
  writes: [{ ...CUSTOMERS, verb: 'delete', columns: 'all' }],
});
const CALL = statement({
  effects: [{ effect: 'function-unknown', from: 7, to: 20, object: 'rr.recompute' }],
  functions: [{ schema: 'rr', name: 'recompute', from: 7, to: 20 }],
});
const UPDATE_AND_CALL = statement({
  ...UPDATE_SCORES,
  effects: [...UPDATE_SCORES.effects, ...CALL.effects],
  functions: CALL.functions,
});
const BEGIN = statement({ effects: [{ effect: 'transaction', from: 0, to: 5, object: undefined }] });

function opens(
  when: When,
  statements: readonly StatementFacts[],
  held: CompiledRule = EVERYTHING,
  tables?: readonly ObservedTable[],
): boolean {
  const glass = breakGlassRule('night', when);
  const policy = new SessionPolicy([held], ALLOWANCE, CALLER, [glass]);
  return openersOf(policy.decide(text(...statements), 0), held, tables).length > 0;
}

describe('a rule that breaks the glass', () => {
  it.each<[string, When, readonly StatementFacts[], boolean]>([
    ['whatever is held, where it names nothing', {}, [DROP, CALL], true],
    ['a text whose effects are all named', { effects: ['update'] }, [UPDATE_SCORES], true],
    ['by a class', { effects: ['write'] }, [UPDATE_SCORES], true],
    ['none with another effect', { effects: ['write'] }, [DROP], false],
    ['none with another effect beside it', { effects: ['write'] }, [UPDATE_SCORES, DROP], false],
    ['none that also reads', { effects: ['write'] }, [UPDATE_FROM_CUSTOMERS], false],
    ['unless that is named too', { effects: ['read', 'write'] }, [UPDATE_FROM_CUSTOMERS], true],
    ['a text that writes the tables that are named', { writes: ['rr.scores'] }, [UPDATE_SCORES], true],
    ['none that writes another table', { writes: ['rr.scores'] }, [DELETE_CUSTOMERS], false],
    ['none that writes one beside it', { writes: ['rr.scores'] }, [UPDATE_SCORES, DELETE_CUSTOMERS], false],
    ['none that reads beside it', { writes: ['rr.scores'] }, [UPDATE_FROM_CUSTOMERS], false],
    [
      'unless the table that it reads is named',
      { writes: ['rr.scores'], reads: ['customers'] },
      [UPDATE_FROM_CUSTOMERS],
      true,
    ],
    ['none that reads another', { writes: ['rr.scores'], reads: ['docs'] }, [UPDATE_FROM_CUSTOMERS], false],
    ['both restrict', { effects: ['read', 'write'], reads: ['docs'] }, [UPDATE_FROM_CUSTOMERS], false],
    ['none that drops what may be written', { writes: ['rr.scores'] }, [DROP], false],
    ['none that calls beside it', { writes: ['rr.scores'] }, [UPDATE_AND_CALL], false],
    ['a call of a function that is named', { functions: ['rr.recompute'] }, [CALL], true],
    ['none of another', { functions: ['rr.other'] }, [CALL], false],
    ['none by effect of another', { effects: ['run'], functions: ['rr.other'] }, [CALL], false],
    ['none that writes beside the call', { functions: ['rr.recompute'] }, [UPDATE_AND_CALL], false],
    ['what is harmless needs no word', { effects: ['write'] }, [BEGIN, UPDATE_SCORES], true],
  ])('opens %s', (_, when, statements, expected) => {
    expect(opens(when, statements)).toBe(expected);
  });

  it('opens what is harmless and held all the same only where it is named', () => {
    const held = rule('transactions', { effects: ['transaction'] }, 'hold');
    expect(opens({ effects: ['write'] }, [BEGIN], held)).toBe(false);
    expect(opens({ effects: ['transaction'] }, [BEGIN], held)).toBe(true);
  });

  it('opens no hold of a rule that says never', () => {
    const never = rule('never', {}, { ...HOLD, breakGlass: 'never' });
    expect(opens({}, [UPDATE_SCORES], never)).toBe(false);
  });

  it('opens what nobody could read only where it names that, or nothing', () => {
    const held = rule('unread', { effects: ['unknown'] }, 'hold');
    const of = (when: When): number => {
      const policy = new SessionPolicy([held], ALLOWANCE, CALLER, [breakGlassRule('night', when)]);
      const decision = policy.decide({ kind: 'uninspectable', reason: 'long' }, 0);
      return openersOf(decision, held).length;
    };
    expect(of({ effects: ['write'] })).toBe(0);
    expect(of({ writes: ['*'] })).toBe(0);
    expect(of({ effects: ['unknown'] })).toBe(1);
    expect(of({})).toBe(1);
  });

  it('never takes part in a decision', () => {
    const glass = breakGlassRule('night', { effects: ['drop'] });
    const blocked = rule('no-drops', { effects: ['drop'] });
    const decide = (rules: readonly CompiledRule[], effects: readonly (typeof EFFECTS)[number][]) =>
      new SessionPolicy(rules, { ...ALLOWANCE, effects: new Set(effects) }, CALLER, [glass]).decide(
        text(DROP),
        0,
      );
    expect(decide([blocked], EFFECTS).kind).toBe('block');
    expect(openersOf(decide([blocked], EFFECTS), blocked)).toEqual([]);
    expect(decide([], []).kind).toBe('block');
    expect(decide([], EFFECTS)).toMatchObject({ kind: 'allow', holds: [] });
  });
});

describe('rows that were counted', () => {
  const bulk = rule('bulk', { rows: '>= 100' }, 'hold');

  function tablesOf(...observed: readonly ObservedTable[]): readonly ObservedTable[] {
    return overBound([bulk], observed).flatMap(({ tables }) => tables);
  }

  const none = { inserted: 0, updated: 0, deleted: 0 };
  const scores = { ...SCORES, ...none, updated: 500 };
  const audit = { schema: 'rr', name: 'audit', ...none, inserted: 500 };

  it.each<[string, When, readonly ObservedTable[], boolean]>([
    ['of the tables that are named', { writes: ['rr.scores'] }, [scores], true],
    ['of a table that a trigger wrote beside them', { writes: ['rr.scores'] }, [scores, audit], false],
    ['by effects that are named', { effects: ['update'] }, [scores], true],
    ['by others', { effects: ['update'] }, [scores, audit], false],
    ['of a partition', { writes: ['rr.scores'] }, [{ ...scores, name: 'p1', partOf: [SCORES] }], true],
    ['of a table that was exchanged', { writes: ['rr.scores'] }, [{ ...scores, exchanged: true }], false],
    ['of anything, where nothing is named', {}, [scores, audit], true],
  ])('are looked at: %s', (_, when, observed, expected) => {
    expect(tablesOf(...observed).length).toBeGreaterThan(0);
    expect(opens(when, [UPDATE_SCORES], bulk, tablesOf(...observed))).toBe(expected);
  });

  it('behind a call are of no function that is named', () => {
    expect(opens({ functions: ['rr.recompute'] }, [CALL], bulk, [scores])).toBe(false);
    expect(opens({ functions: ['rr.recompute'] }, [CALL], EVERYTHING)).toBe(true);
  });
});
