/**
 * Messages of ten bytes that ask for much: an Execute runs a text of half a megabyte again, or makes
 * the gateway forget thousands of names. They take neither the memory nor the turns of other sessions.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../../examples/demo/postgres-server.ts';
import { bind, execute, frame, parse, query, SYNC } from '../e2e/raw-session.ts';
import { startVictim, type Victim } from './victim-process.ts';
import { RefusedError, Wire } from './wire.ts';

const GROWTH_BYTES_MAX = 256 * 1024 * 1024;
/** Of a statement of somebody else; without the bounds it was 8 to 20 s. */
const WAIT_MS_MAX = 5_000;

let server: PostgresServer;
let victim: Victim;

beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: 'off' } });
  victim = await startVictim({
    targetPort: server.port,
    password: server.password,
    connections: ['postgres'],
  });
});
afterAll(async () => {
  await victim[Symbol.asyncDispose]();
  await server.stop();
});

async function open(): Promise<Wire> {
  const wire = await Wire.open(victim.port);
  await wire.login({ user: 'ana', password: victim.token, database: 'postgres' });
  return wire;
}

async function ready(wire: Wire): Promise<void> {
  try {
    await wire.until('Z');
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    await wire.until('Z');
  }
}

function times(count: number, message: Uint8Array): Uint8Array {
  return Buffer.concat(Array.from({ length: count }, () => message));
}

function padded(text: string): Buffer {
  return query(`${text} /*${'x'.repeat(2_000)}*/`);
}

/** The longest that somebody else waited for a statement during an attack. */
async function waitOfOthers(attack: (wire: Wire) => Promise<void>): Promise<number> {
  const [attacker, other] = await Promise.all([open(), open()]);
  const over = new AbortController();
  const attacked = attack(attacker).finally(() => over.abort());
  let worstMs = 0;
  while (!over.signal.aborted) {
    const begun = performance.now();
    other.send(query('select 1'));
    // oxlint-disable-next-line no-await-in-loop -- One statement behind the other.
    await other.until('Z');
    worstMs = Math.max(worstMs, performance.now() - begun);
  }
  await attacked;
  attacker.destroy();
  other.destroy();
  return worstMs;
}

describe('a client that executes', () => {
  it('a long text thousands of times in one write costs no memory, and each has its leaves', async () => {
    const startBytes = (await victim.memory()).peakBytes;
    const wire = await open();
    const text = `select 1 /*${'x'.repeat(500_000)}*/`;
    wire.send(parse('', text), bind('', ''), times(2_000, execute()), SYNC);
    await wire.until('Z');
    wire.send(Buffer.of(0x58, 0, 0, 0, 4));
    await wire.over;
    const log = await victim.finishedLog();
    expect(victim.alive()).toBe(true);
    expect([log.unanswered, log.open, log.errors]).toEqual([[], [], []]);
    expect(log.counts).toMatchObject({ 'statement.intent': 2_000, 'statement.outcome ok': 2_000 });
    expect((await victim.memory()).peakBytes - startBytes).toBeLessThan(GROWTH_BYTES_MAX);
  });

  it('what may change any of thousands of names holds nobody up', { timeout: 60_000 }, async () => {
    const worstMs = await waitOfOthers(async (wire) => {
      for (let round = 0; round < 15; round++) {
        wire.send(...Array.from({ length: 1_000 }, (_, i) => parse(`${round}_${i}`, 'select 1')), SYNC);
        // oxlint-disable-next-line no-await-in-loop -- Below the depth of a pipeline.
        await ready(wire);
      }
      wire.send(parse('', 'explain select 1 /*discard*/'), bind('', ''), times(6_000, execute()), SYNC);
      await ready(wire);
    });
    expect(worstMs).toBeLessThan(WAIT_MS_MAX);
  });

  it('a text that takes long to look through holds nobody up', { timeout: 60_000 }, async () => {
    const text = `explain select 1 /*${'discar '.repeat(140_000)}*/`;
    const worstMs = await waitOfOthers(async (wire) => {
      wire.send(parse('', text), bind('', ''), times(2_000, execute()), SYNC);
      await ready(wire);
      // Behind an error nothing is run, and nothing is to be written.
      wire.send(parse('', `${text}nonsense(`), bind('', ''), SYNC);
      await ready(wire);
      wire.send(parse('', `${text}nonsense(`), bind('', ''), times(30_000, execute()), SYNC);
      await ready(wire);
    });
    expect(worstMs).toBeLessThan(WAIT_MS_MAX);
  });
});

describe('what a client sent before it left', () => {
  it('is run to its end, although its leaves are more than may wait at once', async () => {
    const wire = await open();
    wire.send(query('create table sent (i int, c text)'));
    await ready(wire);
    const inserts = times(600, padded('insert into sent values (1)'));
    const copied = [frame('d', Buffer.from('7\tx\n')), frame('c')];
    const large = query(`insert into sent values (2) /*${'y'.repeat(1_500_000)}*/`);
    wire.send(inserts, padded('copy sent from stdin'), ...copied, large, inserts, frame('X'));
    wire.socket.end();
    await wire.over;
    const log = await victim.finishedLog();
    expect([log.unanswered, log.open, log.errors]).toEqual([[], [], []]);
    const watcher = await open();
    watcher.send(query('select count(*) from sent'));
    expect((await watcher.until('D')).body.subarray(6).toString()).toBe('1202');
    watcher.destroy();
  });
});
