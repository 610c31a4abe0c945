/** The key of the ledger is replaced under the same origin, and a crash in between is finished. */

import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../packages/gateway/src/config/config.ts';
import { prepareSigningKey, type SigningKeyOptions } from '../../packages/gateway/src/keys/signing-key.ts';
import { type RunningGateway, startGateway } from '../../packages/gateway/src/main.ts';
import { rotateLedgerKey } from '../../packages/gateway/src/wiring/rotate-key.ts';
import { parseCheckpoint } from '../../packages/ledger/src/checkpoint.ts';
import { isBy, parseVerifierKey } from '../../packages/ledger/src/note.ts';

let data: string;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'countersign-rotation-'));
});

afterAll(() => rm(data, { recursive: true, force: true }));

const WHY = { reason: 'yearly', requestedBy: 'ops' };

async function start(): Promise<{ gateway: RunningGateway; options: SigningKeyOptions }> {
  const config = loadConfig(undefined, { data, postgresPort: 0, apiPort: 0 });
  const gateway = await startGateway(config, { env: {} });
  const { installationKey } = gateway.rooms;
  return { gateway, options: { file: config.ledger.keyFile, installationKey, randomBytes: random } };
}

async function signedBy(vkey: string): Promise<boolean> {
  const { note } = parseCheckpoint(await readFile(join(data, 'ledger', 'checkpoint'), 'utf8'));
  return note.signatures.some((signature) => isBy(signature, parseVerifierKey(vkey)));
}

describe('a rotation of the signing key', () => {
  it('is in force at once and after a restart', async () => {
    const { gateway, options } = await start();
    const before = gateway.rooms.ledger.verifierKey;
    const after = await rotateLedgerKey(gateway.rooms.ledger, options, WHY);
    expect(after).not.toBe(before);
    await gateway.close('test');
    expect(await signedBy(after)).toBe(true);
    const again = await start();
    expect(again.gateway.rooms.ledger.verifierKey).toBe(after);
    await again.gateway.close('test');
  });

  it('is finished after a crash behind its leaf, and forgotten after one before it', async () => {
    const first = await start();
    const before = first.gateway.rooms.ledger.verifierKey;
    await prepareSigningKey(first.options);
    await first.gateway.close('before the leaf');
    const second = await start();
    expect(second.gateway.rooms.ledger.verifierKey).toBe(before);
    const next = await prepareSigningKey(second.options);
    await second.gateway.rooms.ledger.rotateKey(next.seed.reveal(), WHY.reason, WHY.requestedBy);
    const announced = second.gateway.rooms.ledger.verifierKey;
    await second.gateway.close('behind the leaf');
    const third = await start();
    expect(third.gateway.rooms.ledger.verifierKey).toBe(announced);
    await third.gateway.close('test');
  });
});

function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}
