import { describe, expect, it } from 'vitest';
import type { ConnectionAnswer } from '../api/answers.ts';
import { curlLines, httpSettings, psqlLines } from './connect-text.ts';

const RERANKER: ConnectionAnswer = {
  name: 'reranker',
  protocol: 'http',
  port: 8_441,
  tls: 'optional',
  selfSigned: true,
  hosts: [],
};

function linesFor(change: Partial<ConnectionAnswer>, host: string): readonly string[] {
  return curlLines(httpSettings({ ...RERANKER, ...change }, host, '8441'));
}

describe('a connection over HTTP', () => {
  it('is a curl line with the token in its place, and a base URL for SDKs', () => {
    expect(linesFor({}, '127.0.0.1')).toEqual([
      `curl -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:8441/reranker/PATH'`,
      'Base URL for SDKs: http://127.0.0.1:8441/reranker',
      'TOKEN is a personal token: countersign token create --name curl',
      'SDKs take it in the place of the API key of the service; PATH is a path of the service.',
    ]);
  });

  it.each<readonly [string, Partial<ConnectionAnswer>, string, string]>([
    ['without TLS where there is none', { tls: 'off' }, 'gateway', 'http://gateway:8441/reranker'],
    ['without TLS on the own machine', { selfSigned: false }, '::1', 'http://[::1]:8441/reranker'],
    ['with TLS from elsewhere', { selfSigned: false }, 'gateway', 'https://gateway:8441/reranker'],
    [
      'with TLS where it has to be',
      { tls: 'required', selfSigned: false },
      '127.0.0.1',
      'https://127.0.0.1:8441/reranker',
    ],
    ['under the name that is certified', { tls: 'required' }, '127.0.0.1', 'https://localhost:8441/reranker'],
  ])('is reached %s', (_what, change, host, baseUrl) => {
    expect(linesFor(change, host)).toContain(`Base URL for SDKs: ${baseUrl}`);
  });

  it('names the certificate that a client has to trust, and says where none will be taken', () => {
    const near = linesFor({ tls: 'required' }, 'localhost');
    expect(near[0]).toMatch(/^curl --cacert tls-self-signed\.crt -H/);
    expect(near.at(-1)).toContain('the data directory of the gateway');
    const far = linesFor({}, 'gateway.example');
    expect(far[0]).toMatch(/^curl -H/);
    expect(far.join(' ')).toContain('only a certificate for localhost');
  });

  it('has names of its own, too', () => {
    const lines = linesFor({ hosts: ['r.example'], selfSigned: false }, '127.0.0.1');
    expect(lines).toContain('The same: https://r.example:8441');
  });
});

describe('a connection to PostgreSQL', () => {
  it('is a psql line that a shell takes as one word', () => {
    const settings = { host: 'h', port: '1', user: "o'x", dbname: 'db/a b' };
    expect(psqlLines(settings)[0]).toBe(
      `psql 'host=h port=1 user='\\''o\\'\\''x'\\'' dbname='\\''db/a b'\\'''`,
    );
  });
});
