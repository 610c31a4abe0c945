import { describe, expect, it } from 'vitest';
import { Secret } from '../../../core/secret.ts';
import { findCredential } from '../credentials.ts';
import {
  readSignature,
  type RequestSignature,
  saysItIsSigned,
  type SignableHead,
  type SignatureResult,
  signedFields,
  timeProblem,
} from './read-signature.ts';
import { signParts } from './signature.ts';

const ID = 'CSAK0123456789ABCDEF';
const TIME = '20261128T120000Z';
const SCOPE = '20261128/eu-central-1/bedrock/aws4_request';
const SIGNATURE = 'ab'.repeat(32);
const SHA256 = 'cd'.repeat(32);
const AT = Date.UTC(2026, 10, 28, 12, 0, 0);

type Fields = readonly (readonly [string, string])[];

function authorization(
  more: Partial<Record<'id' | 'scope' | 'signed' | 'signature' | 'algorithm', string>>,
): string {
  const {
    id = ID,
    scope = SCOPE,
    signed = 'host;x-amz-content-sha256;x-amz-date',
    signature = SIGNATURE,
    algorithm = 'AWS4-HMAC-SHA256',
  } = more;
  return `${algorithm} Credential=${id}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
}

/** A request that is read, with fields in the place of those of the same name, or beside. */
function head(fields: Fields = [], target = '/bedrock/rerank', more: Fields = []): SignableHead {
  const usual: Fields = [
    ['host', 'gateway:8441'],
    ['x-amz-date', TIME],
    ['x-amz-content-sha256', SHA256],
    ['authorization', authorization({})],
  ];
  const named = new Set(fields.map(([name]) => name));
  const kept = usual.filter(([name]) => !named.has(name));
  const present = fields.filter(([, value]) => value !== '(none)');
  return {
    method: 'POST',
    target,
    authority: 'gateway:8441',
    version: '1.1',
    fields: [...kept, ...present, ...more],
  };
}

function read(one: SignableHead): RequestSignature {
  const result = readSignature(one);
  if (result.kind !== 'signature') throw new Error(`${result.kind}: ${result.reason}`);
  return result;
}

function presigned(more: Readonly<Record<string, string | undefined>> = {}): string {
  const said = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${ID}/${SCOPE}`,
    'X-Amz-Date': TIME,
    'X-Amz-Expires': '900',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': SIGNATURE,
    ...more,
  };
  return Object.entries(said)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]))
    .join('&');
}

const inQuery = (query: string, fields: Fields = [['host', 'gateway:8441']]): SignableHead => ({
  method: 'GET',
  target: `/bedrock/x?${query}`,
  authority: 'gateway:8441',
  version: '1.1',
  fields,
});

describe('a signature in Authorization', () => {
  it('is read with all that it says', () => {
    expect(read(head([], '/bedrock/a%2fb/../x?b=1&a=2'))).toMatchObject({
      accessKeyId: ID,
      scope: { date: '20261128', region: 'eu-central-1', service: 'bedrock' },
      time: TIME,
      timeMs: AT,
      lifetimeMs: undefined,
      contentSha256: SHA256,
      query: 'b=1&a=2',
      parts: { method: 'POST', path: '/bedrock/a%2fb/../x', query: 'b=1&a=2' },
    });
  });

  it.each<[string, Fields]>([
    ['without blanks', [['authorization', authorization({}).replaceAll(', ', ',')]]],
    [
      'with more of them',
      [['authorization', authorization({}).replaceAll(', ', '  , ').replace(' Cred', '   Cred')]],
    ],
    [
      'in another order',
      [
        [
          'authorization',
          `AWS4-HMAC-SHA256 Signature=${SIGNATURE}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Credential=${ID}/${SCOPE}`,
        ],
      ],
    ],
  ])('is read %s', (_name, fields) => {
    expect(read(head(fields)).accessKeyId).toBe(ID);
  });

  it('says nothing of the content where it has no digest of it', () => {
    const signed = authorization({ signed: 'host;x-amz-date' });
    const one = head([
      ['x-amz-content-sha256', '(none)'],
      ['authorization', signed],
    ]);
    expect(read(one).contentSha256).toBeUndefined();
  });
});

