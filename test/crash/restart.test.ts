/**
 * What a start meets: a state that was set back, a second process, a shred that was half done. Whatever
 * could be a forgery refuses to sign, and `ledger doctor` is the way on.
 */

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { makeId } from '../../packages/gateway/src/core/ids.ts';
import { type RunningGateway, startGateway } from '../../packages/gateway/src/main.ts';
import { requirePresent } from '../real/require-present.ts';
import { startProcess } from './processes.ts';
import { mayMount } from './small-disk.ts';

let directory: string;
let number = 0;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'countersign-restart-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Place {
  readonly data: string;
  readonly second: string;
  start(accept?: boolean): Promise<RunningGateway>;
}

function place(): Place {
  const base = join(directory, String(number++));
  const [data, second] = [join(base, 'data'), join(base, 'second')];
  const text = `tls: { mode: off }\ncheckpoints: { secondPlace: ${second} }`;
  const config = loadConfig(text, { data, postgresPort: 0, apiPort: 0 });
  const rollback = { acceptRollback: { reason: 'restored on purpose', requestedBy: 'ops' } };
  return {
    data,
    second,
    start: (accept = false) => startGateway(config, { env: {}, ...(accept ? rollback : {}) }),
  };
}

/** One orderly life: some leaves more. */
async function live(at: Place): Promise<number> {
  const gateway = await at.start();
  const { ledger, bootId } = gateway.rooms;
  await ledger.append({ type: 'ledger.gap', kind: 'system', keyId: bootId, body: { reason: 'test' } });
  const { size } = ledger;
  await gateway.close('test');
  return size;
}

function restore(from: string, to: string): void {
  rmSync(to, { recursive: true });
  cpSync(from, to, { recursive: true, preserveTimestamps: true });
}

describe('a state that was set back', () => {
  it('is refused where it is the data directory, until an operator has recorded it', async () => {
    const at = place();
    await live(at);
    cpSync(at.data, `${at.data}-old`, { recursive: true });
    await live(at);
    restore(`${at.data}-old`, at.data);
    await expect(at.start()).rejects.toMatchObject({ code: 'LEDGER_INCONSISTENT' });
    // Refusing has changed nothing: it is refused again.
    await expect(at.start()).rejects.toThrow(/leaves on disk, \d+ were signed/);
    const accepted = await at.start(true);
    await accepted.close('test');
    await live(at);
  });

  it('is refused where it is the second place', async () => {
    const at = place();
    await live(at);
    cpSync(at.second, `${at.second}-old`, { recursive: true });
    await live(at);
    restore(`${at.second}-old`, at.second);
    await expect(at.start()).rejects.toThrow(/the second place has size \d+, the log has \d+/);
    await (await at.start(true)).close('test');
    await live(at);
  });

  it('is refused where the second place is gone', async () => {
    const at = place();
    await live(at);
    rmSync(at.second, { recursive: true });
    await expect(at.start()).rejects.toThrow(/second place has no checkpoint/);
    await (await at.start(true)).close('test');
    await live(at);
  });

  it('is not noticed where both were set back together, which is why the second place is another machine’s', async () => {
    const at = place();
    const size = await live(at);
    for (const path of [at.data, at.second]) cpSync(path, `${path}-old`, { recursive: true });
    await live(at);
    for (const path of [at.data, at.second]) restore(`${path}-old`, path);
    expect(await live(at)).toBeGreaterThan(size);
  });
});

describe('a second process on one log', () => {
  const mountable = requirePresent('The right to mount (root)', mayMount());
  const ways = {
    'the same path': (data: string) => data,
    'a symbolic link': (data: string) => {
      symlinkSync(data, `${data}-link`);
      return `${data}-link`;
    },
  };
  it.each(Object.entries(ways))('refuses to start by %s, and the first goes on', async (_, way) => {
    expect(await refuses(way)).toBe(true);
  });

  it.skipIf(!mountable)('refuses to start by another mount, and the first goes on', async () => {
    let mounted: string | undefined;
    try {
      const refused = await refuses((data) => {
        mounted = mkdtempSync(join(directory, 'mount-'));
        execFileSync('mount', ['--bind', data, mounted]);
        return mounted;
      });
      expect(refused).toBe(true);
    } finally {
      if (mounted !== undefined) execFileSync('umount', ['--lazy', mounted]);
    }
  });
});

/** Whether it was refused; throws where anything else is not as it should be. */
async function refuses(way: (data: string) => string): Promise<boolean> {
  const at = place();
  const env = { COUNTERSIGN_CONFIG: `tls: { mode: off }\ncheckpoints: { secondPlace: ${at.second} }` };
  const first = startProcess({ data: at.data, targetPort: 1, password: 'none', env });
  const { apiPort } = await first.ready;
  const second = startProcess({ data: way(at.data), targetPort: 1, password: 'none', env });
  await expect(second.ready).rejects.toThrow(/Another process holds the ledger/);
  expect(await second.exited).not.toBe(0);
  const health = await fetch(`http://127.0.0.1:${apiPort}/healthz`);
  expect(health.status).toBe(200);
  first.child.kill('SIGTERM');
  expect(await first.exited).toBe(0);
  await live(at);
  return true;
}

describe('a shred', () => {
  it('whose key was still there when the process ended is finished by the next start', async () => {
    const at = place();
    const first = await at.start();
    const { ledger, keys, bootId } = first.rooms;
    const [done, takenBack] = [1, 2].map((n) => makeId('session', n, new Uint8Array(10)));
    for (const scope of [done, takenBack]) await keys.create(scope ?? '');
    const leaf = (scope: string, status: string) =>
      ({
        type: 'ledger.shred',
        kind: 'system',
        keyId: bootId,
        status,
        body: { scope, what: 'test' },
      }) as const;
    await ledger.append(leaf(done ?? '', 'ok'));
    await ledger.append(leaf(takenBack ?? '', 'ok'));
    await ledger.append(leaf(takenBack ?? '', 'failed'));
    await first.close('test');
    const second = await at.start();
    expect(await second.rooms.keys.find(done ?? '')).toBeUndefined();
    expect(await second.rooms.keys.find(takenBack ?? '')).toBeDefined();
    await second.close('test');
  });
});
