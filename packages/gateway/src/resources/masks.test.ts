import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseYaml } from '../config/yaml.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { ResourceDocument } from './documents.ts';
import { guardsHolding } from './guards.ts';
import { canonical, parseResource, parseResources, resourceProblems } from './parse.ts';
import { planApply, viewAfter } from './plan.ts';
import { referenceProblems } from './references.ts';
import { digestOf, ResourceView } from './view.ts';

const WORLD = `
{ kind: Person, name: ana, displayName: Ana }
---
{ kind: Person, name: pia, displayName: Pia, groups: [privacy] }
---
{ kind: Person, name: root, displayName: Root, groups: [administrators] }
---
{ kind: ServiceAccount, name: nightly }
---
{ kind: Group, name: privacy, members: [] }
---
kind: Connection
name: db
protocol: postgres
target: { host: h, database: d }
credential: { user: u, password: { sealed: true } }
labels: { class: reranking }
---
kind: Connection
name: other
protocol: postgres
target: { host: h, database: d }
credential: { user: u, password: { sealed: true } }
---
{ kind: Access, name: all, who: [ana, pia, root, service:nightly], to: [db, other] }
`;

const CUSTOMERS =
  '{ kind: Mask, name: customers, columns: [customers.email], as: partial, unless: [group:privacy] }';
const LOOKS = '{ kind: Mask, name: looks, detect: [email, card], as: redact, on: [label:class=reranking] }';

/** As `apply` would take them if sessions held to Masks. */
function parsed(text: string): readonly ResourceDocument[] {
  const result = parseYaml(text);
  if (result.kind === 'problem') throw new Error(result.problem);
  return result.documents.map(parseResource);
}

function viewOf(...texts: readonly string[]): ResourceView {
  const documents = texts.flatMap(parsed);
  return viewAfter(new ResourceView([]), planApply(documents, new ResourceView([]), new Map()));
}

function maskNames(view: ResourceView, name: string, connection: string): readonly string[] {
  const { columns, detecting } = view.masks({ name }, connection);
  return [...columns, ...detecting].map(({ mask, version }) => `${mask} ${version}`).toSorted();
}

/** Why the resources make no sense with another one. */
function reasons(text: string): readonly string[] {
  return referenceProblems(viewOf(WORLD, text)).map(({ reason }) => reason);
}

function fieldsWith(more: string): string {
  return `{ kind: Mask, name: f, fields: ["/**/email"], as: redact, ${more} }`;
}

function maskWith(more: string): string {
  return `{ kind: Mask, name: m, columns: [a.b], as: redact, ${more} }`;
}

function byTarget(as: string): string {
  return `{ kind: Mask, name: m, columns: [a.b], as: ${as}, mode: server-role }`;
}

