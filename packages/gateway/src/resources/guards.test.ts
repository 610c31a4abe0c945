import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { ResourceDocument } from './documents.ts';
import { type Act, checkGuards, guardsHolding } from './guards.ts';
import { parseResources } from './parse.ts';
import { planApply, planDelete, type PlannedChange, viewAfter } from './plan.ts';
import { checkAdministrators, checkReferences } from './references.ts';
import { keyOf, ResourceView } from './view.ts';

const WORLD = `
{ kind: Person, name: root, displayName: Root, groups: [administrators] }
---
{ kind: Person, name: mal, displayName: Mal, groups: [administrators] }
---
{ kind: Person, name: bo, displayName: Bo, groups: [owners] }
---
{ kind: Person, name: cleo, displayName: Cleo, groups: [] }
---
{ kind: Group, name: owners, members: [cleo] }
---
{ kind: Group, name: free, members: [] }
---
{ kind: ServiceAccount, name: ci, groups: [administrators] }
---
{ kind: Connection, name: prod, protocol: postgres, target: { host: h, database: d }, credential: { user: u }, labels: { env: prod } }
---
{ kind: Connection, name: test, protocol: postgres, target: { host: h, database: d }, credential: { user: u } }
---
{ kind: Access, name: search, who: [bo], to: [prod] }
`;

/** A Rule in one line. */
function guard(changes: string, more = '', hold = 'approvers: [group:owners]'): string {
  return `\n---\n{ kind: Rule, name: guard, ${more} when: { changes: [${changes}] }, then: { hold: { ${hold} } } }\n`;
}

function viewOf(text: string): ResourceView {
  const planned = planApply(parseResources(text), new ResourceView([]), new Map());
  return viewAfter(new ResourceView([]), planned);
}

function actsOf(planned: readonly PlannedChange[]): readonly Act[] {
  return planned.flatMap(({ kind, name, action }) =>
    action === 'unchanged' ? [] : [{ kind, name, action }],
  );
}

/** What holds documents that somebody applies. */
function heldBy(world: string, text: string, by = 'root'): readonly string[] {
  const before = viewOf(world);
  const planned = planApply(parseResources(text), before, new Map());
  const after = viewAfter(before, planned);
  return guardsHolding({ before, after, acts: actsOf(planned), by }).map(({ what }) => what);
}

