import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestingApi, type TestingPerson, testingOnlyApi } from '../api/testing-api.ts';
import { formatTimeUs } from '../core/clock.ts';
import { parseResources } from '../resources/parse.ts';
import { type TestingRun, testingOnlyRun } from './testing-command.ts';

const RESOURCES = `kind: Connection
name: db
protocol: postgres
target: { host: db.internal, database: rerank }
credential: { user: app }
---
{ kind: Access, name: all, who: [ana], to: [db] }
`;

let api: TestingApi;
let home: string;

beforeAll(async () => {
  api = await testingOnlyApi();
  home = await mkdtemp(join(tmpdir(), 'countersign-cli-replay-'));
  const system = { name: 'countersign', kind: 'system', keyId: api.rooms.bootId } as const;
  await api.rooms.resources.apply(parseResources(RESOURCES), system);
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

function run(who: TestingPerson, ...words: string[]): Promise<TestingRun> {
  return testingOnlyRun(words, { HOME: home, COUNTERSIGN_SERVER: api.url, COUNTERSIGN_TOKEN: who.token });
}

describe('policy replay', () => {
  it('prints what differs, page after page, and a summary; nothing drives the terminal', async () => {
    const since = formatTimeUs(api.rooms.clock.nowUs());
    const many = Array.from({ length: 120 }, () => ({ intent: { sql: 'select 1' } }));
    const session = await api.makeOperations('ana', [
      { intent: { sql: 'select 2;\n  drop table a /* \u001b[2J */' } },
      ...many,
      { intent: { sql: 'update rr.scores set a = 1' }, tags: ['UPDATE 500'] },
      { intent: { sql: { spooled: { bytes: 2_000_000, sha256: 'a'.repeat(64) } } } },
    ]);
    const drops = join(home, 'drops.yaml');
    const bulk = join(home, 'bulk.yaml');
    await writeFile(drops, 'kind: Rule\nname: no-drops\nwhen: { effects: [drop] }\nthen: block\n');
    await writeFile(
      bulk,
      "kind: Rule\nname: bulk\nwhen: { writes: [rr.scores], rows: '> 99' }\nthen: { hold: { approvers: [root] } }\n",
    );
    const words = ['policy', 'replay', '--since', since, '--resources', drops, '--resources', bulk];
    const shown = await run(api.people.auditor, ...words);
    expect([shown.status, shown.err]).toEqual([0, '']);
    const at = String.raw`leaf \d+ {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ {2}ana on db: allow, now`;
    expect(shown.out).toMatch(
      new RegExp(
        [
          `^${at} block`,
          String.raw`  by no-drops \(version 1\): drop of a`,
          String.raw`      drop table a /\* \\x1b\[2J \*/`,
          ' +~+',
          `${at} hold`,
          '  update rr.scores set a = 1',
          String.raw`  by bulk \(version 1\): 500 rows are written, and up to 99 are not held up by it`,
          '123 operations, 120 as they were',
          '  1 allow, now block',
          '  1 allow, now hold',
          '  1 not decidable: they have a text that is named by its digest only',
          '$',
        ].join('\n'),
      ),
    );
    const json = await run(api.people.admin, ...words, '--connection', 'db', '--json');
    const lines: unknown[] = json.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { kind: 'operation', session, decided: 'block' },
      { kind: 'operation', session, decided: 'hold' },
      { kind: 'summary', statements: 123, same: 120, undecidable: { spooled: 1 } },
    ]);
  });

  it('takes what the target guessed then, and guesses nothing', async () => {
    const since = formatTimeUs(api.rooms.clock.nowUs());
    const sql = 'update rr.guessed set a = 1';
    await api.makeOperations('ana', [
      { intent: { sql, estimated_rows: 5000 } },
      { intent: { sql, estimated_rows: 5 } },
      { intent: { sql } },
      { intent: { sql: 'select 1' } },
    ]);
    const rules = join(home, 'guessed.yaml');
    await writeFile(
      rules,
      "kind: Rule\nname: large\nwhen: { writes: [rr.guessed], estimated: '>= 100' }\nthen: block\n",
    );
    const words = ['policy', 'replay', '--since', since, '--resources', rules, '--json'];
    const { status, out } = await run(api.people.admin, ...words);
    expect(status).toBe(0);
    const lines: unknown[] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { kind: 'operation', decided: 'block', causes: [{ rule: 'large' }] },
      { kind: 'summary', statements: 4, same: 2, undecidable: { 'rows-unknown': 1 } },
    ]);
  });

  it('is for administrators and auditors', async () => {
    const denied = await run(api.people.ana, 'policy', 'replay', '--since', '2026-01-01');
    expect([denied.status, denied.err]).toEqual([
      3,
      expect.stringContaining('may not call POST /v1/policy/replay'),
    ]);
    const without = await run(api.people.admin, 'policy', 'replay');
    expect([without.status, without.err]).toEqual([2, expect.stringContaining('--since is missing')]);
  });
});
