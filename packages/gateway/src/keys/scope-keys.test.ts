import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Secret } from '../core/secret.ts';
import { openStore, type Store } from '../store/store.ts';
import { StoredScopeKeys } from './scope-keys.ts';

let directory: string;
let store: Store;
const installationKey = new Secret(new Uint8Array(randomBytes(32)));

function makeKeys(): StoredScopeKeys {
  return new StoredScopeKeys({
    store,
    installationKey,
    clock: { nowUs: () => 7, monotonicUs: () => 7 },
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keys-'));
  store = await openStore({ kind: 'sqlite', file: join(directory, 'store.sqlite') });
});

afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

async function filesHold(bytes: Uint8Array): Promise<boolean> {
  for (const name of await readdir(directory)) {
    if ((await readFile(join(directory, name))).includes(Buffer.from(bytes))) return true;
  }
  return false;
}

async function wrappedKey(scope: string): Promise<Uint8Array> {
  const row = await store.db
    .selectFrom('scope_keys')
    .select('wrapped')
    .where('scope', '=', scope)
    .executeTakeFirstOrThrow();
  return row.wrapped ?? new Uint8Array();
}

describe('StoredScopeKeys', () => {
  it('gives the same key again, also after a restart', async () => {
    const keys = makeKeys();
    const key = await keys.create('ses_a');
    expect(key).toHaveLength(32);
    expect(await keys.find('ses_a')).toEqual(key);
    expect(await makeKeys().find('ses_a')).toEqual(key);
  });

  it('knows no key for a scope that never was', async () => {
    expect(await makeKeys().find('ses_none')).toBeUndefined();
    expect(await makeKeys().destroy('ses_none')).toBe(false);
  });

  it('never gives a scope a second key, not even after destruction', async () => {
    const keys = makeKeys();
    await keys.create('ses_a');
    await expect(keys.create('ses_a')).rejects.toMatchObject({ code: 'STATE_CONFLICT' });
    await keys.destroy('ses_a');
    await expect(keys.create('ses_a')).rejects.toMatchObject({ code: 'STATE_CONFLICT' });
  });

  it('leaves no byte of a destroyed wrapped key in any file of the store', async () => {
    const keys = makeKeys();
    const count = 600;
    // In random order, so that pages split and cells move.
    const scopes = Array.from({ length: count }, () => `ses_${randomBytes(13).toString('hex')}`);
    const wrapped = new Map<string, Uint8Array>();
    for (const scope of scopes) {
      await keys.create(scope);
      wrapped.set(scope, await wrappedKey(scope));
      if (wrapped.size % 100 === 0) await store.scrub();
    }
    expect(await filesHold(wrapped.get(scopes[0] ?? '') ?? new Uint8Array())).toBe(true);
    const destroyed = scopes.filter((_, index) => index % 7 === 0);
    for (const scope of destroyed) expect(await keys.destroy(scope)).toBe(true);
    const contents = await Promise.all(
      (await readdir(directory)).map((name) => readFile(join(directory, name))),
    );
    for (const scope of destroyed) {
      const bytes = wrapped.get(scope);
      expect(bytes).toHaveLength(61);
      // The first half of the ciphertext is enough to notice a remnant.
      for (const content of contents)
        expect(content.includes(Buffer.from(bytes?.subarray(1, 30) ?? []))).toBe(false);
      expect(await keys.find(scope)).toBeUndefined();
    }
    expect(await keys.destroy(destroyed[0] ?? '')).toBe(false);
  });

  it('hands out copies, so that destruction does not change a key in use', async () => {
    const keys = makeKeys();
    const key = await keys.create('ses_a');
    const copy = key.slice();
    await keys.destroy('ses_a');
    expect(key).toEqual(copy);
  });

  it('does not open a key that was moved to another scope', async () => {
    const keys = makeKeys();
    await keys.create('ses_a');
    await store.db
      .insertInto('scope_keys')
      .values({ scope: 'ses_b', wrapped: await wrappedKey('ses_a'), created_us: 0, destroyed_us: null })
      .execute();
    await expect(makeKeys().find('ses_b')).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});