describe('a guard', () => {
  const CASES: readonly (readonly [string, string, string, string | undefined])[] = [
    [
      'its kinds',
      guard('Access'),
      '{ kind: Access, name: more, who: [bo], to: [test] }',
      'Access "more" is created',
    ],
    ['no other kind', guard('Access'), '{ kind: Group, name: free, members: [bo] }', undefined],
    [
      'nothing that is the same',
      guard('Access'),
      '{ kind: Access, name: search, who: [bo], to: [prod] }',
      undefined,
    ],
    [
      'itself',
      guard('Access'),
      guard('Access', 'description: weaker,').slice(5),
      'the rule itself is changed',
    ],
    ['no other rule', guard('Access'), '{ kind: Rule, name: new, when: {}, then: block }', undefined],
    [
      'the members of its approvers',
      guard('Access'),
      '{ kind: Group, name: owners, members: [] }',
      'who approves for it is changed',
    ],
    [
      'no approver who comes by another way',
      guard('Access'),
      '{ kind: Group, name: owners, members: [] }\n---\n{ kind: Person, name: cleo, displayName: Cleo, groups: [owners] }',
      undefined,
    ],
    [
      'a person whom it names',
      guard('Access', '', 'approvers: [bo, cleo]'),
      '{ kind: Person, name: bo, displayName: Bo, disabled: true }',
      'who approves for it is changed',
    ],
    [
      'the members of its exceptions',
      guard('Access', 'unless: [group:free],'),
      '{ kind: Group, name: free, members: [root] }',
      'whom it concerns is changed',
    ],
    [
      'whom it concerns',
      guard('Access, Person, ServiceAccount', 'who: [group:administrators],'),
      '{ kind: Group, name: administrators, members: [cleo] }',
      'whom it concerns is changed',
    ],
    [
      'a new administrator',
      guard('Access'),
      '{ kind: Person, name: cleo, displayName: Cleo, groups: [administrators] }',
      'Person "cleo" becomes an administrator',
    ],
    [
      'no administrator less',
      guard('Access'),
      '{ kind: Person, name: mal, displayName: Mal, groups: [] }',
      undefined,
    ],
    [
      'a connection that runs a command on the gateway',
      guard('Access'),
      '{ kind: Connection, name: test, protocol: postgres, target: { host: h, database: d }, credential: { user: u, password: { command: [sh, -c, x] } } }',
      'Connection "test" takes a password from the gateway\'s machine',
    ],
    [
      'no connection whose password is kept',
      guard('Access'),
      '{ kind: Connection, name: test, protocol: postgres, target: { host: h, database: d }, credential: { user: u, password: { sealed: true } } }',
      undefined,
    ],
    [
      'a connection by name',
      guard('Connection', 'on: [prod],'),
      '{ kind: Connection, name: prod, protocol: postgres, target: { host: x, database: d }, credential: { user: u }, labels: { env: prod } }',
      'Connection "prod" is updated',
    ],
    [
      'no other connection',
      guard('Connection', 'on: [prod],'),
      '{ kind: Connection, name: test, protocol: postgres, target: { host: x, database: d }, credential: { user: u } }',
      undefined,
    ],
    [
      'a connection that loses its label',
      guard('Connection', "on: ['label:env=prod'],"),
      '{ kind: Connection, name: prod, protocol: postgres, target: { host: h, database: d }, credential: { user: u } }',
      'Connection "prod" is updated',
    ],
    [
      'a connection that gets its label',
      guard('Connection', "on: ['label:env=prod'],"),
      '{ kind: Connection, name: test, protocol: postgres, target: { host: h, database: d }, credential: { user: u }, labels: { env: prod } }',
      'Connection "test" is updated',
    ],
  ];
  it.each(CASES)('holds %s', (_, rule, text, what) => {
    expect(heldBy(WORLD + rule, text)).toEqual(what === undefined ? [] : [what]);
  });

  it('decides nothing about statements', () => {
    const [without, withGuard] = [viewOf(WORLD), viewOf(WORLD + guard('Access, Rule, Connection'))];
    for (const view of [without, withGuard]) expect(view.ruling({ name: 'bo' }, 'prod')).toBeUndefined();
    expect(withGuard.deciding({ name: 'bo' }, 'prod')).toBe(without.deciding({ name: 'bo' }, 'prod'));
    const block = '\n---\n{ kind: Rule, name: other, when: {}, then: block }';
    const both = viewOf(WORLD + guard('Access') + block.slice(1));
    expect(both.ruling({ name: 'bo' }, 'prod')?.rules.map(({ name }) => name)).toEqual(['other']);
  });

  it('does not hold its own making, nor what is made with it', () => {
    expect(heldBy(WORLD, guard('Access, Rule').slice(5))).toEqual([]);
  });

  it('holds what anybody does whom it does not except, also who is not there', () => {
    const world = `${WORLD}${guard('Access', 'unless: [group:free, mal],')}`;
    const text = '{ kind: Access, name: more, who: [bo], to: [test] }';
    expect(heldBy(world, text, 'root')).toHaveLength(1);
    expect(heldBy(world, text, 'nobody')).toHaveLength(1);
    expect(heldBy(world, text, 'mal')).toEqual([]);
  });

  it('holds tokens and invitations of those on whom it stands, disabled ones too', () => {
    const world =
      `${WORLD}{ kind: Person, name: off, displayName: Off, groups: [owners], disabled: true }${guard('Access', 'unless: [group:free],')}`.replace(
        'to: [prod] }\n{',
        'to: [prod] }\n---\n{',
      );
    const before = viewOf(world);
    const held = (
      kind: 'Person' | 'ServiceAccount',
      name: string,
      action: 'token' | 'invitation' | 'second-factor',
    ): number => guardsHolding({ before, after: before, acts: [{ kind, name, action }], by: 'root' }).length;
    expect(['bo', 'cleo', 'mal', 'off'].map((name) => held('Person', name, 'token'))).toEqual([1, 1, 1, 1]);
    expect(held('ServiceAccount', 'ci', 'token')).toBe(1);
    expect(held('Person', 'bo', 'invitation')).toBe(1);
    expect(held('Person', 'stranger', 'token')).toBe(0);
    expect(held('Person', 'bo', 'second-factor')).toBe(1);
    expect(held('Person', 'stranger', 'second-factor')).toBe(0);
  });
});