describe('a Mask', () => {
  it('is taken with its defaults, and leaves out what is left out', () => {
    expect(parsed(CUSTOMERS)).toEqual([
      {
        kind: 'Mask',
        name: 'customers',
        on: [],
        who: [],
        unless: ['group:privacy'],
        columns: ['customers.email'],
        as: 'partial',
      },
    ]);
    const [document] = parsed(
      '{ kind: Mask, name: m, columns: ["*.ssn"], as: { kind: partial, keepLast: 4 }, mode: permissive, entity: US_SSN }',
    );
    expect(document).toMatchObject({
      as: { kind: 'partial', keepLast: 4 },
      mode: 'permissive',
      entity: 'US_SSN',
    });
  });

  it('is taken in each mode, and in server-role with operators that need no key', () => {
    expect(parseResources(CUSTOMERS)).toHaveLength(1);
    expect(resourceProblems(parsed(CUSTOMERS)[0])).toEqual([]);
    for (const as of ['redact', 'mask', 'partial', 'generalise', 'nullify', 'drop']) {
      expect(parseResources(byTarget(as))).toMatchObject([{ mode: 'server-role' }]);
    }
    for (const as of ['hash', 'token', 'fpe', 'fake', '{ kind: fpe, luhn: true }']) {
      expect(() => parseResources(byTarget(as))).toThrow(/needs a key, which the target must not have/);
    }
    expect(() => parseResources(byTarget('redact').replace('server-role', 'server'))).toThrow(/mode/);
  });

  const refused: readonly (readonly [string, string])[] = [
    ['{ kind: Mask, name: m, as: redact }', 'it needs columns, fields or detect'],
    [
      '{ kind: Mask, name: m, columns: [a.b], detect: [email], as: redact }',
      'columns or detect, and not both',
    ],
    ['{ kind: Mask, name: m, columns: [a.b] }', 'needs "as"'],
    ['{ kind: Mask, name: m, columns: [], as: redact }', 'columns'],
    ['{ kind: Mask, name: m, columns: [a.b, a.b], as: redact }', 'columns'],
    ['{ kind: Mask, name: m, columns: [a.b], as: redact, when: {} }', 'has no key "when"'],
    ['{ kind: Mask, name: m, columns: [a.b], as: { kind: partial, keep: 1 } }', 'as has no key "keep"'],
    ['{ kind: Mask, name: m, columns: [a.b], as: redact, mode: lax }', 'mode'],
    ['{ kind: Mask, name: m, columns: [a.b], as: redact, on: ["*"] }', 'on.0'],
    ['{ kind: Mask, name: m, columns: [a.b], as: hide }', 'expected an operator of redact'],
  ];
  it.each(refused)('refuses %s', (text, says) => {
    let thrown: unknown;
    try {
      parsed(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'RESOURCE_INVALID' });
    expect(reasonOf(thrown)).toContain(says);
  });

  it('says everything that is wrong with it, and where', () => {
    const problems = resourceProblems({
      kind: 'Mask',
      name: 'm',
      columns: ['email', 'a.b'],
      as: { kind: 'hash', keepLast: 2 },
      entity: 'emails',
    });
    expect(problems.map(({ path }) => path.join('.'))).toEqual(['columns.0', 'as.keepLast', 'entity']);
  });

  it('names connections, people and groups that are there', () => {
    expect(reasons(`${CUSTOMERS}\n---\n${LOOKS}`)).toEqual([]);
    expect(reasons(maskWith('on: [nowhere]'))).toEqual(['there is no connection "nowhere"']);
    expect(reasons(maskWith('who: [zoe]'))).toEqual(['there is no person "zoe"']);
    expect(reasons(maskWith('unless: [group:nobody]'))).toEqual(['there is no group "nobody"']);
    expect(reasons(maskWith('unless: [service:none]'))).toEqual(['there is no service account "none"']);
  });

  it('says which leave somebody out by their `unless` alone', () => {
    const ofOthers = maskWith('who: [ana], unless: [pia]');
    const elsewhere = maskWith('on: [other], unless: [pia]').replace('name: m', 'name: elsewhere');
    const view = viewOf(WORLD, CUSTOMERS, ofOthers, elsewhere);
    expect(view.masks({ name: 'pia' }, 'db').exempt).toEqual([{ mask: 'customers', version: 1 }]);
    expect(view.masks({ name: 'pia' }, 'db').by('target').exempt).toHaveLength(1);
    expect(view.masks({ name: 'pia' }, 'other').exempt.map(({ mask }) => mask)).toEqual([
      'customers',
      'elsewhere',
    ]);
    for (const name of ['ana', 'root', '', 'zoe']) expect(view.masks({ name }, 'db').exempt).toEqual([]);
  });

  it('of fields is of HTTP, and says so where it names a database', () => {
    expect(reasons(fieldsWith('on: [db]'))).toEqual([
      'fields are of HTTP, and the connection "db" is postgres: name columns, or what to detect',
    ]);
    expect(reasons(fieldsWith('on: [label:class=reranking]'))).toEqual([]);
    const view = viewOf(WORLD, fieldsWith('on: []'));
    expect(view.masks({ name: 'ana' }, 'db').isEmpty).toBe(true);
    expect(view.deciding({ name: 'ana' }, 'db')).toBe(viewOf(WORLD).deciding({ name: 'ana' }, 'db'));
    expect(view.masks({ name: 'ana' }, 'gone').fields).toHaveLength(1);
  });

  it('reaches whom a rule with the same words reaches', () => {
    const view = viewOf(WORLD, CUSTOMERS, LOOKS);
    expect(maskNames(view, 'ana', 'db')).toEqual(['customers 1', 'looks 1']);
    expect(maskNames(view, 'pia', 'db')).toEqual(['looks 1']);
    expect(maskNames(view, 'ana', 'other')).toEqual(['customers 1']);
    expect(maskNames(view, 'nightly', 'other')).toEqual(['customers 1']);
    expect(maskNames(view, 'pia', 'other')).toEqual([]);
    const words = fc.record({
      on: fc.subarray(['db', 'other', 'label:class=reranking', 'label:class=none']),
      who: fc.subarray(['ana', 'group:privacy', 'service:nightly', 'root']),
      unless: fc.subarray(['ana', 'group:privacy', 'service:nightly', 'group:administrators']),
    });
    fc.assert(
      fc.property(
        words,
        fc.constantFrom('ana', 'pia', 'root', 'nightly'),
        fc.constantFrom('db', 'other'),
        (more, name, connection) => {
          const [block] = parsed('{ kind: Rule, name: r, when: { effects: [drop] }, then: block }');
          const rule = parseResource({ ...block, ...more });
          const mask = parseResource({ kind: 'Mask', name: 'm', columns: ['a.b'], as: 'redact', ...more });
          const before = viewOf(WORLD);
          const after = viewAfter(before, planApply([rule, mask], before, new Map()));
          const isRuled = (after.ruling({ name }, connection)?.rules.length ?? 0) > 0;
          expect(maskNames(after, name, connection)).toEqual(isRuled ? ['m 1'] : []);
        },
      ),
    );
  });

  it('hides from somebody who is not there, and on a connection that is gone', () => {
    const view = viewOf(WORLD, CUSTOMERS, LOOKS);
    expect(maskNames(view, 'gone', 'db')).toEqual(['customers 1', 'looks 1']);
    expect(maskNames(view, 'ana', 'gone')).toEqual(['customers 1', 'looks 1']);
  });

  it('is part of the policy, and of what decides about an operation that it reaches', () => {
    const before = viewOf(WORLD);
    const after = viewOf(WORLD, LOOKS);
    expect(digestOf(after.bundle())).not.toBe(digestOf(before.bundle()));
    expect(after.bundle()).toContain(canonical(parsed(LOOKS)[0] as ResourceDocument));
    expect(after.deciding({ name: 'ana' }, 'db')).not.toBe(before.deciding({ name: 'ana' }, 'db'));
    expect(after.deciding({ name: 'ana' }, 'other')).toBe(before.deciding({ name: 'ana' }, 'other'));
    // Whoever has no Masks has the digests of versions that had none.
    expect(before.deciding({ name: 'ana' }, 'db')).not.toContain('masks');
  });

  it('says what changed of it', () => {
    const view = viewOf(WORLD, CUSTOMERS);
    const changed = parsed(
      CUSTOMERS.replace('partial', '{ kind: partial, keepLast: 2 }').replace('email', 'phone'),
    );
    expect(planApply(changed, view, new Map([['Mask/customers', 1]]))).toMatchObject([
      {
        action: 'updated',
        version: 2,
        diff: [
          { path: 'as', from: 'partial', to: { kind: 'partial', keepLast: 2 } },
          { path: 'columns', from: ['customers.email'], to: ['customers.phone'] },
        ],
      },
    ]);
  });

  it('is held where a rule holds changes of Masks', () => {
    const guard =
      '{ kind: Rule, name: guard, when: { changes: [Mask] }, then: { hold: { approvers: [ana] } } }';
    const before = viewOf(WORLD, CUSTOMERS, guard);
    const what = (acts: 'updated' | 'deleted'): readonly string[] =>
      guardsHolding({
        before,
        after: before,
        acts: [{ kind: 'Mask', name: 'customers', action: acts }],
        by: 'root',
      }).map((one) => one.what);
    expect(what('updated')).toEqual(['Mask "customers" is updated']);
    expect(what('deleted')).toEqual(['Mask "customers" is deleted']);
    const other = { kind: 'Access', name: 'all', action: 'updated' } as const;
    expect(guardsHolding({ before, after: before, acts: [other], by: 'root' })).toEqual([]);
  });

  it('throws nothing but its own error, and is the same again after it was written down', () => {
    const keys = fc.constantFrom(
      'columns',
      'fields',
      'detect',
      'as',
      'on',
      'who',
      'unless',
      'entity',
      'mode',
      'description',
      '__proto__',
    );
    const value = fc.oneof(
      fc.constantFrom<unknown>(
        ['a.b'],
        ['*.x', 's.a.b'],
        ['email'],
        ['/a/*', '/**/b'],
        'redact',
        { kind: 'partial', keepLast: 2 },
        'EMAIL',
        'strict',
        [],
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.dictionary(keys, value), (more) => {
        let outcome: unknown;
        try {
          outcome = parseResource({ kind: 'Mask', name: 'm', ...more });
        } catch (error) {
          outcome = error;
        }
        const isOwnError = outcome instanceof CountersignError && outcome.code === 'RESOURCE_INVALID';
        const again = isOwnError
          ? outcome
          : parseResource(JSON.parse(canonical(outcome as ResourceDocument)));
        expect(again).toEqual(outcome);
      }),
    );
  });
});

