import { describe, expect, it } from 'vitest';
import { CountersignError } from '../core/errors.ts';
import { parseResources } from './parse.ts';
import { planApply } from './plan.ts';
import { checkReferences, checkReviewers } from './references.ts';
import { digestOf, keyOf, ResourceView } from './view.ts';

const PEOPLE = `
kind: Person
name: ana
displayName: Ana
groups: [night]
---
kind: Person
name: bo
displayName: Bo
groups: [night, owners]
---
kind: Person
name: olga
displayName: Olga
groups: [owners]
---
kind: Person
name: dora
displayName: Dora
groups: [auditors]
disabled: true
---
kind: Group
name: night
members: []
---
kind: Group
name: owners
members: [service:robot]
---
kind: ServiceAccount
name: robot
groups: [night]
---
kind: Connection
name: db
protocol: postgres
target: { host: h, database: d }
credential: { user: u }
---
kind: Connection
name: other
protocol: postgres
target: { host: h, database: d }
credential: { user: u }
---
kind: Access
name: all
who: [group:night]
to: [db, other]
`;

function glass(more: { who?: string; when?: string; terms?: string; unless?: string } = {}): string {
  const { who = '[group:night]', when = '{}', terms = '{ reviewers: [group:owners] }', unless = '[]' } = more;
  return `
kind: Rule
name: glass
on: [db]
who: ${who}
unless: ${unless}
when: ${when}
then: { breakGlass: ${terms} }
`;
}

function viewOf(text: string): ResourceView {
  return new ResourceView(
    parseResources(text).map((document) => {
      const digest = digestOf(keyOf(document));
      return { document, version: 1, digest, changedUs: 0, changedBy: 'root' };
    }),
  );
}

function reasonOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof CountersignError) return error.message;
    throw error;
  }
  return 'taken';
}

function deciding(text: string): string | undefined {
  return viewOf(text).deciding({ name: 'ana' }, 'db');
}

/** What apply checks of a rule, beside everything else that is there. */
function apply(rule: string, before = PEOPLE): string {
  return reasonOf(() => {
    const view = viewOf(before);
    const changes = planApply(parseResources(rule), view, new Map());
    const next = viewOf(`${before}\n---\n${rule}`);
    checkReferences(next);
    checkReviewers(changes, next);
  });
}

describe('a rule that breaks the glass', () => {
  it('is taken with its defaults', () => {
    expect(apply(glass())).toBe('taken');
    expect(parseResources(glass())[0]).toHaveProperty('then', {
      breakGlass: { reviewers: ['group:owners'], within: '15m', review: '24h' },
    });
  });

  it.each<[string, Parameters<typeof glass>[0], RegExp]>([
    ['no who', { who: '[]' }, /must say who may/],
    ['a service account', { who: '["service:robot"]' }, /only people/],
    ['rows', { when: '{ writes: [a], rows: ">= 100" }' }, /when\.rows has no place/],
    ['kinds', { when: '{ kinds: [user] }' }, /when\.kinds has no place/],
    ['addresses', { when: '{ address: [10.0.0.0/8] }' }, /when\.address has no place/],
    ['clients', { when: '{ client: [psql] }' }, /when\.client has no place/],
    ['columns', { when: '{ writes: ["a(b)"] }' }, /no columns beside breakGlass/],
    ['an unknown effect', { when: '{ effects: [magic] }' }, /effects/],
    ['no reviewers', { terms: '{ reviewers: [] }' }, /reviewers/],
    ['a service account that reviews', { terms: '{ reviewers: ["service:robot"] }' }, /reviewers/],
    ['a duration that is none', { terms: '{ reviewers: [olga], within: soon }' }, /duration/],
    ['a review without an end', { terms: '{ reviewers: [olga], review: never }' }, /duration/],
    ['one that is too long', { terms: '{ reviewers: [olga], within: 2d }' }, /at most 1d/],
    ['a review that is too long', { terms: '{ reviewers: [olga], review: 31d }' }, /at most 30d/],
    ['an unknown key', { terms: '{ reviewers: [olga], count: 2 }' }, /count|must be/],
    ['a group that is not there', { terms: '{ reviewers: [group:nobody] }' }, /no group "nobody"/],
    [
      'reviewers who may all break it',
      { terms: '{ reviewers: [group:night] }' },
      /nobody among its reviewers/,
    ],
    ['one of them by name', { terms: '{ reviewers: [bo] }' }, /nobody among its reviewers/],
    [
      'reviewers who are disabled',
      { terms: '{ reviewers: [group:auditors] }' },
      /nobody among its reviewers/,
    ],
    ['themselves only', { who: '[olga]', terms: '{ reviewers: [olga] }' }, /nobody among its reviewers/],
  ])('is refused with %s', (_, change, says) => {
    expect(apply(glass(change))).toMatch(says);
  });

  it('counts who is exempt as a reviewer', () => {
    expect(apply(glass({ unless: '[bo]', terms: '{ reviewers: [bo] }' }))).toBe('taken');
  });

  it('is a hold or the other, never both', () => {
    const both = glass().replace('breakGlass:', 'hold: { approvers: [olga] }, breakGlass:');
    expect(apply(both)).not.toBe('taken');
  });

  it('reaches people whom it names, where it does, while they are there', () => {
    const view = viewOf(`${PEOPLE}\n---\n${glass({ unless: '[bo]' })}`);
    const names = (name: string, connection: string): string[] =>
      view.breakGlass({ name }, connection).map((rule) => rule.name);
    expect(names('ana', 'db')).toEqual(['glass']);
    expect(names('ana', 'other')).toEqual([]);
    expect(names('bo', 'db')).toEqual([]);
    expect(names('olga', 'db')).toEqual([]);
    expect(names('robot', 'db')).toEqual([]);
    expect(names('nobody', 'db')).toEqual([]);
    const gone = viewOf(
      `${PEOPLE.replace('groups: [night]\n', 'groups: [night]\ndisabled: true\n')}\n---\n${glass()}`,
    );
    expect(gone.breakGlass({ name: 'ana' }, 'db')).toEqual([]);
  });

  it('makes nobody’s statements be read, and decides about none', () => {
    expect(viewOf(`${PEOPLE}\n---\n${glass()}`).ruling({ name: 'ana' }, 'db')).toBeUndefined();
    const block = 'kind: Rule\nname: drops\nwhen: { effects: [drop] }\nthen: block';
    const ruling = viewOf(`${PEOPLE}\n---\n${glass()}\n---\n${block}`).ruling({ name: 'ana' }, 'db');
    expect(ruling?.rules.map(({ name }) => name)).toEqual(['drops']);
    expect(ruling?.breakGlass.map(({ name }) => name)).toEqual(['glass']);
  });

  it('is a part of what decides, so that a change of it voids what is open', () => {
    expect(deciding(`${PEOPLE}\n---\n${glass()}`)).not.toBe(deciding(PEOPLE));
  });
});