describe('a presigned URL', () => {
  it('is read, and its own parameters go no further', () => {
    const got = read(inQuery(`b=1&${presigned()}&a=%2f`));
    expect(got).toMatchObject({ lifetimeMs: 900_000, query: 'b=1&a=%2f', contentSha256: undefined });
    expect(got.parts.query).toContain('X-Amz-Expires=900');
    expect(got.parts.query).not.toContain('X-Amz-Signature');
  });

  it('may have the digest of its content in small letters, once', () => {
    const sha256 = (name: string): string => `${name}=${SHA256}`;
    const query = `${presigned()}&${sha256('x-amz-content-sha256')}`;
    expect(read(inQuery(query))).toMatchObject({ contentSha256: SHA256, query: '' });
    const twice = inQuery(`${query}&${sha256('X-Amz-Content-Sha256')}`);
    expect(readSignature(twice)).toMatchObject({ kind: 'malformed' });
  });

  it('to S3 is about no content', () => {
    const credential = `${ID}/${SCOPE.replace('bedrock', 's3')}`;
    expect(read(inQuery(presigned({ 'X-Amz-Credential': credential }))).contentSha256).toBe(
      'UNSIGNED-PAYLOAD',
    );
  });
});

const malformed = (reason: string): Partial<SignatureResult> => ({
  kind: 'malformed',
  reason: expect.stringContaining(reason),
});
const refused = (reason: string): Partial<SignatureResult> => ({
  kind: 'refused',
  reason: expect.stringContaining(reason),
});

