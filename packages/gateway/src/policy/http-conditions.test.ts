/** spec/policy.md, "HTTP". */

import { describe, expect, it } from 'vitest';
import type { Effect, HttpFacts, JsonScalar, ReadText } from '../core/effects.ts';
import { type Decision, SessionPolicy } from './decide.ts';
import { effectsThatMay, effectsThatMayOverHttp } from './effect-classes.ts';
import type { CompiledRule, When } from './rule.ts';
import { breakGlassRule, rule, statement, text } from './testing-facts.ts';

const NOTHING: HttpFacts = {
  method: 'POST',
  path: '/v2/rerank',
  valuesAt: () => [],
  documents: undefined,
  models: undefined,
  rows: undefined,
  returned: undefined,
};

interface Asked extends Partial<HttpFacts> {
  readonly effects?: readonly Effect[];
  readonly writes?: readonly string[];
  readonly reads?: readonly string[];
}

function request({ effects = ['rerank'], writes = [], reads = [], ...http }: Asked): ReadText {
  return text(
    statement({
      node: http.method ?? 'POST',
      undoable: false,
      effects: effects.flatMap((effect) =>
        (writes.length > 0 ? writes : [undefined]).map((name) => ({
          effect,
          from: 0,
          to: 9,
          object: name === '*' ? undefined : name,
        })),
      ),
      writes: writes.map((name) => ({ schema: undefined, name, verb: 'update', columns: 'all' })),
      reads: reads.map((name) => ({ schema: undefined, name })),
      http: { ...NOTHING, ...http },
    }),
  );
}

function decide(rules: readonly CompiledRule[], asked: Asked, may?: readonly string[]): Decision {
  const allowance = {
    access: 'a',
    version: 1,
    effects: effectsThatMay(may),
    overHttp: effectsThatMayOverHttp(may),
  };
  const caller = { kind: 'user', address: '127.0.0.1', client: '' } as const;
  return new SessionPolicy(rules, allowance, caller).decide(request(asked), 0);
}

function blocks(when: When, asked: Asked): boolean {
  return decide([rule('r', when)], asked, ['read', 'write', 'rerank', 'unknown']).kind === 'block';
}

/** A condition beside paths that fit, of a rule that allows what nothing else does. */
function allows(when: When, asked: Asked): boolean {
  const given = { effects: ['update'] as const, ...asked };
  return decide([rule('r', { paths: ['/*'], ...when }, 'allow')], given).kind === 'allow';
}

function values(given: Readonly<Record<string, readonly JsonScalar[]>>): HttpFacts['valuesAt'] {
  return (pointer) => (Object.hasOwn(given, pointer) ? given[pointer] : []);
}

const string = (value: string): JsonScalar => ({ kind: 'string', text: value });
const number = (value: string): JsonScalar => ({ kind: 'number', text: value });

