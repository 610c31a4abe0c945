import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestingRun, testingOnlyRun } from './testing-command.ts';
import { underlined } from './underlined.ts';

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'countersign-policy-'));
});
afterAll(async () => {
  await rm(home, { recursive: true });
});

function run(...words: string[]): Promise<TestingRun> {
  return testingOnlyRun(words, { HOME: home });
}

async function file(name: string, text: string): Promise<string> {
  const path = join(home, name);
  await writeFile(path, text);
  return path;
}

const RESOURCES = `kind: Connection
name: db
protocol: postgres
target: { host: db, database: rerank }
credential: { user: app }
---
{ kind: Person, name: ana, displayName: Ana }
---
{ kind: Group, name: owners, members: [] }
---
{ kind: Access, name: team, who: [ana, group:owners], to: [db] }
---
kind: Rule
name: no-drops
when: { effects: [drop] }
then: block
---
kind: Rule
name: bulk
when: { writes: [rr.scores], rows: '>= 100' }
then: { hold: { approvers: [group:owners] } }
`;

/** Cases over {@link RESOURCES}. */
function cases(...lines: string[]): string {
  return `defaults: { as: ana, on: db }\ncases:\n${lines.map((line) => `  - ${line}\n`).join('')}`;
}

describe('a file of cases', () => {
  it('says what the target would guess; where it does not, there is no guess', async () => {
    const guessed = `${RESOURCES}---
kind: Rule
name: large
when: { writes: [rr.models], estimated: '>= 100' }
then: block
`;
    const sql = 'sql: update rr.models set a = 1';
    const path = await file(
      'guessed.yaml',
      cases(
        `{ name: many, ${sql}, estimatedRows: 100, expect: block, rule: large }`,
        `{ name: few, ${sql}, estimatedRows: 99, expect: allow }`,
        `{ name: who knows, ${sql}, expect: block, rule: large }`,
        '{ name: another table, sql: update rr.other set a = 1, expect: allow }',
      ),
    );
    const shown = await run('policy', 'test', path, '--resources', await file('guessed-rules.yaml', guessed));
    expect([shown.status, shown.err]).toEqual([0, '']);
  });

  it('passes where everything is decided as it says', async () => {
    const resources = await file('resources.yaml', RESOURCES);
    const path = await file(
      'good.yaml',
      cases(
        '{ name: a read, sql: select 1, expect: allow }',
        '{ name: a drop, sql: drop table a, expect: block, rule: no-drops }',
        '{ name: many, sql: update rr.scores set a = 1, rows: { rr.scores: { updated: 100 } }, expect: hold, rule: bulk }',
        '{ name: few, sql: update rr.scores set a = 1, rows: { rr.scores: { updated: 99 } }, expect: allow }',
        '{ name: nobody, as: { kind: ci }, sql: select 1, expect: block, rule: access }',
        '{ name: a group, as: { groups: [owners] }, sql: select 1, expect: allow }',
        '{ name: prepared, prepared: prepare p as select 1, sql: execute p, expect: allow }',
        '{ name: not prepared, sql: execute p, expect: block, rule: "access:team" }',
      ),
    );
    expect(await run('policy', 'test', path, '--resources', resources)).toEqual({
      status: 0,
      out: expect.stringMatching(/^ok {4}a read\n(?:ok.*\n){7}8 cases passed, 0 failed\n$/),
      err: '',
    });
  });

  it('says by which rule a hold can be opened in an emergency, and by which it cannot', async () => {
    const resources = await file(
      'glass.yaml',
      `${RESOURCES}---
kind: Rule
name: models
when: { writes: [models] }
then: { hold: { approvers: [group:owners], breakGlass: never } }
---
kind: Rule
name: night
who: [ana]
when: { effects: [update], hours: { from: '20:00', to: '06:00' } }
then: { breakGlass: { reviewers: [group:owners] } }
`,
    );
    const many =
      'sql: update rr.scores set a = 1 where b = 2, rows: { rr.scores: { updated: 100 } }, expect: hold';
    const path = await file(
      'glass-cases.yaml',
      cases(
        `{ name: at night, at: "2026-11-27T22:00Z", ${many}, breakGlass: night }`,
        `{ name: by day, at: "2026-11-27T12:00Z", ${many}, breakGlass: false }`,
        `{ name: wrong, at: "2026-11-27T12:00Z", ${many}, breakGlass: night }`,
        '{ name: never, at: "2026-11-27T22:00Z", sql: update models set a = 1 where b = 2, expect: hold, breakGlass: false }',
        `{ name: not a person, as: { kind: ci, groups: [owners] }, at: "2026-11-27T22:00Z", ${many}, breakGlass: false }`,
        `{ name: too good, at: "2026-11-27T22:00Z", ${many}, breakGlass: false }`,
      ),
    );
    const { status, out } = await run('policy', 'test', path, '--resources', resources);
    expect(out.split('\n').filter((line) => !/^ {6}hold/.test(line))).toEqual([
      'ok    at night',
      'ok    by day',
      expect.stringContaining('FAIL  wrong'),
      '      expected  hold, opened by night',
      '      decided   hold',
      '      opened    by no rule',
      'ok    never',
      'ok    not a person',
      expect.stringContaining('FAIL  too good'),
      '      expected  hold, opened by no rule',
      '      decided   hold',
      '      opened    by night',
      '4 cases passed, 2 failed',
      '',
    ]);
    expect(status).toBe(1);
    const wrong = await file(
      'glass-wrong.yaml',
      cases(
        '{ name: a, at: "2026-11-27T22:00Z", sql: select 1, expect: allow, breakGlass: night }',
        '{ name: b, at: "2026-11-27T22:00Z", sql: select 1, expect: hold, breakGlass: bulk }',
      ),
    );
    expect((await run('policy', 'test', wrong, '--resources', resources)).err).toMatch(
      /"breakGlass" opens a hold[^]*there is no rule "bulk" with breakGlass/,
    );
  });

  it('shows a text once behind all that is about the same part of it', async () => {
    const resources = await file('resources.yaml', RESOURCES);
    const path = await file(
      'once.yaml',
      cases('{ name: both, sql: "drop table a, b; drop table a", expect: allow }'),
    );
    const by = `      block     by no-drops (version 0, ${resources}:13):`;
    expect((await run('policy', 'test', path, '--resources', resources)).out.split('\n')).toEqual([
      `FAIL  both  (${path}:3)`,
      '      expected  allow',
      '      decided   block',
      `${by} drop of a`,
      `${by} drop of b`,
      '        drop table a, b; drop table a',
      '        ~~~~~~~~~~~~~~~',
      `${by} drop of a`,
      '        drop table a, b; drop table a',
      '                         ~~~~~~~~~~~~',
      '0 cases passed, 1 failed',
      '',
    ]);
  });

  it('shows what was decided, by which rule and version, with the tokens underlined', async () => {
    const resources = await file('resources.yaml', RESOURCES);
    const path = await file(
      'failing.yaml',
      cases(
        '{ name: "two\\e[2J lines", sql: "select 1;\\n  drop table à.b", expect: allow }',
        '{ name: other, sql: drop table c, expect: block, rule: bulk }',
        '{ name: no rows, sql: update rr.scores set a = 1 where b = 2, expect: hold }',
      ),
    );
    const { status, out } = await run('policy', 'test', path, '--resources', resources);
    expect(status).toBe(1);
    expect(out).toBe(
      [
        `FAIL  two\\x1b[2J lines  (${path}:3)`,
        '      expected  allow',
        '      decided   block',
        `      block     by no-drops (version 0, ${resources}:13): drop of à.b`,
        '          drop table à.b',
        '          ~~~~~~~~~~~~~~',
        `FAIL  other  (${path}:4)`,
        '      expected  block by bulk',
        '      decided   block',
        `      block     by no-drops (version 0, ${resources}:13): drop of c`,
        '        drop table c',
        '        ~~~~~~~~~~~~',
        `FAIL  no rows  (${path}:5)`,
        '      expected  hold',
        '      decided   allow',
        '      does      update of rr.scores',
        '      counts    bulk: the case gives no rows',
        '0 cases passed, 3 failed',
        '',
      ].join('\n'),
    );
    const json = await run('policy', 'test', path, '--resources', resources, '--json');
    expect(json.status).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({
      passed: 0,
      failed: 3,
      cases: [
        {
          file: path,
          line: 3,
          passed: false,
          expected: { verdict: 'allow' },
          decided: {
            verdict: 'block',
            causes: [{ rule: 'no-drops', from: 12, to: 27, place: { file: resources, line: 13 } }],
          },
        },
        {},
        { decided: { effects: ['update of rr.scores'], uncounted: ['bulk'] } },
      ],
    });
  });

  it('that is malformed runs nothing, and neither does any other; everything is said with its line', async () => {
    const good = await file('good-too.yaml', cases('{ name: a, sql: select 1, expect: allow }'));
    const bad = await file(
      'bad.yaml',
      `resources:
  - kind: Rule
    name: x
    when: { effects: [drops] }
    then: stop
  - nothing.yaml
  - { kind: Person, name: ANA, displayName: A }
cases:
  - name: a
    sql: select 1
    expected: allow
`,
    );
    const resources = await file('resources.yaml', RESOURCES);
    const twice = await file(
      'twice.yaml',
      `resources: [resources.yaml]
cases:
  - { name: a, sql: select 1, expect: allow, as: { groups: [strangers] }, on: nowhere }
  - name: b
    as: ana
    on: db
    sql: select 1
    rows: { 'a b': {} }
    at: 2026-02-30T00:00:00Z
    expect: allow
    rule: nope
`,
    );
    const broken = await file('broken.yaml', 'cases:\n  - [');
    const { status, out, err } = await run('policy', 'test', good, bad, twice, broken);
    expect([status, out]).toEqual([2, '']);
    expect(err.replaceAll(home, '').trimEnd().split('\n')).toEqual([
      '/good-too.yaml:3: cases.0: there is no person or service account "ana"',
      '/good-too.yaml:3: cases.0: there is no connection "db"',
      expect.stringMatching(/^\/bad\.yaml:4: when\.effects\.0 must be one of read, write/),
      '/bad.yaml:5: then must be allow, block, { hold: { approvers: [group:NAME, …] } } or { breakGlass: { reviewers: [group:NAME, …] } }',
      expect.stringMatching(/^\/bad\.yaml:7: name must match/),
      '/bad.yaml:9: cases.0 needs "expect"',
      '/bad.yaml:11: cases.0 has no key "expected"',
      expect.stringMatching(/^\/nothing\.yaml:1: it cannot be read: there is no such file$/),
      '/twice.yaml:3: cases.0: there is no group "strangers"',
      '/twice.yaml:3: cases.0: there is no connection "nowhere"',
      expect.stringMatching(/^\/twice\.yaml:8: cases\.1: expected a name as table, schema\.table/),
      '/twice.yaml:9: cases.1: expected a date and time that exist',
      '/twice.yaml:11: cases.1: "rule" says what blocks or holds, and this expects allow',
      '/twice.yaml:11: cases.1: there is no rule "nope"',
      expect.stringMatching(/^\/broken\.yaml:\d: line \d, column \d/),
    ]);
    const doubled = await run('policy', 'test', good, '--resources', resources, '--resources', resources);
    expect([doubled.status, doubled.err]).toEqual([
      2,
      expect.stringContaining(`Connection/db stands in ${resources}:1 already`),
    ]);
  });

  it('takes how long ago the login had a second factor', async () => {
    const rule = `{ kind: Rule, name: proved, when: { effects: [delete], mfa: { notWithin: 8h } }, then: block }`;
    const rules = await file('mfa.yaml', `${RESOURCES}---\n${rule}\n`);
    const sql = 'sql: delete from t where a = 1';
    const good = await file(
      'mfa-cases.yaml',
      cases(
        `{ name: none, ${sql}, expect: block, rule: proved }`,
        `{ name: young, mfa: 8h, ${sql}, expect: allow }`,
        `{ name: old, mfa: 9h, ${sql}, expect: block, rule: proved }`,
      ),
    );
    expect((await run('policy', 'test', good, '--resources', rules)).status).toBe(0);
    const bad = await file('mfa-bad.yaml', cases(`{ name: a, mfa: yesterday, ${sql}, expect: allow }`));
    const complained = await run('policy', 'test', bad, '--resources', rules);
    expect([complained.status, complained.err]).toEqual([2, expect.stringContaining('mfa')]);
    const wrong = await file('mfa-long.yaml', cases(`{ name: a, mfa: 8x, ${sql}, expect: allow }`));
    expect((await run('policy', 'test', wrong, '--resources', rules)).err).toContain('expected a duration');
  });

  it('needs a time where a rule has hours', async () => {
    const hours = `kind: Rule
name: nights
when: { hours: { from: '20:00', to: '06:00' } }
then: block
`;
    const rules = await file('hours.yaml', `${RESOURCES}---\n${hours}`);
    const without = await file('timeless.yaml', cases('{ name: a, sql: select 1, expect: allow }'));
    const complained = await run('policy', 'test', without, '--resources', rules);
    expect([complained.status, complained.err]).toEqual([
      2,
      expect.stringContaining('needs "at", because the rule "nights" has hours'),
    ]);
    const timed = await file(
      'timed.yaml',
      cases(
        '{ name: day, at: 2026-11-27T12:00:00Z, sql: select 1, expect: allow }',
        '{ name: night, at: 2026-11-27T23:00:00Z, sql: select 1, expect: block, rule: nights }',
      ),
    );
    expect((await run('policy', 'test', timed, '--resources', rules)).status).toBe(0);
  });
});

