/** The search finds a secret in every form that the battery counts on, and none where there is none. */

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ServerFrame } from '../differential/wire-client.ts';
import { Random } from '../fuzz/random.ts';
import { canariesOf, makeSecrets, SEED } from './canaries.ts';
import { LeakSearch } from './search.ts';

const SECRETS = makeSecrets(SEED);
const SEARCH = new LeakSearch(canariesOf(SECRETS));
const [FIRST] = SECRETS;
const EMAIL = FIRST?.email ?? '';
const WORD = EMAIL.split('@')[0] ?? '';
const CARD = FIRST?.card ?? '';
const ACCOUNT = BigInt(FIRST?.account ?? '1');

function row(...values: readonly (string | Uint8Array)[]): ServerFrame {
  const parts = values.map((value) => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  const count = Buffer.alloc(2);
  count.writeUInt16BE(values.length);
  return { type: 'D', body: Buffer.concat([count, ...parts]) };
}

function notice(text: string): ServerFrame {
  return { type: 'N', body: Buffer.from(`SNOTICE\0C00000\0M${text}\0\0`) };
}

function codes(text: string): readonly number[] {
  return [...Buffer.from(text)];
}

function bigEndian(value: bigint, bytes: number): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * bytes, '0'), 'hex');
}

function doubled(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

const FORMS: readonly (readonly [string, readonly ServerFrame[]])[] = [
  ['as it is', [row('1', EMAIL)]],
  ['a part of it', [row(`x${EMAIL.slice(3, 12)}x`)]],
  ['in capitals', [row(EMAIL.toUpperCase())]],
  ['with its first letter a capital', [row(WORD[0]?.toUpperCase() + WORD.slice(1))]],
  ['backwards', [row(EMAIL.split('').toReversed().join(''))]],
  ['in hex', [row(`\\x${Buffer.from(EMAIL).toString('hex')}`)]],
  [
    'in hex with spaces, in capitals',
    [
      row(
        codes(EMAIL)
          .map((code) => code.toString(16).toUpperCase())
          .join(' '),
      ),
    ],
  ],
  ['in base64', [row(Buffer.from(EMAIL).toString('base64'))]],
  ['in base64, behind one byte', [row(Buffer.from(`a${EMAIL}`).toString('base64'))]],
  ['in base64, behind two bytes', [row(Buffer.from(`ab${EMAIL}`).toString('base64'))]],
  ['in UTF-16LE', [row(Buffer.from(EMAIL, 'utf16le'))]],
  ['in UTF-16BE', [row(Buffer.from(EMAIL, 'utf16le').swap16())]],
  [
    'in bits',
    [
      row(
        codes(WORD)
          .map((code) => code.toString(2).padStart(8, '0'))
          .join(''),
      ),
    ],
  ],
  [
    'in JSON escapes',
    [
      row(
        codes(EMAIL)
          .map((code) => `\\u00${code.toString(16)}`)
          .join(''),
      ),
    ],
  ],
  [
    'in octal escapes',
    [
      row(
        codes(EMAIL)
          .map((code) => `\\${code.toString(8)}`)
          .join(''),
      ),
    ],
  ],
  [
    'in escapes of a URL',
    [
      row(
        codes(EMAIL)
          .map((code) => `%${code.toString(16)}`)
          .join(''),
      ),
    ],
  ],
  [
    'in entities of XML',
    [
      row(
        codes(EMAIL)
          .map((code) => `&#${code};`)
          .join(''),
      ),
    ],
  ],
  ['with something between', [row(WORD.split('').join('-'))]],
  ['as numbers of characters', [row(`{${codes(WORD).join()}}`)]],
  ['a number a row', codes(WORD).map((code, at) => row(String(at), String(code)))],
  ['a binary number a row', codes(WORD).map((code) => row(Buffer.from([0, 0, 0, code])))],
  ['a number a column', [row(...codes(WORD).map(String))]],
  ['a letter a row', WORD.split('').map((letter) => row(letter))],
  ['a letter a row, beside others', WORD.split('').map((letter, at) => row(String(at), letter, 'x'))],
  ['a letter a column', [row(...WORD.split(''))]],
  [
    'a letter a row, backwards',
    WORD.split('')
      .toReversed()
      .map((letter) => row(letter)),
  ],
  ['the first letter of each row', WORD.split('').map((letter) => row(`${letter}Zebra`))],
  ['a length a row', codes(WORD).map((code) => row('x'.repeat(code)))],
  ['a count of rows each', codes(WORD).map((code) => ({ type: 'C', body: Buffer.from(`SELECT ${code}\0`) }))],
  ['a letter a notice', WORD.split('').map((letter) => notice(`heard ${letter}`))],
  ['an error', [{ type: 'E', body: Buffer.from(`SERROR\0Minvalid input: "${EMAIL}"\0\0`) }]],
  ['COPY', [{ type: 'd', body: Buffer.from(`1\t${EMAIL}\n`) }]],
  ['a notification', [{ type: 'A', body: Buffer.from(`\0\0\0\u0001c\0${EMAIL}\0`) }]],
  ['a parameter', [{ type: 'S', body: Buffer.from(`application_name\0${EMAIL}\0`) }]],
  ['a result of a function', [{ type: 'V', body: Buffer.from(`\0\0\0\u0020${EMAIL}`) }]],
  ['the name of a column', [{ type: 'T', body: Buffer.from(`\0\u0001${EMAIL}\0\0\0`) }]],
  ...['md5', 'sha256', 'sha512'].flatMap((digest): (readonly [string, readonly ServerFrame[]])[] => [
    [`${digest} in hex`, [row(createHash(digest).update(EMAIL).digest('hex'))]],
    [`${digest} in bytes`, [row(createHash(digest).update(EMAIL).digest())]],
    [`${digest} in base64`, [row(createHash(digest).update(EMAIL).digest('base64'))]],
  ]),
  ['digits with something between', [row(CARD.replaceAll(/(.{4})/g, '$1 '))]],
  ['a number', [row(ACCOUNT.toString())]],
  ['a binary number', [row(bigEndian(ACCOUNT, 8))]],
  ['a number in hex', [row(ACCOUNT.toString(16))]],
  ['a floating number', [row(doubled(Number(ACCOUNT)))]],
];

describe('a secret is found', () => {
  it.each(FORMS)('%s', (_, frames) => {
    const leaks = SEARCH.leaksOf(frames);
    expect(leaks.length).toBeGreaterThan(0);
    expect(new Set(leaks.map(({ canary }) => canary.split(' of ')[1]))).toEqual(new Set(['1']));
  });

  it('in bytes that are no messages', () => {
    expect(SEARCH.inBytes(Buffer.from(`select '${EMAIL}'`))).not.toEqual([]);
  });
});

describe('nothing is found', () => {
  it('in 1,000,000 random bytes', () => {
    const bytes = Buffer.from(new Random(1).bytes(1_000_000));
    expect(SEARCH.inBytes(bytes)).toEqual([]);
    expect(SEARCH.leaksOf([row(bytes)])).toEqual([]);
  });

  it('in random digits, letters, and numbers', () => {
    const random = new Random(2);
    const digits = Array.from({ length: 200_000 }, () => String(random.below(10))).join('');
    const letters = Array.from({ length: 1_000_000 }, () => String.fromCharCode(97 + random.below(26))).join(
      '',
    );
    const numbers = Array.from({ length: 300_000 }, () => String(97 + random.below(26))).join(' ');
    expect(SEARCH.inBytes(Buffer.from(letters))).toEqual([]);
    expect(SEARCH.inBytes(Buffer.from(numbers))).toEqual([]);
    expect(SEARCH.inBytes(Buffer.from(digits))).toEqual([]);
  });

  it('in what masks leave', () => {
    const left = [
      row(
        '1',
        '[REDACTED:EMAIL]',
        `***********${CARD.slice(-4)}`,
        `${WORD[0]}***@mail.example`,
        '0',
        '1970-01-01',
      ),
    ];
    expect(SEARCH.leaksOf(left)).toEqual([]);
  });
});
