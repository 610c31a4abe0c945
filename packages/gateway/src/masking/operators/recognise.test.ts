import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { base32 } from './base32.ts';
import { builtInType } from './built-in-types.ts';
import { maskValue } from './mask-value.ts';
import { maskSpans, type Span } from './mask-spans.ts';
import type { Operator, TypeDescription } from './operator.ts';
import { pseudonymOf } from './pseudonym-names.ts';
import { isMaskedValue, recognise } from './recognise.ts';
import { revealValue } from './reveal.ts';
import {
  base,
  BINARY_WIRE,
  bytesOf,
  masked,
  maskedText,
  RING,
  TEXT,
  TEXT_WIRE,
  testingKey,
  textOf,
} from './testing-masks.ts';
import { MaskingKeyRing } from './key-ring.ts';

function at(start: number, end: number): Span {
  return { start, end, entity: 'EMAIL', operator: { kind: 'mask' } };
}

const PERSON: TypeDescription = { kind: 'composite', fields: [base('int8'), base('text')] };
const PSEUDONYM = pseudonymOf(RING.current, 'reranker', 'anna');
const OLD = new MaskingKeyRing(testingKey(2));

function found(type: TypeDescription | undefined, text: string): string | undefined {
  return recognise(RING, type, bytesOf(text), TEXT_WIRE)?.kind;
}

describe('recognise', () => {
  const token = maskedText({ operator: { kind: 'token' } }, 'anna@example.com') ?? '';
  const number = maskedText({ operator: { kind: 'token' }, type: base('int8') }, '42') ?? '';

  it.each([
    ['text', TEXT, token],
    ['a text around it', TEXT, `mail ${token}.`],
    ['upper case', TEXT, token.toUpperCase()],
    ['char(100)', base('bpchar', 104), token.padEnd(100)],
    ['an array', builtInType(1009), `{a,"x ${token}"}`],
    ['a composite', PERSON, `(7,${token})`],
    ['int8 in a composite', PERSON, `(${number},x)`],
    ['JSON', builtInType(3802), `{"a": {"b": ["${token}"]}}`],
    ['JSON that writes it with escapes', builtInType(3802), `"\\u0074${token.slice(1)}"`],
    ['a number in JSON', builtInType(3802), `[${number}]`],
    ['int8', base('int8'), number],
    ['numeric', base('numeric'), number],
    ['a parameter without a type', undefined, token],
    ['a number without a type', undefined, number],
    ['a bytea without a type', undefined, `\\x${Buffer.from(token).toString('hex')}`],
    ['a value of no known type', { kind: 'unknown' }, token],
    ['a value that is not of its type', base('int8'), token],
    ['broken JSON', builtInType(3802), `{"a": "${token}`],
    ['a text for a reranker', TEXT, `write to ${PSEUDONYM}.${PSEUDONYM.toUpperCase()}@x.org`],
    [
      'a pseudonym under a former key',
      TEXT,
      pseudonymOf(new MaskingKeyRing(testingKey(2)).current, 'reranker', 'anna'),
    ],
  ] as const)('finds a token in %s', (_, type, text) => {
    expect(found(type, text)).toBe('token');
  });

  it('finds what hash, redact and fake write', () => {
    for (const [kind, says] of [
      ['hash', 'hash'],
      ['redact', 'redacted'],
      ['fake', 'token'],
    ] as const) {
      expect(found(TEXT, maskedText({ operator: { kind } }, 'anna@example.com') ?? '')).toBe(says);
    }
    expect(found(TEXT, '[REDACTED]')).toBe('redacted');
    expect(found(builtInType(3802), '{"a": "[REDACTED:EMAIL]"}')).toBe('redacted');
  });

  it('finds tokens in binary values', () => {
    const types: readonly (readonly [string, Uint8Array])[] = [
      ['text', bytesOf('anna')],
      ['bytea', Uint8Array.of(0, 1, 2)],
      ['int8', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 42)],
      ['uuid', new Uint8Array(16)],
      ['jsonb', Uint8Array.of(1, ...bytesOf('"anna"'))],
    ];
    for (const [name, value] of types) {
      const type = base(name);
      const request = { operator: { kind: 'token' }, entity: 'ID', type, wire: BINARY_WIRE } as const;
      const made = maskValue({ ...request, keys: RING }, value).value ?? new Uint8Array(0);
      expect([name, recognise(RING, type, made, BINARY_WIRE)]).toEqual([name, { kind: 'token', keyId: 3 }]);
      expect(isMaskedValue(RING, type, value, BINARY_WIRE)).toBe(false);
      const former = maskValue({ ...request, keys: OLD }, value).value ?? new Uint8Array(0);
      expect(recognise(RING, type, former, BINARY_WIRE)).toEqual({ kind: 'token', keyId: 2 });
    }
  });

  it('takes nothing else for one', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.uuid(), fc.integer().map(String), fc.emailAddress(), fc.json()),
        fc.constantFrom(undefined, TEXT, base('int8'), base('uuid'), builtInType(3802), builtInType(1009)),
        (text, type) => {
          expect(found(type, text)).toBeUndefined();
        },
      ),
      { numRuns: 500 },
    );
    const beyond = String(
      BigInt(maskedText({ operator: { kind: 'token' }, type: base('int8') }, '42') ?? 0) + (1n << 64n),
    );
    expect(found(base('numeric'), beyond)).toBeUndefined();
    for (const text of ['tok_', 'tok_email_abc', '[REDACTED:]', '[redacted]', 'user-abc@example.invalid']) {
      expect(found(TEXT, text)).toBeUndefined();
    }
  });

  it('does not find what has no room for a mark: that is in the limitations', () => {
    const kinds: readonly (readonly [Operator, TypeDescription, string])[] = [
      [{ kind: 'mask' }, TEXT, 'anna@example.com'],
      [{ kind: 'partial' }, TEXT, 'anna@example.com'],
      [{ kind: 'fpe' }, TEXT, '4111111111111111'],
      [{ kind: 'token' }, base('int4'), '42'],
      [{ kind: 'token' }, base('int8'), '-42'],
      [{ kind: 'redact' }, base('int4'), '42'],
    ];
    for (const [operator, type, text] of kinds) {
      expect(found(type, maskedText({ operator, type }, text) ?? '')).toBeUndefined();
    }
  });

  it('does not look through more forged tokens than its limit, and says so', () => {
    const forged = `tok_${base32(Uint8Array.of(3, ...new Uint8Array(14)))} `;
    expect(found(TEXT, forged.repeat(999))).toBeUndefined();
    expect(found(TEXT, forged.repeat(1_000))).toBe('unread');
    expect(found(TEXT, forged.repeat(999) + token)).toBe('token');
  });
});

