import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CountersignError } from '../core/errors.ts';
import { makeId } from '../core/ids.ts';
import type { Appended, LedgerEvent, LedgerPort } from '../core/ledger-port.ts';
import type { ActorKind, Principal } from '../core/principal.ts';
import { Secret } from '../core/secret.ts';
import { openStore, type Store } from '../store/store.ts';
import { resolveCredential } from '../upstream/credential.ts';
import type { Changer } from './change-events.ts';
import type { PrincipalsPort } from './change-store.ts';
import { parseResources } from './parse.ts';
import { Resources, type WrittenChanges } from './resources.ts';

class CollectingLedger implements LedgerPort, WrittenChanges {
  readonly groups: (readonly LedgerEvent[])[] = [];
  failure: { readonly code: 'LEDGER_HALTED' | 'LIMIT_EXCEEDED'; readonly after: boolean } | undefined;

  async append(event: LedgerEvent): Promise<Appended> {
    const [appended] = await this.appendMany([event]);
    return appended ?? { index: 0, timeUs: 0 };
  }

  async appendMany(events: readonly LedgerEvent[]): Promise<readonly Appended[]> {
    if (this.failure?.after !== false) this.groups.push(events);
    if (this.failure !== undefined) throw new CountersignError(this.failure.code);
    return events.map((_, index) => ({ index, timeUs: 0 }));
  }

  async wasWritten(change: { kind: string; name: string; version: number }): Promise<boolean> {
    return this.leaves.some(
      ({ body }) =>
        body?.['resource_kind'] === change.kind &&
        body['name'] === change.name &&
        body['version'] === change.version,
    );
  }

  get leaves(): readonly LedgerEvent[] {
    return this.groups.flat().filter((event) => event.type.startsWith('resource.'));
  }
}

class CollectingPrincipals implements PrincipalsPort {
  readonly calls: string[] = [];
  failures = 0;

  async upsert(account: Parameters<PrincipalsPort['upsert']>[0]): Promise<() => void> {
    if (this.failures > 0) {
      this.failures -= 1;
      throw new CountersignError('STORE_FAILED', { reason: 'planned' });
    }
    const call = `${account.kind} ${account.name}${account.disabled ? ' disabled' : ''}`;
    return () => this.calls.push(call);
  }
}

const BY: Changer = { name: 'root', kind: 'user', actor: '0'.repeat(32), keyId: 'prn_x' };
const installationKey = new Secret(new Uint8Array(randomBytes(32)));

let directory: string;
let store: Store;
let ledger: CollectingLedger;
let principals: CollectingPrincipals;
let nowUs: number;

function open(node = 'gw1'): Promise<Resources> {
  return Resources.open({
    store,
    ledger,
    principals,
    written: ledger,
    installationKey,
    clock: { nowUs: () => (nowUs += 1), monotonicUs: () => nowUs },
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
    node,
  });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'resources-'));
  store = await openStore({ kind: 'sqlite', file: join(directory, 'store.sqlite') });
  ledger = new CollectingLedger();
  principals = new CollectingPrincipals();
  nowUs = 0;
});

afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

function principal(name: string, kind: ActorKind = 'user'): Principal {
  return {
    id: makeId('principal', 0, new Uint8Array(10)),
    name,
    kind,
    displayName: name,
    groups: [],
    issuer: 'local',
    subject: name,
  };
}

function person(name: string, more = ''): string {
  return `kind: Person\nname: ${name}\ndisplayName: ${name}\n${more}\n---\n`;
}

const DB = `kind: Connection
name: db
protocol: postgres
target: { host: h, database: rerank }
credential: { user: u, password: { sealed: true } }
labels: { class: reranking }
---
`;

const WORLD = `${person('ana')}${person('bob', 'groups: [search]')}${person('root', 'groups: [administrators]')}
kind: ServiceAccount
name: nightly
---
kind: Group
name: search
members: []
---
${DB}
kind: Access
name: team
who: [group:search, service:nightly]
to: [label:class=reranking]
`;

async function apply(resources: Resources, text: string): Promise<readonly string[]> {
  const changes = await resources.apply(parseResources(text), BY);
  return changes.map((change) => `${change.kind}/${change.name} ${change.action} ${change.version}`);
}

