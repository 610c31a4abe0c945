import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { utf8Bytes, utf8Text } from './byte-reader.ts';
import { md5Password } from './md5.ts';
import {
  type ChannelBinding,
  makeVerifier,
  mockVerifier,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  saltPassword,
  ScramClient,
  ScramServer,
  type ScramServerOptions,
} from './scram.ts';

const numRuns = process.env['COUNTERSIGN_SOAK'] === undefined ? 500 : 50_000;
const VECTORS = new URL('../../../../../vectors/postgres/', import.meta.url);

/** Cases of `name: value` lines under `case: title`. */
function readCases(
  file: string,
): readonly { readonly title: string; readonly get: (name: string) => string }[] {
  const blocks = readFileSync(new URL(file, VECTORS), 'utf8').split('\ncase: ').slice(1);
  return blocks.map((block) => {
    const [title = '', ...lines] = block.trimEnd().split('\n');
    const fields = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
    );
    return { title, get: (name) => fields.get(name) ?? '' };
  });
}

function base64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

const plus: ScramServerOptions = {
  mechanism: SCRAM_SHA_256_PLUS,
  tlsServerEndPoint: Uint8Array.of(1, 2, 3),
};
const offered: ScramServerOptions = { ...plus, mechanism: SCRAM_SHA_256 };
const salt = new Uint8Array(16).fill(7);
const pencil = makeVerifier('pencil', salt, 4096);
const one = { iterations: 4096, salt, candidates: [pencil] };

describe('vectors', () => {
  test.each(readCases('scram-exchanges.txt'))('$title, from both sides', ({ get }) => {
    const data = new Uint8Array(Buffer.from(get('binding'), 'hex'));
    const flag = get('client-first').slice(0, 1);
    const bindings: Record<string, ChannelBinding> = {
      n: { kind: 'none' },
      y: { kind: 'notOffered' },
      p: { kind: 'tls-server-end-point', data },
    };
    const verifier = makeVerifier(get('password'), base64(get('salt')), Number(get('iterations')));
    const server = new ScramServer({ ...verifier, candidates: [verifier] }, get('server-nonce'), {
      mechanism: flag === 'p' ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256,
      tlsServerEndPoint: flag === 'p' ? data : undefined,
    });
    expect(utf8Text(server.first(utf8Bytes(get('client-first'))))).toBe(get('server-first'));
    expect(server.final(utf8Bytes(get('client-final')))).toBe(0);
    expect(utf8Text(server.finalMessage())).toBe(get('server-final'));

    const client = new ScramClient(get('password'), get('client-nonce'), {
      channelBinding: bindings[flag] ?? { kind: 'none' },
    });
    // PostgreSQL's clients leave the user name out; it changes the proof, so only the others can be compared.
    const withoutUser = get('client-first').replace('n=user,', 'n=,');
    expect(utf8Text(client.start())).toBe(withoutUser);
    const final = utf8Text(client.continue(utf8Bytes(get('server-first')))) ?? '';
    const comparable =
      withoutUser === get('client-first') ? Number.MAX_SAFE_INTEGER : get('client-final').indexOf(',p=');
    expect(final.slice(0, comparable)).toBe(get('client-final').slice(0, comparable));
  });

  test.each(readCases('scram-verifiers.txt'))('$title, as PostgreSQL stores it', ({ get }) => {
    const [, iterations = '', storedSalt = '', storedKey = '', serverKey = ''] = get('stored').split(/[$:]/);
    const password = new Uint8Array(Buffer.from(get('password'), 'hex'));
    const verifier = makeVerifier(password, base64(storedSalt), Number(iterations));
    expect(Buffer.from(verifier.storedKey).toString('base64')).toBe(storedKey);
    expect(Buffer.from(verifier.serverKey).toString('base64')).toBe(serverKey);
  });
});

function exchange(client: ScramClient, server: ScramServer): number | undefined {
  const found = server.final(client.continue(server.first(client.start())));
  if (found !== undefined) client.finish(server.finalMessage());
  return found;
}

