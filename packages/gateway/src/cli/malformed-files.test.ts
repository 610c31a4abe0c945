/** What `apply`, `diff` and `policy replay` say of files that are wrong: everything, each with file and line. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorAnswer } from '../api/answers.ts';
import { type TestingApi, testingOnlyApi } from '../api/testing-api.ts';
import { testingOnlyCall } from '../api/testing-call.ts';
import { POLICY_LIMITS } from '../core/policy-limits.ts';
import { type TestingRun, testingOnlyRun } from './testing-command.ts';

let api: TestingApi;
let home: string;

beforeAll(async () => {
  api = await testingOnlyApi();
  home = await mkdtemp(join(tmpdir(), 'countersign-malformed-'));
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

function run(...words: string[]): Promise<TestingRun> {
  const { token } = api.people.admin;
  return testingOnlyRun(words, { HOME: home, COUNTERSIGN_SERVER: api.url, COUNTERSIGN_TOKEN: token });
}

async function file(name: string, text: string | Uint8Array): Promise<string> {
  const path = join(home, name);
  await writeFile(path, text);
  return path;
}

function linesOf({ err }: TestingRun): readonly string[] {
  return err.replaceAll(`${home}/`, '').trimEnd().split('\n');
}

async function groups(): Promise<string> {
  return (await run('get', 'groups', '-o', 'json')).out;
}

const WRONG = `kind: Group
name: fine
members: []
---
kind: Rule
name: x
when:
  effects: [drops]
  rows: many
  writes:
    - a.b
    - A B
then: stop
colour: red
---
kind: Rools
name: y
---
kind: Group
name: fine
members: []
---
[1, 2]
---
kind: Rule
name: z
when: { writes: [t], rows: few }
then:
  hold:
    approvers: [group:fine]
    expires: soon
---
kind: Person
name: ANA
password: canary-7
---
kind: Mask
name: m
columns: [a.b.c.d]
as: unheard-of
---
a: !tag 1
`;

/** A rule on a connection that is not there. */
function ruleOn(name: string): string {
  return `kind: Rule\nname: ${name}\non: [no-${name}]\nwhen: { effects: [drop] }\nthen: block\n`;
}

