import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import type { PrincipalId } from '../../packages/gateway/src/core/ids.ts';
import type { Appended, LedgerEvent, LedgerPort } from '../../packages/gateway/src/core/ledger-port.ts';
import { Secret } from '../../packages/gateway/src/core/secret.ts';
import {
  testingOnlyGateway,
  testingOnlyId,
  testingOnlyRequest,
  testingOnlyWorld,
  TestingLog,
  TestingPeople,
} from '../../packages/gateway/src/approvals/testing-room.ts';
import { Principals } from '../../packages/gateway/src/identity/principals.ts';
import { SecondFactors } from '../../packages/gateway/src/identity/second-factors.ts';
import { testingOnlyCode } from '../../packages/gateway/src/identity/testing-codes.ts';
import { otpauthURI } from '../../packages/gateway/src/identity/totp.ts';
import { StoredScopeKeys } from '../../packages/gateway/src/keys/scope-keys.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import { Resources } from '../../packages/gateway/src/resources/resources.ts';
import { openStore, type Store } from '../../packages/gateway/src/store/store.ts';

const BY = { name: 'root', kind: 'system', keyId: 'bot_x' } as const;
const installationKey = new Secret(new Uint8Array(randomBytes(32)));
const clock = { nowUs: () => 1_795_000_000_000_000, monotonicUs: () => 0 };

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: 'off' } });
});

afterAll(async () => {
  await server.stop();
});

function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

function open(): Promise<Store> {
  const { superuser, password, host, port } = server;
  const url = `postgres://${superuser}:${password}@${host}:${port}/postgres`;
  return openStore({ kind: 'postgres', url: new Secret(url) });
}

function openShared(user: string, password: string): Promise<Store> {
  const { host, port } = server;
  return openStore({
    kind: 'postgres',
    url: new Secret(`postgres://${user}:${password}@${host}:${port}/shared`),
  });
}

async function runAll(store: Store, statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    // oxlint-disable-next-line no-await-in-loop -- One statement behind the other.
    await sql.raw(statement).execute(store.db);
  }
}

async function insertScope(scope: string): Promise<void> {
  await using store = await openShared('gateway', 'secret');
  const row = { scope, wrapped: Uint8Array.of(1), created_us: 1, destroyed_us: null };
  await store.db.insertInto('scope_keys').values(row).execute();
}

class CollectingLedger implements LedgerPort {
  readonly events: LedgerEvent[] = [];

  async append(event: LedgerEvent): Promise<Appended> {
    this.events.push(event);
    return { index: 0, timeUs: 0 };
  }

  async appendMany(events: readonly LedgerEvent[]): Promise<readonly Appended[]> {
    this.events.push(...events);
    return events.map((_, index) => ({ index, timeUs: 0 }));
  }
}

function openResources(store: Store, node: string, ledger: LedgerPort): Promise<Resources> {
  const options = { store, installationKey, clock, randomBytes: random };
  const principals = new Principals({ ...options, scopeKeys: new StoredScopeKeys(options) });
  return Resources.open({
    ...options,
    node,
    ledger,
    written: { wasWritten: () => Promise.resolve(false) },
    principals: {
      upsert: async (account, tx) => {
        const upserted = await principals.upsert(tx, account);
        return () => principals.announce(upserted);
      },
    },
  });
}

