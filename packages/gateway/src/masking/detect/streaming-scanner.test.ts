/** The result does not depend on how the bytes are cut. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CompiledRules } from './custom-rules.ts';
import { Scanner } from './scanner.ts';
import { StreamingScanner } from './streaming-scanner.ts';
import { allTexts } from './testing-corpora.ts';
import { findInStream, findLines } from './testing-scan.ts';

const encoder = new TextEncoder();
const isLong = process.env['COUNTERSIGN_SOAK'] === '1';
/** Every cut of every text takes its time. */
const TIMEOUT_MS = isLong ? 7_200_000 : 120_000;

function cutsOf(bytes: Uint8Array, ...cuts: readonly number[]): readonly Uint8Array[] {
  const edges = [0, ...cuts, bytes.length];
  return edges.slice(1).map((edge, at) => bytes.subarray(edges[at], edge));
}

describe('a stream of the corpora', () => {
  const texts = [...new Set(allTexts())].map((text) => encoder.encode(text));

  it(
    'has the same values at every cut in two',
    () => {
      let splits = 0;
      let different = 0;
      for (const bytes of texts) {
        // All of them in a soak; otherwise those that are short.
        if (bytes.length > 80 && !isLong) continue;
        const wanted = findLines(bytes).join('\n');
        for (let cut = 0; cut <= bytes.length; cut += 1) {
          const { found, passed } = findInStream(cutsOf(bytes, cut));
          splits += 1;
          if (found.join('\n') !== wanted || passed !== bytes.length) different += 1;
        }
      }
      console.log(`${splits} cuts in two, ${different} different`);
      expect(splits).toBeGreaterThan(10_000);
      expect(different).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'has the same values at cuts in three',
    () => {
      let splits = 0;
      let different = 0;
      for (const [index, bytes] of texts.entries()) {
        // All of them in a soak; otherwise of every twentieth text that is short.
        if (!isLong && (index % 40 !== 3 || bytes.length > 90)) continue;
        const wanted = findLines(bytes).join('\n');
        for (let first = 0; first <= bytes.length; first += 1) {
          for (let second = first; second <= bytes.length; second += 1) {
            splits += 1;
            if (findInStream(cutsOf(bytes, first, second)).found.join('\n') !== wanted) different += 1;
          }
        }
      }
      console.log(`${splits} cuts in three, ${different} different`);
      expect(splits).toBeGreaterThan(10_000);
      expect(different).toBe(0);
    },
    TIMEOUT_MS,
  );

  it('has the same values as one long text in pieces of any size, and holds little back', () => {
    const all = encoder.encode([...new Set(allTexts())].join('\n'));
    const wanted = findLines(all);
    expect(wanted.length).toBeGreaterThan(1_000);
    for (const size of [1, 17, 100, 4_096, 65_536]) {
      const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
        all.subarray(at * size, (at + 1) * size),
      );
      const { found, passed, held } = findInStream(pieces);
      expect(passed).toBe(all.length);
      expect(found).toEqual(wanted);
      const mean = held.reduce((sum, bytes) => sum + bytes, 0) / held.length;
      console.log(
        `pieces of ${size}: ${mean.toFixed(0)} bytes held back in the mean, at most ${held.reduce((most, bytes) => Math.max(most, bytes), 0)}`,
      );
      // What is held back lies behind the last piece at most.
      expect(mean).toBeLessThan(400 + size);
    }
  });
});

describe('a stream of tricky pieces', () => {
  const seed = Date.now() & 0x7fff_ffff;
  const piece = fc.constantFrom(
    '4111 1111 1111 1111',
    '4111',
    '1111',
    ' ',
    '  ',
    '-',
    '.',
    '/',
    '(',
    ')',
    '+',
    '\n',
    ',',
    '"',
    '=',
    ':',
    '219-09-9999',
    'ana@example.org',
    '@',
    'AA 12 34 56 B',
    'AA ',
    'B ',
    'HRB ',
    '12345',
    'DE',
    'GB29 NWBK 6016 1331 9268 19',
    'password = "',
    'secret',
    'token: ',
    'hunter2',
    '://u:pw12@h',
    '\u200b',
    '\u200b'.repeat(9),
    '４１１１',
    '\u00a0',
    '–',
    'ssn ',
    'phone ',
    ' office',
    'x'.repeat(40),
    'y'.repeat(200),
    '-----BEGIN PRIVATE KEY-----',
    '-----END PRIVATE KEY-----',
    '-----',
    'MIIE'.repeat(30),
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJlLWhlcmU',
    '2024-01-01 10:00:00',
    '10.0.0.1',
    '2001:db8::1',
    '3fa85f64-5717-4562-b3fc-2c963f66afa6',
    '%B4111111111111111^ANA/A^2512101?',
    '👩',
    'é',
    'acme',
    'ACME corp',
    'EMP-',
    '007',
  );
  const rules = new CompiledRules([
    { kind: 'exact', name: 'project', values: ['acme', 'ACME corp', '10.0.0'] },
    { kind: 'dictionary', name: 'words', words: ['secret token', 'b 12345'] },
    { kind: 'pattern', name: 'employee', pattern: 'EMP-\\d{3}|\\d{5} ?x{2,40}' },
  ]);

  it.each([
    ['without rules', {}],
    ['with rules', { rules }],
  ])(`has the same values as the whole, %s (seed ${seed})`, (_, options) => {
    const scanner = new Scanner(options);
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 40 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        (pieces, at) => {
          const bytes = encoder.encode(pieces.join(''));
          const cuts = at.map((place) => place % (bytes.length + 1)).toSorted((one, other) => one - other);
          const { found, passed } = findInStream(cutsOf(bytes, ...cuts), options);
          expect(passed).toBe(bytes.length);
          expect(found).toEqual(findLines(bytes, scanner));
          const single = Array.from(bytes, (_byte, place) => bytes.subarray(place, place + 1));
          expect(findInStream(single, options).found).toEqual(found);
        },
      ),
      { seed, numRuns: isLong ? 20_000 : 400 },
    );
  });
});

