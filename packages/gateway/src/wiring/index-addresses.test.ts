/** Where clients find what a control plane names. */

import { describe, expect, it } from 'vitest';
import type { Principal } from '../core/principal.ts';
import { parseResources } from '../resources/parse.ts';
import type { Resources } from '../resources/resources.ts';
import type { AddressAsked } from '../session/http/http-ports.ts';
import { indexAddresses } from './index-addresses.ts';

const CONNECTIONS = ['a', 'b', 'c']
  .map(
    (name) =>
      `{ kind: Connection, name: ${name}, protocol: http, target: { url: "https://${name === 'c' ? 'Idx-2' : 'idx-1'}.svc.example${name === 'c' ? ':8443/v1/' : ''}" }, credential: { scheme: none }${name === 'b' ? ', hosts: [b.gateway.example]' : ''} }`,
  )
  .join('\n---\n');

function finder(
  allowed: readonly string[],
): (host: string, asked?: Partial<AddressAsked>) => string | undefined {
  const documents = parseResources(CONNECTIONS);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- What is asked of it.
  const resources = {
    revision: 1,
    get: () => documents.map((document) => ({ document })),
    stillAllowed: (_: unknown, name: string) => allowed.includes(name),
  } as unknown as Resources;
  const find = indexAddresses(resources);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Nothing of it is looked at.
  const principal = { name: 'ana' } as Principal;
  return (host, asked = {}) =>
    find(host, { authority: 'gw.example:8441', isByHost: false, isTls: true, ...asked }, principal);
}

function at(authority: string, isTls = false): string | undefined {
  return finder(['a'])('idx-1.svc.example', { authority, isTls });
}

describe('the address of an index', () => {
  it('is a path of the gate, of the first connection that leads there and may be used', () => {
    expect(finder(['a', 'b'])('idx-1.svc.example')).toBe('https://gw.example:8441/a');
    expect(finder(['b'])('https://IDX-1.svc.example:443/')).toBe('https://gw.example:8441/b');
    expect(finder([])('idx-1.svc.example')).toBeUndefined();
  });

  it('is none of another host, port or path, and of what is no address', () => {
    const find = finder(['a', 'b', 'c']);
    expect(find('idx-2.svc.example:8443/v1')).toBe('https://gw.example:8441/c');
    for (const host of [
      'idx-2.svc.example',
      'idx-2.svc.example:8443',
      'idx-2.svc.example:8443/v1/x',
      'http://idx-1.svc.example',
      'idx-1.svc.example.evil.example',
      'evil.example#idx-1.svc.example',
      'idx-1.svc.example@evil.example',
      'ana@idx-1.svc.example',
      'file:///etc/passwd',
      '',
      ' ',
      '[',
    ]) {
      expect([host, find(host)]).toEqual([host, undefined]);
    }
  });

  it('is a name of its connection where the client came by a name', () => {
    expect(finder(['b'])('idx-1.svc.example', { isByHost: true })).toBe('https://b.gateway.example:8441');
    expect(finder(['b'])('idx-1.svc.example', { isByHost: true, authority: 'p.gateway.example' })).toBe(
      'https://b.gateway.example',
    );
    expect(finder(['a'])('idx-1.svc.example', { isByHost: true })).toBeUndefined();
  });

  it('is told without TLS to nobody but a client of this machine', () => {
    expect(at('127.0.0.1:8441')).toBe('http://127.0.0.1:8441/a');
    expect(at('localhost:8441')).toBe('http://localhost:8441/a');
    expect(at('[::1]:8441')).toBe('http://[::1]:8441/a');
    expect(at('localhost:8441', true)).toBe('https://localhost:8441/a');
    expect(at('gw.example')).toBe('https://gw.example/a');
    expect(at('localhost.evil.example')).toBe('https://localhost.evil.example/a');
  });
});