describe('an exchange', () => {
  test.each([
    ['the first of several passwords', 'one', 0],
    ['the last of several passwords', 'three', 2],
    ['no password that is known', 'four', undefined],
  ])('finds %s', (_, password, expected) => {
    const candidates = ['one', 'two', 'three'].map((known) => makeVerifier(known, salt, 4096));
    const client = new ScramClient(password, 'nonceC');
    expect(exchange(client, new ScramServer({ iterations: 4096, salt, candidates }, 'nonceS'))).toBe(
      expected,
    );
    expect(client.finished).toBe(expected !== undefined);
  });

  test('with channel binding succeeds only with the same certificate', () => {
    const same: ChannelBinding = { kind: 'tls-server-end-point', data: Uint8Array.of(1, 2, 3) };
    const other: ChannelBinding = { kind: 'tls-server-end-point', data: Uint8Array.of(1, 2, 4) };
    expect(
      exchange(new ScramClient('pencil', 'c', { channelBinding: same }), new ScramServer(one, 's', plus)),
    ).toBe(0);
    expect(() =>
      exchange(new ScramClient('pencil', 'c', { channelBinding: other }), new ScramServer(one, 's', plus)),
    ).toThrow(expect.objectContaining({ code: 'CHANNEL_BINDING_FAILED' }));
  });

  test('salts a password once where the caller remembers it', () => {
    let asked = 0;
    const options = {
      channelBinding: { kind: 'none' },
      saltedPassword: (given: Uint8Array, iterations: number) => {
        asked++;
        return saltPassword('pencil', given, iterations);
      },
    } as const;
    expect(exchange(new ScramClient('ignored', 'c', options), new ScramServer(one, 's'))).toBe(0);
    expect(asked).toBe(1);
  });

  test('an unknown name looks like a known one, the same each time, and matches nothing', () => {
    const secret = new Uint8Array(32).fill(3);
    const mock = mockVerifier(secret, 'nobody', 4096);
    expect(mock).toEqual(mockVerifier(secret, 'nobody', 4096));
    expect(mock.salt).not.toEqual(mockVerifier(secret, 'somebody', 4096).salt);
    expect(mock.salt).toHaveLength(16);
    const server = new ScramServer({ ...mock, candidates: [mock] }, 's');
    expect(exchange(new ScramClient('pencil', 'c'), server)).toBeUndefined();
    expect(() => server.finalMessage()).toThrow(CountersignError);
  });
});

test('y where channel binding was offered is somebody’s work', () => {
  const server = new ScramServer(one, 's', offered);
  expect(() => server.first(utf8Bytes('y,,n=,r=abc'))).toThrow(
    expect.objectContaining({ code: 'CHANNEL_BINDING_FAILED' }),
  );
  expect(() => new ScramServer(one, 's').first(utf8Bytes('y,,n=,r=abc'))).not.toThrow();
});

describe('the server refuses', () => {
  test.each([
    ['an authorization identity', 'n,a=admin,n=,r=abc', offered],
    ['a mandatory extension', 'n,,m=x,n=,r=abc', offered],
    ['a missing nonce', 'n,,n=', offered],
    ['an empty nonce', 'n,,n=,r=', offered],
    ['a nonce with a space', 'n,,n=,r=a b', offered],
    ['a part that is not name=value', 'n,,n=,r=abc,x', offered],
    ['p in the mechanism without channel binding', 'p=tls-server-end-point,,n=,r=abc', offered],
    ['n in the mechanism with channel binding', 'n,,n=,r=abc', plus],
    ['another binding', 'p=tls-unique,,n=,r=abc', plus],
    [
      'channel binding that was not offered',
      'p=tls-server-end-point,,n=,r=abc',
      { ...plus, tlsServerEndPoint: undefined },
    ],
    ['another flag', 'x,,n=,r=abc', offered],
    ['a zero byte', 'n,,n=\0,r=abc', offered],
    ['nothing', '', offered],
  ])('%s', (_, message, options) => {
    const server = new ScramServer(one, 's', options);
    expect(() => server.first(utf8Bytes(message))).toThrow(
      expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }),
    );
  });

  test.each([
    ['another nonce', 'c=biws,r=abcX,p='],
    ['another GS2 header than before', 'c=eSws,r=abcs,p='],
    ['no proof', 'c=biws,r=abcs'],
    ['a short proof', 'c=biws,r=abcs,p=AAAA'],
    ['base64 that is not canonical', `c=biws,r=abcs,p=${'A'.repeat(42)}B=`],
    ['text after the proof', `c=biws,r=abcs,p=${'A'.repeat(43)}=,x=y`],
  ])('a last message with %s', (_, message) => {
    const server = new ScramServer(one, 's');
    server.first(utf8Bytes('n,,n=,r=abc'));
    expect(() => server.final(utf8Bytes(message))).toThrow(
      expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }),
    );
  });

  test('messages out of turn, and a second try', () => {
    const server = new ScramServer(one, 's');
    const proof = utf8Bytes(`c=biws,r=abcs,p=${'A'.repeat(43)}=`);
    expect(() => server.final(proof)).toThrow(CountersignError);
    server.first(utf8Bytes('n,,n=,r=abc'));
    expect(() => server.first(utf8Bytes('n,,n=,r=abc'))).toThrow(CountersignError);
    expect(server.final(proof)).toBeUndefined();
    expect(() => server.final(proof)).toThrow(CountersignError);
  });

  test('a message that is too long', () => {
    const server = new ScramServer(one, 's');
    expect(() => server.first(utf8Bytes(`n,,n=,r=${'a'.repeat(5_000)}`))).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
  });
});

