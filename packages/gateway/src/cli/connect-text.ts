/** The lines that say how a connection is reached, to be copied into a shell. */

import type { ConnectionAnswer } from '../api/answers.ts';

/** The PostgreSQL client's settings, in the order in which they are printed. */
export interface PostgresSettings {
  readonly host: string;
  readonly port: string;
  readonly user: string;
  readonly dbname: string;
}

/** Where an HTTP client points, and what it shows there. */
export interface HttpSettings {
  /** For SDKs: the service's own paths follow it. */
  readonly baseUrl: string;
  /** The same, under names of the connection's own. */
  readonly byHost: readonly string[];
  /** What the certificate of the gateway is, as far as clients have to know. */
  readonly certificate: 'none' | 'given' | 'self-signed' | 'self-signed, and not for this host';
}

/** A file of the gateway's data directory; it is made for the name localhost. */
const SELF_SIGNED = 'tls-self-signed.crt';

/** PostgreSQL 18, "Connection Strings", keyword/value. */
export function conninfoOf(settings: PostgresSettings): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${quoted(String(value))}`)
    .join(' ');
}

export function psqlLines(settings: PostgresSettings): readonly string[] {
  return [
    `psql ${shellWord(conninfoOf(settings))}`,
    'The password is a personal token: countersign token create --name psql',
  ];
}

/**
 * TLS wherever the gateway takes it, but for a client on its own machine that may go without.
 *
 * @param host as the caller knows the gateway
 */
export function httpSettings(
  { name, hosts, tls, selfSigned }: ConnectionAnswer,
  host: string,
  port: string,
): HttpSettings {
  const isNear = isLoopback(host);
  const isPlain = tls === 'off' || (tls === 'optional' && isNear);
  const shown = !isPlain && selfSigned && isNear ? 'localhost' : host;
  const authority = `${shown.includes(':') ? `[${shown}]` : shown}:${port}`;
  const ownScheme = tls === 'off' ? 'http' : 'https';
  return {
    baseUrl: `${isPlain ? 'http' : 'https'}://${authority}/${name}`,
    byHost: hosts.map((own) => `${ownScheme}://${own}:${port}`),
    certificate: isPlain ? 'none' : selfSigned ? SELF_SIGNED_FOR[isNear ? 'near' : 'far'] : 'given',
  };
}

const SELF_SIGNED_FOR = { near: 'self-signed', far: 'self-signed, and not for this host' } as const;

export function curlLines({ baseUrl, byHost, certificate }: HttpSettings): readonly string[] {
  const trust = certificate === 'self-signed' ? `--cacert ${SELF_SIGNED} ` : '';
  return [
    `curl ${trust}-H "Authorization: Bearer $TOKEN" ${shellWord(`${baseUrl}/PATH`)}`,
    `Base URL for SDKs: ${baseUrl}`,
    ...byHost.map((url) => `The same: ${url}`),
    'TOKEN is a personal token: countersign token create --name curl',
    'SDKs take it in the place of the API key of the service; PATH is a path of the service.',
    ...CERTIFICATE_LINES[certificate],
  ];
}

const CERTIFICATE_LINES: Readonly<Record<HttpSettings['certificate'], readonly string[]>> = {
  none: [],
  given: [],
  'self-signed': [`${SELF_SIGNED} lies in the data directory of the gateway.`],
  'self-signed, and not for this host': [
    'The gateway has only a certificate for localhost, which clients will not take here:',
    'its operator has to give it one (tls.cert and tls.key of its configuration).',
  ],
};

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.[0-9.]+$/.test(host);
}

function quoted(value: string): string {
  return /^[A-Za-z0-9_.:/@-]+$/.test(value) ? value : `'${value.replaceAll(/['\\]/g, '\\$&')}'`;
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
