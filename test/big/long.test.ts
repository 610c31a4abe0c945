/** A session of very many statements, and very many sessions: what they took is given back. */

import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { close } from '../differential/frames.ts';
import { bind, execute, parse, SYNC } from '../e2e/raw-session.ts';
import { BigClient } from './big-client.ts';
import { type BigGateway, startBigGateway } from './big-gateway.ts';

const SOAK = process.env['COUNTERSIGN_SOAK'] !== undefined;
const STATEMENTS = SOAK ? 1_000_000 : 20_000;
const SESSIONS = SOAK ? 10_000 : 300;
/** After so many the heap has its size; fewer leave it growing towards that. */
const WARM_STATEMENTS = SOAK ? 100_000 : 10_000;
const PIPELINE = 100;
/** One pipeline in so many has names and texts that never come again. */
const DISTINCT = 10;
const TOGETHER = 16;
const MEGABYTE = 1_048_576;
/** What lives on the heap after a collection moves by this much: caches that are filled, code that is compiled. */
const LIVE_GROWTH_BYTES_MAX = 8 * MEGABYTE;
/** V8 lets garbage lie while there is room; this is where it stops under load. */
const RESIDENT_BYTES_MAX = 400 * MEGABYTE;
/** Of the log and the store: files that are open only for a moment. */
const DESCRIPTORS_MORE_MAX = 8;
const TIME_MS = SOAK ? 1_800_000 : 60_000;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: 'off' } });
});
afterAll(() => server.stop());

interface Level {
  /** Resident, of the whole process. */
  readonly bytes: number;
  /** On the heap of the thread of the sessions, after a collection. */
  readonly live: number;
  readonly descriptors: number;
}

async function levelOf(gateway: BigGateway): Promise<Level> {
  const { bytes } = gateway.memory();
  return { bytes, live: await gateway.liveBytes(), descriptors: gateway.descriptors() };
}

function mb(bytes: number): string {
  return (bytes / MEGABYTE).toFixed(0);
}

function expectLevel(what: string, now: Level, before: Level): void {
  process.stdout.write(
    `${what}: RSS ${mb(before.bytes)} MB, then ${mb(now.bytes)} MB; live ${mb(before.live)} MB, then ${mb(now.live)} MB; descriptors ${before.descriptors}, then ${now.descriptors}\n`,
  );
  expect(now.live - before.live).toBeLessThan(LIVE_GROWTH_BYTES_MAX);
  expect(now.bytes).toBeLessThan(RESIDENT_BYTES_MAX);
  expect(now.descriptors - before.descriptors).toBeLessThanOrEqual(DESCRIPTORS_MORE_MAX);
}

/** Each statement with a name and a text of its own, which are given back. */
function distinctBatch(first: number): Buffer {
  const all = Array.from({ length: PIPELINE }, (_, i) => {
    const name = `own${first + i}`;
    return [parse(name, `select ${first + i}`), bind('', name), execute(), close('S', name)];
  });
  return Buffer.concat([...all.flat(), SYNC]);
}

it(`a session of ${STATEMENTS} statements keeps nothing of them`, { timeout: TIME_MS }, async () => {
  await using gateway = await startBigGateway(server);
  const { port, token } = gateway;
  const client = await BigClient.open({ port, user: 'ana', password: token, database: 'db' });
  const one = [bind('', 's'), execute()];
  const batch = Buffer.concat([...Array.from({ length: PIPELINE }, () => one).flat(), SYNC]);
  await client.ask([parse('s', 'select 1'), SYNC]);
  let done = 0;
  const run = async (statements: number): Promise<void> => {
    for (const end = done + statements; done < end; done += PIPELINE) {
      const isDistinct = (done / PIPELINE) % DISTINCT === 0;
      expect((await client.ask([isDistinct ? distinctBatch(done) : batch])).rows).toBe(PIPELINE);
    }
  };
  const since = performance.now();
  await run(WARM_STATEMENTS);
  const warm = await levelOf(gateway);
  await run(STATEMENTS - WARM_STATEMENTS);
  const rate = STATEMENTS / ((performance.now() - since) / 1_000);
  expectLevel(`${STATEMENTS} statements, ${rate.toFixed(0)} a second`, await levelOf(gateway), warm);
  await client.close();
  await gateway.quiet();
  const { counts, unanswered } = await gateway.log();
  expect(counts['statement.intent']).toBe(STATEMENTS);
  expect(counts['statement.outcome ok']).toBe(STATEMENTS);
  expect(unanswered).toBe(0);
  expect(gateway.said()).toBe('');
});

it(`${SESSIONS} sessions leave nothing behind`, { timeout: TIME_MS }, async () => {
  await using gateway = await startBigGateway(server);
  const { port, token: password } = gateway;
  const session = async (): Promise<void> => {
    const client = new Client({ host: '127.0.0.1', port, user: 'ana', password, database: 'db' });
    await client.connect();
    await client.query('select 1');
    await client.end();
  };
  const run = async (sessions: number): Promise<void> => {
    let left = sessions;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await session();
    };
    await Promise.all(Array.from({ length: TOGETHER }, worker));
    await gateway.quiet();
  };
  const since = performance.now();
  const first = SESSIONS / 5;
  await run(first);
  const warm = await levelOf(gateway);
  await run(SESSIONS - first);
  const rate = SESSIONS / ((performance.now() - since) / 1_000);
  expectLevel(`${SESSIONS} sessions, ${rate.toFixed(0)} a second`, await levelOf(gateway), warm);
  const { counts } = await gateway.log();
  expect(counts['session.start']).toBe(SESSIONS);
  expect(counts['session.end ok']).toBe(SESSIONS);
  expect(await indexed(gateway)).toBe(SESSIONS);
  // Node says MaxListenersExceededWarning there.
  expect(gateway.said()).toBe('');
});

/** How many sessions the index has, page by page. */
async function indexed({ apiPort, rootToken }: BigGateway): Promise<number> {
  const headers = { authorization: `Bearer ${rootToken}` };
  const ids = new Set<string>();
  let before = '';
  do {
    const answer = await fetch(`http://127.0.0.1:${apiPort}/v1/sessions?limit=100${before}`, { headers });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A wrong shape fails the test.
    const page = (await answer.json()) as { sessions: { id: string }[]; next?: string };
    for (const { id } of page.sessions) ids.add(id);
    before = page.next === undefined ? '' : `&before=${page.next}`;
  } while (before !== '');
  return ids.size;
}