describe('methods and paths', () => {
  it.each<[When, Asked, boolean]>([
    [{ methods: ['POST'] }, {}, true],
    [{ methods: ['PUT', 'PATCH'] }, {}, false],
    [{ methods: ['GET'] }, { method: 'HEAD' }, true],
    [{ paths: ['/v2/rerank'] }, {}, true],
    [{ paths: ['/v2/{any}'] }, {}, true],
    [{ paths: ['/v2/*'] }, {}, true],
    [{ paths: ['/*'] }, {}, true],
    [{ paths: ['/*'] }, { path: '/' }, false],
    [{ paths: ['/'] }, { path: '/' }, true],
    [{ paths: ['/v2'] }, {}, false],
    [{ paths: ['/v2/rerank/{x}'] }, {}, false],
    [{ paths: ['/v2/rerank/*'] }, {}, false],
    [{ paths: ['/v1/x', '/v2/rerank'] }, {}, true],
    [{ paths: ['/v2/rerank'] }, { path: '/v2/rerank/' }, true],
    [{ paths: ['/v2/rerank'] }, { path: '/V2/Rerank' }, true],
    [{ paths: ['/v2/rerank'] }, { path: '/v2/%72erank' }, true],
    [{ paths: ['/v2/rerank'] }, { path: '/v2%2Frerank' }, true],
    [{ paths: ['/v2/rerank'] }, { path: '/v2//rerank' }, true],
    [{ paths: ['/v2/rerank'] }, { path: '/v2/x/../rerank' }, true],
    [{ paths: ['/v2/rerank'], methods: ['PUT'] }, {}, false],
  ])('%j of %j stops: %s', (when, asked, stops) => {
    expect(blocks(when, asked)).toBe(stops);
  });

  it.each<[string, boolean]>([
    ['/v2/rerank', true],
    ['/v2/rerank/', true],
    ['/V2/rerank', false],
    ['/v2/%72erank', false],
    ['/v2%2Frerank', false],
    ['/v2//rerank', false],
    ['/v2/./rerank', false],
  ])('what allows means the path as it stands: %s', (path, isAllowed) => {
    expect(allows({ paths: ['/v2/rerank'] }, { path })).toBe(isAllowed);
  });

  it('say nothing of statements', () => {
    const policy = new SessionPolicy(
      [rule('r', { methods: ['POST'] }), rule('s', { paths: ['/*'], effects: ['update'], rows: '>= 1' })],
      { access: 'a', version: 1, effects: effectsThatMay(undefined) },
      { kind: 'user', address: '127.0.0.1', client: '' },
    );
    const read = text(statement({ effects: [{ effect: 'update', from: 0, to: 9, object: 't' }] }));
    expect(policy.decide(read, 0)).toMatchObject({ kind: 'allow', counted: [], returned: [] });
  });
});

describe('members of the content', () => {
  const at = (pointer: string, ...found: readonly JsonScalar[]): Asked => ({
    valuesAt: values({ [pointer]: found }),
  });

  it.each<[NonNullable<When['json']>, Asked, boolean, boolean]>([
    [{ '/a': 'x' }, at('/a', string('x')), true, true],
    [{ '/a': 'x' }, at('/a', string('X')), false, false],
    [{ '/a': 'x*' }, at('/a', string('xyz')), true, true],
    [{ '/a': '*' }, at('/a', { kind: 'object' }), true, true],
    [{ '/a': '*' }, at('/b', string('x')), false, false],
    [{ '/a': 3 }, at('/a', number('3.0')), true, true],
    [{ '/a': 3 }, at('/a', string('3')), false, false],
    [{ '/a': '3' }, at('/a', number('3')), true, true],
    [{ '/a': true }, at('/a', { kind: 'true' }), true, true],
    [{ '/a': false }, at('/a', { kind: 'true' }), false, false],
    [{ '/a': null }, at('/a', { kind: 'null' }), true, true],
    [{ '/a': '> 100' }, at('/a', number('101')), true, true],
    [{ '/a': '> 100' }, at('/a', number('100')), false, false],
    [{ '/a': '>= 100' }, at('/a', number('1e2')), true, true],
    [{ '/a': '< 0.5' }, at('/a', number('0.49')), true, true],
    [{ '/a': '<= -1' }, at('/a', number('-1')), true, true],
    [{ '/a': '> 100' }, at('/a', string('101')), true, true],
    [{ '/a': '> 100' }, at('/a', string('')), false, false],
    [{ '/a': '> 100' }, at('/a', number('18446744073709551615')), true, true],
    [{ '/a': ['x', 7] }, at('/a', number('7')), true, true],
    [{ '/a': ['x', 7] }, at('/a', number('8')), false, false],
    [{ '/a': { not: ['x'] } }, at('/a', string('y')), true, true],
    [{ '/a': { not: ['x'] } }, at('/a', string('x')), false, false],
    [{ '/a': { not: ['x'] } }, at('/b', string('y')), false, false],
    // Of several, what stops means any of them, and what allows all.
    [{ '/a/*': 'x' }, at('/a/*', string('x'), string('y')), true, false],
    [{ '/a/*': { not: ['x'] } }, at('/a/*', string('x'), string('y')), true, false],
    // Nobody could read it.
    [{ '/a': 'x' }, { valuesAt: () => undefined }, true, false],
    [{ '/a': { not: ['x'] } }, { valuesAt: () => undefined }, true, false],
    // All of them.
    [
      { '/a': 'x', '/b': 'y' },
      { valuesAt: values({ '/a': [string('x')], '/b': [string('z')] }) },
      false,
      false,
    ],
  ])('%j of a content', (json, asked, stops, lets) => {
    expect([blocks({ json }, asked), allows({ json }, asked)]).toEqual([stops, lets]);
  });
});

