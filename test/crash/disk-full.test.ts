/**
 * A disk that is full or read-only under the ledger, the second place, the recordings, the spool or the
 * store: nothing runs, the client is told why, and it goes on when there is room again.
 */

import { mkdirSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { type Config, loadConfig } from '../../packages/gateway/src/config/config.ts';
import { type RunningGateway, startGateway } from '../../packages/gateway/src/main.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import { requirePresent } from '../real/require-present.ts';
import { mayMount, SmallDisk } from './small-disk.ts';

let server: PostgresServer;
let directory: string;
let number = 0;

beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'all', fsync: 'off' } });
  directory = await mkdtemp(join(tmpdir(), 'countersign-full-'));
}, 60_000);

afterAll(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

const PEOPLE = `
kind: Person
name: ana
displayName: Ana
---
kind: Access
name: all
who: [ana]
to: [db]
`;

interface Place {
  readonly config: Config;
  start(): Promise<RunningGateway>;
  connect(gateway: RunningGateway): Promise<Client>;
}

/** A gateway of its own; `where` puts one of its parts on another disk. */
function place(where: (elsewhere: string) => string, on = directory): Place {
  const data = join(on, `data-${number++}`);
  const elsewhere = join(directory, `elsewhere-${number}`);
  mkdirSync(elsewhere);
  const config = loadConfig(`tls: { mode: off }\n${where(elsewhere)}`, { data, postgresPort: 0, apiPort: 0 });
  let token: string | undefined;
  return {
    config,
    start: () => startGateway(config, { env: { DB_PASSWORD: server.password } }),
    async connect({ rooms, postgres }) {
      token ??= await makeAna(rooms);
      const client = new Client({ ...postgres, user: 'ana', password: token, database: 'db' });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
  };
}

async function makeAna({ resources, identity, bootId }: RunningGateway['rooms']): Promise<string> {
  const connection = `
kind: Connection
name: db
protocol: postgres
target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
credential: { user: postgres, password: { env: DB_PASSWORD } }
---`;
  await resources.apply(parseResources(connection + PEOPLE), { name: 'test', kind: 'system', keyId: bootId });
  const ana = await identity.principals.findByName('ana');
  if (ana === undefined) throw new Error('ana is missing');
  const options = { name: 'test', lifetimeMs: 3_600_000, createdBy: undefined };
  return (await identity.tokens.createToken(ana, options)).token.reveal();
}

/** Whether PostgreSQL has run anything with this mark. */
async function ran(mark: string): Promise<boolean> {
  return (await readFile(server.logFile, 'utf8')).includes(mark);
}

/** Which marks of {@link untilRefused} PostgreSQL has run. */
async function marksRun(name: string): Promise<ReadonlySet<string>> {
  return new Set((await readFile(server.logFile, 'utf8')).match(new RegExp(`\\b${name}-\\d+\\.`, 'g')));
}

const mountable = requirePresent('The right to mount a small file system (root)', mayMount());

describe.skipIf(!mountable)('a full disk', () => {
  it('of the ledger stops everything before it runs, says so in a last leaf, and is over when there is room', async () => {
    using disk = new SmallDisk(8);
    const at = place(() => `ledger: { directory: ${disk.path}/ledger, ballastBytes: 65536 }`);
    const gateway = await at.start();
    const client = await at.connect(gateway);
    await client.query("select 'before-full-ledger'");
    disk.fill();
    // An outcome may still be on its way; sooner or later a statement meets the full disk.
    const refused = await untilRefused(client, 'full-ledger');
    expect(refused).toMatchObject({ code: '58030' });
    expect(refused.message).toMatch(/ledger cannot be written .*ENOSPC/);
    expect((await gateway.halted).code).toBe('LEDGER_HALTED');
    await expect(at.connect(gateway)).rejects.toMatchObject({ code: '58030' });
    await gateway.close('full');

    disk.free();
    const again = await at.start();
    const after = await at.connect(again);
    await after.query("select 'after-full-ledger'");
    await after.end();
    await Promise.all(again.sessions.list().map(({ closed }) => closed));
    const { counts } = await typesOf(again);
    expect(counts).toMatchObject({ 'ledger.halt': 1, 'ledger.boot': 2 });
    expect(counts['statement.intent']).toBe(counts['statement.outcome']);
    // Nothing ran without an intent: not the one that was refused either, where its outcome met the full disk
    // before its client had the result. Two more ran before and after.
    expect(counts['statement.intent']).toBeGreaterThanOrEqual((await marksRun('full-ledger')).size + 2);
    await again.close('test');
  });

  it('of the second place stops everything before it runs, and is over when there is room', async () => {
    using disk = new SmallDisk(1);
    const at = place(() => `checkpoints: { secondPlace: ${disk.path}/second }`);
    const gateway = await at.start();
    const client = await at.connect(gateway);
    disk.fill();
    const refused = await untilRefused(client, 'full-second-place');
    expect(refused).toMatchObject({ code: '58030' });
    expect((await gateway.halted).code).toBe('LEDGER_HALTED');
    await gateway.close('full');
    await expect(at.start()).rejects.toMatchObject({ code: 'LEDGER_HALTED' });
    disk.free();
    const again = await at.start();
    const after = await at.connect(again);
    await after.query("select 'after-full-second-place'");
    await after.end();
    await again.close('test');
  });

  // Where the disk is full in the middle of a row, there is no place for an error: the connection just ends.
  it('of the recordings ends the sessions, and others begin when there is room, without a restart', {
    retry: 3,
  }, async () => {
    using disk = new SmallDisk(1);
    const at = place(() => `recording: { directory: ${disk.path}/recordings }`);
    await using gateway = await running(at);
    const client = await at.connect(gateway);
    disk.fill();
    const refused = await untilRefused(client, 'full-recordings', NOISE);
    expect(refused).toMatchObject({ code: '58030' });
    expect(refused.message).toMatch(/recording cannot be written .*ENOSPC/);
    disk.free();
    const after = await at.connect(gateway);
    await after.query("select 'after-full-recordings'");
    await after.end();
    expect(gateway.rooms.ledger.halted).toBeUndefined();
  });

  it('of the store refuses logins, and lets them in when there is room, without a restart', async () => {
    using disk = new SmallDisk(2);
    const at = place(() => `store: { kind: sqlite, file: ${disk.path}/store.sqlite }`);
    await using gateway = await running(at);
    const client = await at.connect(gateway);
    disk.fill();
    const refused = await untilRefusedLogin(at, gateway);
    expect(refused).toMatchObject({ code: '58030' });
    expect(refused.message).toMatch(/control store failed .*full/);
    // Whoever is in goes on: what they do needs nothing from the store.
    await client.query("select 'during-full-store'");
    await client.end();
    disk.free();
    const after = await at.connect(gateway);
    await after.query("select 'after-full-store'");
    await after.end();
  });

  it('of the spool refuses the message that does not fit, before it runs, and takes it when there is room', async () => {
    using disk = new SmallDisk(12);
    const at = place(allBut, disk.path);
    await using gateway = await running(at);
    const client = await at.connect(gateway);
    disk.fill();
    await expect(client.query(large('full-spool'))).rejects.toMatchObject({ code: '58030' });
    expect(await ran('full-spool')).toBe(false);
    disk.free();
    const after = await at.connect(gateway);
    await after.query(large('after-full-spool'));
    await after.end();
  });
});

describe.skipIf(!mountable)('a read-only disk', () => {
  const parts = {
    ledger: (path: string) => `ledger: { directory: ${path}/ledger, ballastBytes: 65536 }`,
    'second place': (path: string) => `checkpoints: { secondPlace: ${path}/second }`,
    store: (path: string) => `store: { kind: sqlite, file: ${path}/store.sqlite }`,
  };
  it.each(Object.entries(parts))(
    'under the %s refuses the start with the reason, and a later one goes on',
    async (_, at) => {
      using disk = new SmallDisk(8);
      const here = place(() => at(disk.path));
      const first = await here.start();
      const client = await here.connect(first);
      await client.query('select 1');
      await client.end();
      await first.close('test');
      disk.remount('ro');
      await expect(here.start()).rejects.toThrow(/read-?only/i);
      disk.remount('rw');
      const again = await here.start();
      const after = await here.connect(again);
      await after.query('select 1');
      await after.end();
      await again.close('test');
    },
  );

  it('under the recordings ends what is recorded, in the middle, and lets it begin again', async () => {
    using disk = new SmallDisk(8);
    const at = place(() => `recording: { directory: ${disk.path}/recordings }`);
    await using gateway = await running(at);
    // A session that is over: the recorder's thread has begun its work.
    await (await at.connect(gateway)).end();
    await Promise.all(gateway.sessions.list().map(({ closed }) => closed));
    const client = await at.connect(gateway);
    disk.remount('ro');
    const refused = await untilRefused(client, 'read-only-recordings', SHORT);
    expect(refused).toMatchObject({ code: '58030' });
    expect(refused.message).toMatch(/recording cannot be written .*EROFS/);
    disk.remount('rw');
    const after = await at.connect(gateway);
    await after.query('select 1');
    await after.end();
  });
});

/**
 * A value that fills a disk, of 16 KB: it comes in one read, so that the session does not end in the middle
 * of a row, where no error can be told.
 */
const NOISE = "(select string_agg(md5(random()::text), '') from generate_series(1, 500))";

/** Where no disk has to be filled: it always comes whole. */
const SHORT = 'md5(random()::text)';

/** Closed at the end of the block, whatever happens in it. */
async function running(at: Place): Promise<RunningGateway & AsyncDisposable> {
  const gateway = await at.start();
  return { ...gateway, [Symbol.asyncDispose]: () => gateway.close('the test is over') };
}

async function untilRefusedLogin(
  at: Place,
  gateway: RunningGateway,
): Promise<{ readonly code: string; readonly message: string }> {
  for (let i = 0; i < 1_000; i++) {
    try {
      await (await at.connect(gateway)).end();
    } catch (error) {
      if (error instanceof Error && 'code' in error)
        return { code: String(error.code), message: error.message };
      throw error;
    }
  }
  throw new Error('it was never refused');
}

/** Everything that is not the spool, in another place. */
function allBut(data: string): string {
  const rooms = ['ledger', 'recording'].map((room) => `${room}: { directory: ${data}/${room} }`);
  const store = `store: { kind: sqlite, file: ${data}/store.sqlite }`;
  return [...rooms, store, `checkpoints: { secondPlace: ${data}/second }`].join('\n');
}

/** A statement that is spooled, since it is larger than what is held. */
function large(mark: string): string {
  return `select length('${mark}${'x'.repeat(3_000_000)}')`;
}

async function untilRefused(
  client: Client,
  name: string,
  more = '1',
): Promise<{ code: string; message: string; mark: string }> {
  // The session may be ended between two statements: then the driver keeps the reason to itself.
  let ended: Error | undefined;
  client.on('error', (error) => {
    ended ??= error;
  });
  for (let i = 0; i < 4_000; i++) {
    const mark = `${name}-${i}.`;
    try {
      await client.query(`select '${mark}', ${more}`);
    } catch (thrown) {
      const error = thrown instanceof Error && 'code' in thrown ? thrown : (ended ?? thrown);
      if (error instanceof Error && 'code' in error)
        return { code: String(error.code), message: error.message, mark };
      throw error;
    }
  }
  throw new Error('it was never refused');
}

async function typesOf({ rooms }: RunningGateway): Promise<{ counts: Record<string, number> }> {
  const counts: Record<string, number> = {};
  for await (const { leaf } of rooms.reader.leaves(0, rooms.ledger.size)) {
    const type = /"type":"([a-z.]+)"/.exec(Buffer.from(leaf).toString('latin1'))?.[1] ?? '';
    counts[type] = (counts[type] ?? 0) + 1;
  }
  return { counts };
}
