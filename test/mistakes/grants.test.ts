/**
 * What was taken away is gone at once, for new sessions and for live ones; nothing empty opens a door;
 * and the gateway says nothing to a target that the client did not say.
 */

import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../packages/gateway/src/core/limits.ts';
import {
  encodeBackend,
  encodeFrontend,
  encodePasswordMessage,
  encodeSASLInitialResponse,
} from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { type Harness, startHarness } from '../e2e/harness.ts';
import { startup, Wire } from '../hostile/wire.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness({ postgres: { settings: { log_statement: 'all' } } });
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

async function connect(name: string, password: string): Promise<{ client: Client; ended: Promise<string> }> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({ host, port, user: name, password, database: 'db' });
  const ended = new Promise<string>((resolve) =>
    client.on('error', (error: Error & { code?: string }) => resolve(error.code ?? '')),
  );
  await client.connect();
  await client.query('select 1');
  return { client, ended };
}

const person = (name: string): string => `kind: Person\nname: ${name}\ndisplayName: ${name}\n`;
const group = (name: string, members: string): string =>
  `---\nkind: Group\nname: ${name}\nmembers: [${members}]\n`;
const access = (name: string, who: string): string =>
  `---\nkind: Access\nname: ${name}\nwho: [${who}]\nto: [db]\n`;

async function remove(kind: 'Person' | 'Access' | 'Group', name: string): Promise<void> {
  const { rooms } = harness.gateway;
  await rooms.resources.delete(kind, name, { name: 'test', kind: 'system', keyId: rooms.bootId });
}

interface Taking {
  readonly give: string;
  /** Takes it away. */
  take(): Promise<unknown>;
  /** What a login is refused with from then on. */
  readonly code: string;
}

const TAKEN: Readonly<Record<string, Taking>> = {
  'the person': {
    give: person('pia') + access('pia', 'group:pias') + group('pias', 'pia'),
    take: async () => {
      await harness.apply(`kind: Group\nname: pias\nmembers: []\n`);
      await remove('Person', 'pia');
    },
    code: '28P01',
  },
  'the membership of a group': {
    give: person('gil') + group('gils', 'gil') + access('gil', 'group:gils'),
    take: () => harness.apply('kind: Group\nname: gils\nmembers: []\n'),
    code: '42501',
  },
  'the place in the list of an Access': {
    give: person('lea') + access('lea', 'lea, ana'),
    take: () => harness.apply('kind: Access\nname: lea\nwho: [ana]\nto: [db]\n'),
    code: '42501',
  },
};

describe('what is taken away', () => {
  it.each(Object.keys(TAKEN))(
    '%s, ends live sessions within a second and lets nobody in again',
    async (what) => {
      const taking = TAKEN[what]!;
      const name = /name: (\w+)/.exec(taking.give)?.[1] ?? '';
      await harness.apply(taking.give);
      const token = await harness.token(name);
      const { ended } = await connect(name, token);
      const started = performance.now();
      await taking.take();
      expect(await ended).toBe('57P01');
      expect(performance.now() - started).toBeLessThan(1_000);
      await expect(connect(name, token)).rejects.toMatchObject({ code: taking.code });
      await harness.finishedLog();
      expect(harness.gateway.sessions.count).toBe(0);
    },
  );
});

describe('nothing', () => {
  const SASL = encodeSASLInitialResponse;
  const ANSWERS: Readonly<Record<string, readonly Uint8Array[]>> = {
    'an empty password': [encodePasswordMessage('')],
    'a password in the clear': [encodePasswordMessage('x')],
    'no mechanism': [SASL('', null)],
    'a mechanism that was not offered': [SASL('PLAIN', Buffer.from('\0ana\0x'))],
    'an empty message': [SASL('SCRAM-SHA-256', new Uint8Array(0))],
    'no message': [SASL('SCRAM-SHA-256', null)],
    'an empty nonce': [SASL('SCRAM-SHA-256', Buffer.from('n,,n=,r='))],
    'another authorization identity': [
      SASL('SCRAM-SHA-256', Buffer.from('n,a=root,n=,r=abcdefghijklmnopqr')),
    ],
    'an answer of a server': [encodeBackend({ kind: 'AuthenticationOk' })],
    'a query instead of a password': [encodeFrontend({ kind: 'Query', textBytes: Buffer.from('select 1') })],
  };

  const { loginTimeoutMs } = LIMITS.postgres;
  afterEach(() => void Object.assign(LIMITS.postgres, { loginTimeoutMs }));

  it.each(Object.keys(ANSWERS))('is what %s opens', async (what) => {
    // This one is waited for; the others are refused at once.
    if (what === 'no message') Object.assign(LIMITS.postgres, { loginTimeoutMs: 2_000 });
    const wire = await Wire.open(harness.gateway.postgres.port);
    wire.send(startup({ user: 'ana', database: 'db' }));
    await wire.frame();
    wire.send(...ANSWERS[what]!);
    await expect(wire.until('Z')).rejects.toThrow(/FATAL|ended/);
    wire.destroy();
  });

  it('is what an empty name, token or password opens on the API', async () => {
    const { port } = harness.gateway.api;
    for (const body of [
      { name: '', password: '' },
      { name: 'ana', password: '' },
      { name: 'ana', password: null },
      {},
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const { status } = await fetch(`http://127.0.0.1:${port}/v1/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      expect([400, 401]).toContain(status);
    }
  });
});

describe('a target', () => {
  it('hears no SQL but the client’s, whatever the start-up parameters are', async () => {
    const token = await harness.token('ana');
    const { host, port } = harness.gateway.postgres;
    const client = new Client({
      host,
      port,
      user: 'ana',
      password: token,
      database: 'db',
      options: '-c search_path=evil,pg_catalog -c session_preload_libraries=',
      application_name: "x'; drop table t; --",
    });
    await client.connect();
    const { rows } = await client.query("select current_setting('search_path') as path, session_user as who");
    expect(rows).toEqual([{ path: 'evil,pg_catalog', who: 'postgres' }]);
    await client.query("select 'the mark of the end'");
    await client.end();
    await harness.finishedLog();
    const statements =
      (await readFile(harness.server.logFile, 'utf8')).match(/(?:statement|execute [^:]*): .*/g) ?? [];
    const ours = statements.filter((text) => !/select 1$|current_setting|the mark of the end/.test(text));
    expect(statements.length).toBeGreaterThan(2);
    expect(ours).toEqual([]);
  });
});
