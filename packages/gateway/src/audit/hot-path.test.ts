/**
 * What the writer makes in one pass is what the ledger package makes step by step; the ledger package
 * is what a verifier runs.
 */

import { createSecretKey, randomBytes } from 'node:crypto';
import { formatBody, openBody, SALT_BYTES } from '@countersign/ledger/body';
import { toHex } from '@countersign/ledger/bytes';
import { LedgerError } from '@countersign/ledger/errors';
import type { Json } from '@countersign/ledger/jcs';
import { formatLeaf } from '@countersign/ledger/leaf';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTimeUs } from '../core/clock.ts';
import { makeId } from '../core/ids.ts';
import type { LedgerEvent } from '../core/ledger-port.ts';
import { decodeAppends, decodeDurable, encodeAppends, encodeDurable } from './append-text.ts';
import { BodySealer } from './body-sealer.ts';
import { leafText } from './leaf-text.ts';
import { unsealBody } from './sealed-body.ts';

const KEY = randomBytes(32);
const SESSION = makeId('session', 0, new Uint8Array(10));
const BOOT = makeId('boot', 0, new Uint8Array(10));

const wellFormed = fc.string({ unit: 'grapheme', maxLength: 40 });
const { value: anyValue } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    wellFormed,
    fc.maxSafeInteger(),
    fc.constantFrom(0, -0, 1, -1),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(wellFormed, tie('value'), { maxKeys: 4 }),
  ),
}));
const anyName = fc.oneof(fc.stringMatching(/^[a-z][a-z0-9_]{0,12}$/), wellFormed);
const anyFields = fc.dictionary(anyName, anyValue, { maxKeys: 8 });

/** Random bytes that can be drawn again. */
function drawn(seed: number): (length: number) => Uint8Array {
  return (length) => Uint8Array.from({ length }, (_, i) => (i * 37 + seed * 101 + (i >> 5)) & 0xff);
}

function sealer(seed: number): BodySealer {
  return new BodySealer(drawn(seed));
}

describe('a body sealed in one pass', () => {
  const key = createSecretKey(KEY);

  it('is the one that openBody and formatBody give', () => {
    fc.assert(
      fc.property(anyFields, fc.nat(), (fields, seed) => {
        const { commitment, sealed } = sealer(seed).seal(fields, SESSION, key);
        const sorted = Object.fromEntries(Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1)));
        const names = Object.keys(fields).toSorted();
        // The salts were drawn in the order of the names; openBody takes them in the order of the members.
        const salts = drawn(seed)(SALT_BYTES * (names.length + 1) + 12);
        const inOrder = Object.keys(sorted).flatMap((name) => {
          const at = SALT_BYTES * (names.indexOf(name) + 1);
          return [...salts.subarray(at, at + SALT_BYTES)];
        });
        const expected = openBody(sorted, Uint8Array.from([...salts.subarray(0, SALT_BYTES), ...inOrder]));
        expect(commitment).toBe(toHex(expected.commitment));
        expect(formatBody(unsealBody(sealed, commitment, KEY))).toBe(formatBody(expected.opened));
      }),
    );
  });

  it('may be longer than the buffer that bodies are put together in', () => {
    const writer = new BodySealer((length) => new Uint8Array(randomBytes(length)));
    for (const length of [16_300, 100_000, 3]) {
      const sql = '\u20ac'.repeat(length);
      const { commitment, sealed } = writer.seal({ sql }, SESSION, key);
      expect(unsealBody(sealed, commitment, KEY).fields['sql']).toMatchObject({ value: sql });
    }
  });

  it('is the same in whatever order keys stand, however deep, and whatever a text has of an escape', () => {
    const nested = (depth: number): Json => (depth === 0 ? { b: 1, a: [true] } : { a: [nested(depth - 1)] });
    const values: readonly Json[] = [
      { b: 1, a: 2 },
      { a: 2, b: { d: ['x'], c: -1 } },
      { '10': 1, '9': 2, a: 3 },
      { '\u20ac': 1, '\ud83d\ude00': 2, '\ufb33': 3 },
      '\\ud800',
      ['\\ud800', '\ud83d\ude00', '"\u2028\u0007'],
      nested(3),
      nested(20),
      [],
      {},
    ];
    for (const value of values) {
      const { commitment, sealed } = sealer(5).seal({ value }, SESSION, key);
      const salts = drawn(5)(SALT_BYTES * 2 + 12).subarray(0, SALT_BYTES * 2);
      expect(commitment).toBe(toHex(openBody({ value }, salts).commitment));
      expect(unsealBody(sealed, commitment, KEY).fields['value']).toMatchObject({ value });
    }
  });

  it('refuses what a body may not hold', () => {
    const values = [null, 1.5, Number.NaN, 2 ** 53, '\ud800', [null], { a: 0.5 }, { '\udc00': 1 }];
    const more = [['\ud800'], { a: ['\udfff'] }, { a: undefined }, [[[1.5]]], { a: { b: null } }];
    let tooDeep: Json = 1;
    for (let depth = 0; depth < 200; depth += 1) tooDeep = [tooDeep];
    for (const value of [...values, ...more, tooDeep]) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Values that the type refuses, too.
      const fields = { value } as Record<string, Json>;
      expect(() => sealer(1).seal(fields, SESSION, key)).toThrow(LedgerError);
    }
    expect(() => sealer(1).seal({ '\ud800': 1 }, SESSION, key)).toThrow(LedgerError);
  });
});