describe('a file that is wrong', () => {
  it('is told everything with its line, and nothing of it is applied', async () => {
    const path = await file('wrong.yaml', WRONG);
    const before = await groups();
    for (const command of ['apply', 'diff']) {
      const done = await run(command, '-f', path);
      expect([done.status, done.out]).toEqual([2, '']);
      expect(done.err).not.toContain('canary');
      expect(linesOf(done)).toEqual([
        expect.stringMatching(/^wrong\.yaml:8: Rule "x": when\.effects\.0 must be one of read, write/),
        expect.stringMatching(/^wrong\.yaml:9: Rule "x": when\.rows: expected a bound as ">= 100"/),
        expect.stringMatching(/^wrong\.yaml:12: Rule "x": when\.writes: expected a name as table/),
        expect.stringMatching(/^wrong\.yaml:13: Rule "x": then must be allow, block/),
        'wrong.yaml:14: Rule "x": the document has no key "colour"',
        expect.stringMatching(/^wrong\.yaml:16: Rools "y": expected a kind of Access, Connection/),
        'wrong.yaml:19: Group "fine": it stands there twice, first on line 1',
        'wrong.yaml:23: expected a mapping with "kind" and "name"',
        expect.stringMatching(/^wrong\.yaml:27: Rule "z": when\.rows: expected a bound/),
        expect.stringMatching(/^wrong\.yaml:31: Rule "z": then\.hold\.expires: expected a duration/),
        'wrong.yaml:33: Person "ANA": the document needs "displayName"',
        expect.stringMatching(/^wrong\.yaml:34: Person "ANA": name must match/),
        'wrong.yaml:35: Person "ANA": the document has no key "password"',
        expect.stringMatching(/^wrong\.yaml:39: Mask "m": expected /),
        expect.stringMatching(/^wrong\.yaml:40: Mask "m": expected /),
        expect.stringMatching(
          /^wrong\.yaml:42: the YAML cannot be read: line 42, column \d+: Unresolved tag/,
        ),
      ]);
    }
    expect(await groups()).toBe(before);
  });

  it('that names what is not there is told each name at its line', async () => {
    const path = await file(
      'missing.yaml',
      `kind: Group
name: team
members:
  - nobody
  - service:nothing
---
kind: Access
name: way
who: [group:team, group:strangers]
to:
  - nowhere
---
kind: Rule
name: held
on: [db-too]
when: { effects: [drop] }
then:
  hold:
    approvers:
      - group:ghosts
`,
    );
    const before = await groups();
    const done = await run('apply', '-f', path);
    expect([done.status, done.out]).toEqual([2, '']);
    expect(linesOf(done)).toEqual([
      'missing.yaml:4: Group "team": there is no person "nobody"',
      'missing.yaml:5: Group "team": there is no service account "nothing"',
      'missing.yaml:9: Access "way": there is no group "strangers"',
      'missing.yaml:11: Access "way": there is no connection "nowhere"',
      'missing.yaml:15: Rule "held": there is no connection "db-too"',
      'missing.yaml:20: Rule "held": there is no group "ghosts"',
    ]);
    expect(await groups()).toBe(before);
  });

  it('of several is told of each file in its order, and to a program of the first line first', async () => {
    const second = await file('b.yaml', `${ruleOn('z')}---\nkind: Group\nname: g\nmembers: [nobody]\n`);
    const first = await file('a.yaml', ruleOn('k'));
    const done = await run('apply', '-f', second, '-f', first);
    expect(linesOf(done)).toEqual([
      'b.yaml:3: Rule "z": there is no connection "no-z"',
      'b.yaml:9: Group "g": there is no person "nobody"',
      'a.yaml:3: Rule "k": there is no connection "no-k"',
    ]);
    const text = `${ruleOn('z')}---\n${ruleOn('a')}`;
    const { json } = await testingOnlyCall<ErrorAnswer>(
      api.url,
      api.people.admin.token,
      'POST /v1/resources/apply',
      { text },
    );
    expect(json.message).toContain('Rule "z" is not valid: there is no connection "no-z" (line 3)');
    expect(json.problems?.map(({ line }) => line)).toEqual([3, 9]);
  });

  it('that nobody could satisfy has its line, too', async () => {
    const path = await file(
      'locked.yaml',
      `kind: Group
name: empty
members: []
---
kind: Rule
name: locked
when: { changes: [Rule] }
then: { hold: { approvers: [group:empty] } }
`,
    );
    const done = await run('apply', '-f', path);
    expect([done.status, linesOf(done)]).toEqual([
      2,
      [expect.stringMatching(/^locked\.yaml:5: Rule "locked": /)],
    ]);
  });

  it.each<readonly [string, string | Uint8Array, RegExp]>([
    ['no UTF-8', Buffer.from('kind: Group\n# \xfc\nname: gr\xfcn\n', 'latin1'), /^x:2: expected UTF-8/],
    ['YAML that is cut off', 'kind: Group\nname: [a\n', /^x:\d: the YAML cannot be read: line \d/],
    ['a fraction', 'kind: Group\nname: a\nmembers:\n  - 1.5\n', /^x:4: the YAML cannot be read: a number/],
    [
      'an alias bomb',
      `a: &a [${'1,'.repeat(99)}1]\nb: [${'*a,'.repeat(9_999)}*a]\n`,
      /^x:1: the YAML cannot be read/,
    ],
    ['too much', `# ${'x'.repeat(2_200_000)}`, /^x: .*2097152/],
    ['far too much', `# ${'x'.repeat(4_300_000)}`, /^x:1: it cannot be read: /],
  ])('because of %s is told so', async (_what, text, says) => {
    const path = await file('x', text);
    const done = await run('apply', '-f', path);
    expect([done.status, done.out]).toEqual([2, '']);
    expect(linesOf(done)[0]).toMatch(says);
  });

  it('and that is not there is named', async () => {
    const done = await run('apply', '-f', join(home, 'nothing.yaml'));
    expect([done.status, linesOf(done)]).toEqual([
      2,
      [expect.stringMatching(/^nothing\.yaml:1: it cannot be read: there is no such file$/)],
    ]);
  });

  it('says the same to programs', async () => {
    const path = await file('json.yaml', 'kind: Group\nname: a\nmembers: [x y]\nmore: 1\n');
    const done = await run('apply', '-f', path, '--json');
    expect([done.status, JSON.parse(done.err)]).toEqual([
      2,
      {
        problems: [
          { file: path, line: 3, says: expect.stringMatching(/^Group "a": members\.0 must match/) },
          { file: path, line: 4, says: 'Group "a": the document has no key "more"' },
        ],
      },
    ]);
  });

  it('with more mistakes than anybody mends at once is told a bounded number of them', async () => {
    const path = await file('many.yaml', 'kind: Grup\nname: a\n---\n'.repeat(1_900));
    const done = await run('apply', '-f', path);
    expect([done.status, linesOf(done).length]).toEqual([2, POLICY_LIMITS.problemsMax]);
  });

  it('one of several of a replay is the one that is named, by its own line', async () => {
    const good = await file('good.yaml', 'kind: Group\nname: a\nmembers: []');
    const bad = await file('bad.yaml', '# a line\nkind: Group\nname: B\nmembers: []\n');
    const done = await run(
      'policy',
      'replay',
      '--since',
      '2026-11-01',
      '--resources',
      good,
      '--resources',
      bad,
    );
    expect([done.status, linesOf(done)]).toEqual([
      2,
      [expect.stringMatching(/^bad\.yaml:3: Group "B": name must match/)],
    ]);
  });
});
