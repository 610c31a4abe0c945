/** The masking keys of an installation, with its real store and log. */

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findLeaf } from '../audit/find-leaf.ts';
import { type Config, loadConfig } from '../config/config.ts';
import { prepareMaskingKey } from '../keys/masking-keys.ts';
import { maskValue } from '../masking/operators/mask-value.ts';
import type { MaskingKeyRing } from '../masking/operators/key-ring.ts';
import { isMaskedValue } from '../masking/operators/recognise.ts';
import { TEXT, TEXT_WIRE } from '../masking/operators/testing-masks.ts';
import { parseResource } from '../resources/parse.ts';
import { backUp, restore } from './backup.ts';
import { openStore } from '../store/store.ts';
import { openRooms, type Rooms, type RoomsOptions } from './rooms.ts';

const WHY = { reason: 'once a year', requestedBy: 'ops' };

let directory: string;
let config: Config;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-masking-'));
  config = loadConfig(undefined, { data: join(directory, 'one') });
});

afterAll(() => rm(directory, { recursive: true, force: true }));

function open(of: Config = config, more: Partial<RoomsOptions> = {}): Promise<Rooms> {
  return openRooms(of, { env: {}, randomBytes: bytes, software: 'test', ...more });
}

function bytes(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

function idsOf(ring: MaskingKeyRing): readonly number[] {
  return ring.all.map(({ id }) => id);
}

function tokenBy(keys: MaskingKeyRing): Uint8Array {
  const value = new TextEncoder().encode('ana@example.org');
  const request = {
    operator: { kind: 'token' },
    entity: 'EMAIL',
    type: TEXT,
    wire: TEXT_WIRE,
    keys,
  } as const;
  return maskValue(request, value).value ?? new Uint8Array(0);
}

/** Bodies of the leaves about masking keys. */
async function rotations(rooms: Rooms): Promise<readonly object[]> {
  const found: object[] = [];
  await findLeaf(rooms.reader, rooms.keys, {
    types: new Set(['mask.key.rotate']),
    sinceUs: 0,
    matches: (body) => {
      found.push(body);
      return false;
    },
  });
  return found;
}

describe('masking keys', () => {
  it('are made at first use, once, with a leaf, and not before', async () => {
    const rooms = await open();
    expect(await rotations(rooms)).toEqual([]);
    const rings = await Promise.all([rooms.maskingKeys.ring(), rooms.maskingKeys.ring()]);
    expect(rings.map(idsOf)).toEqual([[1], [1]]);
    expect(await rooms.maskingKeys.ring()).toBe(rings[1]);
    expect(await rotations(rooms)).toEqual([
      { to_key: 1, former_keys: [], reason: 'first use', requested_by: 'countersign' },
    ]);
    await rooms.close('test');
  });

  it('are replaced with a leaf, and former ones go on recognising what they made', async () => {
    const rooms = await open();
    const token = tokenBy(await rooms.maskingKeys.ring());
    expect(await rooms.maskingKeys.rotate(WHY)).toEqual({ current: 2, former: [1] });
    const ring = await rooms.maskingKeys.ring();
    expect(idsOf(ring)).toEqual([2, 1]);
    expect(tokenBy(ring)).not.toEqual(token);
    expect(isMaskedValue(ring, TEXT, token, TEXT_WIRE)).toBe(true);
    expect((await rotations(rooms)).at(-1)).toEqual({
      from_key: 1,
      to_key: 2,
      former_keys: [1],
      reason: 'once a year',
      requested_by: 'ops',
    });
    await rooms.close('test');
  });

  it('go on after a restart, where a rotation without its leaf is forgotten', async () => {
    const rooms = await open();
    await prepareMaskingKey(
      { ...rooms, randomBytes: (length) => new Uint8Array(length) },
      rooms.clock.nowUs(),
    );
    await rooms.close('test');
    const again = await open();
    expect(idsOf(await again.maskingKeys.ring())).toEqual([2, 1]);
    expect(await again.maskingKeys.rotate(WHY)).toEqual({ current: 3, former: [2, 1] });
    await again.close('test');
  });

  it('finish a rotation whose leaf is in the log', async () => {
    const rooms = await open();
    await prepareMaskingKey(
      { ...rooms, randomBytes: (length) => new Uint8Array(length) },
      rooms.clock.nowUs(),
    );
    const body = { from_key: 3, to_key: 4, former_keys: [3, 2, 1], reason: 'r', requested_by: 'ops' };
    await rooms.ledger.append({ type: 'mask.key.rotate', kind: 'system', keyId: rooms.bootId, body });
    await rooms.close('test');
    const again = await open();
    expect(idsOf(await again.maskingKeys.ring())).toEqual([4, 3, 2, 1]);
    await again.close('test');
  });

  it('are in a backup, and come back with it', async () => {
    const rooms = await open();
    const token = tokenBy(await rooms.maskingKeys.ring());
    await backUp(config, rooms.store, join(directory, 'backup'));
    await rooms.close('test');
    const data = join(directory, 'restored');
    await restore(join(directory, 'backup'), data);
    const acceptRollback = { reason: 'restored', requestedBy: 'ops' };
    const restored = await open(loadConfig(undefined, { data }), { acceptRollback });
    expect(tokenBy(await restored.maskingKeys.ring())).toEqual(token);
    await restored.close('test');
  });

  it('are never made anew where the log says that there were some, and then a start with Masks is refused', async () => {
    const rooms = await open();
    const mask = parseResource({ kind: 'Mask', name: 'm', columns: ['a.b'], as: 'token' });
    await rooms.resources.apply([mask], { name: 'test', kind: 'system', keyId: rooms.bootId });
    const row = await rooms.store.db.selectFrom('sealed_rings').selectAll().executeTakeFirstOrThrow();
    await rooms.store.db.deleteFrom('sealed_rings').execute();
    const refused = { code: 'STORE_FAILED', message: expect.stringContaining('masking keys were made') };
    await expect(rooms.maskingKeys.ring()).rejects.toMatchObject(refused);
    await expect(rooms.maskingKeys.rotate(WHY)).rejects.toMatchObject(refused);
    expect(await rooms.store.db.selectFrom('sealed_rings').selectAll().execute()).toEqual([]);
    await rooms.close('test');
    await expect(open()).rejects.toMatchObject(refused);
    const store = await openStore({ kind: 'sqlite', file: join(directory, 'one', 'store.sqlite') });
    const garbled = { ...row, wrapped: row.wrapped.subarray(1) };
    await store.db.insertInto('sealed_rings').values(garbled).execute();
    await store.close();
    await expect(open()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});
