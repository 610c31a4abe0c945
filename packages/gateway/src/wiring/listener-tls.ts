/** The certificate of the listeners: the one that was given, or a self-signed one that is kept. */

import { constants } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/config.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { certificateEndPoint, type ListenerTls } from '../listeners/client-socket.ts';
import { selfSignedCertificate } from '../listeners/self-signed.ts';

/** As PostgreSQL's server: no renegotiation, no resumption, which nothing needs and attacks have used. */
const SECURE_OPTIONS = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET;

export async function listenerTls(
  config: Config,
  nowMs: number,
  randomBytes: (length: number) => Uint8Array,
): Promise<ListenerTls> {
  const { mode } = config.tls;
  if (mode === 'off') return { mode, context: undefined, endPoint: undefined };
  try {
    const { cert, key } = await certificate(config, nowMs, randomBytes);
    const context = createSecureContext({ cert, key, minVersion: 'TLSv1.2', secureOptions: SECURE_OPTIONS });
    return { mode, context, endPoint: certificateEndPoint(cert) };
  } catch (error) {
    throw new CountersignError('CONFIG_INVALID', { reason: `tls: ${reasonOf(error)}` }, { cause: error });
  }
}

async function certificate(
  config: Config,
  nowMs: number,
  randomBytes: (length: number) => Uint8Array,
): Promise<{ readonly cert: string; readonly key: string }> {
  const { files } = config.tls;
  const own = {
    cert: join(config.data, 'tls-self-signed.crt'),
    key: join(config.data, 'tls-self-signed.key'),
  };
  const { cert, key } = files ?? own;
  if (files === undefined && !existsSync(own.key)) {
    const made = selfSignedCertificate({ names: ['localhost'], nowMs, randomBytes });
    await writeFile(own.key, made.key, { mode: 0o600 });
    await writeFile(own.cert, made.cert);
  }
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
}
