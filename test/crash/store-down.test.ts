/** A store that is locked, deleted, gone or frozen: logins are refused with the reason, and go on with it. */

import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket, connect as connectTo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { LIMITS } from '../../packages/gateway/src/core/limits.ts';
import { type RunningGateway, startGateway } from '../../packages/gateway/src/main.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';

let server: PostgresServer;
let directory: string;
/** What the operator is told. */
const told: string[] = [];

beforeAll(async () => {
  // What is waited for here in whole, twice.
  Object.assign(LIMITS.store, { busyTimeoutMs: 1_500, answerTimeoutMs: 5_000 });
  server = await startPostgres({ settings: { fsync: 'off' } });
  directory = await mkdtemp(join(tmpdir(), 'countersign-store-'));
}, 60_000);

afterAll(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

interface Running extends AsyncDisposable {
  readonly gateway: RunningGateway;
  connect(): Promise<Client>;
}

async function start(data: string, store: string): Promise<Running> {
  const text = `tls: { mode: off }\n${store}`;
  const config = loadConfig(text, { data, postgresPort: 0, apiPort: 0 });
  const gateway = await startGateway(config, {
    env: { DB_PASSWORD: server.password },
    onError: (error, where) => told.push(`${where}: ${wordsOf(error)}`),
  });
  const token = await makeAna(gateway.rooms);
  return {
    gateway,
    async connect() {
      const client = new Client({ ...gateway.postgres, user: 'ana', password: token, database: 'db' });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
    [Symbol.asyncDispose]: () => gateway.close('the test is over'),
  };
}

/** As the command line prints it: with the message of its cause. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return `${error.message} ${cause instanceof Error ? cause.message : ''}`;
}

async function makeAna({ resources, identity, bootId }: RunningGateway['rooms']): Promise<string> {
  const text = `
kind: Connection
name: db
protocol: postgres
target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---
kind: Person
name: ana
displayName: Ana
---
kind: Access
name: all
who: [ana]
to: [db]
`;
  await resources.apply(parseResources(text), { name: 'test', kind: 'system', keyId: bootId });
  const ana = await identity.principals.findByName('ana');
  if (ana === undefined) throw new Error('ana is missing');
  const options = { name: 'test', lifetimeMs: 3_600_000, createdBy: undefined };
  return (await identity.tokens.createToken(ana, options)).token.reveal();
}

describe('a store in a file', () => {
  it('that another process holds refuses logins until it is free, and whoever is in goes on', async () => {
    const file = join(directory, 'locked.sqlite');
    await using running = await start(join(directory, 'locked'), `store: { kind: sqlite, file: ${file} }`);
    const inside = await running.connect();
    const other = new DatabaseSync(file);
    other.exec('begin immediate');
    const refused = running.connect().then(
      () => 'let in',
      (error: Error) => error.message,
    );
    // Nobody waits for the one who waits.
    const started = performance.now();
    await inside.query('select 1');
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(await refused).toMatch(/locked/);
    other.exec('rollback');
    other.close();
    const after = await running.connect();
    await after.query('select 1');
    await Promise.all([inside.end(), after.end()]);
  }, 60_000);

  it('that was deleted or replaced refuses logins, instead of keeping keys nowhere, until it is back', async () => {
    const file = join(directory, 'deleted.sqlite');
    await using running = await start(join(directory, 'deleted'), `store: { kind: sqlite, file: ${file} }`);
    await rename(file, `${file}.moved`);
    await expect(running.connect()).rejects.toMatchObject({
      code: '58030',
      message: expect.stringMatching(/was deleted or replaced/),
    });
    await writeFile(file, '');
    await expect(running.connect()).rejects.toMatchObject({
      code: '58030',
      message: expect.stringMatching(/was deleted or replaced/),
    });
    await rename(`${file}.moved`, file);
    const after = await running.connect();
    await after.query('select 1');
    await after.end();
  });
});

/** A way to PostgreSQL that can be cut and frozen. */
class Way implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: 'open' | 'cut' | 'frozen' = 'open';

  constructor(targetPort: number) {
    this.#server = createServer((near) => {
      if (this.#state === 'cut') {
        near.destroy();
        return;
      }
      const far = connectTo(targetPort, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => undefined);
        from.on('data', (bytes) => {
          if (this.#state === 'open') to.write(bytes);
        });
        from.on('close', () => to.destroy());
      }
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  cut(): void {
    this.#state = 'cut';
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  freeze(): void {
    this.#state = 'frozen';
  }

  open(): void {
    this.#state = 'open';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe('a store in PostgreSQL', () => {
  it('that is gone or frozen refuses logins in bounded time, and lets them in when it is back', async () => {
    await using way = new Way(server.port);
    const port = await way.listen();
    const url = join(directory, 'url');
    await writeFile(url, `postgres://postgres:${server.password}@127.0.0.1:${port}/postgres`, {
      mode: 0o600,
    });
    await using running = await start(
      join(directory, 'shared'),
      `store: { kind: postgres, url: { file: ${url} } }`,
    );
    const inside = await running.connect();
    way.cut();
    await expect(running.connect()).rejects.toMatchObject({ code: '58030' });
    // What runs needs nothing of the store; what is taken away meanwhile is seen when it is back.
    await inside.query('select 1');
    way.open();
    const between = await running.connect();
    await between.query('select 1');
    way.freeze();
    await expect(running.connect()).rejects.toMatchObject({ code: '58030' });
    await inside.query('select 1');
    way.cut();
    way.open();
    const after = await running.connect();
    await after.query('select 1');
    await Promise.all([inside.end(), between.end(), after.end()]);
    expect(told.length).toBeGreaterThan(0);
    expect(told.filter((text) => text.includes(server.password))).toEqual([]);
  }, 90_000);

  it.each([
    ['refuses the password', (port: number) => `127.0.0.1:${port}/postgres`],
    ['has no such database', (port: number) => `127.0.0.1:${port}/nowhere`],
    ['is not there', () => '127.0.0.1:1/postgres'],
    ['has a URL that is none', () => '[nowhere/postgres'],
    ['has a port that is none', () => '127.0.0.1:99999999/postgres'],
  ])('that %s ends the start with an error in which its password is not', async (_, at) => {
    const password = 'planted-password-of-the-store-91f0';
    const url = join(directory, 'planted');
    await writeFile(url, `postgres://postgres:${password}@${at(server.port)}`, { mode: 0o600 });
    const text = `tls: { mode: off }\nstore: { kind: postgres, url: { file: ${url} } }`;
    const config = loadConfig(text, { data: join(directory, 'planted-data'), postgresPort: 0, apiPort: 0 });
    const error = await startGateway(config, { env: {} }).then(
      async (gateway) => gateway.close('it started'),
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'STORE_FAILED' });
    expect(wordsOf(error)).not.toContain(password);
  });
});
