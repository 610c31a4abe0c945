/** Every format: what is masked, and that it does not matter how the bytes are cut. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf } from '../operators/testing-masks.ts';
import type { Mask } from '../plan/mask.ts';
import { type BodyFormat, bodyFormatOf } from './body-format.ts';
import { bodyMasker } from './body-masker.ts';
import {
  bodyMask,
  cutAt,
  LOOKS,
  maskedPieces,
  maskedText,
  maskerOf,
  planOf,
  toolsOf,
} from './testing-bodies.ts';

const FIELDS = bodyMask({ fields: ['/email', '/**/name'] });
const PRIVATE_KEY = `-----BEGIN PRIVATE KEY-----\n${'MIIEvQIBADANBgkqhkiG9w0B\n'.repeat(12)}-----END PRIVATE KEY-----`;

/** What each format becomes; the second is masked by its looks and by fields where it has some. */
const CORPUS: readonly (readonly [BodyFormat, string, string, readonly Mask[]])[] = [
  [
    'json',
    String.raw`{"email":"x\u00e9\"y", "list":[ 18446744073709551615,4111111111111111 ,"ana@example.org é 😀"],"name":{"a":[true,null]},"é\u0041":"\ud83d\ude00"}`,
    String.raw`{"email":"[REDACTED:FIELD]", "list":[ 18446744073709551615,0 ,"[REDACTED:EMAIL] é 😀"],"name":{"a":[false,null]},"é\u0041":"\ud83d\ude00"}`,
    [FIELDS, LOOKS],
  ],
  [
    'json',
    '{"a":1,"email":"x","b":[{"email":2},{"c":{"email":[3]}}],"email":{"x":"}"}}',
    '{"a":1,"b":[{"email":2},{"c":{"email":[3]}}]}',
    [bodyMask({ fields: ['/email'], as: 'drop' })],
  ],
  [
    'json-sequence',
    '{"email":"x"}\r\n\u001e{"n":"ana@example.org"}\n\n12\n"a"',
    '{"email":"[REDACTED:FIELD]"}\r\n\u001e{"n":"[REDACTED:EMAIL]"}\n\n12\n"a"',
    [FIELDS, LOOKS],
  ],
  [
    'event-stream',
    ': hello\nevent: x\nid: 7\r\ndata: {"email":"a","b":"ana@example.org"}\r\n\r\ndata: {"name":\r\ndata:  "b"}\r\n\r\ndata: [DONE]\r\rdata: ana@example.org\ndata: plain\n\n',
    ': hello\nevent: x\nid: 7\r\ndata: {"email":"[REDACTED:FIELD]","b":"[REDACTED:EMAIL]"}\r\n\r\ndata: {"name":\r\ndata:  "[REDACTED:FIELD]"}\r\n\r\ndata: [DONE]\r\rdata: [REDACTED:EMAIL]\ndata: plain\n\n',
    [FIELDS, LOOKS],
  ],
  [
    'form',
    'email=a%20b&q=mail+ana%40example.org&name=%C3%A9&x&=&y=%zz%4&ana%40example.org=1',
    'email=%5BREDACTED%3AFIELD%5D&q=mail+%5BREDACTED%3AEMAIL%5D&name=%5BREDACTED%3AFIELD%5D&x&=&y=%zz%4&%5BREDACTED%3AEMAIL%5D=1',
    [FIELDS, LOOKS],
  ],
  [
    'csv',
    'id,"email",name,note\r\n1,"a ""b"",\nc",é,"x"\r\n2,,,mail ana@example.org\r\n\r\n3,x,y,z',
    'id,"email",name,note\r\n1,"[REDACTED:FIELD]",[REDACTED:FIELD],"x"\r\n2,[REDACTED:FIELD],[REDACTED:FIELD],mail [REDACTED:EMAIL]\r\n\r\n3,[REDACTED:FIELD],[REDACTED:FIELD],z',
    [FIELDS, LOOKS],
  ],
  ['csv', 'id;email\n1;a,b\n2;c\n', 'id;email\n1;[REDACTED:FIELD]\n2;[REDACTED:FIELD]\n', [FIELDS]],
  ['csv', 'name\tx\nu\tv\n', 'name\tx\n[REDACTED:FIELD]\tv\n', [FIELDS]],
  [
    'text',
    `Hello, ana@example.org pays with 4111 1111 1111 1111 é.\n${PRIVATE_KEY}\nbye bo@example.org`,
    'Hello, [REDACTED:EMAIL] pays with [REDACTED:CREDIT_CARD] é.\n[REDACTED:PRIVATE_KEY]\nbye [REDACTED:EMAIL]',
    [LOOKS],
  ],
];

