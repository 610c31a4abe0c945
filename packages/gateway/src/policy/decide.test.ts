import { describe, expect, it } from 'vitest';
import {
  type Effect,
  EFFECTS,
  type FoundEffect,
  type StatementFacts,
  type WrittenTable,
} from '../core/effects.ts';
import { type Allowance, type Caller, type Decision, SessionPolicy } from './decide.ts';
import { effectsThatMay } from './effect-classes.ts';
import type { CompiledRule } from './rule.ts';
import { rule, statement, text } from './testing-facts.ts';

const CALLER: Caller = { kind: 'user', address: '10.0.0.5', client: 'psql' };
const FRIDAY_NOON = Date.parse('2026-11-27T12:00:00Z') * 1000;

function allowance(may?: readonly string[]): Allowance {
  return { access: 'team', version: 3, effects: effectsThatMay(may) };
}

function decide(
  rules: readonly CompiledRule[],
  statements: readonly StatementFacts[],
  may?: readonly string[],
  caller: Caller = CALLER,
): Decision {
  return new SessionPolicy(rules, allowance(may), caller).decide(text(...statements), FRIDAY_NOON);
}

function found(effect: Effect, object?: string, from = 0, to = 6): FoundEffect {
  return { effect, from, to, object };
}

function writes(
  verb: WrittenTable['verb'],
  table: string,
  columns: WrittenTable['columns'] = 'all',
  more: readonly FoundEffect[] = [],
): StatementFacts {
  return statement({
    effects: [found(verb, table), ...more],
    writes: [{ schema: undefined, name: table, verb, columns }],
  });
}

function calls(name: string, from: number): StatementFacts {
  return statement({
    effects: [found('function-unknown', name, from, from + 4)],
    functions: [{ schema: undefined, name, from, to: from + 4 }],
  });
}

function unqualifiedDelete(table: string): CompiledRule {
  return rule('r', { writes: [table], effects: ['delete-unqualified'] });
}

const DROP = statement({ node: 'DropStmt', effects: [found('drop', 'rr.documents', 11, 23)] });
const READ = statement({
  effects: [found('read', 'documents')],
  reads: [{ schema: undefined, name: 'documents' }],
});

