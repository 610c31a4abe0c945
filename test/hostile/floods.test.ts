/** A target that floods, and a client that does not read: the gateway keeps its memory, and goes on. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BEHAVIOURS, type HostileTarget, startHostileTarget, UNREAD } from './hostile-target.ts';
import { startVictim, type Victim } from './victim-process.ts';
import { RefusedError, Wire } from './wire.ts';

const SOAK = process.env['COUNTERSIGN_SOAK'] !== undefined;
const FLOOD_BYTES = (SOAK ? 1_024 : 32) * 1024 * 1024;
/** Above where it was: buffers of sockets, recorder and thread pool, and what is not collected yet. */
const GROWTH_BYTES_MAX = 160 * 1024 * 1024;
/** Twelve sockets' worth of kernel buffers, and what may wait in the gateway by its limits. */
const UNREAD_BYTES_MAX = 48 * 1024 * 1024;

let target: HostileTarget;
let victim: Victim;
let startBytes: number;

beforeAll(async () => {
  target = await startHostileTarget(FLOOD_BYTES);
  const connections = Object.keys(BEHAVIOURS).flatMap((name) => [name, UNREAD + name]);
  victim = await startVictim({ targetPort: target.port, password: 'secret', connections });
  startBytes = (await victim.memory()).peakBytes;
}, 60_000);

afterAll(async () => {
  await victim[Symbol.asyncDispose]();
  await target[Symbol.asyncDispose]();
});

async function provoke(database: string): Promise<{ wire: Wire; refused: string | undefined }> {
  const wire = await Wire.open(victim.port);
  try {
    await wire.login({ user: 'ana', password: victim.token, database });
    wire.send(Buffer.from('510000000d73656c656374203100', 'hex'));
    return { wire, refused: undefined };
  } catch (error) {
    if (error instanceof RefusedError) return { wire, refused: error.sqlstate };
    throw error;
  }
}

describe('a target', () => {
  it.each(Object.keys(BEHAVIOURS))(
    'that floods with %s costs no memory',
    { timeout: 300_000 },
    async (database) => {
      const { wire, refused } = await provoke(database);
      // What comes is thrown away as fast as it comes.
      wire.socket.removeAllListeners('data');
      wire.socket.resume();
      await wire.over;
      wire.destroy();
      expect(refused).toBe(BEHAVIOURS[database]?.when === 'login' ? '08001' : undefined);
      const log = await victim.finishedLog();
      expect([log.live, log.unanswered, log.open]).toEqual([0, [], []]);
      expect(log.errors.filter((error) => error.includes('INTERNAL'))).toEqual([]);
      const { peakBytes } = await victim.memory();
      console.info(
        `${database}: peak ${Math.round((peakBytes - startBytes) / 1024 / 1024)} MiB above the start`,
      );
      expect(peakBytes - startBytes).toBeLessThan(GROWTH_BYTES_MAX);
    },
  );
});

describe('a client that never reads', () => {
  it.each(['rows', 'row', 'copy', 'notices', 'parameters', 'error'])(
    'holds back a target that floods with %s',
    { timeout: 60_000 },
    async (database) => {
      const before = target.sent();
      const { wire } = await provoke(UNREAD + database);
      wire.socket.pause();
      const sent = await quiet(() => target.sent());
      expect(target.heldBack()).toBe(true);
      expect(sent - before).toBeLessThan(UNREAD_BYTES_MAX);
      expect((await victim.memory()).peakBytes - startBytes).toBeLessThan(GROWTH_BYTES_MAX);
      wire.destroy();
      const log = await victim.finishedLog();
      expect([log.live, log.unanswered, log.open]).toEqual([0, [], []]);
    },
  );
});

/** A number once it has not changed for half a second. */
async function quiet(read: () => number): Promise<number> {
  for (let last = -1, unchanged = 0; ; ) {
    const now = read();
    unchanged = now === last ? unchanged + 1 : 0;
    if (unchanged === 10) return now;
    last = now;
    // oxlint-disable-next-line no-await-in-loop -- Nothing tells that nothing happens but time.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