/** So many pairs of cuts of one content; all of them in a soak. */
const PAIRS = 3_000;

describe('each format', () => {
  it.each(CORPUS)('is masked: %s', (format, text, expected, masks) => {
    expect(maskedText(format, text, ...masks)).toBe(expected);
  });

  it.each(CORPUS)('is masked the same wherever it is cut once: %s', (format, text, expected, masks) => {
    const bytes = bytesOf(text);
    for (let at = 0; at <= bytes.length; at += 1) {
      const masked = maskedPieces(maskerOf(format, ...masks), cutAt(bytes, at));
      expect([at, new TextDecoder('utf-8', { ignoreBOM: true }).decode(masked)]).toEqual([at, expected]);
    }
  });

  it.each(CORPUS)('is masked the same wherever it is cut twice: %s', (format, text, expected, masks) => {
    const bytes = bytesOf(text);
    const plan = planOf(...masks);
    const tools = toolsOf();
    const whole = bytesOf(expected);
    let differing = 0;
    const step = process.env['COUNTERSIGN_SOAK'] === undefined ? Math.ceil(bytes.length ** 2 / PAIRS) : 1;
    for (let first = 0; first <= bytes.length; first += 1) {
      for (let second = first + (first % step); second <= bytes.length; second += step) {
        const masked = maskedPieces(bodyMasker(format, plan, tools), cutAt(bytes, first, second));
        if (Buffer.compare(masked, whole) !== 0) differing += 1;
      }
    }
    expect(differing).toBe(0);
  });

  it.each(CORPUS)('is masked the same byte by byte: %s', (format, text, expected, masks) => {
    const pieces = Array.from(bytesOf(text), (byte) => Uint8Array.of(byte));
    expect(new TextDecoder().decode(maskedPieces(maskerOf(format, ...masks), pieces))).toBe(expected);
  });

  it.each(CORPUS)('goes by as the bytes that came where nothing is found: %s', (format, text) => {
    const masks = [
      bodyMask({ detect: ['us-ssn'] }),
      ...(format === 'text' ? [] : [bodyMask({ fields: ['/nothing/x'] })]),
    ];
    const harmless = text.replace('4111111111111111', '7').replace('4111 1111 1111 1111', '7');
    expect(maskedText(format, harmless, ...masks)).toBe(harmless);
  });
});

describe('JSON of any kind', () => {
  it('means the same where it is not masked, and is JSON wherever it is', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ stringUnit: 'binary' }),
        fc.constantFrom('redact', 'mask', 'hash', 'nullify', 'drop', 'fake'),
        fc.array(fc.nat(200), { maxLength: 4 }),
        (value, as, cuts) => {
          const text = JSON.stringify({ keep: value, hide: value, list: [value, { hide: value }] });
          const bytes = bytesOf(text);
          const places = cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b);
          const masked = maskedPieces(
            maskerOf('json', bodyMask({ fields: ['/**/hide'], as })),
            cutAt(bytes, ...places),
          );
          const read = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(masked)) as {
            keep: unknown;
            list: readonly unknown[];
          };
          const expected = JSON.parse(text) as typeof read;
          // A name "hide" within what is kept is hidden, too.
          if (JSON.stringify(value).includes('"hide"')) return;
          expect(read.keep).toEqual(expected.keep);
          expect(read.list[0]).toEqual(expected.list[0]);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('shows no canary in any spelling of its letters', () => {
    const canary = 'ana.maier@example.org';
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 1, 2), { minLength: canary.length, maxLength: canary.length }),
        fc.array(fc.nat(400), { maxLength: 3 }),
        (spellings, cuts) => {
          const spelled = spellings
            .map((spelling, index) => {
              const unit = canary.charCodeAt(index).toString(16).padStart(4, '0');
              return spelling === 0
                ? canary.charAt(index)
                : `\\u${spelling === 1 ? unit : unit.toUpperCase()}`;
            })
            .join('');
          const bytes = bytesOf(`{"a":"mail ${spelled} \\ud83d\\ude00","${spelled}":["${spelled}"]}`);
          const places = cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b);
          const masked = maskedPieces(maskerOf('json', LOOKS), cutAt(bytes, ...places));
          const text = new TextDecoder().decode(masked);
          expect(text + JSON.stringify(JSON.parse(text))).not.toMatch(/maier|\\u0040|@/);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('what cannot be read', () => {
  const withheld: readonly (readonly [BodyFormat, string, readonly Mask[]])[] = [
    ['csv', 'a,b\n1,"2', [LOOKS]],
    ['csv', 'a,b\n1,"2"x\n', [LOOKS]],
    ['csv', 'a,b\n1,2"3\n', [LOOKS]],
    ['csv', 'a,b\n1,2,3\n', [FIELDS]],
    ['event-stream', 'data: {"a":\n\n', [LOOKS]],
    ['event-stream', 'data: [1,2\n\n', [FIELDS]],
    ['event-stream', 'data: {"a":1} x\n\n', [LOOKS]],
  ];
  it.each(withheld)('is withheld: %s %j', (format, text, masks) => {
    expect(() => maskedText(format, text, ...masks)).toThrow(
      expect.objectContaining({ code: 'CONTENT_WITHHELD' }),
    );
  });

  it('is withheld as text where a Mask names fields', () => {
    expect(() => maskerOf('text', FIELDS)).toThrow(expect.objectContaining({ code: 'CONTENT_WITHHELD' }));
    expect(maskedText('text', 'name: x')).toBe('name: x');
  });

  it.each(['json', 'form', 'csv', 'event-stream'] as const)('does not grow without end: %s', (format) => {
    const masker = maskerOf(format, LOOKS);
    masker.push(bytesOf(format === 'json' ? '"' : 'data:a'));
    const chunk = new Uint8Array(1_048_576).fill(0x61);
    expect(() => {
      for (let index = 0; index < 20; index += 1) masker.push(chunk);
    }).toThrow(expect.objectContaining({ code: 'CONTENT_WITHHELD' }));
  });
});