describe('docs/guides/policy.md', () => {
  it('has rules and cases that pass', async () => {
    const guide = await readFile(new URL('../../../../docs/guides/policy.md', import.meta.url), 'utf8');
    const [rules = '', policyCases = ''] = [...guide.matchAll(/```yaml\n([^`]+)```/g)].map(
      ([, text = '']) => text,
    );
    await file('rules.yaml', rules);
    const path = await file('rules.test.yaml', policyCases);
    const { status, out, err } = await run('policy', 'test', path);
    expect([status, err, out]).toEqual([0, '', expect.stringContaining('5 cases passed, 0 failed')]);
  });
});

describe('underlined', () => {
  it.each<readonly [string, number, number, readonly string[]]>([
    ['drop table a', 11, 12, ['drop table a', '           ~']],
    ['a\nbcd\ne', 2, 4, ['bcd', '~~']],
    ['ab\ncd', 1, 4, ['ab', ' ~', 'cd', '~']],
    // Bytes are counted, columns are shown.
    ["select 'ü日', x", 15, 16, ["select 'ü日', x", '             ~']],
    ['\tx', 1, 2, ['    x', '    ~']],
    ['a\u001b[2Jb', 5, 6, ['a\\x1b[2Jb', '        ~']],
    ['ab', 0, 0, []],
    ['x'.repeat(500), 3, 4, ['(a line of 500 bytes)']],
  ])('%j from %d to %d', (text, from, to, lines) => {
    expect(underlined(Buffer.from(text), from, to)).toEqual(lines);
  });
});