describe('what is decided', () => {
  it('allows what the Access resource lets through and no rule stops', () => {
    expect(decide([rule('no-drops', { effects: ['drop'] })], [READ]).kind).toBe('allow');
  });

  it('blocks, and says which rule, which version and which tokens', () => {
    const decision = decide([rule('no-drops', { effects: ['drop'] })], [DROP]);
    expect(decision.kind).toBe('block');
    expect(decision.causes).toEqual([
      {
        rule: 'no-drops',
        version: 7,
        verdict: 'block',
        description: undefined,
        what: 'drop of rr.documents',
        from: 11,
        to: 23,
      },
    ]);
  });

  it('lets a block beat a hold, and a hold beat an allow', () => {
    const allow = rule('a', { effects: ['drop'] }, 'allow');
    const hold = rule('b', { effects: ['drop'] }, 'hold');
    const block = rule('c', { effects: ['drop'] }, 'block');
    expect(decide([allow, hold, block], [DROP]).kind).toBe('block');
    expect(decide([allow, hold], [DROP]).kind).toBe('hold');
    expect(decide([allow], [DROP]).kind).toBe('allow');
    expect(decide([allow, hold], [DROP]).holds.map(({ name }) => name)).toEqual(['b']);
  });

  it('asks every rule that holds', () => {
    const rules = [rule('a', { effects: ['drop'] }, 'hold'), rule('b', {}, 'hold')];
    expect(decide(rules, [DROP]).holds.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('decides about a text as about its strictest statement', () => {
    expect(decide([rule('no-drops', { effects: ['drop'] })], [READ, DROP, READ]).kind).toBe('block');
  });

  it('blocks what was not understood, unless the Access resource says unknown', () => {
    const unknown = statement({ effects: [found('unknown')] });
    expect(decide([], [unknown]).kind).toBe('block');
    expect(decide([], [unknown]).causes[0]?.rule).toBe('access:team');
    expect(decide([], [unknown], ['read', 'unknown']).kind).toBe('allow');
    const unread = { kind: 'uninspectable', reason: 'it is too long' } as const;
    expect(new SessionPolicy([], allowance(), CALLER).decide(unread, 0).kind).toBe('block');
    expect(new SessionPolicy([], allowance(['unknown']), CALLER).decide(unread, 0).kind).toBe('allow');
  });

  it('lets others agree to what nobody could read, and asks nobody about a slip of the pen', () => {
    const unread = { kind: 'uninspectable', reason: 'it is too long' } as const;
    const slip = { kind: 'syntax-error', message: 'syntax error', at: 0 } as const;
    const ask = rule('ask', { effects: ['unknown'] }, 'hold');
    const policy = new SessionPolicy([ask], allowance(), CALLER);
    expect(policy.decide(unread, 0)).toMatchObject({ kind: 'hold', holds: [ask] });
    expect(policy.decide(slip, 0).kind).toBe('block');
  });

  it('asks rules about what may run unread', () => {
    const unread = { kind: 'uninspectable', reason: 'it is too long' } as const;
    const decided = (of: CompiledRule): string =>
      new SessionPolicy([of], allowance(['unknown']), CALLER).decide(unread, FRIDAY_NOON).kind;
    expect(decided(rule('all', {}))).toBe('block');
    expect(decided(rule('unknown', { effects: ['unknown'] }, 'hold'))).toBe('hold');
    expect(decided(rule('drops', { effects: ['drop'] }))).toBe('allow');
  });

  it('gives what is no SQL the parser’s own message', () => {
    const broken = { kind: 'syntax-error', message: 'syntax error at or near "selct"', at: 0 } as const;
    const decision = new SessionPolicy([], allowance(), CALLER).decide(broken, 0);
    expect(decision.kind).toBe('block');
    expect(decision.syntaxError?.message).toBe('syntax error at or near "selct"');
  });

  it('lets through what `may` says, and no more', () => {
    expect(decide([], [READ], ['read']).kind).toBe('allow');
    expect(decide([], [writes('update', 'scores')], ['read']).kind).toBe('block');
    expect(decide([], [writes('update', 'scores')], ['read', 'write']).kind).toBe('allow');
    expect(decide([], [writes('update', 'scores')], ['read', 'update']).kind).toBe('allow');
    expect(decide([], [DROP], ['read', 'write']).kind).toBe('block');
    const harmless = statement({ effects: [found('transaction'), found('setting'), found('explain')] });
    expect(decide([], [harmless], ['read']).kind).toBe('allow');
  });

  it('lets a rule allow one function, and not the others of the statement', () => {
    const allow = rule('score', { functions: ['score'] }, 'allow');
    expect(decide([allow], [calls('score', 7)]).kind).toBe('allow');
    expect(decide([allow], [calls('purge', 7)]).kind).toBe('block');
    const both = statement({
      effects: [...calls('score', 7).effects, ...calls('purge', 20).effects],
      functions: [...calls('score', 7).functions, ...calls('purge', 20).functions],
    });
    expect(decide([allow], [both]).kind).toBe('block');
  });

  it('knows two calls apart that the text does not show', () => {
    const [score, purge] = ['score', 'purge'].map((name) => ({ schema: 'public', name, from: 0, to: 20 }));
    const allow = rule('score', { functions: ['score'] }, 'allow');
    const hidden = (by: typeof score): FoundEffect => ({
      ...found('function-unknown', 'public.f', 0, 20),
      by,
    });
    const effects = (...of: (typeof score)[]): StatementFacts =>
      statement({ effects: of.map(hidden), functions: of.filter((one) => one !== undefined) });
    expect(decide([allow], [effects(score)]).kind).toBe('allow');
    expect(decide([allow], [effects(score, purge)]).kind).toBe('block');
    // What the text shows at the same place is not what a hidden call does.
    const shown = statement({
      effects: [hidden(score), found('function-unknown', 'purge', 0, 20)],
      functions: score === undefined ? [] : [score],
    });
    expect(decide([allow], [shown]).kind).toBe('block');
  });

  it('is the same for the same text, and remembers it', () => {
    const policy = new SessionPolicy([rule('no-drops', { effects: ['drop'] })], allowance(), CALLER);
    const read = text(DROP);
    expect(policy.decide(read, 1)).toBe(policy.decide(read, 2));
  });
});

describe('conditions', () => {
  it.each<readonly [string, Parameters<typeof rule>[1], StatementFacts, boolean]>([
    ['a table', { writes: ['scores'] }, writes('update', 'scores'), true],
    ['another table', { writes: ['scores'] }, writes('update', 'other'), false],
    ['a verb on a table', { writes: ['scores'], effects: ['delete'] }, writes('update', 'scores'), false],
    ['that verb', { writes: ['scores'], effects: ['update'] }, writes('update', 'scores'), true],
    ['a column', { writes: ['models(stage)'] }, writes('update', 'models', ['stage']), true],
    ['another column', { writes: ['models(stage)'] }, writes('update', 'models', ['name']), false],
    ['a read', { reads: ['documents'] }, READ, true],
    ['a read of another table', { reads: ['customers'] }, READ, false],
    ['a class of effects', { effects: ['write'] }, writes('insert', 'x'), true],
    ['read and effect together', { reads: ['documents'], effects: ['export'] }, READ, false],
    ['nothing', {}, READ, true],
  ])('%s', (_, when, facts, applies) => {
    expect(decide([rule('r', when)], [facts]).kind).toBe(applies ? 'block' : 'allow');
  });

  it('keeps an unqualified DELETE of one table apart from a qualified one of another', () => {
    const facts = statement({
      effects: [found('delete', 'a'), found('delete', 'b'), found('delete-unqualified', 'b')],
      writes: [
        { schema: undefined, name: 'a', verb: 'delete', columns: 'all' },
        { schema: undefined, name: 'b', verb: 'delete', columns: 'all' },
      ],
    });
    expect(decide([unqualifiedDelete('a')], [facts]).kind).toBe('allow');
    expect(decide([unqualifiedDelete('b')], [facts]).kind).toBe('block');
  });

  it.each<readonly [string, Parameters<typeof rule>[1], Partial<Caller>, boolean]>([
    ['kind', { kinds: ['ci'] }, { kind: 'ci' }, true],
    ['other kind', { kinds: ['ci'] }, {}, false],
    ['address', { address: ['10.0.0.0/8'] }, {}, true],
    ['other address', { address: ['192.168.0.0/16'] }, {}, false],
    ['client', { client: ['psql*'] }, {}, true],
    ['other client', { client: ['metabase'] }, {}, false],
    ['hours', { hours: { days: ['fri'], from: '08:00', to: '18:00' } }, {}, true],
    ['other hours', { hours: { from: '18:00', to: '06:00' } }, {}, false],
  ])('%s', (_, when, caller, applies) => {
    const decision = decide([rule('r', when)], [READ], undefined, { ...CALLER, ...caller });
    expect(decision.kind).toBe(applies ? 'block' : 'allow');
  });

  it('asks the time again where a rule has hours', () => {
    const rules = [rule('r', { hours: { from: '08:00', to: '18:00' } })];
    const policy = new SessionPolicy(rules, allowance(), CALLER);
    const read = text(READ);
    expect(policy.decide(read, FRIDAY_NOON).kind).toBe('block');
    expect(policy.decide(read, FRIDAY_NOON + 8 * 3_600_000_000).kind).toBe('allow');
  });
});

describe('rows', () => {
  const bulk = rule('bulk', { writes: ['scores'], rows: '>= 100' }, 'hold');

  it('are counted before COMMIT where they can be, and decide at once where that is too late', () => {
    const counted = decide([bulk], [writes('update', 'scores')]);
    expect(counted.kind).toBe('allow');
    expect(counted.counted.map(({ name }) => name)).toEqual(['bulk']);
    const fixed = { ...writes('update', 'scores'), undoable: false };
    expect(decide([bulk], [fixed]).kind).toBe('hold');
  });

  it('are counted for whatever may write, and for nothing that only reads', () => {
    expect(decide([bulk], [READ]).counted).toEqual([]);
    const call = statement({ effects: [found('call', 'f')] });
    expect(decide([bulk], [call]).counted).toHaveLength(1);
    expect(decide([bulk], [writes('insert', 'other')]).counted).toHaveLength(1);
  });

  it('are counted for a rule about definitions where code may define something', () => {
    const drops = rule('no-drops', { effects: ['drop'] });
    const call = statement({ effects: [found('call', 'f')] });
    expect(decide([drops], [call]).counted).toHaveLength(1);
    expect(decide([drops], [writes('insert', 'other')]).counted).toEqual([]);
  });

  it('are counted for a rule that blocks a table too, because a trigger may write it', () => {
    const log = rule('log', { writes: ['log'], effects: ['update', 'delete'] });
    expect(decide([log], [writes('insert', 'other')]).counted.map(({ name }) => name)).toEqual(['log']);
  });
});

function depends(rules: readonly CompiledRule[], may?: readonly string[]): boolean {
  return new SessionPolicy(rules, allowance(may), CALLER).dependsOnServer;
}

describe('what the server says of a statement', () => {
  const ALL = EFFECTS;

  it('can decide where something is not let through', () => {
    expect(depends([])).toBe(true);
    expect(
      depends(
        [],
        ALL.filter((effect) => effect !== 'host'),
      ),
    ).toBe(true);
  });

  it.each([
    { effects: ['drop'] },
    { writes: ['log'] },
    { reads: ['secrets'] },
    { functions: ['f'] },
    { rows: '> 9' },
    { returned: '> 9' },
  ])('can decide where a rule stops %o', (when) => {
    expect(depends([rule('r', when)], ALL)).toBe(true);
  });

  it('decides nothing where all is let through, or stopped', () => {
    expect(depends([], ALL)).toBe(false);
    expect(depends([rule('r', {})], ALL)).toBe(false);
    expect(depends([rule('r', { functions: ['f'] }, 'allow')], ALL)).toBe(false);
  });
});

describe('EXECUTE of SQL', () => {
  const execute = statement({
    node: 'ExecuteStmt',
    effects: [found('execute', 'p')],
    prepared: { verb: 'execute', name: 'p' },
    from: 3,
    to: 12,
  });

  it('does what was prepared', () => {
    const policy = new SessionPolicy([rule('no-drops', { effects: ['drop'] })], allowance(), CALLER);
    const decision = policy.decide(text(execute), 0, () => DROP);
    expect(decision.kind).toBe('block');
    expect(decision.causes[0]).toMatchObject({ from: 3, to: 12 });
    expect(policy.decide(text(execute), 0, () => READ).kind).toBe('allow');
  });

  it('is unknown where nobody knows what was', () => {
    expect(decide([], [execute]).kind).toBe('block');
  });
});
