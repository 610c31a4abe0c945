import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutputColumn } from '../../core/column-labels.ts';
import { CONTEXT } from '../detect/lexicon.ts';
import type { TypeDescription } from '../operators/operator.ts';
import { BINARY_WIRE, RING, TEXT_WIRE } from '../operators/testing-masks.ts';
import { maskByPlan } from './apply-plan.ts';
import type { ColumnPlan, MaskPlan } from './column-plan.ts';
import { columnPlans } from './column-plans.ts';
import { customers, database, mask, masksOf, output, PORTS, TEXT_OID } from './testing-plans.ts';

const EMAIL = '20000.2';
const PHONE = '20000.3';
const NOTE = '20000.4';
const LOOKUP = database({
  [EMAIL]: customers('email', 'customers.email'),
  [PHONE]: customers('phone', 'customers.phone'),
  '3000.5': { schema: 'pg_catalog', table: 'pg_statistic', column: 'stavalues1', masks: [] },
});
const MASKS = masksOf(
  mask('emails', { as: { kind: 'partial', keepLast: 2 }, entity: 'EMAIL' }),
  mask('phones', { as: 'token', columns: ['customers.phone'], entity: 'PHONE' }),
);
const JSONB = 3802;
const TEXT_ARRAY = 1009;

function plan(column: OutputColumn, masks = MASKS, lookup = LOOKUP): ColumnPlan | undefined {
  return columnPlans([column], lookup, masks, PORTS)[0];
}

function base(name: string, typmod = -1): TypeDescription {
  return { kind: 'base', name, typmod };
}

/** What becomes of something that is made of masked columns. */
function derived(type: TypeDescription): Pick<MaskPlan, 'operator' | 'entity' | 'type' | 'hidesNull'> {
  return { operator: { kind: 'redact' }, entity: 'EMAIL', type, hidesNull: true };
}