describe('documents and models', () => {
  it.each<[When, Asked, boolean, boolean]>([
    [{ documents: '> 1000' }, { documents: 1_001 }, true, true],
    [{ documents: '> 1000' }, { documents: 1_000 }, false, false],
    [{ documents: '>= 1000' }, { documents: 1_000 }, true, true],
    [{ documents: '> 1000' }, {}, false, false],
    [{ documents: '> 1000' }, { documents: 'unknown' }, true, false],
    [{ models: ['a', 'b-*'] }, { models: ['b-7'] }, true, true],
    [{ models: ['a', 'b-*'] }, { models: ['c'] }, false, false],
    [{ models: { not: ['a'] } }, { models: ['c'] }, true, true],
    [{ models: { not: ['a'] } }, { models: ['a'] }, false, false],
    [{ models: { not: ['a'] } }, { models: ['a', 'c'] }, true, false],
    [{ models: { not: ['a'] } }, {}, false, false],
    [{ models: { not: ['a'] } }, { models: 'unknown' }, true, false],
    [{ models: ['a'] }, { models: 'unknown' }, true, false],
  ])('%j of %j', (when, asked, stops, lets) => {
    expect([blocks(when, asked), allows(when, asked)]).toEqual([stops, lets]);
  });

  it('say in a cause how many documents there are', () => {
    const { causes } = decide([rule('r', { documents: '> 10' })], { documents: 12 });
    expect(causes.map(({ what }) => what)).toEqual([
      'POST /v2/rerank, and it has 12 documents, where up to 10 are not held up by it',
    ]);
  });
});

describe('rows of a request', () => {
  const writes: Asked = { effects: ['update'], writes: ['scores'] };

  it.each<[number | undefined, string, string | undefined]>([
    [99, 'allow', undefined],
    [100, 'hold', 'update on scores, and it writes 100 rows, where up to 99 are not held up by it'],
    [undefined, 'hold', 'update on scores, and nobody can tell how many rows it writes'],
  ])('are decided on by what it says: %s', (rows, kind, what) => {
    const decision = decide(
      [rule('r', { writes: ['rr.scores'], rows: '>= 100' }, 'hold')],
      { ...writes, rows },
      ['write'],
    );
    expect([decision.kind, decision.causes[0]?.what]).toEqual([kind, what]);
    expect([decision.counted, decision.returned]).toEqual([[], []]);
  });

  it.each<[number | undefined, string]>([
    [1_000, 'allow'],
    [1_001, 'hold'],
    [undefined, 'hold'],
  ])('that it asks for are decided on too: %s', (returned, kind) => {
    const rules = [rule('r', { effects: ['read'], reads: ['docs'], returned: '> 1000' }, 'hold')];
    expect(decide(rules, { effects: ['read'], reads: ['docs'], returned }).kind).toBe(kind);
    expect(decide(rules, { effects: ['read'], reads: ['others'], returned }).kind).toBe('allow');
  });
});

