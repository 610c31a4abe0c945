/** Values written so that they are not seen, by those who try and by those who type. */

import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_HINTS } from './scan-state.ts';
import { Scanner } from './scanner.ts';
import { sha256Short } from './sha256.ts';
import { find, names } from './testing-scan.ts';

const CARD = '4111111111111111';

function inDigits(zero: number, text: string): string {
  return text.replaceAll(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)));
}

describe('a card that is written otherwise is found and covered whole', () => {
  it.each([
    ['full-width digits', inDigits(0xff10, CARD)],
    ['Arabic-Indic digits', inDigits(0x0660, CARD)],
    ['Persian digits', inDigits(0x06f0, CARD)],
    ['Devanagari digits', inDigits(0x0966, CARD)],
    ['mathematical digits', inDigits(0x1d7ce, CARD)],
    ['zero-width spaces', Array.from(CARD).join('\u200b')],
    ['word joiners', Array.from(CARD).join('\u2060')],
    ['soft hyphens', Array.from(CARD).join('\u00ad')],
    ['two kinds of nothing', CARD.replace(/(....)/g, '$1\u200b\ufeff').slice(0, -2)],
    ['no-break spaces', '4111\u00a01111\u00a01111\u00a01111'],
    ['thin spaces', '4111\u20091111\u20091111\u20091111'],
    ['en dashes', '4111\u20131111\u20131111\u20131111'],
    ['minus signs', '4111\u22121111\u22121111\u22121111'],
  ])('%s', (_, written) => {
    expect(names(`pay ${written} now`)).toEqual([`CREDIT_CARD:${written}`]);
  });

  it.each([
    ['EMAIL', 'ana＠example.org'],
    ['EMAIL', 'ana@example\u200b.org'],
    ['EMAIL', 'ana@bücher.example'],
    ['EMAIL', 'ana@xn--bcher-kva.example'],
    ['EMAIL', '用户@例子.广告'],
    ['US_SSN', '219\u201109\u20119999'],
    ['IBAN', 'GB29\u00a0NWBK\u00a06016\u00a01331\u00a09268\u00a019'],
    ['PHONE', '＋44 20 7946 0018'],
  ])('%s: %s', (entity, written) => {
    expect(names(`x ${written} y`)).toEqual([`${entity}:${written}`]);
  });

  it('more than a few unseen characters end a word, so that nothing is held back for ever', () => {
    expect(names(`4111 1111 1111${'\u200b'.repeat(100)}1111`)).toEqual([]);
  });
});

describe('any text', () => {
  const seed = Date.now() & 0x7fff_ffff;

  it(`has values that are in it, in order, without overlap (seed ${seed})`, () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom(
        CARD,
        '219-09-9999',
        'ana@example.org',
        '+44 20 7946 0018',
        'GB29 NWBK 6016 1331 9268 19',
        '2001:db8::1',
        '10.0.0.1',
        'password = "',
        '"',
        '://',
        '@',
        ' ',
        '-',
        '.',
        '(',
        '\u200b',
        '４',
        'eyJhbGciOi',
        '-----BEGIN PRIVATE KEY-----',
        '%B4111111111111111^',
        'ghp_',
        '00:1A:2B:3C:4D:5E',
        '3fa85f64-5717-4562-b3fc-2c963f66afa6',
        '\n',
        '1',
        '0000',
        'ssn',
        'x',
        'AA ',
        'HRB ',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.uint8Array({ maxLength: 8 }), (pieces, tail) => {
        const bytes = Uint8Array.from([...new TextEncoder().encode(pieces.join('')), ...tail]);
        let last = 0;
        for (const { from, to } of find(bytes)) {
          expect(from).toBeGreaterThanOrEqual(last);
          expect(to).toBeGreaterThan(from);
          expect(to).toBeLessThanOrEqual(bytes.length);
          last = to;
        }
      }),
      { seed, numRuns: 3_000 },
    );
  });

  it(`finds in the middle of a buffer what it finds in the text alone (seed ${seed})`, () => {
    const scanner = new Scanner();
    fc.assert(
      fc.property(
        fc.constantFrom(CARD, '219-09-9999 ssn', 'a@b.example x', 'AA 12 34 56 B', '１２３'),
        fc.string({ maxLength: 9 }),
        (value, around) => {
          const inner = new TextEncoder().encode(value);
          const before = new TextEncoder().encode(around);
          const bytes = Uint8Array.from([...before, ...inner, ...before]);
          const count = scanner.scan(bytes, before.length, before.length + inner.length, NO_HINTS);
          const spans = Array.from({ length: count }, (_, at) => (scanner.from[at] ?? 0) - before.length);
          expect(spans).toEqual(find(value).map(({ from }) => from));
        },
      ),
      { seed, numRuns: 500 },
    );
  });
});

describe('SHA-256 of short texts', () => {
  it('is that of node:crypto', () => {
    for (let length = 0; length <= 55; length += 1) {
      const bytes = Uint8Array.from({ length }, (_, at) => (at * 37 + length) & 0xff);
      expect(Buffer.from(sha256Short(bytes, length)).toString('hex')).toBe(
        createHash('sha256').update(bytes).digest('hex'),
      );
    }
  });
});
