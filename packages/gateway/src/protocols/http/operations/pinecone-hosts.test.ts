/** Which answers may name addresses, and that none is left in one. */

import { array, assert, constantFrom, double, jsonValue, property, record, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../json/parse-json.ts';
import type { JsonBody } from './json-values.ts';
import { mayNameHosts, NOWHERE, rewriteHosts } from './pinecone-hosts.ts';

function bodyOf(value: unknown): JsonBody {
  const bytes = Buffer.from(JSON.stringify(value));
  const parsed = parseJson(bytes);
  return { bytes, root: parsed.kind === 'json' ? parsed.root : undefined };
}

function knows(host: string): string | undefined {
  return host.startsWith('known') ? `gate/${host}` : undefined;
}

function rewritten(value: unknown): unknown {
  const result = rewriteHosts(bodyOf(value), knows);
  return result.kind === 'rewritten' ? JSON.parse(Buffer.from(result.bytes).toString()) : result;
}

describe('an answer may name addresses', () => {
  it.each<[string, string | undefined, string | undefined, boolean]>([
    ['pinecone', 'pinecone', '/indexes/{index}', true],
    ['pinecone', 'pinecone', '/backups/{backup}/create-index', true],
    ['pinecone', 'pinecone', '/query', false],
    // Other stores have this one too.
    ['auto', 'pinecone', '/collections', false],
    ['pinecone', undefined, undefined, true],
    ['auto', 'pinecone', '/indexes', true],
    ['auto', undefined, undefined, false],
    ['qdrant', undefined, undefined, false],
    ['auto', 'qdrant', '/collections/{collection}', false],
  ])('at %s, read as %s at %s: %s', (connection, dialect, template, expected) => {
    expect(mayNameHosts(connection, { dialect, template })).toBe(expected);
  });
});

describe('addresses', () => {
  it('are those of one index where only one of its names is known', () => {
    expect(rewritten({ host: 'other', private_host: 'known-1' })).toEqual({
      host: 'gate/known-1',
      private_host: 'gate/known-1',
    });
    expect(rewritten({ host: 'other', private_host: 'another' })).toEqual({
      kind: 'unknown-host',
      host: 'other',
    });
  });

  it('are replaced in a list however long, and lead nowhere where none is known', () => {
    const length = 30_000;
    const indexes = Array.from({ length }, (_, at) => ({ host: at % 2 === 0 ? 'known' : `other-${at}` }));
    const text = JSON.stringify(rewritten({ indexes }));
    expect(text).not.toContain('other-');
    expect(text.split(NOWHERE)).toHaveLength(Math.floor(length / 2) + 1);
  });

  it('are replaced whatever stands around them', () => {
    const host = constantFrom('known-1', 'other-1', 'Other-2"\u0000');
    const index = record(
      { host, private_host: host, more: jsonValue(), name: string() },
      { requiredKeys: [] },
    );
    assert(
      property(record({ indexes: array(index), n: double() }), (value) => {
        const result = rewriteHosts(bodyOf(value), knows);
        const named = value.indexes.flatMap((one) => [one.host, one.private_host]).filter(isThere);
        const { hosts, bytes } =
          result.kind === 'rewritten' ? result : { hosts: [], bytes: bodyOf(value).bytes };
        expect([result.kind, hosts.length]).toEqual([named.length > 0 ? 'rewritten' : 'same', named.length]);
        expect(new Set(hosts)).toEqual(new Set(named));
        const after = parseJson(bytes);
        const root = after.kind === 'json' ? after.root : undefined;
        const asked: string[] = [];
        rewriteHosts({ bytes, root }, (one) => {
          asked.push(one);
          return one;
        });
        expect(asked.filter((one) => !one.startsWith('gate/') && one !== NOWHERE)).toEqual([]);
      }),
    );
  });
});

function isThere(host: string | undefined): host is string {
  return host !== undefined;
}
