/** The cancel key: the target's process, a secret of the gateway's own; and sockets that notice death. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BareClient, fieldsOf, type Frame, packet, startupMessage } from './bare-client.ts';
import { serverVersions } from './clients.ts';
import { login, query, type Side, startTwoSides, type TwoSides } from './two-sides.ts';

const CANCEL = 80_877_102;

let sides: TwoSides;
let direct: Side;
let through: Side;

async function open(side: Side, version: number): Promise<{ client: BareClient; key: Buffer; pid: number }> {
  const client = await BareClient.open(side.port);
  client.send(
    startupMessage(version, [
      ['user', side.user],
      ['database', side.database],
    ]),
  );
  const frames = await client.login(side.scram);
  const key = frames.find(({ type }) => type === 'K')?.body ?? Buffer.alloc(4);
  return { client, key, pid: key.readUInt32BE(0) };
}

function flipped(key: Buffer): Buffer {
  const wrong = Buffer.from(key);
  wrong.writeUInt8(wrong.readUInt8(wrong.length - 1) ^ 1, wrong.length - 1);
  return wrong;
}

/** Until the target's process runs something. */
async function runs(pid: number): Promise<void> {
  for (;;) {
    const rows = await login(
      direct,
      [],
      [`select 'yes' from pg_stat_activity where pid = ${pid} and state = 'active' and query ~ 'sleep.30'`],
    );
    if (rows.some((frame) => frame.startsWith('D'))) return;
  }
}

/** Timers of the established connections to a port, as /proc/net/tcp names them; 02 is keepalive. */
function timersTo(remotePort: number): string[] {
  const port = remotePort.toString(16).toUpperCase().padStart(4, '0');
  // Columns: number, local, remote, state, queues, timer.
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return rows
    .filter(([, , remote = '', state]) => state === '01' && remote.endsWith(`:${port}`))
    .map(([, , , , , timer = '']) => timer.slice(0, 2));
}

describe.each(serverVersions())('PostgreSQL $major', ({ version: server, isPresent }) => {
  if (!isPresent) return;

  beforeAll(async () => {
    sides = await startTwoSides(server);
    ({ direct, through } = sides);
  }, 60_000);

  afterAll(() => sides?.[Symbol.asyncDispose]());

  describe('the cancel key', () => {
    it.each([
      [0x30000, 4],
      [0x30001, 4],
      [0x30002, 32],
      [0x3ffff, 32],
    ])('has the process of the target and a secret of our own (version %i)', async (version, length) => {
      const { client, key, pid } = await open(through, version);
      expect(key.length).toBe(4 + length);
      client.send(query('select pg_backend_pid()'));
      const row = (await client.login()).find(({ type }) => type === 'D');
      expect(row?.body.subarray(6).toString()).toBe(String(pid));
      // The target does not know the secret.
      const running = new Promise<Frame[]>((resolve) => {
        client.send(query('select pg_sleep(0.5)'));
        resolve(client.login());
      });
      const stray = await BareClient.open(direct.port);
      stray.send(packet(CANCEL, key));
      await stray.rest();
      expect((await running).at(-1)?.type).toBe('Z');
      // The gateway does.
      client.send(query('select pg_sleep(30)'));
      await runs(pid);
      for (const wrong of [key.subarray(0, -1), Buffer.concat([key, Buffer.of(0)]), flipped(key)]) {
        const guess = await BareClient.open(through.port);
        guess.send(packet(CANCEL, wrong));
        expect((await guess.rest()).length).toBe(0);
      }
      const right = await BareClient.open(through.port);
      right.send(packet(CANCEL, key));
      await right.rest();
      expect(fieldsOf((await client.login()).find(({ type }) => type === 'E'))['C']).toBe('57014');
      client.destroy();
    });

    it('lets a client compare it with a notification of its own', async () => {
      const { client, pid } = await open(through, 0x30000);
      client.send(query('listen here; notify here'));
      const notification = (await client.login()).find(({ type }) => type === 'A');
      expect(notification?.body.readUInt32BE(0)).toBe(pid);
      client.destroy();
    });
  });

  describe('sockets', () => {
    it('are asked whether they are alive, towards the client and towards the target', async () => {
      const { client } = await open(through, 0x30000);
      expect(timersTo(client.socket.localPort ?? 0)).toEqual(['02']);
      expect(timersTo(direct.port)).toContain('02');
      client.destroy();
    });
  });
});
