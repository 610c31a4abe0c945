/**
 * The key that signs checkpoints: Ed25519, kept as its 32-byte seed, sealed under the installation
 * key. Spec: spec/ledger.md, section 6; RFC 8032, section 5.1.5.
 *
 * File: the wrapped seed, mode 0600. A rotation writes the next key beside the old one, which stays
 * as `<file>.<number>`: checkpoints of its time can be signed again after a restore, and its verifier
 * key can be shown.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { access, link, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import { createPrivateFile, replacePrivateFile } from './private-file.ts';
import { readPrivateFile } from './secret-source.ts';
import { unwrap, wrap } from './wrap.ts';

const SEED_BYTES = 32;
const PURPOSE = 'ledger-signing-key';

/** RFC 8410: the DER of an Ed25519 private key is this and the seed; */
const PRIVATE_DER_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
/** of a public key, 12 bytes and the key. */
const PUBLIC_DER_HEADER_BYTES = 12;

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly seed: Secret<Uint8Array>;
  /** The raw 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface SigningKeyOptions {
  /** `<data>/ledger-key.sealed`. */
  readonly file: string;
  readonly installationKey: Secret<Uint8Array>;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** A key from its seed. */
export function signingKeyOf(seed: Uint8Array): SigningKey {
  const der = Buffer.concat([PRIVATE_DER_PREFIX, seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicDer = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    privateKey,
    seed: new Secret(seed),
    publicKey: new Uint8Array(publicDer.subarray(PUBLIC_DER_HEADER_BYTES)),
  };
}

/** Makes the first key; fails where there is one. */
export async function createSigningKey(options: SigningKeyOptions): Promise<SigningKey> {
  const seed = options.randomBytes(SEED_BYTES);
  await createPrivateFile(options.file, seal(options, seed));
  return signingKeyOf(seed);
}

/** The current key; CONFIG_INVALID where the file is missing or others can read it. */
export async function loadSigningKey(options: SigningKeyOptions): Promise<SigningKey> {
  return signingKeyOf(await openSeed(options, options.file));
}

/** The current key, made first where the ledger has none yet. */
export async function loadOrCreateSigningKey(
  options: SigningKeyOptions,
  firstStart: boolean,
): Promise<SigningKey> {
  if (firstStart && !(await exists(options.file))) return createSigningKey(options);
  return loadSigningKey(options);
}

/**
 * A key for a rotation that is not in force yet: `ledger.key.rotate` needs its public half first. It is
 * kept beside the current one, so that a crash in between can be finished.
 */
export async function prepareSigningKey(options: SigningKeyOptions): Promise<SigningKey> {
  const seed = options.randomBytes(SEED_BYTES);
  await replacePrivateFile(nextFile(options), seal(options, seed));
  return signingKeyOf(seed);
}

/** The key of a rotation that did not come to its end; undefined where there is none. */
export async function loadPreparedSigningKey(options: SigningKeyOptions): Promise<SigningKey | undefined> {
  const file = nextFile(options);
  return (await exists(file)) ? signingKeyOf(await openSeed(options, file)) : undefined;
}

/** Forgets a prepared key. */
export async function dropPreparedSigningKey(options: SigningKeyOptions): Promise<void> {
  await rm(nextFile(options), { force: true });
}

/** Puts a prepared key in the place of the current one, which is kept as history. */
export async function rotateSigningKey(options: SigningKeyOptions, next: SigningKey): Promise<void> {
  const current = await loadSigningKey(options);
  const former = await loadFormerSigningKeys(options);
  // A crash after the link and before the replacement leaves the current key in the history twice over.
  const kept = former.at(-1);
  if (kept === undefined || !Buffer.from(kept.publicKey).equals(current.publicKey)) {
    await link(options.file, `${options.file}.${former.length + 1}`);
  }
  await replacePrivateFile(options.file, seal(options, next.seed.reveal()));
  await dropPreparedSigningKey(options);
}

/** The keys before the current one, oldest first. */
export async function loadFormerSigningKeys(options: SigningKeyOptions): Promise<readonly SigningKey[]> {
  const directory = dirname(options.file);
  const prefix = `${basename(options.file)}.`;
  const numbers = (await readdir(directory))
    .filter((name) => name.startsWith(prefix) && /^[1-9][0-9]{0,5}$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .toSorted((a, b) => a - b);
  const keys: SigningKey[] = [];
  for (const number of numbers) {
    keys.push(signingKeyOf(await openSeed(options, join(directory, `${prefix}${number}`))));
  }
  return keys;
}

function nextFile({ file }: SigningKeyOptions): string {
  return `${file}.next`;
}

function seal(options: SigningKeyOptions, seed: Uint8Array): Uint8Array {
  return wrap(options.installationKey, PURPOSE, seed, options.randomBytes);
}

async function openSeed(options: SigningKeyOptions, file: string): Promise<Uint8Array> {
  const seed = unwrap(
    options.installationKey,
    PURPOSE,
    await readPrivateFile(file, LIMITS.keys.sourceBytesMax, 0o077),
  );
  if (seed.length !== SEED_BYTES) {
    throw new CountersignError('CONFIG_INVALID', { reason: `${file} does not hold an Ed25519 seed` });
  }
  return seed;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    (error: unknown) => !(error instanceof Error && 'code' in error && error.code === 'ENOENT'),
  );
}