function problemOf(view: ResourceView): string {
  try {
    checkGuards(view);
    return 'fine';
  } catch (error) {
    return reasonOf(error);
  }
}

describe('a guard that would lock itself in is refused', () => {
  const CASES: readonly (readonly [string, string, RegExp | undefined])[] = [
    ['nobody in its group', guard('Rule', '', 'approvers: [group:free]'), /approvers are 0 people/],
    [
      'service accounts only',
      `\n---\n{ kind: Group, name: bots, members: [service:ci] }${guard('Rule', '', 'approvers: [group:bots]')}`,
      /approvers are 0 people/,
    ],
    [
      'fewer than have to approve',
      guard('Rule', '', 'approvers: [group:owners], count: 3'),
      /3 have to approve, and its approvers are 2/,
    ],
    ['as many as have to approve', guard('Rule', '', 'approvers: [group:owners], count: 2'), undefined],
    [
      'two administrators, one of whom asks',
      guard('Rule', '', 'approvers: [root, mal], count: 2'),
      undefined,
    ],
    [
      'one person in two groups',
      guard('Rule', '', 'approvers: [bo, group:owners], count: 3'),
      /are 2 people/,
    ],
  ];
  it.each(CASES)('%s', (_, rule, says) => {
    const next = viewOf(WORLD + rule);
    expect(problemOf(next)).toMatch(says ?? /^fine$/);
  });

  it('where whoever could ask is the only one who could approve', () => {
    const alone = WORLD.replace(
      '{ kind: ServiceAccount, name: ci, groups: [administrators] }',
      '{ kind: ServiceAccount, name: ci }',
    ).replace('name: mal, displayName: Mal, groups: [administrators]', 'name: mal, displayName: Mal');
    expect(() => checkGuards(viewOf(alone + guard('Rule', '', 'approvers: [root]')))).toThrow(
      /nobody could ever change it/,
    );
    expect(() =>
      checkGuards(viewOf(alone + guard('Rule', 'unless: [root],', 'approvers: [root]'))),
    ).not.toThrow();
    expect(() => checkGuards(viewOf(alone + guard('Rule', '', 'approvers: [mal]')))).not.toThrow();
  });

  it('by two that need each other', () => {
    const second =
      '{ kind: Rule, name: second, when: { changes: [Rule] }, then: { hold: { approvers: [mal] } } }';
    const two = WORLD.replace(
      '{ kind: ServiceAccount, name: ci, groups: [administrators] }',
      '{ kind: ServiceAccount, name: ci }',
    );
    expect(() =>
      checkGuards(viewOf(`${two}${guard('Access', '', 'approvers: [root]')}---\n${second}`)),
    ).toThrow(/nobody could ever change it/);
    expect(() =>
      checkGuards(viewOf(`${two}${guard('Access', '', 'approvers: [bo]')}---\n${second}`)),
    ).not.toThrow();
  });
});

