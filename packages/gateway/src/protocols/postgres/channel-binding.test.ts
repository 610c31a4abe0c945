import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tlsServerEndPoint } from './channel-binding.ts';

const VECTORS = new URL('../../../../../vectors/postgres/channel-binding.txt', import.meta.url);

interface Case {
  readonly title: string;
  readonly certificate: Uint8Array;
  readonly binding: string;
}

const cases: readonly Case[] = readFileSync(VECTORS, 'utf8')
  .split('\ncase: ')
  .slice(1)
  .map((block) => {
    const [title = '', ...lines] = block.trimEnd().split('\n');
    const fields = new Map(
      lines.map((line) => line.split(': ', 2)).map(([key = '', value = '']) => [key, value]),
    );
    const certificate = new Uint8Array(Buffer.from(fields.get('certificate') ?? '', 'base64'));
    return { title, certificate, binding: fields.get('binding') ?? '' };
  });

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'none' : Buffer.from(bytes).toString('hex');
}

describe('tls-server-end-point', () => {
  test('has vectors', () => expect(cases.length).toBe(22));

  test.each(cases)('$title', ({ certificate, binding }) => {
    expect(hex(tlsServerEndPoint(certificate))).toBe(binding);
  });

  test('takes any bytes for a certificate, and never throws', () => {
    const [first] = cases;
    const real = first?.certificate ?? new Uint8Array(0);
    fc.assert(
      fc.property(fc.nat(real.length - 1), fc.nat(255), fc.nat(real.length), (at, value, length) => {
        const changed = real.slice(0, length);
        if (at < length) changed[at] = value;
        expect(() => tlsServerEndPoint(changed)).not.toThrow();
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void tlsServerEndPoint(bytes)));
  });
});
