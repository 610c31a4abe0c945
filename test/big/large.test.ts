/** Values near PostgreSQL's limit, and results and COPY larger than the memory they may take. */

import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { execute, parse, query, SYNC } from '../e2e/raw-session.ts';
import { BigClient, head, patterned, type Place } from './big-client.ts';
import { type BigGateway, startBigGateway } from './big-gateway.ts';

const SOAK = process.env['COUNTERSIGN_SOAK'] !== undefined;
/** PostgreSQL takes no message of 1 GiB - 1 and more. */
const VALUE_BYTES = SOAK ? 1_000_000_000 : 32_000_000;
const STREAM_BYTES = SOAK ? 5_000_000_000 : 100_000_000;
const MEGABYTE = 1_048_576;
const PEAK_BYTES_MAX = 300 * MEGABYTE;
const TIME_MS = SOAK ? 1_800_000 : 60_000;
/** One row of the streamed table: its text has no pattern that a block could be compressed by. */
const ROW_BYTES = 8_000;
const ROWS = 2_000;

let server: PostgresServer;
let direct: Place;

beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: 'off', max_wal_size: '8GB' } });
  direct = { port: server.port, user: server.superuser, password: server.password, database: 'postgres' };
  const client = await BigClient.open(direct);
  const text = `(select string_agg(md5(i::text || '.' || j::text), '') from generate_series(1, ${ROW_BYTES / 32}) as j)`;
  await client.ask([
    query(`create unlogged table wide (v text);
      alter table wide alter v set storage external;
      create unlogged table sink (like wide including all);
      insert into wide select ${text} from generate_series(1, ${ROWS}) as i`),
  ]);
  await client.close();
}, TIME_MS);
afterAll(() => server.stop());

function through({ port, token }: BigGateway): Place {
  return { port, user: 'ana', password: token, database: 'db' };
}

function report(what: string, gateway: BigGateway, since: number, bytes: number): void {
  const seconds = (performance.now() - since) / 1_000;
  const peak = (gateway.memory().peakBytes / MEGABYTE).toFixed(0);
  process.stdout.write(`${what}: ${(bytes / 1e6 / seconds).toFixed(0)} MB/s, peak ${peak} MB\n`);
}

/** What a recording must hold beyond the bytes of the statement under test: greetings and answers. */
async function expectRecorded(
  gateway: BigGateway,
  channels: readonly number[],
  bytes: number,
): Promise<void> {
  await gateway.quiet();
  expect(gateway.memory().peakBytes).toBeLessThan(PEAK_BYTES_MAX);
  const recording = await gateway.recording();
  expect(recording.truncated).toBe(false);
  const recorded = channels.reduce((sum, channel) => sum + (recording.bytes[channel] ?? 0), 0);
  expect(recorded).toBeGreaterThanOrEqual(bytes);
  expect(recorded).toBeLessThan(bytes + MEGABYTE);
  // Reading it back is bounded too.
  expect(gateway.memory().peakBytes).toBeLessThan(PEAK_BYTES_MAX);
  expect((await gateway.log()).unanswered).toBe(0);
  expect(gateway.said()).toBe('');
}