describe('events', () => {
  it('are given on when they end, and comments with their line', () => {
    const masker = maskerOf('event-stream', LOOKS);
    const push = (text: string): string =>
      masker
        .push(bytesOf(text))
        .map((part) => new TextDecoder().decode(part))
        .join('');
    expect(push('data: ana@exam')).toBe('');
    expect(push('ple.org\n')).toBe('');
    expect(push('\n')).toBe('data: [REDACTED:EMAIL]\n\n');
    expect(push(': ping\n')).toBe(': ping\n');
    expect(push('data: a\r\n\r')).toBe('data: a\r\n\r');
    expect(push('\n')).toBe('\n');
  });

  it('may be texts in quotes, of JSON and of people', () => {
    expect(maskedText('event-stream', String.raw`data: "\u0061na@example.org"` + '\n\n', LOOKS)).toBe(
      'data: "[REDACTED:EMAIL]"\n\n',
    );
    expect(maskedText('event-stream', 'data: "a" and ana@example.org\n\n', LOOKS)).toBe(
      'data: "a" and [REDACTED:EMAIL]\n\n',
    );
  });
});

describe('a Content-Type', () => {
  const rows: readonly (readonly [string | undefined, BodyFormat | undefined])[] = [
    [undefined, 'json'],
    ['', 'json'],
    ['application/json', 'json'],
    ['Application/JSON; charset=UTF-8', 'json'],
    ['application/json;charset="utf-8"', 'json'],
    ['application/json; charset=utf-16', undefined],
    ['application/json; charset=iso-8859-1', undefined],
    ['application/problem+json', 'json'],
    ['application/vnd.elasticsearch+json;compatible-with=8', 'json'],
    ['application/vnd.elasticsearch+x-ndjson;compatible-with=9', 'json-sequence'],
    ['application/x-ndjson', 'json-sequence'],
    ['application/json-seq', 'json-sequence'],
    ['text/event-stream', 'event-stream'],
    ['application/x-www-form-urlencoded', 'form'],
    ['text/csv; header=present', 'csv'],
    ['text/plain', 'text'],
    ['text/html', undefined],
    ['application/xml', undefined],
    ['application/yaml', undefined],
    ['application/cbor', undefined],
    ['application/smile', undefined],
    ['application/octet-stream', undefined],
    ['multipart/form-data; boundary=x', undefined],
    ['application/grpc', undefined],
    ['application/jsonx', undefined],
    ['json', undefined],
    ['__proto__', undefined],
  ];
  it.each(rows)('%s is %s', (contentType, format) => {
    expect(bodyFormatOf(contentType)).toBe(format);
  });
});
