/** Backup, restore, and the refusal to sign a state that was set back. */

import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { startGateway } from '../../packages/gateway/src/main.ts';
import { parseResources } from '../../packages/gateway/src/resources/parse.ts';
import { backUp, restore } from '../../packages/gateway/src/wiring/backup.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-backup-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

const OVERRIDES = { postgresPort: 0, apiPort: 0 };
const PERSON = 'kind: Person\nname: ana\ndisplayName: Ana\n';

describe('a backup', () => {
  it('is taken while the gateway runs, and restored it refuses to sign until the rollback is recorded', async () => {
    const config = loadConfig(undefined, { ...OVERRIDES, data: join(directory, 'one') });
    const first = await startGateway(config, { env: {} });
    const { rooms } = first;
    const system = { name: 'test', kind: 'system', keyId: rooms.bootId } as const;
    await rooms.resources.apply(parseResources(PERSON), system);
    const made = await backUp(config, rooms.store, join(directory, 'backup'));
    expect(made.parts).toEqual(['ledger', 'recordings', 'key', 'store']);
    const keyBefore = rooms.ledger.verifierKey;
    await first.close('test');

    const restored = join(directory, 'two');
    await restore(join(directory, 'backup'), restored);
    const second = loadConfig(undefined, { ...OVERRIDES, data: restored });
    await expect(startGateway(second, { env: {} })).rejects.toMatchObject({ code: 'LEDGER_INCONSISTENT' });
    const accepted = await startGateway(second, {
      env: {},
      acceptRollback: { reason: 'restored from backup', requestedBy: 'ops' },
    });
    expect(accepted.rooms.resources.get('Person', 'ana').length).toBe(1);
    expect(accepted.rooms.ledger.verifierKey).toBe(keyBefore);
    await accepted.close('test');
    const again = await startGateway(second, { env: {} });
    await again.close('test');
  });

  it('is refused where a file of it was changed', async () => {
    await appendFile(join(directory, 'backup', 'store.sqlite'), 'x');
    await expect(restore(join(directory, 'backup'), join(directory, 'three'))).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  });

  it('is refused where there is none', async () => {
    await expect(restore(join(directory, 'nothing'), join(directory, 'three'))).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  });

  it('goes neither over something that is there nor into a directory that is not empty', async () => {
    const config = loadConfig(undefined, { ...OVERRIDES, data: join(directory, 'one') });
    const gateway = await startGateway(config, { env: {} });
    const { store } = gateway.rooms;
    await expect(backUp(config, store, join(directory, 'backup'))).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
    await gateway.close('test');
    await expect(restore(join(directory, 'backup'), join(directory, 'one'))).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  });
});
