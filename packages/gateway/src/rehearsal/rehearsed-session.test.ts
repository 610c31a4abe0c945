import { afterAll, describe, expect, it } from 'vitest';
import { parseResources } from '../resources/parse.ts';
import { ResourceView } from '../resources/view.ts';
import { SqlReading } from '../session/sql-reading.ts';
import { RehearsedSession } from './rehearsed-session.ts';
import { returnedRows, taggedRows } from './tagged-rows.ts';

const RESOURCES = `kind: Connection
name: db
protocol: postgres
target: { host: db, database: d }
credential: { user: app }
---
{ kind: Person, name: ana, displayName: Ana }
---
{ kind: Access, name: team, who: [ana], to: [db], may: [read, write, unknown] }
---
{ kind: Rule, name: bulk, when: { rows: '>= 10' }, then: block }
`;

const reader = new SqlReading();

afterAll(() => reader.close());

function session(): RehearsedSession {
  const stored = parseResources(RESOURCES).map((document) => ({
    document,
    version: 4,
    digest: '',
    changedUs: 0,
    changedBy: '',
  }));
  const principal = { name: 'ana', kind: 'user' } as const;
  const asker = { principal, connection: 'db', address: '10.0.0.1', client: 'psql' };
  return new RehearsedSession(new ResourceView(stored), reader, asker);
}

async function returned(sql: string, tags: readonly string[]): Promise<number | undefined> {
  return returnedRows(await reader.read(Buffer.from(sql)), tags);
}

describe('a session that is only rehearsed', () => {
  it.each<readonly [string, 'Query' | 'Execute', string, string]>([
    ['select 1', 'Query', 'allow', 'nothing'],
    // As its conductor refuses them: POLICY_TEXT_MIXED, ROWS_NOT_COUNTED.
    ['begin; insert into t values (1)', 'Query', 'block', 'begins or ends a transaction in its middle'],
    ['declare c cursor with hold for select purge()', 'Query', 'block', 'nothing allows function-unknown'],
    ['selct 1', 'Query', 'block', 'nobody has read it'],
    ['selct 1', 'Execute', 'allow', 'nothing'],
  ])('says of %j by a %s: %s', async (sql, message, verdict, why) => {
    const decided = await session().decide(Buffer.from(sql), 0, () => undefined, { message });
    expect(decided.verdict).toBe(verdict);
    expect(decided.causes[0]?.what ?? 'nothing').toContain(why);
  });

  it('says which rules would count where nobody says how many rows there are', async () => {
    const decided = await session().decide(Buffer.from('insert into t values (1)'), 0, () => undefined);
    expect(decided).toMatchObject({ verdict: 'allow', uncounted: [{ name: 'bulk', version: 4 }] });
    const tags = ['INSERT 0 10'];
    const told = await session().decide(Buffer.from('insert into t values (1)'), 0, (read) =>
      taggedRows(read, tags),
    );
    expect(told).toMatchObject({ verdict: 'block', uncounted: [], causes: [{ rule: 'bulk' }] });
  });

  it('takes the rows that an answer gave from its tags', async () => {
    expect(await returned('select 1; fetch 3 from c', ['SELECT 1', 'FETCH 3'])).toBe(4);
    expect(await returned('copy t to stdout', ['COPY 7'])).toBe(7);
    expect(await returned('copy t from stdin', ['COPY 7'])).toBe(0);
    expect(await returned('create table a as select 1', ['SELECT 1'])).toBe(0);
    expect(await returned('update a set b = 1', ['UPDATE 5'])).toBe(0);
    expect(await returned('update a set b = 1 returning b', ['UPDATE 5'])).toBe(5);
    expect(await returned('select 1; select 2', ['2 commands'])).toBeUndefined();
  });

  it('takes the rows of tags only where each statement has one', async () => {
    const read = await reader.read(Buffer.from('update a set b = 1; delete from c; select 1'));
    const empty = { inserted: 0, updated: 0, deleted: 0, schema: undefined };
    expect(taggedRows(read, ['UPDATE 3', 'DELETE 4', 'SELECT 1'])).toEqual([
      { ...empty, name: 'a', updated: 3 },
      { ...empty, name: 'c', deleted: 4 },
    ]);
    expect(taggedRows(read, ['UPDATE 3'])).toBeUndefined();
    expect(taggedRows({ kind: 'uninspectable', reason: 'x' }, [])).toBeUndefined();
  });
});