function sent(more: string): string {
  return `{ kind: Mask, name: sent, detect: [email], as: redact, direction: [request]${more} }`;
}

describe('direction of a Mask', () => {
  const HTTP =
    "{ kind: Connection, name: api, protocol: http, target: { url: 'https://h/' }, credential: { scheme: none } }";

  it('is of what comes back where it is left out, and stays out', () => {
    const [mask] = parsed(LOOKS);
    expect(mask).not.toHaveProperty('direction');
    const masks = viewOf(WORLD, LOOKS).masks({ name: 'ana' }, 'db');
    expect([masks.detecting.length, masks.requests.detecting.length]).toEqual([1, 0]);
  });

  it('reaches what is sent, and nothing that comes back', () => {
    const masks = viewOf(WORLD, HTTP, sent('')).masks({ name: 'ana' }, 'api');
    expect([masks.isEmpty, masks.requests.detecting.map(({ mask }) => mask)]).toEqual([true, ['sent']]);
    const fields = '{ kind: Mask, name: f, fields: [/a], as: redact, direction: [response, request] }';
    const both = viewOf(WORLD, HTTP, fields).masks({ name: 'ana' }, 'api');
    expect([both.fields.length, both.requests.fields.length]).toEqual([1, 1]);
  });

  it('of requests is nothing to a database, and is refused where it names one', () => {
    const view = viewOf(WORLD, HTTP, sent(''));
    expect(view.masks({ name: 'ana' }, 'db').requests.detecting).toEqual([]);
    expect(referenceProblems(viewOf(WORLD, HTTP, sent(', on: [db]'))).map(({ reason }) => reason)).toEqual([
      'requests are of HTTP, and the connection "db" is postgres: leave direction out, or add response',
    ]);
    expect(referenceProblems(viewOf(WORLD, HTTP, sent(', on: [api]')))).toEqual([]);
  });

  it.each([
    ['nothing', 'detect: [email], direction: []'],
    ['what is none', 'detect: [email], direction: [sideways]'],
    ['one twice', 'detect: [email], direction: [request, request]'],
    ['one of columns', 'columns: [a.b], direction: [response]'],
  ])('is refused: %s', (_, more) => {
    expect(() => parsed(`{ kind: Mask, name: m, as: redact, ${more} }`)).toThrow(CountersignError);
  });
});
