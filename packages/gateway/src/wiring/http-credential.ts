/** The credential of an HTTP Connection, as it is at this moment. */

import { CountersignError } from '../core/errors.ts';
import type { HttpConnection } from '../resources/documents.ts';
import type { SignedFor } from '../session/http/signed-request.ts';
import { type CredentialOptions, resolveCredential, resolveSource } from '../upstream/credential.ts';
import type { HttpCredential } from '../upstream/http-credential.ts';

/** Throws UPSTREAM_FAILED where a part of it cannot be had. */
export async function httpCredential(
  connection: HttpConnection,
  options: CredentialOptions,
): Promise<HttpCredential> {
  const { scheme, name = '', prefix = '', user = '' } = connection.credential;
  if (scheme === 'none') return { scheme };
  const { password: secret } = await resolveCredential(connection, options);
  if (secret === undefined) throw missing(connection, 'it has no password');
  switch (scheme) {
    case 'bearer':
      return { scheme, secret };
    case 'header':
      return { scheme, name, prefix, secret };
    case 'basic':
      return { scheme, user, secret };
    case 'query':
      return { scheme, name, secret };
    case 'sigv4': {
      const { accessKeyId = '', sessionToken, region = '', service = '' } = connection.credential;
      const source = (
        what: string,
        from: Exclude<typeof accessKeyId, string>,
      ): ReturnType<typeof resolveSource> => resolveSource(connection, what, from, options.env);
      return {
        scheme,
        accessKeyId:
          typeof accessKeyId === 'string'
            ? accessKeyId
            : checkAccessKeyId(connection, (await source('its access key id', accessKeyId)).reveal()),
        secret,
        sessionToken:
          sessionToken === undefined ? undefined : await source('its session token', sessionToken),
        region,
        service,
      };
    }
    default:
      return scheme satisfies never;
  }
}

/** What clients of a connection may sign for: what its target is signed for. */
export function signedForOf({ credential }: HttpConnection): SignedFor | undefined {
  const { scheme, region = '', service = '' } = credential;
  return scheme === 'sigv4' ? { region, service } : undefined;
}

/** It goes into a field and into leaves. */
function checkAccessKeyId(connection: HttpConnection, text: string): string {
  if (/^\w{16,128}$/.test(text)) return text;
  throw missing(connection, 'its access key id is none');
}

function missing({ name: connection }: HttpConnection, reason: string): CountersignError {
  return new CountersignError('UPSTREAM_FAILED', { connection, reason });
}