describe('columnPlans', () => {
  it('gives a masked column that is shown as it is stored the operator of its Mask', () => {
    expect(plan(output([EMAIL], { identity: EMAIL }))).toEqual({
      kind: 'mask',
      operator: { kind: 'partial', keepLast: 2 },
      entity: 'EMAIL',
      type: { kind: 'base', name: 'text', typmod: -1 },
      mask: 'emails',
      version: 1,
      masks: [{ mask: 'emails', version: 1 }],
      column: 'shop.customers.email',
      hidesNull: false,
    });
  });

  it('redacts what is made of a masked column, and never reversibly', () => {
    for (const label of [EMAIL, PHONE] as const) {
      expect(plan(output([label]))).toMatchObject({
        kind: 'mask',
        operator: { kind: 'redact' },
        hidesNull: true,
      });
    }
  });

  it('names every Mask and column of what is made of several', () => {
    expect(plan(output([PHONE, NOTE, EMAIL]))).toMatchObject({
      operator: { kind: 'redact' },
      entity: 'COLUMN',
      masks: [
        { mask: 'emails', version: 1 },
        { mask: 'phones', version: 2 },
      ],
      column: 'shop.customers.email, shop.customers.phone',
    });
  });

  it('does not take a column for stored whose value is made of another, too', () => {
    expect(plan(output([EMAIL, PHONE], { identity: EMAIL }))).toMatchObject({ operator: { kind: 'redact' } });
  });

  it('believes that a column is what it is, whatever else is said to be in it', () => {
    expect(plan(output([], { identity: EMAIL }))).toMatchObject({ kind: 'mask', mask: 'emails' });
  });

  const hidden: readonly (readonly [string, OutputColumn, string])[] = [
    ['what nobody knows', output([], { opaque: 'function 16420' }), 'nobody knows what function 16420 shows'],
    [
      'what nobody knows beside a stored column',
      output([EMAIL], { identity: EMAIL, opaque: 'x' }),
      'nobody knows',
    ],
    ['statistics of the system', output(['3000.5']), 'pg_catalog.pg_statistic.stavalues1 shows values'],
    ['a relation that is newer than the catalog', output(['20002.1']), 'relation 20002 is newer'],
    [
      'a whole row',
      output(['20000.0'], { identity: '20000.0', typeOid: 2249 }),
      'it is made of masked columns',
    ],
    [
      'JSON that is made of it, whose members have names',
      output([EMAIL], { typeOid: JSONB }),
      'made of masked',
    ],
    [
      'an array that is made of it, which has a length',
      output([EMAIL], { typeOid: TEXT_ARRAY }),
      'made of masked',
    ],
    ['a type that the tree does not say', output([EMAIL], { typeOid: 0 }), 'its type is not known'],
    ['a stored column of an unknown type', output([EMAIL], { identity: EMAIL, typeOid: 99_999 }), 'its type'],
  ];
  it.each(hidden)('hides %s behind NULL', (_, column, reason) => {
    expect(plan(column)).toMatchObject({ kind: 'null', reason: expect.stringContaining(reason) });
  });

  it('leaves everything else as it is', () => {
    expect(plan(output([NOTE], { identity: NOTE }))).toEqual({ kind: 'clear' });
    expect(plan(output(['20001.0']))).toEqual({ kind: 'clear' });
    expect(plan(output(['1259.2']))).toEqual({ kind: 'clear' });
    expect(plan(output([]))).toEqual({ kind: 'clear' });
  });

  it('hides behind NULL what is made of a column that its Mask makes NULL', () => {
    for (const as of ['nullify', 'drop']) {
      expect(plan(output([EMAIL]), masksOf(mask('m', { as })))).toMatchObject({ kind: 'null', mask: 'm' });
    }
  });

  it('hides what was looked up for Masks of somebody else', () => {
    const other = database({ [EMAIL]: customers('email', 'customers.email', '*.email') });
    expect(plan(output([EMAIL], { identity: EMAIL }), MASKS, other)).toMatchObject({ kind: 'null' });
  });

  it('hides what is made of one column of this session and one of somebody else', () => {
    const other = database({
      [EMAIL]: customers('email', '*.email'),
      [PHONE]: customers('phone', 'customers.phone'),
    });
    expect(plan(output([EMAIL, PHONE]), MASKS, other)).toMatchObject({ kind: 'null', mask: 'phones' });
  });

  it('gives one reason for two, whichever comes first', () => {
    const one = plan(output(['20002.4', '3000.5']));
    expect(plan(output(['3000.5', '20002.4']))).toEqual(one);
  });

  const detecting = masksOf(mask('looks', { detect: ['email'], as: 'mask' }));
  it('looks through what may hold text, and no more where no column is named', () => {
    expect(plan(output([EMAIL], { opaque: 'f' }), detecting)).toMatchObject({ kind: 'scan', column: 'x' });
    expect(plan(output([EMAIL], { typeOid: 23 }), detecting)).toEqual({ kind: 'clear' });
    expect(plan(output([EMAIL], { typeOid: TEXT_ARRAY }), detecting)).toMatchObject({ kind: 'scan' });
    expect(plan(output([EMAIL], { typeOid: 99_999 }), detecting)).toMatchObject({ kind: 'scan' });
  });

  it('looks through what no Mask on columns has', () => {
    const both = masksOf(mask('a', {}), mask('b', { detect: ['all'] }));
    expect(plan(output([EMAIL], { identity: EMAIL }), both)).toMatchObject({ kind: 'mask', mask: 'a' });
    expect(plan(output([NOTE], { identity: NOTE }), both)).toMatchObject({ kind: 'scan' });
  });

  it('lets no name that a client gives take away what the name of the column says', () => {
    const ports = { ...PORTS, namesOf: () => ['shop', 'customers', 'card_no'] };
    const [found] = columnPlans(
      [output([NOTE], { identity: NOTE, name: 'order_ref' })],
      LOOKUP,
      detecting,
      ports,
    );
    const context = found?.kind === 'scan' ? found.hints.context : 0;
    expect(context & CONTEXT.CARD).not.toBe(0);
    expect(context & CONTEXT.REFERENCE).toBe(0);
  });

  it('gives the same for the same, in any order of labels', () => {
    const label = fc.constantFrom(EMAIL, PHONE, NOTE, '20001.1', '20000.0', '3000.5', '20002.4' as const);
    const made = fc.record({
      labels: fc.array(label, { maxLength: 6 }),
      identity: fc.option(label, { nil: undefined }),
      opaque: fc.option(fc.constant('f'), { nil: undefined }),
      typeOid: fc.constantFrom(TEXT_OID, 23, JSONB, 0),
    });
    fc.assert(
      fc.property(made, ({ labels, ...more }) => {
        const one = plan(output(labels, more));
        expect(plan(output(labels.toReversed(), more))).toEqual(one);
        const touched = [...labels, more.identity].some(
          (found) => found !== undefined && !['20001.1', NOTE].includes(found),
        );
        expect(one?.kind === 'clear').toBe(!touched && more.opaque === undefined);
      }),
    );
  });
});

describe('maskByPlan', () => {
  it('makes of NULL what it makes of values, where whether it is NULL tells of them', () => {
    const types = [
      base('text'),
      base('varchar', 8),
      base('bpchar', 20),
      base('name'),
      base('char'),
      base('citext'),
      base('int4'),
      base('int8'),
      base('bool'),
      base('numeric'),
      base('numeric', ((10 << 16) | 2) + 4),
      base('date'),
      base('timestamptz'),
      base('interval'),
      base('uuid'),
      base('inet'),
      base('xml'),
      base('tsvector'),
      base('point'),
      base('money'),
      base('time'),
      base('timetz'),
      base('varbit'),
      base('hstore'),
      { kind: 'enum', labels: ['a', 'b'] } as const,
      { kind: 'domain', base: base('text') } as const,
      { kind: 'domain', base: base('text'), constant: 'a@b.invalid' } as const,
    ];
    for (const type of types) {
      for (const wire of [TEXT_WIRE, BINARY_WIRE]) {
        const ofNull = maskByPlan(derived(type), null, wire, RING).value;
        expect([type, ofNull]).not.toEqual([type, null]);
        for (const bytes of [[], [49], [1, 2, 3, 4], Array.from({ length: 16 }, (_, at) => at + 48)]) {
          const ofValue = maskByPlan(derived(type), Uint8Array.from(bytes), wire, RING).value;
          expect([type, ofValue]).toEqual([type, ofNull]);
        }
      }
    }
  });

  it('leaves the NULL of a stored column', () => {
    expect(
      maskByPlan({ ...derived(base('text')), hidesNull: false }, null, TEXT_WIRE, RING).value,
    ).toBeNull();
  });
});
