/** Cancel requests by the hundred, with right, wrong and stale keys, against statements that really run. */

import { randomInt } from 'node:crypto';
import { Client } from 'pg';
import { expect, it } from 'vitest';
import { encodeStartupPacket } from '../../packages/gateway/src/protocols/postgres/startup.ts';
import { directly, failure } from '../e2e/clients.ts';
import { type Harness, startHarness } from '../e2e/harness.ts';
import { Random } from '../fuzz/random.ts';
import { Wire } from './wire.ts';

const REQUESTS = process.env['COUNTERSIGN_SOAK'] === undefined ? 600 : 10_000;
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? randomInt(2 ** 31));

/** What the server told a client to cancel with: 4 bytes, or more in later versions of the protocol. */
interface Key {
  readonly processId: number;
  readonly secret: Uint8Array;
}

interface Runner {
  readonly key: Key;
  /** Results of its statements, in order: `ok`, or the SQLSTATE. */
  readonly results: string[];
  stop(): Promise<void>;
}

async function cancel(harness: Harness, { processId, secret }: Key): Promise<void> {
  const wire = await Wire.open(harness.gateway.postgres.port);
  wire.send(encodeStartupPacket({ kind: 'CancelRequest', processId, secretKey: secret }));
  await wire.over;
  wire.destroy();
}

/** A client, and the key that it was given. */
async function connected(
  harness: Harness,
  token: string,
): Promise<{ readonly client: Client; readonly key: Key }> {
  const { host, port } = harness.gateway.postgres;
  const client = new Client({ host, port, user: 'ana', password: token, database: 'db' });
  client.on('error', () => undefined);
  const keys: Key[] = [];
  const { connection } = client as unknown as {
    connection: {
      on(event: string, listener: (message: { processID: number; secretKey: number | Buffer }) => void): void;
    };
  };
  connection.on('backendKeyData', ({ processID, secretKey }) => {
    const secret = Buffer.alloc(4);
    if (typeof secretKey === 'number') secret.writeInt32BE(secretKey);
    keys.push({
      processId: processID >>> 0,
      secret: typeof secretKey === 'number' ? secret : Buffer.from(secretKey),
    });
  });
  await client.connect();
  const [key] = keys;
  if (key === undefined) throw new Error('no key');
  return { client, key };
}

/** A session that sleeps, again and again: in turn as a simple query, and with a value. */
async function runner(harness: Harness, token: string): Promise<Runner> {
  const { client, key } = await connected(harness, token);
  const results: string[] = [];
  const stopping = new AbortController();
  const running = (async (): Promise<void> => {
    for (let i = 0; !stopping.signal.aborted; i++) {
      // oxlint-disable-next-line no-await-in-loop -- One statement after the other.
      const answer = await (i % 2 === 0
        ? client.query(`select pg_sleep(0.1), ${i} as n`)
        : client.query('select pg_sleep(0.1), $1::int as n', [i])
      ).then(
        ({ rows }: { rows: { n: number }[] }) => (rows[0]?.n === i ? 'ok' : 'another’s answer'),
        (error: { code?: string }) => error.code ?? 'broken',
      );
      results.push(answer);
    }
  })();
  return {
    key,
    results,
    async stop() {
      stopping.abort();
      await running;
      await client.end();
    },
  };
}

it('hit the statements of the session whose key they have, and nothing else', {
  timeout: 600_000,
}, async () => {
  await using harness = await startHarness();
  const token = await harness.token('ana');
  const targets = await Promise.all(Array.from({ length: 4 }, () => runner(harness, token)));
  const untouched = await Promise.all(Array.from({ length: 3 }, () => runner(harness, token)));
  const gone = await runner(harness, token);
  await gone.stop();
  const random = new Random(seed);

  const request = (): Promise<void> => {
    const right = random.pick(targets).key;
    const innocent = random.pick(untouched).key;
    switch (random.below(6)) {
      case 0:
        return cancel(harness, { ...innocent, secret: random.bytes(innocent.secret.length) });
      case 1:
        return cancel(harness, { processId: innocent.processId, secret: right.secret });
      case 2:
        return cancel(harness, gone.key);
      case 3:
        return cancel(harness, {
          processId: right.processId,
          secret: right.secret.subarray(0, 4).map((byte) => byte ^ 1),
        });
      default:
        return cancel(harness, right);
    }
  };
  for (let sent = 0; sent < REQUESTS; sent += 6) await Promise.all(Array.from({ length: 6 }, request));

  const calm = await runner(harness, token);
  const before = targets.map(({ results }) => results.length);
  // Whatever was asked has been taken or has come too late: nothing is hit any more.
  while (targets.some(({ results }, i) => results.length < (before[i] ?? 0) + 6)) {
    // oxlint-disable-next-line no-await-in-loop -- Until some statements more are through.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Promise.all([...targets, ...untouched, calm].map((one) => one.stop()));
  const late = targets.flatMap(({ results }, i) => results.slice((before[i] ?? 0) + 2));
  const hit = targets.flatMap(({ results }) => results).filter((result) => result === '57014').length;
  const log = await harness.finishedLog();
  const statuses = (type: string, status: string): number =>
    log.filter(({ leaf }) => leaf.type === type && leaf.status === status).length;
  console.info(
    `seed ${seed}, ${REQUESTS} requests: ${hit} statements cancelled, ${statuses('statement.cancel', 'late')} requests late`,
  );

  expect(new Set([...targets, gone].flatMap(({ results }) => results))).toEqual(new Set(['ok', '57014']));
  expect(new Set([...untouched, calm].flatMap(({ results }) => results))).toEqual(new Set(['ok']));
  expect(late.filter((result) => result !== 'ok')).toEqual([]);
  // How many depends on the machine; none would mean that nothing was tested.
  expect(hit).toBeGreaterThan(4);
  // A request that hits Parse or Bind of an extended query cancels what had not begun to be executed.
  expect(statuses('statement.outcome', 'cancelled') + statuses('statement.outcome', 'skipped')).toBe(hit);
  expect(harness.gateway.sessions.count).toBe(0);
  expect(harness.errors).toEqual([]);
});

/** Planning calls what says that it is immutable: there is a time in which Bind runs, and Execute waits behind it. */
it.each([
  ['in Bind, before its Execute', [1], 'skipped'],
  ['in a simple Query', undefined, 'cancelled'],
])('%s leaves an outcome that says so', { timeout: 60_000 }, async (_, values, status) => {
  await using harness = await startHarness();
  const direct = await directly(harness);
  await direct.query(
    'create function slow() returns int immutable language plpgsql as $$ begin perform pg_sleep(20); return 1; end $$',
  );
  const { client, key } = await connected(harness, await harness.token('ana'));
  const answer = failure(client.query(`select slow()${values === undefined ? '' : ', $1::int'}`, values));
  const asleep = `select count(*)::int as n from pg_stat_activity where wait_event = 'PgSleep'`;
  await expect.poll(async () => (await direct.query(asleep)).rows[0].n, { timeout: 15_000 }).toBe(1);
  await cancel(harness, key);
  expect((await answer).code).toBe('57014');
  await Promise.all([client.end(), direct.end()]);
  const log = await harness.finishedLog();
  const { leaf } = log.findLast(({ leaf: { type } }) => type === 'statement.outcome') ?? {};
  expect(leaf?.status).toBe(status);
});