describe('names that stand for several', () => {
  it.each(['*', 'sco*', '_all', '-x'])('%s may be any to what stops, and is none to what allows', (name) => {
    const asked: Asked = { effects: ['update'], writes: [name] };
    expect(blocks({ writes: ['scores'] }, asked)).toBe(true);
    expect(decide([rule('r', { effects: ['update'], writes: ['scores'] }, 'allow')], asked).kind).toBe(
      'block',
    );
    expect(decide([rule('r', { effects: ['update'], writes: ['*'] }, 'allow')], asked).kind).toBe('allow');
  });

  it('are not covered by what allows one of them', () => {
    const allow = rule('r', { effects: ['update'], writes: ['scores'] }, 'allow');
    expect(decide([allow], { effects: ['update'], writes: ['scores'] }).kind).toBe('allow');
    expect(decide([allow], { effects: ['update'], writes: ['scores', 'others'] }).kind).toBe('block');
    expect(decide([allow], { effects: ['update'], writes: ['scores', '*'] }).kind).toBe('block');
    const reads = rule('r', { effects: ['read'], reads: ['docs'] }, 'allow');
    expect(decide([reads], { effects: ['read'], reads: ['docs'] }, ['rerank']).kind).toBe('allow');
    expect(decide([reads], { effects: ['read'], reads: ['docs', '*'] }, ['rerank']).kind).toBe('block');
  });
});

describe('what nothing allows', () => {
  it('is a read or an order, over HTTP, and everything else waits for a rule', () => {
    expect(decide([], { effects: ['read'] }).kind).toBe('allow');
    expect(decide([], { effects: ['rerank'] }).kind).toBe('allow');
    for (const effect of [
      'insert',
      'update',
      'delete',
      'create',
      'alias',
      'model-change',
      'unknown',
    ] as const) {
      expect(decide([], { effects: [effect] })).toMatchObject({
        kind: 'block',
        causes: [{ rule: 'access:a', what: `nothing allows ${effect}` }],
      });
      expect(decide([rule('r', { effects: [effect] }, 'hold')], { effects: [effect] }).kind).toBe('hold');
      expect(decide([rule('r', { paths: ['/*'] }, 'hold')], { effects: [effect] }).kind).toBe('hold');
      // Nobody has to agree to what is below its bound.
      expect(
        decide([rule('r', { effects: ['write'], rows: '>= 9' }, 'hold')], { effects: ['update'], rows: 1 })
          .kind,
      ).toBe('block');
    }
    expect(decide([], { effects: ['update'] }, ['write']).kind).toBe('allow');
    expect(decide([], { effects: ['rerank'] }, ['read']).kind).toBe('block');
  });
});

describe('rules that promise what cannot be held', () => {
  it.each<[When, string]>([
    [{ methods: ['post'] }, 'when.methods: expected a method as POST'],
    [{ paths: ['v1'] }, 'when.paths: expected a path as'],
    [{ paths: ['/a/*/b'] }, 'when.paths: expected a path as'],
    [{ paths: ['/a//b'] }, 'when.paths: expected a path as'],
    [{ json: { a: 1 } }, 'when.json: expected a pointer'],
    [{ json: { '/a': '> x' } }, 'when.json: expected a comparison'],
    [{ json: { '/a': [] } }, 'when.json: /a is compared with nothing'],
    [{ documents: '1000' }, 'when.documents: expected a bound'],
    [{ methods: ['GET'], functions: ['f'] }, 'when.functions is about SQL'],
    [{ methods: ['GET'], effects: ['read'], estimated: '> 1' }, 'when.estimated is about SQL'],
  ])('%j are refused', (when, says) => {
    expect(() => rule('r', when)).toThrow(says);
  });

  it('are refused where they allow and do not say what', () => {
    expect(() => rule('r', { methods: ['GET'] }, 'allow')).toThrow('a rule that allows must say what');
    expect(() => rule('r', { json: { '/a': 1 } }, 'allow')).toThrow('a rule that allows must say what');
    expect(() => breakGlassRule('r', { paths: ['/*'] })).toThrow('when.paths has no place beside breakGlass');
  });
});