describe('the client refuses', () => {
  test.each([
    ['a nonce that is not ours', 'r=xyz,s=AAAA,i=4096'],
    ['a nonce to which the server added nothing', 'r=c,s=AAAA,i=4096'],
    ['too few iterations', 'r=cs,s=AAAA,i=4095'],
    ['too many iterations', 'r=cs,s=AAAA,i=200001'],
    ['iterations that are no number', 'r=cs,s=AAAA,i=4096x'],
    ['an empty salt', 'r=cs,s=,i=4096'],
    ['an error of the server', 'e=other-error'],
  ])('%s', (_, message) => {
    const client = new ScramClient('pencil', 'c');
    client.start();
    expect(() => client.continue(utf8Bytes(message))).toThrow(
      expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }),
    );
  });

  test.each([
    ['a wrong signature', `v=${'A'.repeat(43)}=`],
    ['an error', 'e=invalid-proof'],
    ['a short signature', 'v=AAAA'],
  ])('a server that ends with %s', (_, message) => {
    const client = new ScramClient('pencil', 'c');
    client.continue(new ScramServer(one, 's').first(client.start()));
    expect(() => client.finish(utf8Bytes(message))).toThrow('did not prove');
    expect(client.finished).toBe(false);
  });
});

test('garbage gives our error or a refusal, from both sides', () => {
  const text = fc.stringMatching(/^[nyp=,rscvi a-cA-C0-9+/\0]{0,40}$/).map(utf8Bytes);
  const property = fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), text), (bytes) => {
    const server = new ScramServer(one, 's');
    const begun = new ScramServer(one, 's');
    begun.first(utf8Bytes('n,,n=,r=abc'));
    const client = new ScramClient('pencil', 'c', {
      channelBinding: { kind: 'none' },
      saltedPassword: () => new Uint8Array(32),
    });
    client.start();
    for (const run of [() => server.first(bytes), () => begun.final(bytes), () => client.continue(bytes)]) {
      ourErrorOrNothing(run);
    }
    expect(() => begun.finalMessage()).toThrow(CountersignError);
  });
  expect(() => fc.assert(property, { numRuns })).not.toThrow();
});

/** Anything but a CountersignError is a failure of the test. */
function ourErrorOrNothing(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
  }
}

test('md5 answers as libpq does', () => {
  // echo -n "$(echo -n pencilmd5user | md5sum | head -c 32)" with the salt 01 02 03 04 appended, hashed again.
  expect(md5Password('md5user', 'pencil', Uint8Array.of(1, 2, 3, 4))).toBe(
    'md5d8952cad425cbeb4f00aba7f8e35ff33',
  );
  expect(() => md5Password('md5user', 'pencil', Uint8Array.of(1))).toThrow(CountersignError);
});
