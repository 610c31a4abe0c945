/** node-postgres and postgres.js, unchanged: values, prepared names, pipelines, cursors, COPY, cancel. */

import { Client } from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Harness, type LoggedEvent, startHarness } from './harness.ts';

let harness: Harness;
let token: string;

beforeAll(async () => {
  harness = await startHarness();
  token = await harness.token('ana');
}, 60_000);

afterAll(() => harness?.[Symbol.asyncDispose]());

async function connect(): Promise<Client> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({ host, port, user: 'ana', password: token, database: 'db' });
  await client.connect();
  return client;
}

/** The intent of the statement whose text contains this, with its outcome. */
async function operation(
  part: string,
): Promise<{ readonly intent: LoggedEvent; readonly outcome: LoggedEvent }> {
  const log = await harness.finishedLog();
  const intent = log.findLast(
    ({ leaf, body }) => leaf.type === 'statement.intent' && JSON.stringify(body['sql']).includes(part),
  );
  const outcome = log.find(({ leaf }) => leaf.type === 'statement.outcome' && leaf.ref === intent?.leaf.n);
  if (intent === undefined || outcome === undefined) throw new Error(`no operation with ${part}`);
  return { intent, outcome };
}

describe('node-postgres through the gateway', () => {
  it('records bound values, in text and in binary, with the text that they were bound to', async () => {
    const client = await connect();
    const { rows } = await client.query('select $1::int + 1 as sum, $2::bytea as raw, $3::text as nothing', [
      41,
      Buffer.from([0, 255]),
      null,
    ]);
    await client.end();
    expect(rows).toEqual([{ sum: 42, raw: Buffer.from([0, 255]), nothing: null }]);
    const { intent, outcome } = await operation('as sum');
    expect(intent.body).toMatchObject({
      protocol_message: 'Execute',
      parameters: [{ text: '41' }, { binary: 'AP8=' }, { null: true }],
    });
    expect(intent.leaf).toMatchObject({ decision: 'allow', target: 'db', kind: 'user' });
    expect(outcome.body).toMatchObject({ rows: 1, tags: ['SELECT 1'] });
  });

  it('knows the text of a prepared name, also when it is used again', async () => {
    const client = await connect();
    for (const value of [1, 2, 3]) {
      const { rows } = await client.query({
        name: 'again',
        text: 'select $1::int as again',
        values: [value],
      });
      expect(rows).toEqual([{ again: value }]);
    }
    await client.end();
    const log = await harness.finishedLog();
    const again = log.filter(
      ({ leaf, body }) => leaf.type === 'statement.intent' && body['statement_name'] === 'again',
    );
    expect(again.map(({ body }) => [body['sql'], body['parameters']])).toEqual(
      [1, 2, 3].map((value) => ['select $1::int as again', [{ text: String(value) }]]),
    );
  });

  it('carries values and texts of several megabytes through the spool, named by digest', async () => {
    const client = await connect();
    const { rows } = await client.query('select length($1::text) as long_value', ['x'.repeat(3_000_000)]);
    expect(rows).toEqual([{ long_value: 3_000_000 }]);
    const text = `select length('${'y'.repeat(2_000_000)}') as long_text`;
    expect((await client.query(text)).rows).toEqual([{ long_text: 2_000_000 }]);
    expect((await client.query("select repeat('z', 5000000) as big")).rows[0].big.length).toBe(5_000_000);
    await client.end();
    const { intent } = await operation('as long_value');
    expect(intent.body['parameters']).toEqual([
      { spooled: { bytes: expect.any(Number), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
    ]);
  });

  it('says how a failed statement failed, and goes on', async () => {
    const client = await connect();
    await expect(client.query('select * from no_such_table')).rejects.toMatchObject({ code: '42P01' });
    expect((await client.query('select 1 as fine')).rows).toEqual([{ fine: 1 }]);
    await client.end();
    const { outcome } = await operation('no_such_table');
    expect(outcome.leaf.status).toBe('error');
    expect(outcome.body).toMatchObject({ sqlstate: '42P01', rows: 0 });
  });

  it('cancels the statement that runs, by a key of its own', async () => {
    const client = await connect();
    const slow = client.query('select pg_sleep(30) as slow');
    const { port } = harness.gateway.postgres;
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const key = Buffer.alloc(16);
    [16, 80_877_102, processID, secretKey].forEach((value, i) => key.writeInt32BE(value | 0, 4 * i));
    await untilRunning('pg_sleep(30)');
    await sendRaw(port, key);
    await expect(slow).rejects.toMatchObject({ code: '57014' });
    expect((await client.query('select 1 as after')).rows).toEqual([{ after: 1 }]);
    await client.end();
    expect((await operation('as slow')).outcome.leaf.status).toBe('cancelled');
    const log = await harness.finishedLog();
    expect(log.some(({ leaf }) => leaf.type === 'statement.cancel' && leaf.status === 'ok')).toBe(true);
  });

  it('delivers notifications', async () => {
    const client = await connect();
    const heard = new Promise((resolve) => client.on('notification', (message) => resolve(message.payload)));
    await client.query('listen news');
    await client.query("notify news, 'hello'");
    expect(await heard).toBe('hello');
    await client.end();
  });
});

describe('postgres.js through the gateway', () => {
  it('pipelines, uses transactions and cursors', async () => {
    const { host, port } = harness.gateway.postgres;
    const sql = postgres({
      host,
      port,
      user: 'ana',
      password: token,
      database: 'db',
      max: 2,
      onnotice: () => undefined,
    });
    const many = await Promise.all(Array.from({ length: 200 }, (_, i) => sql`select ${i}::int as i`));
    expect(many.map(([row]) => row?.['i'])).toEqual(Array.from({ length: 200 }, (_, i) => i));
    await sql.begin(async (transaction) => {
      await transaction`create temporary table t(a int)`;
      await transaction`insert into t select generate_series(1, 10)`;
      expect((await transaction`select count(*)::int as n from t`)[0]?.['n']).toBe(10);
    });
    let rows = 0;
    await sql`select g from generate_series(1, 1000) g`.cursor(100, (chunk) => {
      rows += chunk.length;
    });
    expect(rows).toBe(1000);
    await sql.end();
    const log = await harness.finishedLog();
    const portions = log.filter(({ body }) => body['row_limit'] === 100);
    expect(portions.length).toBeGreaterThanOrEqual(10);
    const intents = log.filter(({ leaf }) => leaf.type === 'statement.intent').map(({ leaf }) => leaf.n);
    const answered = new Set(
      log.filter(({ leaf }) => leaf.type === 'statement.outcome').map(({ leaf }) => leaf.ref),
    );
    expect(intents.filter((index) => !answered.has(index))).toEqual([]);
    expect(harness.errors).toEqual([]);
  });
});

async function untilRunning(part: string): Promise<void> {
  const direct = new Client({
    host: harness.server.host,
    port: harness.server.port,
    user: 'postgres',
    password: harness.server.password,
    database: 'postgres',
  });
  await direct.connect();
  for (;;) {
    const { rows } = await direct.query(
      'select 1 from pg_stat_activity where query like $1 and pid <> pg_backend_pid() and state = $2',
      [`%${part}%`, 'active'],
    );
    if (rows.length > 0) break;
  }
  await direct.end();
}

async function sendRaw(port: number, bytes: Uint8Array): Promise<void> {
  const { connect: connectSocket } = await import('node:net');
  await new Promise<void>((resolve, reject) => {
    const socket = connectSocket(port, '127.0.0.1', () => socket.end(bytes));
    socket.on('close', () => resolve());
    socket.on('error', reject);
    socket.resume();
  });
}