describe('apply', () => {
  it('writes one group of leaves with diffs, then takes effect', async () => {
    const resources = await open();
    expect(await apply(resources, person('ana'))).toEqual(['Person/ana created 1']);
    expect(await apply(resources, person('ana', 'disabled: true'))).toEqual(['Person/ana updated 2']);
    expect(ledger.groups).toHaveLength(2);
    expect(ledger.leaves[1]).toMatchObject({
      type: 'resource.apply',
      status: 'updated',
      kind: 'user',
      actor: BY.actor,
      keyId: 'prn_x',
      body: {
        resource_kind: 'Person',
        name: 'ana',
        version: 2,
        previous_version: 1,
        from_digest: ledger.leaves[0]?.body?.['to_digest'],
        diff: [{ path: 'disabled', from: false, to: true }],
        changed_by: 'root',
      },
    });
    expect(principals.calls).toEqual(['user ana', 'user ana disabled']);
    expect(await store.db.selectFrom('resource_changes').selectAll().execute()).toEqual([]);
  });

  it('makes no leaf for what is unchanged, however it is written', async () => {
    const resources = await open();
    await apply(resources, WORLD);
    const count = ledger.groups.length;
    const again = await apply(resources, '# other text\nname: ana\nkind: Person\ndisplayName: "ana"');
    expect(again).toEqual(['Person/ana unchanged 1']);
    expect(ledger.groups).toHaveLength(count);
  });

  it('names the new digest in a leaf of the same group', async () => {
    const resources = await open();
    const before = resources.bundleDigest();
    await apply(resources, WORLD);
    expect(ledger.groups).toHaveLength(1);
    expect(ledger.groups[0]?.at(-1)).toMatchObject({
      type: 'policy.bundle',
      body: { digest: resources.bundleDigest(), previous_digest: before, resources: 7 },
    });
    expect(resources.bundleDigest()).toMatch(/^[0-9a-f]{64}$/);
  });

  const references: readonly [string, string][] = [
    ['kind: Access\nname: x\nwho: [ana]\nto: [nowhere]', 'there is no connection "nowhere"'],
    ['kind: Access\nname: x\nwho: [group:nobody]\nto: [db]', 'there is no group "nobody"'],
    ['kind: Access\nname: x\nwho: [zoe]\nto: [db]', 'there is no person "zoe"'],
    ['kind: Access\nname: x\nwho: [service:ana]\nto: [db]', 'there is no service account "ana"'],
    ['kind: Group\nname: g\nmembers: [zoe]', 'there is no person "zoe"'],
    [person('zoe', 'groups: [nobody]'), 'there is no group "nobody"'],
    ['kind: ServiceAccount\nname: ana', 'has or had that name'],
    [person('root', 'disabled: true'), 'no person in the group administrators'],
  ];
  it.each(references)('refuses %j as a whole, without a leaf', async (text, says) => {
    const resources = await open();
    await apply(resources, WORLD);
    const count = ledger.groups.length;
    await expect(apply(resources, `${person('carl')}${text}`)).rejects.toThrow(says);
    expect(() => resources.diff(parseResources(text))).toThrow(says);
    expect(ledger.groups).toHaveLength(count);
    expect(resources.get('Person', 'carl')).toEqual([]);
  });

  it('is in effect after a restart, with the same digest', async () => {
    const resources = await open();
    await apply(resources, WORLD);
    const again = await open();
    expect(again.all).toEqual(resources.all);
    expect(again.bundleDigest()).toBe(resources.bundleDigest());
  });

  it('runs one change after the other', async () => {
    const resources = await open();
    const texts = Array.from({ length: 10 }, (_, index) => person('ana', `disabled: ${index % 2 === 0}`));
    const results = await Promise.all(texts.map((text) => apply(resources, text)));
    expect(results.flat().map((text) => text.split(' ').at(-1))).toEqual(
      texts.map((_, index) => `${index + 1}`),
    );
  });
});

