import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  awsFour,
  REFEREE_KEY,
  REFEREE_SCOPE,
  smithySignature,
} from '../../../../../../test/conformance/sigv4-referees.ts';
import { readVectors } from '../../../../../../test/conformance/vectors.ts';
import { Secret } from '../../../core/secret.ts';
import { canonicalQuery, canonicalRequest, type SignedParts, stringToSign } from './canonical-request.ts';
import { isSignedBy, signatureOf, signParts } from './signature.ts';

const KEY = new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY');
const FIELDS = [
  'name',
  'service',
  'key',
  'method',
  'path',
  'query',
  'field',
  'body',
  'signed',
  'canonical',
  'sts',
  'signature',
];

interface Case {
  readonly name: string;
  readonly parts: SignedParts;
  readonly service: string;
  readonly key: Secret<string>;
  readonly canonical: string | undefined;
  readonly text: string | undefined;
  readonly signature: string;
}

/** A text of several lines stands there as JSON. */
function cases(file: string): readonly Case[] {
  return readVectors(`sigv4/${file}`, FIELDS).map((vector) => {
    const fields = vector.all('field').map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1)];
    });
    const hash = fields.find(([name]) => name === 'x-amz-content-sha256')?.[1].trim();
    const body = createHash('sha256')
      .update(vector.maybe('body') ?? '')
      .digest('hex');
    const key = vector.maybe('key');
    return {
      name: vector.one('name'),
      parts: {
        method: vector.one('method'),
        path: vector.one('path'),
        query: vector.maybe('query') ?? '',
        fields,
        signedNames: vector.one('signed').split(';'),
        contentSha256: hash ?? (vector.maybe('body') === 'UNSIGNED-PAYLOAD' ? 'UNSIGNED-PAYLOAD' : body),
      },
      service: vector.one('service'),
      key: key === undefined ? KEY : new Secret(key),
      canonical: parsed(vector.maybe('canonical')),
      text: parsed(vector.maybe('sts')),
      signature: vector.one('signature'),
    };
  });
}

function parsed(json: string | undefined): string | undefined {
  return json === undefined ? undefined : String(JSON.parse(json));
}

function timeOf({ parts }: Case): string {
  const inQuery = /X-Amz-Date=([0-9TZ]+)/.exec(parts.query)?.[1];
  return inQuery ?? parts.fields.find(([name]) => name === 'x-amz-date')?.[1].trim() ?? '';
}

describe.each(['suite.txt', 's3.txt'])('vectors/sigv4/%s', (file) => {
  it.each(cases(file).map((one) => [one.name, one] as const))('%s', (_name, one) => {
    const time = timeOf(one);
    const scope = { date: time.slice(0, 8), region: 'us-east-1', service: one.service };
    const canonical = canonicalRequest(one.parts, one.service);
    // Some have no more than their signature.
    expect(canonical).toBe(one.canonical ?? canonical);
    const signed = stringToSign(time, scope, canonical);
    expect(signed).toBe(one.text ?? signed);
    expect(signParts(one.key, scope, time, one.parts)).toBe(one.signature);
    const signature = new Uint8Array(Buffer.from(one.signature, 'hex'));
    expect(isSignedBy(one.key, { scope, time, signature }, one.parts)).toBe(true);
    const wrong = signature.map((byte, at) => (at === 31 ? byte ^ 1 : byte));
    expect(isSignedBy(one.key, { scope, time, signature: wrong }, one.parts)).toBe(false);
    expect(isSignedBy(one.key, { scope, time, signature: signature.subarray(1) }, one.parts)).toBe(false);
  });
});

describe('a canonical query', () => {
  it.each([
    ['', ''],
    ['a', 'a='],
    ['b=2&a=1', 'a=1&b=2'],
    ['a=2&a=1', 'a=1&a=2'],
    ['a=%7e%2f', 'a=~%2F'],
    ['a=%ff', 'a=%FF'],
    ['a=b=c', 'a=b%3Dc'],
    ['a=x+y', 'a=x%2By'],
    ['&a=1&&', 'a=1'],
    // By what they are escaped: `%` is below every letter.
    ['a=1&%C3%A4=1&-=1', '%C3%A4=1&-=1&a=1'],
    // A name that begins another is below it, whatever follows.
    ['ab=1&a=2', 'a=2&ab=1'],
  ])('of %j is %j', (query, canonical) => {
    expect(canonicalQuery(query)).toBe(canonical);
  });
});

describe('a signature', () => {
  it('of an hour, a region, a service or a secret is of no other', () => {
    const scope = { date: '20150830', region: 'us-east-1', service: 'iam' };
    const one = (key: Secret<string>, other: Partial<typeof scope>): string =>
      Buffer.from(signatureOf(key, { ...scope, ...other }, 'text')).toString('hex');
    const all = [
      one(KEY, {}),
      one(KEY, { date: '20150831' }),
      one(KEY, { region: 'us-east-2' }),
      one(KEY, { service: 'es' }),
      one(new Secret('other'), {}),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

const text = fc.string({
  unit: fc.constantFrom(...Array.from("aZ09-._~ !*'()/:@?&=+,;%$#[]äλ€")),
  maxLength: 6,
});
const request = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  segments: fc.array(
    text.map((one) => one.replaceAll(/^\.+$/g, '')),
    { maxLength: 4 },
  ),
  // Two values of a name are one text to some clients, and two to others.
  query: fc.dictionary(
    text.filter((one) => one !== ''),
    text,
    { maxKeys: 4, noNullPrototype: true },
  ),
  fields: fc.dictionary(
    fc.constantFrom('content-type', 'x-amz-target', 'x-amz-meta-a', 'my-field', 'accept'),
    fc.string({ unit: fc.constantFrom(...Array.from('ab ,;="')), maxLength: 8 }),
    { maxKeys: 4, noNullPrototype: true },
  ),
  body: fc.string({ maxLength: 12 }),
});

describe('a random request', () => {
  it('has the signature that @smithy/signature-v4 gives it', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (one) => {
        const signed = await smithySignature(one);
        expect(signParts(REFEREE_KEY, REFEREE_SCOPE, signed.time, signed.parts)).toBe(signed.signature);
      }),
      { numRuns: 300 },
    );
  });

  it('has the signature that aws4 gives it', () => {
    fc.assert(
      fc.property(request, (one) => {
        const signed = awsFour(one);
        expect(signParts(REFEREE_KEY, REFEREE_SCOPE, signed.time, signed.parts)).toBe(signed.signature);
      }),
      { numRuns: 300 },
    );
  });
});