function passedOf(text: string): number {
  let passed = 0;
  const stream = new StreamingScanner({
    clear(bytes) {
      passed += bytes.length;
    },
    found(_, bytes) {
      passed += bytes.length;
    },
  });
  stream.push(encoder.encode(text));
  return passed;
}

it('a character that is cut is not passed over: it may be a digit of the number behind it', () => {
  const bytes = encoder.encode('４１１１4111 1111 1111 1111@');
  const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  expect(findInStream(single).found).toEqual(findLines(bytes));
});

describe('what is held back', () => {
  it('letters flow, up to the last word and two short ones before it', () => {
    expect(passedOf('The quick brown fox jumps over lengthy animals and')).toBe(
      'The quick brown fox jumps over lengthy animals '.length,
    );
    expect(passedOf('a number is at AA')).toBe('a number '.length);
  });

  it('digits wait until it is certain what they are', () => {
    expect(passedOf('Payment received 4111 1111 1111 1111')).toBe('Payment received '.length);
  });

  it('a run without an end passes in bounded memory', () => {
    let most = 0;
    let passed = 0;
    const stream = new StreamingScanner({
      clear(bytes) {
        passed += bytes.length;
      },
      found(_, bytes) {
        passed += bytes.length;
      },
    });
    const piece = encoder.encode('A1b2C3d4'.repeat(512));
    for (let round = 0; round < 256; round += 1) {
      stream.push(piece);
      most = Math.max(most, stream.heldBytes);
    }
    stream.finish();
    expect(passed).toBe(piece.length * 256);
    expect(most).toBeLessThan(65_536);
  });

  it('a run without a space, of 80 KB, has the same values in pieces', () => {
    const next = (() => {
      let state = 77;
      return () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return state >>> 0;
      };
    })();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    for (const kind of ['base64', 'digits', 'hyphens']) {
      let text = 'x ';
      while (text.length < 80_000) {
        text +=
          kind === 'base64'
            ? alphabet[next() % 64]
            : kind === 'digits'
              ? String(next() % 10)
              : `${next() % 100_000}-`;
        if (next() % 5_000 === 0)
          text += '/ana@example.org/4111-1111-1111-1111/+442079460018:eyJhbGciOiJIUzI1NiJ9.';
      }
      const bytes = encoder.encode(`${text} 219-09-9999`);
      const wanted = findLines(bytes);
      expect(wanted.length).toBeGreaterThan(0);
      for (const size of [997, 20_000]) {
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size),
        );
        expect(findInStream(pieces).found).toEqual(wanted);
      }
    }
  });

  it('a private key that is cut off is masked to the end, and not held back', () => {
    let clear = '';
    let masked = 0;
    const stream = new StreamingScanner({
      clear(bytes) {
        clear += new TextDecoder().decode(bytes);
      },
      found(_, bytes) {
        masked += bytes.length;
      },
    });
    stream.push(encoder.encode('x -----BEGIN RSA PRIVATE KEY-----\n'));
    for (let line = 0; line < 3_000; line += 1) stream.push(encoder.encode(`${'MIIE'.repeat(16)}\n`));
    expect(stream.heldBytes).toBeLessThan(1_024);
    stream.finish();
    expect(clear).toBe('x ');
    expect(masked).toBe(32 + 3_000 * 65);
  });

  it('a pause gives on everything', () => {
    let passed = 0;
    const stream = new StreamingScanner({
      clear(bytes) {
        passed += bytes.length;
      },
      found(_, bytes) {
        passed += bytes.length;
      },
    });
    stream.push(encoder.encode('pin 1234'));
    stream.flush();
    expect(passed).toBe(8);
    stream.push(encoder.encode(' and more'));
    stream.finish();
    expect(passed).toBe(17);
  });
});
