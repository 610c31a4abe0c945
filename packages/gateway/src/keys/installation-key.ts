/**
 * The installation key: 32 random bytes under which every other secret of this gateway is sealed.
 *
 * Written as 44 characters of base64. Without it the store's secrets, bodies and recordings cannot
 * be read by anybody; a backup without it is a backup of proofs only.
 */

import { access } from 'node:fs/promises';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import { createPrivateFile } from './private-file.ts';
import { readSecretSource, type SecretSource } from './secret-source.ts';

const KEY_BYTES = 32;

export interface InstallationKeyOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly randomBytes: (length: number) => Uint8Array;
  /**
   * The data directory holds nothing yet. Only then a key file that is missing is made: where there
   * is data, a new key would hide that the old one was lost.
   */
  readonly firstStart: boolean;
}

/** The key; `created` says that it was made just now, and should be copied to a safe place. */
export async function loadInstallationKey(
  source: SecretSource,
  options: InstallationKeyOptions,
): Promise<{ readonly key: Secret<Uint8Array>; readonly created: boolean }> {
  if ('file' in source && options.firstStart && !(await exists(source.file))) {
    const key = options.randomBytes(KEY_BYTES);
    await create(source.file, key);
    return { key: new Secret(key), created: true };
  }
  const text = await readSecretSource(source, {
    env: options.env,
    bytesMax: LIMITS.keys.sourceBytesMax,
    modeRefused: 0o077,
  });
  return { key: new Secret(parseKey(text.reveal())), created: false };
}

function parseKey(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== text) {
    throw new CountersignError('CONFIG_INVALID', {
      reason: 'the installation key is not 32 bytes in base64, 44 characters',
    });
  }
  return new Uint8Array(bytes);
}

async function create(file: string, key: Uint8Array): Promise<void> {
  try {
    await createPrivateFile(file, Buffer.from(`${Buffer.from(key).toString('base64')}\n`));
  } catch (error) {
    throw new CountersignError(
      'CONFIG_INVALID',
      { reason: `the installation key cannot be written to ${file}: ${reasonOf(error)}` },
      { cause: error },
    );
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    (error: unknown) => {
      // Anything but "not there" is met again, and reported, when the file is read.
      return !(error instanceof Error && 'code' in error && error.code === 'ENOENT');
    },
  );
}
