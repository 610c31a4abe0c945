import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { ROW_MASK_LIMITS } from '../../core/masking-limits.ts';
import { builtInType } from '../operators/built-in-types.ts';
import { maskValue } from '../operators/mask-value.ts';
import { ALL_OPERATORS, base, BINARY_WIRE, RING, TEXT, TEXT_WIRE } from '../operators/testing-masks.ts';
import type { ColumnPlan } from '../plan/column-plan.ts';
import { MaskCounts } from './mask-counts.ts';
import { MaskMemory } from './mask-memory.ts';
import { formatsOf } from './row-masker.ts';
import { bytesIn, CLEAR, masker, maskPlan, row, scanPlan, valuesIn, WITHHELD } from './testing-rows.ts';

const REDACT = maskPlan({ kind: 'redact' });

function refused(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'PROTOCOL_VIOLATION') return error.message;
    throw error;
  }
  return 'nothing';
}

function outcomeOf(run: () => Uint8Array): unknown {
  let masked: Uint8Array | undefined;
  const said = refused(() => (masked = run()));
  return masked === undefined ? said : valuesIn(masked);
}

function bytesOfNumber(at: number): Uint8Array {
  return new Uint8Array(Buffer.from(String(at)));
}

describe('a row', () => {
  it('is the object that came where nothing in it is masked', () => {
    const plans: readonly (readonly ColumnPlan[])[] = [
      [CLEAR, CLEAR],
      [REDACT, CLEAR],
      [scanPlan(), WITHHELD],
    ];
    for (const plan of plans) {
      const body = row(null, null);
      expect(masker(plan).mask(body)).toBe(body);
    }
    const clean = row('a note', 'of nothing');
    expect(masker([scanPlan(), CLEAR]).mask(clean)).toBe(clean);
  });

  it('has its masked columns masked, and all others as they came', () => {
    const plans = [CLEAR, REDACT, CLEAR, WITHHELD, maskPlan({ kind: 'partial' }), CLEAR];
    const body = row('7', 'anna@example.com', '', 'x', 'anna@example.com', null);
    const masked = masker(plans).mask(body);
    expect(valuesIn(masked)).toEqual(['7', '[REDACTED:EMAIL]', '', null, 'a***@example.com', null]);
    expect(valuesIn(body)[1]).toBe('anna@example.com');
  });

  it('has what maskValue gives for each value, whatever the plan, in both formats', () => {
    const types = [
      TEXT,
      base('varchar', 24),
      base('int8'),
      builtInType(1009),
      builtInType(3802),
      base('bytea'),
    ];
    const plan = fc.oneof(
      fc.constant(CLEAR),
      fc.constant(WITHHELD),
      fc
        .record({ operator: fc.constantFrom(...ALL_OPERATORS), type: fc.constantFrom(...types) })
        .map(({ operator, type }) => maskPlan(operator, type)),
    );
    const value = fc.option(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc
          .constantFrom('', 'anna@example.com', '{a,NULL}', '{"a": 1}', '42')
          .map((text) => new Uint8Array(Buffer.from(text))),
      ),
    );
    const columns = fc.array(fc.tuple(plan, fc.constantFrom(0, 1), value), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(columns, (all) => {
        const plans = all.map(([each]) => each);
        const formats = all.map(([, format]) => format);
        const expected = all.map(([each, format, bytes]) => {
          if (bytes === null || each.kind === 'null') return null;
          if (each.kind !== 'mask') return Buffer.from(bytes);
          const masked = maskValue(
            { ...each, wire: format === 1 ? BINARY_WIRE : TEXT_WIRE, keys: RING },
            bytes,
          ).value;
          return masked === null ? null : Buffer.from(masked);
        });
        const one = masker(plans, { formats });
        const body = row(...all.map(([, , bytes]) => bytes));
        // Twice: the second time from memory.
        for (let time = 0; time < 2; time += 1) expect(bytesIn(one.mask(body))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('is refused where it has another number of columns, or is not whole', () => {
    for (const plans of [
      [CLEAR, CLEAR],
      [REDACT, CLEAR],
    ]) {
      const two = masker(plans);
      expect(refused(() => two.mask(row('a')))).toContain('2 columns came with 1');
      expect(refused(() => two.mask(row('a', 'b', 'c')))).toContain('2 columns came with 3');
      expect(refused(() => two.mask(new Uint8Array(1)))).toContain('2 columns came with -1');
    }
    const body = row('abc', 'de');
    const two = masker([REDACT, CLEAR]);
    for (let length = 2; length < body.length; length += 1) {
      expect(refused(() => two.mask(body.slice(0, length)))).toMatch(/row/);
    }
    expect(refused(() => two.mask(new Uint8Array([...body, 0])))).toContain('behind its last value');
  });

  it('is masked or refused, and nothing else, whatever its bytes are', () => {
    const plans = [REDACT, scanPlan(), CLEAR];
    const one = masker(plans, { formats: [0, 1, 0] });
    const broken = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      // A row of which some bytes are others.
      fc.tuple(fc.nat(40), fc.integer({ min: 0, max: 255 })).map(([at, byte]) => {
        const body = row('anna@example.com', 'mail ana@example.org', 'xyz');
        body[at % body.length] = byte;
        return body;
      }),
    );
    fc.assert(
      fc.property(broken, fc.nat(8), (bytes, before) => {
        // What lies around it in its buffer is not read.
        const around = new Uint8Array(before + bytes.length + 8).fill(0x30);
        around.set(bytes, before);
        const outcome = outcomeOf(() => one.mask(around.subarray(before, before + bytes.length)));
        expect(outcome).toEqual(outcomeOf(() => one.mask(bytes)));
      }),
      { numRuns: 3_000 },
    );
  });

  it('takes one value at a time, too', () => {
    const one = masker([CLEAR, REDACT]);
    const value = Uint8Array.of(1);
    expect(one.maskField(0, value)).toBe(value);
    expect(one.maskField(1, null)).toBeNull();
    expect(Buffer.from(one.maskField(1, value) ?? []).toString()).toBe('[REDACTED:EMAIL]');
    expect(refused(() => one.maskField(2, value))).toContain('2 columns came with 3');
  });
});

describe('formats', () => {
  it('are text where none is given, one for all, or one for each', () => {
    expect(formatsOf([], 2)).toEqual(['text', 'text']);
    expect(formatsOf([1], 2)).toEqual(['binary', 'binary']);
    expect(formatsOf([0, 1], 2)).toEqual(['text', 'binary']);
    expect(formatsOf([1], 0)).toEqual([]);
    expect(refused(() => formatsOf([0, 1], 3))).toContain('2 formats');
    expect(refused(() => formatsOf([2], 1))).toContain('format 2');
  });
});

describe('counts', () => {
  it('say how many values were masked, by which Mask, where, as what and how', () => {
    const counts = new MaskCounts();
    const plans = [REDACT, WITHHELD, scanPlan(), CLEAR];
    const one = masker(plans, { counts });
    one.mask(row('a', 'b', 'ana@example.org or ben@example.org', 'd'));
    one.mask(row(null, 'b', 'nothing', null));
    const other = masker([REDACT], { counts });
    other.mask(row('x'));
    expect(counts.list()).toEqual([
      {
        mask: 'customers',
        version: 3,
        column: 'public.customers.email',
        entity: 'EMAIL',
        operator: 'redact',
        values: 2,
      },
      { mask: 'customers', version: 3, column: '#2', entity: '*', operator: 'nullify', values: 2 },
      {
        mask: 'personal',
        version: 1,
        column: 'public.orders.note',
        entity: 'EMAIL',
        operator: 'redact',
        values: 2,
      },
    ]);
  });

  it('have one line for the rest of a Mask where there would be too many', () => {
    const counts = new MaskCounts();
    for (let at = 0; at < ROW_MASK_LIMITS.countsMax + 5; at += 1) {
      counts.tally({
        mask: 'm',
        version: 1,
        column: `c${at}`,
        entity: 'EMAIL',
        operator: 'redact',
      }).values += 1;
    }
    expect(counts.list()).toHaveLength(ROW_MASK_LIMITS.countsMax + 1);
    expect(counts.list().at(-1)).toEqual({
      mask: 'm',
      version: 1,
      column: '*',
      entity: '*',
      operator: '*',
      values: 5,
    });
  });
});

describe('the memory of a session', () => {
  it('gives the mask of a value again, and never that of another operator, entity, type or format', () => {
    const memory = new MaskMemory();
    const plans = [
      maskPlan({ kind: 'token' }),
      maskPlan({ kind: 'hash' }),
      maskPlan({ kind: 'token' }, TEXT, 'PHONE'),
      maskPlan({ kind: 'token' }, base('varchar', 40)),
      maskPlan({ kind: 'fpe' }),
    ];
    const first = masker(plans, { memory }).mask(row(...plans.map(() => '4000111122223333')));
    expect(new Set(valuesIn(first)).size).toBe(plans.length);
    expect(memory.size).toBe(plans.length);
    expect(masker(plans, { memory }).mask(row(...plans.map(() => '4000111122223333')))).toEqual(first);
    expect(memory.size).toBe(plans.length);
    masker(plans, { memory, formats: [1] }).mask(row(...plans.map(() => '4000111122223333')));
    expect(memory.size).toBe(2 * plans.length);
  });

  it('does not grow beyond its limit, and forgets the oldest', () => {
    const memory = new MaskMemory();
    let made = 0;
    const make = (): null => {
      made += 1;
      return null;
    };
    for (let at = 0; at < ROW_MASK_LIMITS.memoryValuesMax; at += 1) memory.maskOf(0, bytesOfNumber(at), make);
    memory.maskOf(0, bytesOfNumber(0), make);
    expect(made).toBe(ROW_MASK_LIMITS.memoryValuesMax);
    memory.maskOf(0, bytesOfNumber(-1), make);
    expect(memory.size).toBe(ROW_MASK_LIMITS.memoryValuesMax);
    memory.maskOf(0, bytesOfNumber(0), make);
    expect(made).toBe(ROW_MASK_LIMITS.memoryValuesMax + 1);
    memory.maskOf(0, bytesOfNumber(1), make);
    expect(made).toBe(ROW_MASK_LIMITS.memoryValuesMax + 2);
    memory.maskOf(0, new Uint8Array(ROW_MASK_LIMITS.memoryValueBytesMax + 1), make);
    expect(memory.size).toBe(ROW_MASK_LIMITS.memoryValuesMax);
  });
});