describe('one administrator by themselves', () => {
  const NAMES = ['root', 'mal', 'bo', 'cleo', 'new', 'newer'] as const;
  const groups = fc.subarray(['owners', 'free', 'administrators']);
  const step = fc.oneof(
    fc.record({
      what: fc.constant('person' as const),
      name: fc.constantFrom(...NAMES),
      groups,
      disabled: fc.boolean(),
    }),
    fc.record({
      what: fc.constant('service' as const),
      name: fc.constantFrom('ci', 'bot'),
      groups,
      disabled: fc.boolean(),
    }),
    fc.record({
      what: fc.constant('group' as const),
      name: fc.constantFrom('owners', 'free', 'administrators'),
      members: fc.subarray([...NAMES, 'service:ci', 'service:bot']),
    }),
    fc.record({
      what: fc.constant('rule' as const),
      name: fc.constantFrom('guard', 'other'),
      text: fc.constantFrom('{ changes: [Group] }', '{ changes: [Access, Rule] }'),
    }),
    fc.record({ what: fc.constant('access' as const), name: fc.constantFrom('search', 'more') }),
    fc.record({
      what: fc.constant('delete' as const),
      kind: fc.constantFrom('Person' as const, 'Group' as const, 'Rule' as const, 'Access' as const),
      name: fc.constantFrom(...NAMES, 'owners', 'free', 'guard', 'search'),
    }),
    fc.record({ what: fc.constant('enter' as const), name: fc.constantFrom(...NAMES, 'ci', 'bot') }),
  );
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  function documentOf(one: Exclude<Step, { what: 'delete' | 'enter' }>): ResourceDocument {
    switch (one.what) {
      case 'person':
        return {
          kind: 'Person',
          name: one.name,
          displayName: one.name,
          groups: one.groups,
          disabled: one.disabled,
        };
      case 'service':
        return {
          kind: 'ServiceAccount',
          type: 'ci',
          name: one.name,
          displayName: one.name,
          groups: one.groups,
          disabled: one.disabled,
        };
      case 'group':
        return { kind: 'Group', name: one.name, members: one.members };
      case 'rule':
        return parseResources(
          `{ kind: Rule, name: ${one.name}, when: ${one.text}, then: { hold: { approvers: [mal, root] } } }`,
        )[0] as ResourceDocument;
      case 'access':
        return { kind: 'Access', name: one.name, who: ['mal'], to: ['prod'] };
      default:
        return one satisfies never;
    }
  }

  /** Documents, a delete, or a way in; undefined where the resources refuse it. */
  function tried(
    view: ResourceView,
    versions: Map<string, number>,
    steps: readonly Step[],
  ): { next: ResourceView; acts: readonly Act[] } | undefined {
    const entries = steps
      .filter((one) => one.what === 'enter')
      .map(({ name }): Act => {
        const kind = view.find('Person', name) === undefined ? 'ServiceAccount' : 'Person';
        return { kind, name, action: 'token' };
      });
    const gone = steps.flatMap((one) => (one.what === 'delete' ? (view.find(one.kind, one.name) ?? []) : []));
    const documents = new Map(
      steps
        .flatMap((one) => (one.what === 'delete' || one.what === 'enter' ? [] : [documentOf(one)]))
        .map((document) => [keyOf(document), document]),
    );
    const planned = [
      ...planApply([...documents.values()], view, versions),
      ...gone.filter(({ document }) => !documents.has(keyOf(document))).map(planDelete),
    ];
    try {
      const next = viewAfter(view, planned);
      checkReferences(next);
      checkAdministrators(view, next);
      checkGuards(next);
      for (const { kind, name, version } of planned) versions.set(`${kind}/${name}`, version);
      return { next, acts: [...actsOf(planned), ...entries] };
    } catch (error) {
      if (error instanceof CountersignError) return undefined;
      throw error;
    }
  }

  it('never gets where their own accounts could agree to what a guard holds', () => {
    fc.assert(
      fc.property(fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 12 }), (history) => {
        let view = viewOf(WORLD + guard('Access', 'unless: [group:free],'));
        const first = view;
        const versions = new Map(view.all.map(({ document, version }) => [keyOf(document), version]));
        /** Accounts that mal can be: those made by them, and those that they got a token of. */
        const own = new Set(['Person/mal']);
        for (const steps of history) {
          const change = tried(view, versions, steps);
          if (change === undefined) continue;
          if (guardsHolding({ before: view, after: change.next, acts: change.acts, by: 'mal' }).length > 0)
            continue;
          for (const { kind, name, action } of change.acts) {
            if (action === 'token' || action === 'created') own.add(`${kind}/${name}`);
          }
          view = change.next;
        }
        const who = (names: readonly string[]): readonly string[] => view.accountsOf(names);
        expect(view.find('Rule', 'guard')).toEqual(first.find('Rule', 'guard'));
        expect(view.documents('Access')).toEqual(first.documents('Access'));
        expect(who(['group:owners'])).toEqual(first.accountsOf(['group:owners']));
        expect(who(['group:owners', 'group:free']).filter((account) => own.has(account))).toEqual([]);
        const asking = who(['group:administrators']).filter((account) => own.has(account));
        expect(asking.filter((account) => account !== 'Person/mal')).toEqual([]);
      }),
      { numRuns: process.env['COUNTERSIGN_SOAK'] === '1' ? 20_000 : 200 },
    );
  }, 600_000);
});
