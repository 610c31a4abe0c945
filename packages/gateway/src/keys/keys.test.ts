import { createHmac, randomBytes, sign, verify, createPublicKey } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Secret } from '../core/secret.ts';
import { loadInstallationKey } from './installation-key.ts';
import { pseudonym } from './pseudonym.ts';
import { readSecretSource, type SecretSource } from './secret-source.ts';
import {
  createSigningKey,
  loadFormerSigningKeys,
  loadOrCreateSigningKey,
  loadSigningKey,
  prepareSigningKey,
  rotateSigningKey,
  signingKeyOf,
} from './signing-key.ts';
import { unwrap, wrap } from './wrap.ts';

function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keys-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe('wrap', () => {
  const key = new Secret(random(32));

  it('gives the bytes back for the same key and purpose', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (bytes, purpose) => {
        expect(unwrap(key, purpose, wrap(key, purpose, bytes, random))).toEqual(bytes);
      }),
    );
  });

  it('opens nothing that was changed, cut, or sealed for another purpose or key', () => {
    const wrapped = wrap(key, 'a', random(32), random);
    const refused = expect.objectContaining({ code: 'STORE_FAILED' });
    for (let i = 0; i < wrapped.length; i++) {
      const changed = wrapped.map((byte, index) => (index === i ? byte ^ 1 : byte));
      expect(() => unwrap(key, 'a', changed)).toThrow(refused);
      expect(() => unwrap(key, 'a', wrapped.subarray(0, i))).toThrow(refused);
    }
    expect(() => unwrap(key, 'b', wrapped)).toThrow(refused);
    expect(() => unwrap(new Secret(random(32)), 'a', wrapped)).toThrow(refused);
  });
});

describe('pseudonym', () => {
  it('is the HMAC of spec/ledger.md, section 4', () => {
    const personKey = Uint8Array.from({ length: 32 }, (_, index) => index);
    const expected = createHmac('sha256', personKey)
      .update(Buffer.from([...Buffer.from('local'), 0, ...Buffer.from('ana')]))
      .digest('hex')
      .slice(0, 32);
    expect(pseudonym(new Secret(personKey), 'local', 'ana')).toBe(expected);
    expect(expected).toMatch(/^[0-9a-f]{32}$/);
  });
});

async function read(source: SecretSource, env: Record<string, string> = {}): Promise<string> {
  const options = { env: { PATH: process.env['PATH'], ...env }, bytesMax: 64, modeRefused: 0o077 } as const;
  return (await readSecretSource(source, options)).reveal();
}

describe('readSecretSource', () => {
  it('reads a file, a variable and a command, without the line end', async () => {
    const file = join(directory, 'secret');
    await writeFile(file, 'from file\n', { mode: 0o600 });
    expect(await read({ file })).toBe('from file');
    expect(await read({ env: 'X' }, { X: 'from env' })).toBe('from env');
    expect(await read({ command: ['printf', '%s\\n', 'from $HOME'] })).toBe('from $HOME');
  });

  const refusals: readonly [string, SecretSource][] = [
    ['a variable that is not set', { env: 'NOT_SET' }],
    ['a file that is not there', { file: '/nonexistent/secret' }],
    ['a directory', { file: '/tmp' }],
    ['a command that fails', { command: ['sh', '-c', 'echo canary; echo canary >&2; exit 3'] }],
    ['a command that is not there', { command: ['/nonexistent/canary-program'] }],
    ['a command that prints too much', { command: ['head', '-c', '1000', '/dev/zero'] }],
    ['a command that prints nothing', { command: ['true'] }],
    ['bytes that are no text', { command: ['printf', '\\377'] }],
    ['no command', { command: [] }],
  ];
  it.each(refusals)('refuses %s, and repeats nothing of it', async (_, source) => {
    const error: unknown = await read(source).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(inspect(error).replaceAll('canary-program', '')).not.toContain('canary');
  });
});

describe('loadInstallationKey', () => {
  const options = { env: {}, randomBytes: random, firstStart: true };

  it('makes a private file on the first start and reads it on the next', async () => {
    const file = join(directory, 'installation.key');
    const first = await loadInstallationKey({ file }, options);
    expect(first.created).toBe(true);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const second = await loadInstallationKey({ file }, options);
    expect(second.created).toBe(false);
    expect(second.key.reveal()).toEqual(first.key.reveal());
    expect(inspect(first)).not.toContain((await readFile(file, 'utf8')).trim());
  });

  it('makes no new key where there is data already', async () => {
    const file = join(directory, 'installation.key');
    await expect(loadInstallationKey({ file }, { ...options, firstStart: false })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('refuses a file that others can read', async () => {
    const file = join(directory, 'installation.key');
    await loadInstallationKey({ file }, options);
    for (const mode of [0o640, 0o604, 0o660]) {
      await chmod(file, mode);
      await expect(loadInstallationKey({ file }, options)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    }
  });

  it.each(['short', 'A'.repeat(44), `${'A'.repeat(42)}B=`, `${'A'.repeat(43)}==`])(
    'refuses %s',
    async (text) => {
      const loading = loadInstallationKey({ env: 'KEY' }, { ...options, env: { KEY: text } });
      await expect(loading).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    },
  );

  it('takes a key from the environment', async () => {
    const text = Buffer.alloc(32, 9).toString('base64');
    const { key } = await loadInstallationKey({ env: 'KEY' }, { ...options, env: { KEY: text } });
    expect(key.reveal()).toEqual(new Uint8Array(32).fill(9));
  });
});

describe('signing key', () => {
  const installationKey = new Secret(random(32));
  const optionsFor = () => ({
    file: join(directory, 'ledger-key.sealed'),
    installationKey,
    randomBytes: random,
  });

  it('has the public key of RFC 8032, section 7.1, test 1', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    expect(Buffer.from(signingKeyOf(seed).publicKey).toString('hex')).toBe(
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
  });

  it('is kept sealed, and signs after a restart', async () => {
    const created = await loadOrCreateSigningKey(optionsFor(), true);
    const file = await readFile(optionsFor().file);
    expect(file.includes(Buffer.from(created.seed.reveal()))).toBe(false);
    const loaded = await loadOrCreateSigningKey(optionsFor(), true);
    const signature = sign(null, Buffer.from('text'), loaded.privateKey);
    expect(verify(null, Buffer.from('text'), createPublicKey(created.privateKey), signature)).toBe(true);
  });

  it('is not replaced where it exists, and not made where it was lost', async () => {
    await expect(loadOrCreateSigningKey(optionsFor(), false)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await createSigningKey(optionsFor());
    await expect(createSigningKey(optionsFor())).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it('keeps former keys in their order', async () => {
    const keys = [await createSigningKey(optionsFor())];
    for (let i = 0; i < 11; i++) {
      const next = await prepareSigningKey(optionsFor());
      await rotateSigningKey(optionsFor(), next);
      keys.push(next);
    }
    const former = await loadFormerSigningKeys(optionsFor());
    const current = await loadSigningKey(optionsFor());
    expect([...former, current].map((key) => key.publicKey)).toEqual(keys.map((key) => key.publicKey));
  });
});