const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(toHex);

const anyEvent: fc.Arbitrary<LedgerEvent> = fc.record(
  {
    type: fc.constantFrom('statement.intent', 'statement.outcome', 'session.end'),
    kind: fc.constantFrom('user', 'ci'),
    keyId: fc.constant(SESSION),
    actor: hex(16),
    session: fc.constant(SESSION),
    target: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
    ref: fc.nat(),
    status: fc.constantFrom('ok', 'error'),
    decision: fc.constantFrom('allow', 'block'),
    policy: hex(32),
  },
  { requiredKeys: ['type', 'kind', 'keyId'] },
);

describe('the text of a leaf', () => {
  it('is the one that formatLeaf gives', () => {
    const times = fc.nat({ max: 4_000_000_000 }).map((ms) => 1_764_000_000_000_000 + ms * 997);
    fc.assert(
      fc.property(anyEvent, times, fc.nat(), fc.option(hex(32)), (event, timeUs, index, commitment) => {
        const seq = event.session === undefined ? undefined : 7;
        const body = commitment ?? undefined;
        const { keyId: _, body: __, ...rest } = event;
        const given = {
          log: 'log \u00e9 "x"',
          n: index,
          t: formatTimeUs(timeUs),
          boot: BOOT,
          ...rest,
          seq,
          body,
        };
        const leaf = Object.fromEntries(
          Object.entries({ v: 1, ...given }).filter(([, value]) => value !== undefined),
        );
        const text = leafText(event, { origin: given.log, bootId: BOOT, index, timeUs, seq, body });
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Its members were filtered.
        expect(text).toBe(formatLeaf(leaf as unknown as Parameters<typeof formatLeaf>[0]));
      }),
    );
  });
});

/** Without members that are undefined. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe('appends between the threads', () => {
  it('arrive as they were given', () => {
    const withBody = fc.tuple(anyEvent, fc.option(anyFields)).map(([event, body]) =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- anyValue makes no null.
      body === null ? event : ({ ...event, body } as LedgerEvent),
    );
    const request = fc.record({
      id: fc.nat(),
      wait: fc.constantFrom('async' as const, 'durable' as const, 'signed' as const),
      urgent: fc.boolean(),
      events: fc.array(withBody, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 4 }), (requests) => {
        expect(plain(decodeAppends(encodeAppends(requests)))).toEqual(plain(requests));
      }),
    );
  });

  it('keep a field of any name', () => {
    const body = Object.fromEntries([['__proto__', [1]]]);
    const event = { type: 'statement.intent', kind: 'user', keyId: SESSION, body } as const;
    const [read] = decodeAppends(encodeAppends([{ id: 1, wait: 'async', urgent: false, events: [event] }]));
    expect(Object.keys(read?.events[0]?.body ?? {})).toEqual(['__proto__']);
  });

  it('are answered with what is durable', () => {
    const appended = [
      { index: 4, timeUs: 1_764_000_000_000_000 },
      { index: 5, timeUs: 1_764_000_000_000_001 },
    ];
    const results = [
      { id: 1, appended },
      { id: 2, appended: [] },
    ];
    expect(decodeDurable(encodeDurable(6, results))).toEqual({ size: 6, results });
  });
});
