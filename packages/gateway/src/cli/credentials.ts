/**
 * Where the token of a login is kept: `countersign/credentials.json` under XDG_CONFIG_HOME, mode 0600.
 *
 * COUNTERSIGN_SERVER and COUNTERSIGN_TOKEN go before it; a token on the command line would be seen by
 * every process of the machine, so there is no flag for it.
 */

import { access, chmod, constants, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';
import { makeDirectory } from '../files/make-directory.ts';

export interface Credentials {
  readonly server: string;
  readonly name: string;
  readonly tokenId: string;
  readonly token: Secret<string>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The file, whether it is there or not. */
export function credentialsFile(env: Environment): string {
  const base = env['XDG_CONFIG_HOME'] ?? join(env['HOME'] ?? homedir(), '.config');
  return join(base, 'countersign', 'credentials.json');
}

/** What a login left; CONFIG_INVALID where others can read it. */
export async function loadCredentials(env: Environment): Promise<Credentials | undefined> {
  const file = credentialsFile(env);
  let text: string;
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) throw invalid(`${file} can be read by others; make it mode 0600`);
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return parseCredentials(text, file);
}

/**
 * Makes the place in which a login is kept; CONFIG_INVALID where it cannot be written. It comes before the
 * login: a one-time code that was used for a token that then is lost is gone.
 */
export async function prepareCredentials(env: Environment): Promise<void> {
  const directory = dirname(credentialsFile(env));
  try {
    await makeDirectory(directory);
    await access(directory, constants.W_OK);
  } catch (error) {
    const reason = `a login cannot be kept (${reasonOf(error)}); set XDG_CONFIG_HOME to a directory of yours`;
    throw new CountersignError('CONFIG_INVALID', { reason }, { cause: error });
  }
}

/** Keeps a login in the place of the one before. */
export async function saveCredentials(env: Environment, credentials: Credentials): Promise<string> {
  const file = credentialsFile(env);
  const text = JSON.stringify({ ...credentials, token: credentials.token.reveal() });
  const partial = `${file}.partial`;
  await writeFile(partial, `${text}\n`, { mode: 0o600 });
  await chmod(partial, 0o600);
  await rename(partial, file);
  return file;
}

export async function forgetCredentials(env: Environment): Promise<void> {
  await rm(credentialsFile(env), { force: true });
}

function parseCredentials(text: string, file: string): Credentials {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Its message repeats the text, in which the token stands.
    throw invalid(`${file} is not JSON; log in again`);
  }
  const server = textAt(value, 'server');
  const name = textAt(value, 'name');
  const tokenId = textAt(value, 'tokenId');
  const token = textAt(value, 'token');
  if (server === undefined || name === undefined || tokenId === undefined || token === undefined) {
    throw invalid(`${file} lacks server, name, tokenId or token; log in again`);
  }
  return { server, name, tokenId, token: new Secret(token) };
}

function textAt(value: unknown, key: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const found: unknown = Reflect.get(value, key);
  return typeof found === 'string' ? found : undefined;
}

function invalid(reason: string): CountersignError {
  return new CountersignError('CONFIG_INVALID', { reason });
}