describe('revealValue', () => {
  const request = { entity: 'ID', wire: TEXT_WIRE, keys: RING } as const;

  it('has values back that a former key masked, where the mask says whose it is', () => {
    for (const [type, text] of [
      ['text', 'anna'],
      ['int8', '42'],
      ['bytea', '\\x00ff'],
    ] as const) {
      const operator = { kind: 'token' } as const;
      const mask =
        masked({ operator, entity: 'ID', type: base(type), keys: OLD }, text).value ?? new Uint8Array(0);
      expect(textOf(revealValue({ ...request, operator, type: base(type) }, mask) ?? null)).toBe(text);
    }
  });

  it('has values back where the key is named, because the mask has no room for its id', () => {
    const cases = [
      ['text', '123-45-6789'],
      ['int4', '42'],
      ['int8', '-42'],
      ['numeric', '1234567.5'],
      ['uuid', '0190b3f4-9c7e-7cc2-b0d1-a5f2f3c4d5e6'],
    ] as const;
    for (const [type, text] of cases) {
      const operator = { kind: 'fpe' } as const;
      const mask =
        masked({ operator, entity: 'ID', type: base(type), keys: OLD }, text).value ?? new Uint8Array(0);
      const named = { ...request, operator, type: base(type), keyId: 2 };
      expect(textOf(revealValue(named, mask) ?? null)).toBe(text);
      expect(textOf(revealValue({ ...named, keyId: 3 }, mask) ?? null)).not.toBe(text);
      expect(() => revealValue({ ...named, keyId: 9 }, mask)).toThrow(
        expect.objectContaining({ code: 'NOT_FOUND' }),
      );
    }
  });

  it('gives nothing for what is no mask, or one that cannot be undone', () => {
    const token = maskedText({ operator: { kind: 'token' } }, 'anna') ?? '';
    const hash = maskedText({ operator: { kind: 'hash' } }, 'anna') ?? '';
    const uuid =
      maskedText(
        { operator: { kind: 'token' }, type: base('uuid') },
        '0190b3f4-9c7e-7cc2-b0d1-a5f2f3c4d5e6',
      ) ?? '';
    const cases: readonly (readonly [Operator, string, string])[] = [
      [{ kind: 'token' }, 'text', 'anna'],
      [{ kind: 'token' }, 'text', `${token}x`],
      [{ kind: 'token' }, 'text', `${token} x`],
      [{ kind: 'token' }, 'text', ` ${token}`],
      [{ kind: 'hash' }, 'text', hash],
      [{ kind: 'token' }, 'uuid', uuid],
      [{ kind: 'token' }, 'int8', 'x'],
      [{ kind: 'redact' }, 'int8', '0'],
      [{ kind: 'fpe' }, 'text', '12'],
    ];
    for (const [operator, name, text] of cases) {
      expect(revealValue({ ...request, operator, type: base(name) }, bytesOf(text))).toBeUndefined();
    }
  });
});

