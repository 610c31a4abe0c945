/**
 * The credential of a target, fetched at the moment it is needed and never kept.
 *
 * Nobody holds it but the gateway: it comes from a file, an environment variable, a command, or the
 * store, where it is sealed under the installation key.
 */

import { readFile } from 'node:fs/promises';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Secret } from '../core/secret.ts';
import { findConnectionPassword } from '../keys/connection-password.ts';
import { readSecretSource, type SecretSource } from '../keys/secret-source.ts';
import type { Store } from '../store/store.ts';

/** The parts of a Connection that say how to log in. */
export interface CredentialedConnection {
  readonly name: string;
  readonly credential: {
    readonly user?: string;
    readonly password?: SecretSource | { readonly sealed: true };
  };
  readonly target: { readonly ca?: string | { readonly file: string } };
}

export interface CredentialOptions {
  readonly store: Store;
  readonly installationKey: Secret<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Credential {
  readonly user: string;
  readonly password: Secret<string> | undefined;
}

/** User and password; UPSTREAM_FAILED where the password cannot be had. */
export async function resolveCredential(
  connection: CredentialedConnection,
  options: CredentialOptions,
): Promise<Credential> {
  const { user = '', password } = connection.credential;
  if (password === undefined) return { user, password: undefined };
  if ('sealed' in password) {
    const { store, installationKey } = options;
    const found = await findConnectionPassword(store.db, installationKey, connection.name);
    if (found === undefined) throw failed(connection, 'its password was never set');
    return { user, password: found };
  }
  return { user, password: await resolveSource(connection, 'its password', password, options.env) };
}

/**
 * A part of a credential that is kept elsewhere; UPSTREAM_FAILED where it cannot be had.
 *
 * @param what it is, for the message
 */
export async function resolveSource(
  connection: Pick<CredentialedConnection, 'name'>,
  what: string,
  source: SecretSource,
  env: CredentialOptions['env'],
): Promise<Secret<string>> {
  try {
    const bytesMax = LIMITS.resources.passwordBytesMax;
    return await readSecretSource(source, { env, bytesMax, modeRefused: 0o007 });
  } catch (error) {
    const { reason } = error instanceof CountersignError ? error.details : {};
    throw failed(connection, `${what}: ${reason ?? 'cannot be read'}`, error);
  }
}

/** The PEM certificates that a Connection trusts, or nothing where it trusts the system's. */
export async function resolveTrustedCertificates(
  connection: CredentialedConnection,
): Promise<string | undefined> {
  const { ca } = connection.target;
  if (ca === undefined || typeof ca === 'string') return ca;
  try {
    const pem = await readFile(ca.file, 'utf8');
    if (pem.length > LIMITS.resources.certificateBytesMax) throw new Error(`${ca.file} is too large`);
    if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new Error(`${ca.file} holds no certificate`);
    return pem;
  } catch (error) {
    throw failed(connection, `its trusted certificates: ${reasonOf(error)}`, error);
  }
}

function failed(
  connection: Pick<CredentialedConnection, 'name'>,
  reason: string,
  cause?: unknown,
): CountersignError {
  return new CountersignError('UPSTREAM_FAILED', { connection: connection.name, reason }, { cause });
}