describe('delete', () => {
  it('is refused while something names it, and never gives a version twice', async () => {
    const resources = await open();
    await apply(resources, WORLD);
    await expect(resources.delete('Group', 'search', BY)).rejects.toMatchObject({ code: 'RESOURCE_INVALID' });
    await resources.delete('Access', 'team', BY);
    await expect(resources.delete('Access', 'team', BY)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(ledger.leaves.at(-1)).toMatchObject({ type: 'resource.delete', body: { version: 2 } });
    expect(await apply(await open(), WORLD)).toContain('Access/team created 3');
    await expect(resources.delete('Person', 'root', BY)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('disables the principal of a person', async () => {
    const resources = await open();
    await apply(resources, WORLD);
    await resources.delete('Person', 'ana', BY);
    expect(principals.calls.at(-1)).toBe('user ana disabled');
    expect(resources.stillAllowed(principal('ana'), 'db')).toBe(false);
    await expect(apply(resources, 'kind: ServiceAccount\nname: ana')).rejects.toThrow('has or had that name');
  });
});

describe('a failure', () => {
  it('of the ledger changes nothing, and the next change goes through', async () => {
    const resources = await open();
    ledger.failure = { code: 'LIMIT_EXCEEDED', after: false };
    await expect(apply(resources, WORLD)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(resources.all).toEqual([]);
    ledger.failure = undefined;
    await apply(resources, WORLD);
    expect(resources.all).toHaveLength(7);
  });

  it.each([true, false])('between leaf and effect is repaired on start; leaf written: %s', async (after) => {
    const resources = await open();
    await apply(resources, person('ana'));
    ledger.failure = { code: 'LEDGER_HALTED', after };
    await expect(apply(resources, person('ana', 'disabled: true') + person('bob'))).rejects.toMatchObject({
      code: 'LEDGER_HALTED',
    });
    ledger.failure = undefined;
    const again = await open();
    expect(again.get('Person').map((resource) => resource.version)).toEqual(after ? [2, 1] : [1]);
    expect(principals.calls).toEqual(after ? ['user ana', 'user ana disabled', 'user bob'] : ['user ana']);
    expect(await store.db.selectFrom('resource_changes').selectAll().execute()).toEqual([]);
  });

  it('of the store after the leaf is told, and repaired before the next change', async () => {
    const resources = await open();
    principals.failures = 2;
    await expect(apply(resources, person('ana'))).rejects.toThrow('in the ledger and not in effect yet');
    expect(resources.all).toEqual([]);
    await expect(apply(resources, person('bob'))).rejects.toThrow('in the ledger and not in effect yet');
    expect(await apply(resources, person('bob'))).toEqual(['Person/bob created 1']);
    expect(resources.get('Person').map((resource) => resource.version)).toEqual([1, 1]);
    expect(ledger.leaves.map((leaf) => leaf.body?.['name'])).toEqual(['ana', 'bob']);
  });
});

describe('two gateways on one store', () => {
  it('cannot change the same version twice', async () => {
    const one = await open('gw1');
    const two = await open('gw2');
    await apply(one, person('ana'));
    await expect(apply(two, person('ana', 'disabled: true'))).rejects.toMatchObject({
      code: 'STATE_CONFLICT',
    });
    expect(ledger.leaves).toHaveLength(1);
    await two.reload();
    expect(await apply(two, person('ana', 'disabled: true'))).toEqual(['Person/ana updated 2']);
  });

  it('leave what the other has begun', async () => {
    const one = await open('gw1');
    ledger.failure = { code: 'LEDGER_HALTED', after: false };
    await expect(apply(one, person('ana'))).rejects.toMatchObject({ code: 'LEDGER_HALTED' });
    ledger.failure = undefined;
    const two = await open('gw2');
    await expect(apply(two, person('ana'))).rejects.toMatchObject({ code: 'STATE_CONFLICT' });
    expect(await apply(await open('gw1'), person('ana'))).toEqual(['Person/ana created 1']);
  });
});

describe('access', () => {
  it('is given by group, service account and label, and by nothing else', async () => {
    const resources = await open();
    await apply(resources, WORLD);
    const granted = resources.accessFor(principal('bob'), 'db', undefined);
    expect(granted).toMatchObject({ access: 'team', database: 'rerank', policy: resources.bundleDigest() });
    expect(granted.connection.name).toBe('db');
    expect(resources.accessFor(principal('nightly', 'service'), 'db', 'other').database).toBe('other');
    for (const name of ['ana', 'root', 'stranger']) {
      expect(() => resources.accessFor(principal(name), 'db', undefined)).toThrow(
        expect.objectContaining({ code: 'ACCESS_DENIED' }),
      );
    }
  });

  it('tells only an administrator that a connection does not exist', async () => {
    const resources = await open();
    await apply(resources, WORLD);
    const codeFor = (name: string): unknown => {
      try {
        return resources.accessFor(principal(name), 'nowhere', undefined);
      } catch (error) {
        return error instanceof CountersignError ? error.code : error;
      }
    };
    expect(codeFor('root')).toBe('CONNECTION_UNKNOWN');
    expect(codeFor('bob')).toBe('ACCESS_DENIED');
  });

  const endings: readonly [string, string][] = [
    ['the person is disabled', person('bob', 'groups: [search]\ndisabled: true')],
    ['the person leaves the group', person('bob')],
    ['the label goes', DB.replace('class: reranking', 'class: other')],
    ['the Access resource names others', 'kind: Access\nname: team\nwho: [ana]\nto: [db]'],
  ];
  it.each(endings)('ends when %s, and listeners hear of it', async (_, text) => {
    const resources = await open();
    await apply(resources, WORLD);
    const heard: boolean[] = [];
    resources.onChange(() => heard.push(resources.stillAllowed(principal('bob'), 'db')));
    expect(resources.stillAllowed(principal('bob'), 'db')).toBe(true);
    const digest = resources.bundleDigest();
    await apply(resources, text);
    expect(heard).toEqual([false]);
    expect(resources.bundleDigest()).not.toBe(digest);
  });

  it('does not waver for others while a change takes effect', async () => {
    const resources = await open();
    await apply(resources, WORLD);
    const progress = { done: false };
    const finished = apply(resources, person('carl')).finally(() => {
      progress.done = true;
    });
    while (!progress.done) {
      expect(resources.stillAllowed(principal('bob'), 'db')).toBe(true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await finished;
    expect((await open()).all).toEqual(resources.all);
  });

  it('knows groups from both sides', async () => {
    const resources = await open();
    await apply(resources, WORLD);
    await apply(resources, 'kind: Group\nname: search\nmembers: [ana, service:nightly]');
    expect(resources.groupsOf('ana')).toEqual(['search']);
    expect(resources.groupsOf('bob')).toEqual(['search']);
    expect(resources.groupsOf('nightly')).toEqual(['search']);
    expect(resources.groupsOf('root')).toEqual(['administrators']);
    expect(resources.groupsOf('stranger')).toEqual([]);
  });
});

describe('passwords', () => {
  const connection = {
    name: 'db',
    target: {},
    credential: { user: 'u', password: { sealed: true } },
  } as const;

  it('are set with a leaf that does not hold them, kept sealed, and gone with the connection', async () => {
    const resources = await open();
    await apply(resources, WORLD);
    const options = { store, installationKey, env: {} };
    await expect(resolveCredential(connection, options)).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' });
    await resources.setPassword('db', new Secret('canary'), BY);
    expect((await resolveCredential(connection, options)).password?.reveal()).toBe('canary');
    expect(JSON.stringify(ledger.groups)).not.toContain('canary');
    expect(JSON.stringify(ledger.groups)).toContain('credential.change');
    await resources.delete('Access', 'team', BY);
    await resources.delete('Connection', 'db', BY);
    await expect(resolveCredential(connection, options)).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' });
  });

  it('are refused where the connection takes its own from elsewhere', async () => {
    const resources = await open();
    await apply(resources, DB.replace('{ sealed: true }', '{ env: X }'));
    const setting = resources.setPassword('db', new Secret('x'), BY);
    await expect(setting).rejects.toMatchObject({ code: 'RESOURCE_INVALID' });
    await expect(resources.setPassword('none', new Secret('x'), BY)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('come from the environment and commands too', async () => {
    const options = { store, installationKey, env: { X: 'from env', PATH: process.env['PATH'] } };
    const from = async (password: { env: string } | { command: string[] }): Promise<string | undefined> =>
      (
        await resolveCredential({ ...connection, credential: { user: 'u', password } }, options)
      ).password?.reveal();
    expect(await from({ env: 'X' })).toBe('from env');
    expect(await from({ command: ['printf', 'from command'] })).toBe('from command');
    await expect(from({ env: 'Y' })).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' });
  });
});

/** What a caller is told was tested above; here the state counts. */
function ignoreOurs(error: unknown): void {
  if (!(error instanceof CountersignError)) throw error;
}

describe('any sequence of changes and crashes', () => {
  it('leaves the store as the ledger says', async () => {
    const step = fc.record({
      name: fc.constantFrom('ana', 'bob', 'carl'),
      what: fc.constantFrom('enable', 'disable', 'delete'),
      fails: fc.constantFrom('no', 'no', 'no', 'before', 'after', 'store'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        await using fresh = await openStore({ kind: 'sqlite', file: ':memory:' });
        const former = store;
        store = fresh;
        ledger = new CollectingLedger();
        let resources = await open();
        for (const { name, what, fails } of steps) {
          if (fails === 'before' || fails === 'after') {
            ledger.failure = { code: 'LEDGER_HALTED', after: fails === 'after' };
          }
          if (fails === 'store') principals.failures = 1;
          const changing =
            what === 'delete'
              ? resources.delete('Person', name, BY)
              : apply(resources, person(name, `disabled: ${what === 'disable'}`));
          await changing.catch(ignoreOurs);
          ledger.failure = undefined;
          principals.failures = 0;
          if (fails !== 'no') resources = await open();
        }
        const expected = new Map<string, number>();
        for (const { type, body } of ledger.leaves) {
          const name = JSON.stringify(body?.['name']);
          const version = Number(body?.['version']);
          if (type === 'resource.delete') expected.delete(name);
          else expected.set(name, version);
        }
        const actual = resources
          .get('Person')
          .map(({ document, version }) => [JSON.stringify(document.name), version] as const);
        expect(new Map(actual)).toEqual(expected);
        store = former;
      }),
      { numRuns: 60 },
    );
  });
});
