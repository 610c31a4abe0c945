/**
 * The stored credential of an HTTP target, put where that target reads it.
 *
 * Spec: RFC 6750 §2.1, RFC 7617, RFC 3986 §2.1.
 */

import { CountersignError } from '../core/errors.ts';
import type { HttpFields } from '../core/http-message.ts';
import type { Secret } from '../core/secret.ts';
import type { SigV4Credential } from './sigv4-fields.ts';

/** How a target is shown who asks. */
export type HttpCredential =
  | { readonly scheme: 'none' }
  | { readonly scheme: 'bearer'; readonly secret: Secret<string> }
  | {
      readonly scheme: 'header';
      /** In small letters. */
      readonly name: string;
      /** In front of the secret, as it is: `ApiKey `. */
      readonly prefix: string;
      readonly secret: Secret<string>;
    }
  | { readonly scheme: 'basic'; readonly user: string; readonly secret: Secret<string> }
  | { readonly scheme: 'query'; readonly name: string; readonly secret: Secret<string> }
  | SigV4Credential;

/** What is added to a request; the query has it at its end. */
export interface Injected {
  readonly fields: HttpFields;
  readonly query: string;
}

/** Throws UPSTREAM_FAILED for a secret that no field can hold. What is signed is so when all else is there. */
export function inject(credential: HttpCredential, query: string, connection: string): Injected {
  switch (credential.scheme) {
    case 'none':
    case 'sigv4':
      return { fields: [], query };
    case 'bearer':
      return { fields: [['authorization', `Bearer ${textOf(credential.secret, connection)}`]], query };
    case 'header':
      return {
        fields: [[credential.name, `${credential.prefix}${textOf(credential.secret, connection)}`]],
        query,
      };
    case 'basic': {
      const pair = `${credential.user}:${credential.secret.reveal()}`;
      return { fields: [['authorization', `Basic ${Buffer.from(pair).toString('base64')}`]], query };
    }
    case 'query': {
      const own = `${encodeURIComponent(credential.name)}=${encodeURIComponent(credential.secret.reveal())}`;
      return { fields: [], query: query === '' ? own : `${query}&${own}` };
    }
    default:
      return credential satisfies never;
  }
}

/** Fields of a client that would stand beside it. */
export function fieldsOf(credential: HttpCredential): ReadonlySet<string> {
  return new Set(credential.scheme === 'header' ? [credential.name] : []);
}

/** Whether a client says in its query what only the gateway says. */
export function isInQuery(credential: HttpCredential, query: string): boolean {
  return credential.scheme === 'query' && new URLSearchParams(query).has(credential.name);
}

function textOf(secret: Secret<string>, connection: string): string {
  const text = secret.reveal();
  if (/^[\u0020-\u007e]+$/.test(text)) return text;
  throw new CountersignError('UPSTREAM_FAILED', {
    connection,
    reason: 'its credential has characters that no field can hold',
  });
}

/** Fields of an answer without a secret that the target repeats; only one in the query comes back so. */
export function withoutSecret(credential: HttpCredential, fields: HttpFields): HttpFields {
  if (credential.scheme !== 'query') return fields;
  const secret = credential.secret.reveal();
  const encoded = encodeURIComponent(secret);
  const form = new URLSearchParams([['', secret]]).toString().slice(1);
  const forms = [
    encoded,
    encoded.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    form,
    secret,
  ];
  return fields.map(([name, value]) => [
    name,
    forms.reduce((text, one) => (one === '' ? text : text.replaceAll(one, '***')), value),
  ]);
}
