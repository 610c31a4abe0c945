import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backupStore } from './backup.ts';
import { MIGRATIONS, migrate } from './migrations.ts';
import type { Schema } from './schema.ts';
import { SqliteFileDialect } from './sqlite-driver.ts';
import { openStore, type Store } from './store.ts';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'store-'));
  file = join(directory, 'store.sqlite');
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

function open(): Promise<Store> {
  return openStore({ kind: 'sqlite', file });
}

async function putMeta(store: Store, key: string, value: string): Promise<void> {
  await store.db.insertInto('meta').values({ key, value }).execute();
}

async function keys(store: Store): Promise<string[]> {
  const rows = await store.db.selectFrom('meta').select('key').orderBy('key').execute();
  return rows.map((row) => row.key);
}

describe('openStore', () => {
  it('creates every table of the schema, private to the owner', async () => {
    await using store = await open();
    const tables: Record<keyof Schema, true> = {
      meta: true,
      scope_keys: true,
      principals: true,
      tokens: true,
      enrolment_codes: true,
      resources: true,
      resource_changes: true,
      sealed_credentials: true,
      sessions: true,
      packages: true,
      holds: true,
      hold_votes: true,
      sealed_rings: true,
      second_factors: true,
    };
    for (const table of Object.keys(tables)) await sql`select * from ${sql.table(table)}`.execute(store.db);
    for (const name of [file, `${file}-wal`]) expect((await stat(name)).mode & 0o777).toBe(0o600);
  });

  it('keeps what was written when it is opened again', async () => {
    {
      await using store = await open();
      await putMeta(store, 'a', 'b');
    }
    await using store = await open();
    expect(await keys(store)).toEqual(['a', 'schema_version']);
  });

  it('refuses a store that is newer than the code', async () => {
    {
      await using store = await open();
      await store.db.updateTable('meta').set({ value: '99' }).where('key', '=', 'schema_version').execute();
    }
    await expect(open()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('gives bytes and large integers back as they were', async () => {
    await using store = await open();
    const row = {
      scope: 's',
      wrapped: Uint8Array.of(0, 255, 7),
      created_us: 2 ** 53 - 1,
      destroyed_us: null,
    };
    await store.db.insertInto('scope_keys').values(row).execute();
    expect(await store.db.selectFrom('scope_keys').selectAll().executeTakeFirst()).toEqual(row);
  });

  it('reports a constraint as STORE_FAILED', async () => {
    await using store = await open();
    await putMeta(store, 'a', 'b');
    await expect(putMeta(store, 'a', 'c')).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('reports a file that cannot be opened as STORE_FAILED', async () => {
    await expect(openStore({ kind: 'sqlite', file: directory })).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
  });
});

describe('transaction', () => {
  it('undoes everything when its function throws', async () => {
    await using store = await open();
    const failing = store.transaction(async (tx) => {
      await tx.insertInto('meta').values({ key: 'a', value: 'b' }).execute();
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await keys(store)).toEqual(['schema_version']);
  });

  it('lets nobody in between, and serves those who wait in their order', async () => {
    await using store = await open();
    const order: string[] = [];
    const slow = store.transaction(async (tx) => {
      for (let i = 0; i < 20; i++)
        await tx
          .insertInto('meta')
          .values({ key: `slow${i}`, value: '' })
          .execute();
      order.push('slow');
    });
    const others = ['b', 'a', 'c'].map((name) =>
      store.transaction(async (tx) => {
        expect((await tx.selectFrom('meta').select('key').execute()).length).toBe(21 + order.length - 1);
        await tx.insertInto('meta').values({ key: name, value: '' }).execute();
        order.push(name);
      }),
    );
    await Promise.all([slow, ...others]);
    expect(order).toEqual(['slow', 'b', 'a', 'c']);
  });
});

describe('migrate', () => {
  it('keeps tokens and sessions of before version 5, which say nothing of a second factor', async () => {
    const db = new Kysely<Schema>({ dialect: new SqliteFileDialect(file) });
    await migrate(db, 'sqlite', MIGRATIONS.slice(0, 4));
    const bytes = Uint8Array.of(1);
    await sql`insert into tokens values ('tok_a', 'prn_a', 'x', ${bytes}, ${bytes}, ${bytes}, 1, 2, null, null)`.execute(
      db,
    );
    expect(await migrate(db, 'sqlite')).toEqual({ from: 4, to: MIGRATIONS.length });
    expect(await db.selectFrom('tokens').select(['id', 'amr', 'authenticated_us']).execute()).toEqual([
      { id: 'tok_a', amr: null, authenticated_us: null },
    ]);
    await db.destroy();
  });

  it('leaves the old version when a migration breaks in the middle', async () => {
    const db = new Kysely<Schema>({ dialect: new SqliteFileDialect(file) });
    const broken = {
      version: MIGRATIONS.length + 1,
      up: async (tx: Kysely<Schema>) => {
        await tx.schema.createTable('half').addColumn('a', 'text').execute();
        throw new Error('crash');
      },
    };
    await expect(migrate(db, 'sqlite', [...MIGRATIONS, broken])).rejects.toThrow('crash');
    await expect(sql`select * from half`.execute(db)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await migrate(db, 'sqlite')).toEqual({ from: MIGRATIONS.length, to: MIGRATIONS.length });
    await db.destroy();
  });

  it('brings a store of version 1 to the newest, with what is in it', async () => {
    const db = new Kysely<Schema>({ dialect: new SqliteFileDialect(file) });
    expect(await migrate(db, 'sqlite', MIGRATIONS.slice(0, 1))).toEqual({ from: 0, to: 1 });
    await db.insertInto('meta').values({ key: 'a', value: 'b' }).execute();
    await db.destroy();
    await using store = await open();
    expect(await keys(store)).toEqual(['a', 'schema_version']);
    expect(await store.db.selectFrom('holds').selectAll().execute()).toEqual([]);
  });

  it('brings holds of version 2 along, none of which was opened in an emergency', async () => {
    const db = new Kysely<Schema>({ dialect: new SqliteFileDialect(file) });
    expect(await migrate(db, 'sqlite', MIGRATIONS.slice(0, 2))).toEqual({ from: 0, to: 2 });
    const texts = { state: 'asked', digest: 'd', node: 'gw1', policy: 'p', document: '{}', session_id: 's' };
    const times = { version: 1, asked_us: 1, expires_us: 2, changed_us: 1 };
    const row = { id: 'h', principal_id: 'a', sealed: Uint8Array.of(1), ...texts, ...times };
    await sql`insert into holds (${sql.join(Object.keys(row).map((name) => sql.ref(name)))})
      values (${sql.join(Object.values(row))})`.execute(db);
    await db.destroy();
    await using store = await open();
    const opening = { opening: null, sealed_opening: null, review: null, sealed_review: null };
    const due = { review_by_us: null, notice_due_us: null, overdue_told_us: null };
    expect(await store.db.selectFrom('holds').selectAll().execute()).toMatchObject([
      { ...row, ...opening, ...due },
    ]);
  });

  it('has versions that rise by one', () => {
    expect(MIGRATIONS.map((migration) => migration.version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  });
});

describe('changes', () => {
  it('tells listeners until they leave', async () => {
    await using store = await open();
    const heard: string[] = [];
    const leave = store.changes.onChange((topic) => heard.push(topic));
    store.changes.notify('one');
    leave();
    store.changes.notify('two');
    expect(heard).toEqual(['one']);
  });

  it('tells every listener, also when one of them fails', async () => {
    await using store = await open();
    const heard: string[] = [];
    store.changes.onChange(() => {
      throw new Error('broken');
    });
    store.changes.onChange((topic) => heard.push(topic));
    expect(() => store.changes.notify('one')).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    expect(heard).toEqual(['one']);
  });
});

describe('backupStore', () => {
  it('copies the store while it is in use', async () => {
    const copy = join(directory, 'copy.sqlite');
    await using store = await open();
    await putMeta(store, 'a', 'b');
    await backupStore(store, copy);
    await putMeta(store, 'later', 'b');
    expect((await stat(copy)).mode & 0o777).toBe(0o600);
    await using opened = await openStore({ kind: 'sqlite', file: copy });
    expect(await keys(opened)).toEqual(['a', 'schema_version']);
  });

  it('does not overwrite a file', async () => {
    await using store = await open();
    await expect(backupStore(store, file)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect((await readFile(file)).length).toBeGreaterThan(0);
  });
});