describe('maskSpans', () => {
  const value = 'Mail anna@example.com, card 4111111111111234.';
  const span = (text: string, operator: Operator, entity: string): Span => {
    const start = Buffer.from(value).indexOf(text);
    return { start, end: start + Buffer.byteLength(text), operator, entity };
  };

  it('masks the parts and keeps the rest', () => {
    const spans = [
      span('4111111111111234', { kind: 'partial' }, 'CREDIT_CARD'),
      span('anna@example.com', { kind: 'redact' }, 'EMAIL'),
    ];
    const result = maskSpans(base('text'), bytesOf(value), spans, TEXT_WIRE, RING);
    expect(textOf(result.value)).toBe('Mail [REDACTED:EMAIL], card ************1234.');
    expect(result.reversible).toBe(false);
    const gone = maskSpans(
      base('text'),
      bytesOf(value),
      [span('anna', { kind: 'drop' }, 'X')],
      TEXT_WIRE,
      RING,
    );
    expect(textOf(gone.value)).toBe('Mail @example.com, card 4111111111111234.');
  });

  it('stars the parts where the result has no room', () => {
    const spans = [span('anna@example.com', { kind: 'token' }, 'EMAIL')];
    const result = maskSpans(base('varchar', 49), bytesOf(value), spans, TEXT_WIRE, RING);
    expect(textOf(result.value)).toBe('Mail ****************, card 4111111111111234.');
    const filled = maskSpans(base('bpchar', 64), bytesOf(value.padEnd(60)), spans, TEXT_WIRE, RING);
    expect(textOf(filled.value)).toHaveLength(60);
  });

  it('redacts all of a value whose spans it does not understand', () => {
    const whole = '[REDACTED:EMAIL]';
    const text = 'Jürgen anna@example.com';
    for (const spans of [
      [at(0, 2)],
      [at(2, 3)],
      [at(0, 5), at(4, 6)],
      [at(5, 3)],
      [at(0, 99)],
      [at(-1, 3)],
    ]) {
      const result = maskSpans(base('text'), bytesOf(text), spans, TEXT_WIRE, RING);
      expect(textOf(result.value)).toBe(whole);
    }
    const kept = maskSpans(base('text'), bytesOf(text), [at(1, 3)], TEXT_WIRE, RING);
    expect(textOf(kept.value)).toBe('J*rgen anna@example.com');
  });

  it('leaves bytes outside of the spans as they were', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), fc.string(), (before, secret, after) => {
        const start = Buffer.byteLength(before);
        const one = {
          start,
          end: start + Buffer.byteLength(secret),
          entity: 'EMAIL',
          operator: { kind: 'redact' },
        } as const;
        const result = maskSpans(base('text'), bytesOf(before + secret + after), [one], TEXT_WIRE, RING);
        expect(textOf(result.value)).toBe(`${before}[REDACTED:EMAIL]${after}`);
      }),
    );
  });
});
