import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MASKING_OPERATOR_LIMITS } from '../core/masking-limits.ts';
import { Secret } from '../core/secret.ts';
import { openStore, type Store } from '../store/store.ts';
import {
  dropNextMaskingKey,
  keptAfter,
  loadMaskingRing,
  type MaskingKeyStore,
  prepareMaskingKey,
  promoteMaskingKey,
  type StoredMaskingRing,
} from './masking-keys.ts';
import { wrap } from './wrap.ts';

let directory: string;
let store: Store;
let options: MaskingKeyStore;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'masking-keys-'));
  store = await openStore({ kind: 'sqlite', file: join(directory, 'store.sqlite') });
  options = {
    store,
    installationKey: new Secret(new Uint8Array(randomBytes(32))),
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  };
});

afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

async function rotate(): Promise<StoredMaskingRing> {
  return promoteMaskingKey(options, await prepareMaskingKey(options, 1), 2);
}

function idsOf(ring: StoredMaskingRing | undefined): readonly number[] | undefined {
  return ring?.keys.map(({ id }) => id);
}

async function garble(wrapped: Uint8Array): Promise<void> {
  await store.db.updateTable('sealed_rings').set({ wrapped }).execute();
}

describe('the ring of masking keys', () => {
  it('is nothing at first, and not made by being looked at', async () => {
    expect(await loadMaskingRing(options)).toBeUndefined();
    expect(await store.db.selectFrom('sealed_rings').selectAll().execute()).toEqual([]);
  });

  it('has a next key that makes no masks before it is promoted', async () => {
    const prepared = await prepareMaskingKey(options, 7);
    expect(prepared).toMatchObject({ version: 1, keys: [], next: { id: 1 } });
    expect(await loadMaskingRing(options)).toEqual({ ...prepared, changedUs: 7 });
    await promoteMaskingKey(options, prepared, 8);
    const loaded = await loadMaskingRing(options);
    expect(idsOf(loaded)).toEqual([1]);
    expect(loaded?.next).toBeUndefined();
    expect(loaded?.keys[0]?.secret.reveal()).toEqual(prepared.next?.secret.reveal());
  });

  it('forgets a next key that is dropped, and makes one at a time', async () => {
    await rotate();
    const prepared = await prepareMaskingKey(options, 1);
    await expect(prepareMaskingKey(options, 1)).rejects.toMatchObject({ code: 'STATE_CONFLICT' });
    await dropNextMaskingKey(options, prepared, 2);
    expect(await loadMaskingRing(options)).toMatchObject({ keys: [{ id: 1 }], next: undefined });
  });

  it('keeps so many former keys as recognise masks, and gives no id twice among them', async () => {
    for (let made = 1; made <= MASKING_OPERATOR_LIMITS.keysMax + 2; made += 1) {
      const prepared = await prepareMaskingKey(options, 1);
      const kept = keptAfter(prepared);
      const ring = await promoteMaskingKey(options, prepared, 2);
      expect(idsOf(ring)?.slice(1)).toEqual(kept);
      expect(ring.keys).toHaveLength(Math.min(made, MASKING_OPERATOR_LIMITS.keysMax));
      expect(new Set(idsOf(ring)).size).toBe(ring.keys.length);
      expect(idsOf(ring)?.[0]).toBe(made);
    }
  });

  it('begins again with the first id after the last', async () => {
    const { version } = await rotate();
    const form = Uint8Array.from([1, 0, 255, ...Array.from({ length: 32 }, () => 5)]);
    await garble(wrap(options.installationKey, `masking-keys:${version}`, form, options.randomBytes));
    expect(await prepareMaskingKey(options, 1)).toMatchObject({ keys: [{ id: 255 }], next: { id: 0 } });
  });

  it('is not changed by somebody who knows another one', async () => {
    await rotate();
    const one = await prepareMaskingKey(options, 1);
    await promoteMaskingKey(options, one, 2);
    await expect(promoteMaskingKey(options, one, 3)).rejects.toMatchObject({ code: 'STATE_CONFLICT' });
  });

  it('opens with no other installation key, and not when it is garbled, cut, or an older one', async () => {
    const first = await rotate();
    const row = await store.db.selectFrom('sealed_rings').selectAll().executeTakeFirstOrThrow();
    await rotate();
    const refused = { code: 'STORE_FAILED' };
    await garble(row.wrapped);
    await expect(loadMaskingRing(options)).rejects.toMatchObject(refused);
    const bytes = row.wrapped.slice();
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await store.db.updateTable('sealed_rings').set({ version: first.version, wrapped: bytes }).execute();
    await expect(loadMaskingRing(options)).rejects.toMatchObject(refused);
    await garble(row.wrapped.subarray(0, 40));
    await expect(loadMaskingRing(options)).rejects.toMatchObject(refused);
    await garble(row.wrapped);
    expect(idsOf(await loadMaskingRing(options))).toEqual([1]);
    const other = { ...options, installationKey: new Secret(new Uint8Array(32)) };
    await expect(loadMaskingRing(other)).rejects.toMatchObject(refused);
  });

  it('is refused where what opens has another form', async () => {
    const { version } = await rotate();
    const forms = [
      [],
      [1],
      [2, 0],
      [1, 2],
      [1, 1],
      [1, 0, 5],
      [1, 0, ...Array.from({ length: 66 }, () => 5)],
    ];
    for (const form of forms) {
      const purpose = `masking-keys:${version}`;
      await garble(wrap(options.installationKey, purpose, Uint8Array.from(form), options.randomBytes));
      await expect(loadMaskingRing(options)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    }
  });

  it('stands nowhere in the store in the clear', async () => {
    const ring = await rotate();
    const row = await store.db.selectFrom('sealed_rings').selectAll().executeTakeFirstOrThrow();
    const secret = Buffer.from(ring.keys[0]?.secret.reveal() ?? []);
    expect(secret).toHaveLength(32);
    expect(Buffer.from(row.wrapped).includes(secret)).toBe(false);
  });
});