describe(`a value of ${VALUE_BYTES} bytes`, () => {
  it('comes from the target as it is', { timeout: TIME_MS }, async () => {
    await using gateway = await startBigGateway(server);
    const ask = [query(`select repeat('0123456789', ${VALUE_BYTES / 10})`)];
    const plain = await BigClient.open(direct);
    const wanted = await plain.ask(ask);
    await plain.close();
    const since = performance.now();
    const client = await BigClient.open(through(gateway));
    const answer = await client.ask(ask);
    report('value to the client', gateway, since, VALUE_BYTES);
    expect(answer.sha256).toBe(wanted.sha256);
    expect(answer.bytes).toBe(wanted.bytes);
    await client.close();
    await expectRecorded(gateway, [1], answer.bytes);
  });

  it('goes to the target as a parameter', { timeout: TIME_MS }, async () => {
    await using gateway = await startBigGateway(server);
    const pattern = randomBytes(MEGABYTE);
    const hash = createHash('sha256');
    for (const piece of patterned(pattern, VALUE_BYTES)) hash.update(piece);
    const wanted = hash.digest('hex');
    // Portal and statement without names, one format (binary), one value, results in text.
    const before = Buffer.from([0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0]);
    before.writeUInt32BE(VALUE_BYTES, 8);
    const after = Buffer.alloc(2);
    function* messages(): Generator<Uint8Array> {
      yield parse('', "select encode(sha256($1::bytea), 'hex')");
      yield head('B', before.length + VALUE_BYTES + after.length);
      yield before;
      yield* patterned(pattern, VALUE_BYTES);
      yield after;
      yield execute();
      yield SYNC;
    }
    const since = performance.now();
    const client = await BigClient.open(through(gateway));
    const answer = await client.ask(messages());
    report('value as a parameter', gateway, since, VALUE_BYTES);
    expect(answer.last.subarray(6).toString()).toBe(wanted);
    await client.close();
    await expectRecorded(gateway, [0, 3], VALUE_BYTES);
  });

  it('goes to the target in the text of a Query', { timeout: TIME_MS }, async () => {
    await using gateway = await startBigGateway(server);
    const begin = Buffer.from("select encode(sha256(convert_to(current_query(), 'UTF8')), 'hex') /*");
    const end = Buffer.from('*/');
    const pattern = Buffer.from(randomBytes(MEGABYTE / 2).toString('hex'));
    const hash = createHash('sha256').update(begin);
    for (const piece of patterned(pattern, VALUE_BYTES)) hash.update(piece);
    const wanted = hash.update(end).digest('hex');
    function* messages(): Generator<Uint8Array> {
      yield head('Q', begin.length + VALUE_BYTES + end.length + 1);
      yield begin;
      yield* patterned(pattern, VALUE_BYTES);
      yield end;
      yield Buffer.of(0);
    }
    const since = performance.now();
    const client = await BigClient.open(through(gateway));
    const answer = await client.ask(messages());
    report('value in a Query', gateway, since, VALUE_BYTES);
    expect(answer.last.subarray(6).toString()).toBe(wanted);
    await client.close();
    await expectRecorded(gateway, [0, 3], VALUE_BYTES);
  });
});

describe(`${STREAM_BYTES} bytes in one statement`, () => {
  const times = Math.ceil(STREAM_BYTES / ROWS / ROW_BYTES);
  const rows = times * ROWS;
  const source = `select w.v from generate_series(1, ${times}) as again, lateral (select v from wide offset again * 0) as w`;

  for (const [what, text] of [
    ['a result', source],
    ['COPY to the client', `copy (${source}) to stdout`],
  ] as const) {
    it(`${what}: streamed and recorded`, { timeout: TIME_MS }, async () => {
      await using gateway = await startBigGateway(server);
      const plain = await BigClient.open(direct);
      const wanted = await plain.ask([query(text)]);
      await plain.close();
      const since = performance.now();
      const client = await BigClient.open(through(gateway));
      const answer = await client.ask([query(text)]);
      report(what, gateway, since, answer.bytes);
      expect(answer).toMatchObject({ rows, bytes: wanted.bytes, sha256: wanted.sha256 });
      await client.close();
      await expectRecorded(gateway, [1], answer.bytes);
    });
  }

  it('COPY from the client: streamed and recorded', { timeout: TIME_MS }, async () => {
    await using gateway = await startBigGateway(server);
    const line = Buffer.from(`${randomBytes(ROW_BYTES / 2).toString('hex')}\n`);
    const frames = Buffer.concat(Array.from({ length: 100 }, () => [head('d', line.length), line]).flat());
    function* copy(): Generator<Uint8Array> {
      for (let sent = 0; sent < rows; sent += 100) yield frames;
      yield head('c', 0);
    }
    const since = performance.now();
    const client = await BigClient.open(through(gateway));
    await client.ask([query('copy sink from stdin')], copy());
    report('COPY from the client', gateway, since, rows * line.length);
    const sums = "select count(*) || ' ' || sum(octet_length(v)) from sink";
    const answer = await client.ask([query(sums)]);
    expect(answer.last.subarray(6).toString()).toBe(`${rows} ${rows * ROW_BYTES}`);
    await client.ask([query('truncate sink')]);
    await client.close();
    await expectRecorded(gateway, [0], (rows / 100) * frames.length);
  });
});