describe('what is tried with a signature', () => {
  it.each<[string, SignableHead, Partial<SignatureResult>]>([
    ['two of them', head([], '/x', [['authorization', authorization({})]]), malformed('more than one')],
    ['one beside a token', head([], '/x', [['authorization', 'Bearer cs_x']]), malformed('more than one')],
    ['one in each place', head([], `/x?${presigned()}`), malformed('two places')],
    ['a part of one in the query', head([], '/x?X-Amz-Credential=a'), malformed('two places')],
    [
      'another algorithm',
      head([['authorization', authorization({ algorithm: 'AWS4-ECDSA-P256-SHA256' })]]),
      malformed('algorithm'),
    ],
    [
      'an algorithm in small letters',
      head([['authorization', authorization({ algorithm: 'AWS4-hmac-sha256' })]]),
      malformed('algorithm'),
    ],
    [
      'no Signature',
      head([['authorization', authorization({}).replace(/, Signature.*/, '')]]),
      malformed('64 hex'),
    ],
    [
      'a Signature twice',
      head([['authorization', `${authorization({})}, Signature=${SIGNATURE}`]]),
      malformed('another form'),
    ],
    [
      'something else in it',
      head([['authorization', `${authorization({})}, Region=x`]]),
      malformed('another form'),
    ],
    ['a short signature', head([['authorization', authorization({ signature: 'ab' })]]), malformed('64 hex')],
    [
      'capitals in it',
      head([['authorization', authorization({ signature: SIGNATURE.toUpperCase() })]]),
      malformed('64 hex'),
    ],
    ['no date', head([['x-amz-date', '(none)']]), malformed('one X-Amz-Date')],
    ['two dates', head([], '/x', [['x-amz-date', TIME]]), malformed('one X-Amz-Date')],
    [
      'the 31st of November',
      head([
        ['x-amz-date', '20261131T120000Z'],
        ['authorization', authorization({ scope: SCOPE.replace('1128', '1131') })],
      ]),
      malformed('20150830'),
    ],
    [
      'a date of another form',
      head([['x-amz-date', 'Sat, 28 Nov 2026 12:00:00 GMT']]),
      malformed('20150830'),
    ],
    [
      'a scope of another day',
      head([['authorization', authorization({ scope: SCOPE.replace('1128', '1127') })]]),
      malformed('the one of its credential'),
    ],
    [
      'a scope of another kind',
      head([['authorization', authorization({ scope: `${SCOPE}x` })]]),
      malformed('credential of KEY'),
    ],
    [
      'a scope with more in it',
      head([['authorization', authorization({ scope: `x/${SCOPE}` })]]),
      malformed('credential of KEY'),
    ],
    [
      'a region that there cannot be',
      head([['authorization', authorization({ scope: SCOPE.replace('eu-central-1', '..') })]]),
      malformed('cannot be'),
    ],
    [
      'an id that is a path',
      head([['authorization', authorization({ id: 'a%2fb' })]]),
      malformed('credential of KEY'),
    ],
    [
      'a host that is not signed',
      head([['authorization', authorization({ signed: 'x-amz-content-sha256;x-amz-date' })]]),
      refused('host is not signed'),
    ],
    [
      'a digest that is not signed',
      head([['authorization', authorization({ signed: 'host;x-amz-date' })]]),
      refused('x-amz-content-sha256 is not signed'),
    ],
    [
      'a target that is not signed',
      head([['x-amz-target', 'Delete']]),
      refused('x-amz-target is not signed'),
    ],
    ['the same with low lines', head([['x_amz_target', 'Delete']]), refused('x_amz_target is not signed')],
    [
      'a field that is signed and not there',
      head([['authorization', authorization({ signed: 'a;host;x-amz-content-sha256;x-amz-date' })]]),
      refused('a is signed and not there'),
    ],
    [
      'a signed field that Connection takes away',
      head([['connection', 'close, X-Amz-Date']]),
      refused('only for one hop'),
    ],
    [
      'names out of order',
      head([['authorization', authorization({ signed: 'x-amz-date;host;x-amz-content-sha256' })]]),
      malformed('sorted'),
    ],
    [
      'a name twice',
      head([['authorization', authorization({ signed: 'host;host;x-amz-content-sha256;x-amz-date' })]]),
      malformed('sorted'),
    ],
    [
      'names in capitals',
      head([['authorization', authorization({ signed: 'Host;x-amz-content-sha256;x-amz-date' })]]),
      malformed('small letters'),
    ],
    [
      'an empty name',
      head([['authorization', authorization({ signed: ';host' })]]),
      malformed('small letters'),
    ],
    [
      'a session token',
      head([
        ['x-amz-security-token', 'x'],
        [
          'authorization',
          authorization({ signed: 'host;x-amz-content-sha256;x-amz-date;x-amz-security-token' }),
        ],
      ]),
      malformed('session token'),
    ],
    [
      'two digests',
      head([], '/x', [['x-amz-content-sha256', 'ef'.repeat(32)]]),
      malformed('more than one X-Amz-Content'),
    ],
    ['a digest that is none', head([['x-amz-content-sha256', 'UNSIGNED']]), malformed('64 hex digits')],
    ['chunks', head([['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD']]), refused('in chunks')],
    [
      'chunks with trailers',
      head([['x-amz-content-sha256', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER']]),
      refused('in chunks'),
    ],
  ])('is seen: %s', (_name, one, expected) => {
    expect(saysItIsSigned(one.fields, one.target.split('?')[1] ?? '')).toBe(true);
    expect(readSignature(one)).toMatchObject(expected);
  });

  it.each<[string, string, Partial<SignatureResult>]>([
    ['a parameter twice', `${presigned()}&X-Amz-Date=${TIME}`, malformed('twice')],
    [
      'the signature in another spelling',
      presigned().replace('X-Amz-Signature', 'x-amz-signature'),
      malformed('another spelling'),
    ],
    [
      'another one beside it, escaped',
      `${presigned()}&x%2Damz%2Ddate=${TIME}`,
      malformed('another spelling'),
    ],
    ['the same one twice, once escaped', `${presigned()}&X%2DAmz-Date=${TIME}`, malformed('twice')],
    ['no lifetime', presigned({ 'X-Amz-Expires': undefined }), malformed('X-Amz-Expires')],
    ['a lifetime of nothing', presigned({ 'X-Amz-Expires': '0' }), malformed('X-Amz-Expires')],
    ['a lifetime of days', presigned({ 'X-Amz-Expires': '604800' }), malformed('1 to 3600')],
    ['a lifetime below nothing', presigned({ 'X-Amz-Expires': '-1' }), malformed('X-Amz-Expires')],
    ['a session token', presigned({ 'X-Amz-Security-Token': 'x' }), malformed('session token')],
    ['no algorithm', presigned({ 'X-Amz-Algorithm': undefined }), malformed('algorithm')],
    ['no host', presigned({ 'X-Amz-SignedHeaders': 'accept' }), refused('host is not signed')],
    ['chunks', presigned({ 'X-Amz-Content-Sha256': 'STREAMING-x' }), refused('in chunks')],
    ['a session token alone', 'X-Amz-Security-Token=x', malformed('session token')],
  ])('is seen in a query: %s', (_name, query, expected) => {
    expect(saysItIsSigned([], query)).toBe(true);
    expect(readSignature(inQuery(query))).toMatchObject(expected);
  });

  it('is seen in a query: a field that was not signed', () => {
    const one = inQuery(presigned(), [
      ['host', 'gateway:8441'],
      ['x-amz-acl', 'public'],
    ]);
    expect(readSignature(one)).toMatchObject(refused('x-amz-acl is not signed'));
  });

  it('is no token: what is signed has none beside it', () => {
    const beside: Fields = [['x-api-key', 'cs_0123456789abcdefgh']];
    expect(findCredential([...head().fields, ...beside], '')).toMatchObject({ kind: 'refused' });
    expect(findCredential([...head().fields, ['x-api-key', 'of-another']], '')).toEqual({
      kind: 'signature',
    });
    expect(findCredential([], `AWSAccessKeyId=${ID}&Signature=x`)).toMatchObject({ kind: 'refused' });
  });
});

describe('the time of a signature', () => {
  const signature = read(head());
  const url = read(inQuery(presigned()));

  it.each<[string, RequestSignature, number, string]>([
    ['now', signature, AT, 'good'],
    ['a quarter of an hour ago', signature, AT + 900_000, 'good'],
    ['longer ago', signature, AT + 900_001, 'Signature expired'],
    ['in a quarter of an hour', signature, AT - 900_000, 'good'],
    ['later', signature, AT - 900_001, 'Signature not yet current'],
    ['of a URL that is still good', url, AT + 900_000, 'good'],
    ['of a URL that is over', url, AT + 900_001, 'Signature expired'],
    ['of a URL of tomorrow', url, AT - 86_400_000, 'Signature not yet current'],
  ])('%s', (_name, one, nowMs, problem) => {
    expect(timeProblem(one, nowMs) ?? 'good').toContain(problem);
  });
});

describe('what was not signed', () => {
  it('goes no further, but for what clients add and nothing depends on', () => {
    const signed = authorization({ signed: 'content-type;host;x-amz-content-sha256;x-amz-date' });
    const one = head([
      ['authorization', signed],
      ['content-type', 'application/json'],
      ['content-encoding', 'gzip'],
      ['range', 'bytes=0-1'],
      ['x-amzn-bedrock-guardrailidentifier', 'none'],
      ['user-agent', 'x'],
      ['accept', '*/*'],
      ['sec-fetch-mode', 'cors'],
      ['traceparent', '00'],
    ]);
    const names = signedFields(one.fields, read(one)).map(([name]) => name);
    expect(names.toSorted()).toEqual([
      'accept',
      'content-type',
      'host',
      'sec-fetch-mode',
      'traceparent',
      'user-agent',
      'x-amz-content-sha256',
      'x-amz-date',
    ]);
  });
});

describe('the bytes that were signed', () => {
  const key = new Secret('secret');
  const of = (one: SignableHead): string => {
    const { scope, parts } = read(one);
    return signParts(key, scope, TIME, { ...parts, contentSha256: SHA256 });
  };
  const signed = authorization({ signed: 'host;x-a;x-amz-content-sha256;x-amz-date' });
  const withField = (...values: string[]): SignableHead =>
    head(
      [['authorization', signed]],
      '/bedrock/rerank',
      values.map((value) => ['x-a', value] as const),
    );

  it('are those of :authority in the place of host, over HTTP/2 alone', () => {
    const fields: Fields = [
      ['authorization', authorization({ signed: ':authority;x-amz-content-sha256;x-amz-date' })],
    ];
    const one = head(fields);
    expect(readSignature(one)).toMatchObject(refused(':authority is signed and not there'));
    const other = { ...one, version: '2' } as const;
    expect(of(other)).not.toBe(of({ ...other, authority: 'other:8441' }));
  });

  it.each<[string, SignableHead, SignableHead, boolean]>([
    ['blanks around a value', withField('a b'), withField('  a   b '), true],
    ['two lines, and one with both', withField('a', 'b'), withField('a,b'), true],
    ['two lines in another order', withField('a', 'b'), withField('b', 'a'), false],
    ['a value in other letters', withField('a'), withField('A'), false],
    ['a path that is escaped twice', head([], '/a%2Fb'), head([], '/a%252Fb'), false],
    ['a path that is escaped otherwise', head([], '/a%3Ab'), head([], '/a:b'), false],
    ['a path with a dot segment', head([], '/a/./b'), head([], '/a/b'), true],
    ['a path with one that is escaped', head([], '/a/%2e/b'), head([], '/a/b'), false],
    ['a slash at the end', head([], '/a/'), head([], '/a'), false],
    ['a parameter more', head([], '/a?b=1'), head([], '/a?b=1&c'), false],
    ['parameters in another order', head([], '/a?b=1&a=1'), head([], '/a?a=1&b=1'), true],
    ['another method', head(), { ...head(), method: 'DELETE' }, false],
    ['another host', head(), { ...head(), authority: 'other:8441' }, false],
  ])('%s', (_name, one, other, isSame) => {
    expect(of(one) === of(other)).toBe(isSame);
  });
});
