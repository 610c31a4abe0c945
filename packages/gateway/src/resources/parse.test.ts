import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../core/errors.ts';
import type { ResourceDocument } from './documents.ts';
import { canonical, parseResource, parseResources } from './parse.ts';
import { diffOf } from './plan.ts';

function parseOrError(value: unknown): ResourceDocument | CountersignError {
  try {
    return parseResource(value);
  } catch (error) {
    if (error instanceof CountersignError) return error;
    throw error;
  }
}

describe('parseResources', () => {
  it('fills in every default', () => {
    const text = `
kind: Person
name: ana
displayName: Ana Lindqvist
---
kind: ServiceAccount
name: nightly
type: ci
---
kind: Connection
name: reranker-db
protocol: postgres
target: { host: db.internal, database: rerank }
credential: { user: rerank_app, password: { env: RERANK_DB_PASSWORD } }
---
kind: Access
name: search-team
who: [ana, group:auditors, service:nightly]
to: [reranker-db, label:class=reranking]
`;
    expect(parseResources(text)).toEqual([
      { kind: 'Person', name: 'ana', displayName: 'Ana Lindqvist', groups: [], disabled: false },
      {
        kind: 'ServiceAccount',
        name: 'nightly',
        displayName: 'nightly',
        groups: [],
        type: 'ci',
        disabled: false,
      },
      {
        kind: 'Connection',
        name: 'reranker-db',
        protocol: 'postgres',
        target: { host: 'db.internal', port: 5432, database: 'rerank', tls: 'verify-full' },
        credential: { user: 'rerank_app', password: { env: 'RERANK_DB_PASSWORD' } },
        labels: {},
      },
      {
        kind: 'Access',
        name: 'search-team',
        who: ['ana', 'group:auditors', 'service:nightly'],
        to: ['reranker-db', 'label:class=reranking'],
      },
    ]);
  });

  const connection = 'kind: Connection\nname: c\nprotocol: postgres\n';
  const reached = `${connection}target: { host: h, database: d }\ncredential: { user: u, password: { env: P } }\n`;

  it('leaves out whether the server is asked where that is not said', () => {
    expect(parseResources(reached)[0]).not.toHaveProperty('serverTree');
    expect(parseResources(`${reached}serverTree: ask`)[0]).toMatchObject({ serverTree: 'ask' });
    expect(parseResources(`${reached}serverTree: auto`)[0]).toMatchObject({ serverTree: 'auto' });
    expect(parseResources(`${reached}serverTree: 'off'`)[0]).toMatchObject({ serverTree: 'off' });
    expect(() => parseResources(`${reached}serverTree: maybe`)).toThrow('serverTree');
    expect(parseResources(`${reached}serverTree: off`)[0]).toMatchObject({ serverTree: 'off' });
  });

  const refusals: readonly [string, string, string][] = [
    ['kind: Rule\nname: a', 'RESOURCE_INVALID', 'Rule "a" is not valid'],
    [
      'kind: Rule\nname: a\nwhen: { rows: many }\nthen: block',
      'RESOURCE_INVALID',
      'when.rows: expected a bound as ">= 100"',
    ],
    ['kind: Rule\nname: a\nwhen: { effects: [explode] }\nthen: block', 'RESOURCE_INVALID', 'when.effects'],
    ['kind: Rule\nname: a\nwhen: { mfa: true }\nthen: block', 'RESOURCE_INVALID', 'Rule "a" is not valid'],
    [
      'kind: Rule\nname: a\nwhen: { writes: ["A B"] }\nthen: block',
      'RESOURCE_INVALID',
      'when.writes: expected a name',
    ],
    ['kind: Rule\nname: a\nwhen: { rows: ">= 5" }\nthen: allow', 'RESOURCE_INVALID', 'it cannot allow'],
    ['kind: Rule\nname: a\nwhen: {}\nthen: allow', 'RESOURCE_INVALID', 'must say what'],
    [
      'kind: Rule\nname: a\nwhen: {}\nthen: { hold: { approvers: [] } }',
      'RESOURCE_INVALID',
      'then.hold.approvers',
    ],
    [
      'kind: Rule\nname: a\nwhen: {}\nthen: { hold: { approvers: [x], wait: 1s } }',
      'RESOURCE_INVALID',
      'then.hold has no key "wait"',
    ],
    ['kind: Rule\nname: a\nwhen: {}\nthen: { hold: {} }', 'RESOURCE_INVALID', 'then.hold needs "approvers"'],
    [
      'kind: Rule\nname: a\nwhen: {}\nthen: { held: {} }',
      'RESOURCE_INVALID',
      'then must be allow, block, { hold',
    ],
    [
      'kind: Rule\nname: a\nwhen: {}\nthen: { hold: { approvers: [x] }, breakGlass: { reviewers: [x] } }',
      'RESOURCE_INVALID',
      'then must be allow, block, { hold',
    ],
    [
      'kind: Rule\nname: a\nwhen: {}\nthen: { hold: { approvers: [x], inTransaction: queue } }',
      'RESOURCE_INVALID',
      'then.hold.inTransaction must be one of refuse, wait',
    ],
    ['kind: Mask\nname: a', 'RESOURCE_INVALID', 'Mask "a" is not valid'],
    [
      'kind: Mask\nname: a\ncolumns: [a.b]\nas: hash\nmode: server-role',
      'RESOURCE_INVALID',
      'hash needs a key',
    ],
    [
      'kind: Rule\nname: a\nwhen: { changes: [Masks] }\nthen: { hold: { approvers: [x] } }',
      'RESOURCE_INVALID',
      'when.changes',
    ],
    [
      'kind: Rule\nname: a\nwhen: { changes: [] }\nthen: { hold: { approvers: [x] } }',
      'RESOURCE_INVALID',
      'when.changes',
    ],
    [
      'kind: Rule\nname: a\nwhen: { changes: [Rule] }\nthen: block',
      'RESOURCE_INVALID',
      'a rule on changes holds them',
    ],
    [
      'kind: Rule\nname: a\nwhen: { changes: [Rule], client: [psql] }\nthen: { hold: { approvers: [x] } }',
      'RESOURCE_INVALID',
      'when.changes stands alone',
    ],
    ['kind: Access\nname: a\nwho: [ana]\nto: [c]\nmay: [everything]', 'RESOURCE_INVALID', 'may'],
    ['kind: Persona\nname: a', 'RESOURCE_INVALID', 'expected a kind of Access, Connection'],
    ['kind: toString\nname: a', 'RESOURCE_INVALID', 'expected a kind of'],
    ['name: a', 'RESOURCE_INVALID', 'expected a kind of'],
    ['- kind: Person', 'RESOURCE_INVALID', 'expected a mapping'],
    ['kind: Person\nname: Ana\ndisplayName: x', 'RESOURCE_INVALID', 'name must match'],
    ['kind: Person\nname: ana', 'RESOURCE_INVALID', 'needs "displayName"'],
    ['kind: Person\nname: ana\ndisplayName: x\nemail: y', 'RESOURCE_INVALID', 'has no key "email"'],
    ['kind: Person\nname: ana\ndisplayName: "a\\e[2J"', 'RESOURCE_INVALID', 'displayName must match'],
    [`kind: Person\nname: ${'a'.repeat(64)}\ndisplayName: x`, 'RESOURCE_INVALID', 'name must match'],
    ['kind: Person\nname: ana\ndisplayName: "\\ud800"', 'RESOURCE_INVALID', 'it has no canonical form'],
    ['kind: Group\nname: g\nmembers: [a, a]', 'RESOURCE_INVALID', 'members'],
    ['kind: Access\nname: a\nwho: []\nto: [c]', 'RESOURCE_INVALID', 'who'],
    ['kind: Access\nname: a\nwho: ["*"]\nto: [c]', 'RESOURCE_INVALID', 'who.0 must match'],
    ['kind: Access\nname: a\nwho: [b]\nto: [label:k]', 'RESOURCE_INVALID', 'to.0 must match'],
    [
      `${connection}target: { host: h, database: d, tls: prefer }\ncredential: { user: u }`,
      'RESOURCE_INVALID',
      'target.tls must be one of verify-full, verify-ca, disable',
    ],
    [
      `${connection}target: { host: h, database: d }\ncredential: { user: u, password: canary }`,
      'RESOURCE_INVALID',
      'credential.password must be { file: PATH }, { env: NAME }',
    ],
    [
      `${connection}target: { host: h, database: d }\ncredential: { user: u, password: { value: canary } }`,
      'RESOURCE_INVALID',
      'never the password itself',
    ],
    ...['"": x', '"a b": x', '"a\\nb": x', 'a: ""', 'a: 1', 'a: { b: c }', '__proto__: x'].map(
      (label): [string, string, string] => [
        `${connection}target: { host: h, database: d }\ncredential: { user: u }\nlabels: { ${label} }`,
        'RESOURCE_INVALID',
        'labels',
      ],
    ),
    [
      'kind: Group\nname: g\nmembers: []\n---\nkind: Group\nname: g\nmembers: []',
      'RESOURCE_INVALID',
      'it stands there twice',
    ],
    ['kind: [', 'REQUEST_INVALID', 'line 1'],
    ['kind: !Person\nname: a', 'REQUEST_INVALID', 'Unresolved tag'],
  ];
  it.each(refusals)('refuses %j with %s', (text, code, says) => {
    let thrown: unknown;
    try {
      parseResources(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code });
    const problems = thrown instanceof CountersignError ? thrown.problems : [];
    expect([String(thrown), ...problems.map((one) => one.says)].join('\n')).toContain(says);
    expect(`${String(thrown)}${JSON.stringify(problems)}`).not.toContain('canary');
    // What is wrong stands somewhere.
    expect(problems.every(({ line }) => line !== undefined && line >= 1)).toBe(true);
    expect(problems).not.toEqual([]);
  });

  it('throws nothing but its own error, whatever comes', () => {
    const keys = fc.constantFrom('kind', 'name', 'who', 'to', 'target', 'labels', '__proto__', 'groups');
    const kinds = fc.constantFrom('Person', 'Group', 'Access', 'Connection', 'ServiceAccount');
    const value = fc.oneof(kinds, fc.jsonValue());
    fc.assert(
      fc.property(fc.dictionary(keys, value), (document) => {
        const parsed = parseOrError(document);
        const again =
          parsed instanceof CountersignError ? parsed : parseResource(JSON.parse(canonical(parsed)));
        expect(again).toEqual(parsed);
      }),
    );
  });

  it('takes a text that ends with a separator', () => {
    expect(parseResources('---\nkind: Group\nname: g\nmembers: []\n---\n# the end\n')).toHaveLength(1);
    expect(parseResources('')).toEqual([]);
  });

  it('does not change what it was given', () => {
    const document = { kind: 'Person', name: 'ana', displayName: 'Ana' };
    parseResource(document);
    expect(document).toEqual({ kind: 'Person', name: 'ana', displayName: 'Ana' });
  });
});

describe('diffOf', () => {
  const cases: readonly [string, unknown, unknown, readonly object[]][] = [
    ['nothing', { a: 1, b: [1] }, { a: 1, b: [1] }, []],
    ['a value', { a: { b: 1, c: 2 } }, { a: { b: 3, c: 2 } }, [{ path: 'a.b', from: 1, to: 3 }]],
    ['a list as a whole', { a: [1] }, { a: [1, 2] }, [{ path: 'a', from: [1], to: [1, 2] }]],
    ['a key that came', {}, { a: { b: true } }, [{ path: 'a.b', to: true }]],
    ['a key that went', { a: 'x' }, {}, [{ path: 'a', from: 'x' }]],
    ['an empty mapping that came', {}, { a: {} }, [{ path: 'a', to: {} }]],
    ['a value that became a mapping', { a: 'x' }, { a: { f: 1 } }, [{ path: 'a', from: 'x', to: { f: 1 } }]],
  ];
  it.each(cases)('says %s', (_, from, to, expected) => {
    expect(diffOf(JSON.stringify(from), JSON.stringify(to))).toEqual(expected);
  });
});