describe('a store in PostgreSQL', () => {
  it('is migrated once by gateways that start together', async () => {
    const stores = await Promise.all([open(), open(), open()]);
    const rows = await stores[0].db.selectFrom('meta').selectAll().execute();
    expect(rows).toEqual([{ key: 'schema_version', value: '6' }]);
    await Promise.all(stores.map((store) => store.close()));
  });

  it('gives bytes and large integers back as they were, and errors a code', async () => {
    await using store = await open();
    const row = {
      scope: 's',
      wrapped: Uint8Array.of(0, 255, 7),
      created_us: 2 ** 53 - 1,
      destroyed_us: null,
    };
    await store.db.insertInto('scope_keys').values(row).execute();
    const found = await store.db.selectFrom('scope_keys').selectAll().executeTakeFirstOrThrow();
    expect({ ...found, wrapped: new Uint8Array(found.wrapped ?? []) }).toEqual(row);
    await expect(store.db.insertInto('scope_keys').values(row).execute()).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    await expect(sql`select 9007199254740993::bigint`.execute(store.db)).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
  });

  it('refuses a version that is newer than the code', async () => {
    await using store = await open();
    await store.db.updateTable('meta').set({ value: '99' }).execute();
    await expect(open()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await store.db.updateTable('meta').set({ value: '6' }).execute();
  });

  it('keeps and destroys the keys of scopes', async () => {
    await using store = await open();
    const keys = new StoredScopeKeys({ store, installationKey, clock, randomBytes: random });
    const key = await keys.create('ses_a');
    const other = new StoredScopeKeys({ store, installationKey, clock, randomBytes: random });
    expect(await other.find('ses_a')).toEqual(key);
    expect(await keys.destroy('ses_a')).toBe(true);
    expect(await keys.find('ses_a')).toBeUndefined();
  });

  it('reads and writes its own tables, whatever schema stands in front of them', async () => {
    await using admin = await open();
    await runAll(admin, [
      "create role gateway login password 'secret'",
      'create database shared owner gateway',
    ]);
    const before = await openShared('gateway', 'secret');
    // The first place in the default search path, and one that the role is given.
    const shadows = ['gateway', 'hostile'].flatMap((schema) => [
      `create schema ${schema}`,
      `create table ${schema}.meta as select 'schema_version' as key, '1' as value`,
      `create table ${schema}.scope_keys (like public.scope_keys)`,
    ]);
    await runAll(before, shadows);
    await before.close();
    await insertScope('one');
    await runAll(admin, ['alter role gateway set search_path to hostile, "$user", public, pg_catalog']);
    await insertScope('two');
    await runAll(admin, ['alter role gateway reset search_path']);
    await using store = await openShared('gateway', 'secret');
    const counted = await sql`select (select count(*) from public.scope_keys) as ours,
      (select count(*) from gateway.scope_keys) + (select count(*) from hostile.scope_keys) as theirs`.execute(
      store.db,
    );
    expect(counted.rows).toEqual([{ ours: 2, theirs: 0 }]);
  });

  it('outlives a connection that breaks between two statements of a transaction', async () => {
    await using store = await open();
    const broken = store.db.transaction().execute(async (held) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(held);
      await sql`select pg_terminate_backend(${rows[0]?.pid ?? 0})`.execute(store.db);
      // Nobody asks the connection for anything while it ends: what it says must not end the process.
      await setTimeout(100);
      await sql`select 1`.execute(held);
    });
    await expect(broken).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect((await sql`select 1 as one`.execute(store.db)).rows).toEqual([{ one: 1 }]);
  });

  it('refuses a table that somebody else owns', async () => {
    const owner = await openShared(server.superuser, server.password);
    await runAll(owner, ['create role mallory', 'alter table public.principals owner to mallory']);
    await owner.close();
    await expect(openShared('gateway', 'secret')).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('public.principals belongs to mallory'),
    });
  });

  it('lets one of two gateways change a resource', async () => {
    await using one = await open();
    await using two = await open();
    const ledger = new CollectingLedger();
    const documents = parseResources('kind: Person\nname: ana\ndisplayName: Ana');
    const resources = [await openResources(one, 'gw1', ledger), await openResources(two, 'gw2', ledger)];
    const results = await Promise.allSettled(resources.map((each) => each.apply(documents, BY)));
    expect(results.map((result) => result.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(ledger.events.filter((event) => event.type === 'resource.apply')).toHaveLength(1);
    const people = await one.db.selectFrom('principals').select(['name', 'kind', 'disabled']).execute();
    expect(people).toEqual([{ name: 'ana', kind: 'user', disabled: 0 }]);
    await Promise.all(resources.map((each) => each.reload()));
    await resources[0]?.delete('Person', 'ana', BY);
    expect(await one.db.selectFrom('principals').select('disabled').execute()).toEqual([{ disabled: 1 }]);
  });

  it('lets nothing through that a rule holds of which the other gateway has not heard', async () => {
    await using one = await open();
    await using two = await open();
    const ledger = new CollectingLedger();
    const first = await openResources(one, 'gw1', ledger);
    const people = `{ kind: Person, name: rae, displayName: Rae, groups: [administrators] }
---
{ kind: Person, name: sven, displayName: Sven }`;
    await first.apply(parseResources(people), BY);
    const second = await openResources(two, 'gw2', ledger);
    const guard =
      '{ kind: Rule, name: guard, when: { changes: [Group] }, then: { hold: { approvers: [sven] } } }';
    await first.apply(parseResources(guard), BY);
    const group = parseResources('{ kind: Group, name: new, members: [rae] }');
    await expect(second.apply(group, BY)).rejects.toMatchObject({ code: 'STATE_CONFLICT' });
    await expect(second.apply(group, BY)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(await openResources(one, 'gw3', ledger).then((third) => third.get('Group', 'new'))).toEqual([]);
  });

  it('lets one of two gateways use a grant, and asks the same thing once', async () => {
    await using one = await open();
    await using two = await open();
    const people = new TestingPeople();
    const ana = people.add('ana', []);
    for (const name of ['bo', 'cleo']) people.add(name, ['owners']);
    const lea = people.add('lea', ['leads']);
    const shared = testingOnlyWorld(one, people);
    const first = await testingOnlyGateway(shared, 'gw1', new TestingLog());
    const second = await testingOnlyGateway({ ...shared, store: two }, 'gw2', new TestingLog());
    const gateways = [first.approvals, second.approvals];
    const session = testingOnlyId('session', 'one');
    for (let i = 0; i < 20; i++) {
      // oxlint-disable no-await-in-loop -- One race after the other.
      const request = testingOnlyRequest(ana, { statement: `update ${i}` });
      const holds = await Promise.all(gateways.map((approvals) => approvals.ask(request)));
      const [hold] = holds;
      if (hold === undefined) throw new Error('no hold');
      expect(holds.map(({ id }) => id)).toEqual([hold.id, hold.id]);
      const votes = await Promise.all(
        gateways.map((approvals, n) =>
          approvals.vote(hold.id, testingOnlyId('principal', n === 0 ? 'bo' : 'cleo'), {
            decision: 'approve',
            comment: undefined,
          }),
        ),
      );
      expect(votes.filter((vote) => vote.kind === 'voted')).toHaveLength(1);
      const takes = await Promise.all(
        [...gateways, ...gateways].map((approvals) => approvals.take(hold.id, hold.digest, session)),
      );
      expect(takes.filter(({ kind }) => kind === 'taken')).toHaveLength(1);
      // oxlint-enable no-await-in-loop
    }
    expect(shared.told).toEqual([]);
    const opened = await first.approvals.ask(testingOnlyRequest(ana, { statement: 'in an emergency' }));
    const openings = await Promise.all(
      gateways.map((approvals) => approvals.breakGlass(opened.id, ana.id, 'the shop is down')),
    );
    expect(openings.filter(({ kind }) => kind === 'done')).toHaveLength(1);
    await Promise.all(gateways.map((approvals) => approvals.sweep()));
    expect(shared.told).toEqual([`used ${opened.id}`]);
    const used = await second.approvals.take(opened.id, opened.digest, session);
    if (used.kind === 'taken') await used.done('ok');
    const reviews = await Promise.all(
      gateways.map((approvals) =>
        approvals.review(opened.id, lea.id, { verdict: 'justified', comment: 'it was' }),
      ),
    );
    expect(reviews.filter(({ kind }) => kind === 'done')).toHaveLength(1);
    await Promise.all(gateways.map((approvals) => approvals.close()));
  });
});

async function withFactor(
  name: string,
  stores: readonly Store[],
): Promise<{
  readonly factors: readonly SecondFactors[];
  readonly id: PrincipalId;
  readonly code: string;
}> {
  const factors = stores.map(
    (store) => new SecondFactors({ store, installationKey, clock, randomBytes: random }),
  );
  const [first] = factors;
  if (first === undefined) throw new Error('no gateway');
  const id = testingOnlyId('principal', name);
  const { secret } = await first.offer(id);
  const uri = otpauthURI(name, secret).reveal();
  const pending = await first.find(id);
  if (pending === undefined || !(await first.confirm(pending))) throw new Error('not confirmed');
  return { factors, id, code: testingOnlyCode(uri, clock.nowUs()) };
}

async function useAll(
  { factors, id }: Awaited<ReturnType<typeof withFactor>>,
  code: string,
  each: number,
): Promise<readonly (string | undefined)[]> {
  const uses = factors.flatMap((one) =>
    Array.from({ length: each }, async () => {
      const factor = await one.confirmed(id);
      if (factor === undefined) throw new Error('no factor');
      return one.use(factor, new Secret(code));
    }),
  );
  return Promise.all(uses);
}

describe('second factors of gateways that share a store', () => {
  it('take a code once', async () => {
    const stores = await Promise.all([open(), open()]);
    const shared = await withFactor('ana', stores);
    const ends = await useAll(shared, shared.code, 4);
    expect(ends.filter((failure) => failure === undefined)).toHaveLength(1);
    expect(new Set(ends)).toEqual(new Set([undefined, 'used code of the second factor']));
    await Promise.all(stores.map((store) => store.close()));
  });

  it('look at no more wrong codes than they count together', async () => {
    const stores = await Promise.all([open(), open()]);
    const shared = await withFactor('ben', stores);
    const ends = await useAll(shared, 'abcdef', 8);
    expect(ends.filter((failure) => failure?.startsWith('wrong'))).toHaveLength(10);
    expect(ends.filter((failure) => failure?.includes('locked'))).toHaveLength(6);
    await Promise.all(stores.map((store) => store.close()));
  });
});
