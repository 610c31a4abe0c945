import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  ColumnLabel,
  LabelUse,
  LabelWrite,
  StatementLabels,
  UseKind,
} from '../../core/column-labels.ts';
import { MASKING_PLAN_LIMITS } from '../../core/masking-limits.ts';
import { customers, database, mask, masksOf, output } from './testing-plans.ts';
import { type Circumstances, maskVerdict, type MaskVerdict } from './verdict.ts';

const EMAIL = '20000.2';
const PHONE = '20000.3';
const NOTE = '20000.4';
const LOOKUP = database({
  [EMAIL]: customers('email', 'customers.email'),
  [PHONE]: customers('phone', 'customers.phone'),
  '3000.5': { schema: 'pg_catalog', table: 'pg_statistic', column: 'stavalues1', masks: [] },
});
const STRICT = masksOf(mask('emails', { as: 'partial' }), mask('phones', { columns: ['customers.phone'] }));
const PERMISSIVE = masksOf(
  mask('emails', { mode: 'permissive' }),
  mask('phones', { columns: ['customers.phone'] }),
);
const PLAIN: Circumstances = { constrained: new Set(), explains: false };
const KINDS: readonly UseKind[] = [
  'predicate',
  'join',
  'group',
  'order',
  'distinct',
  'limit',
  'window',
  'set-operation',
  'row-set',
  'choice',
  'fallible',
  'lock',
  'sink',
  'unknown-sink',
  'constraint',
];

function use(kind: UseKind, ...labels: readonly ColumnLabel[]): LabelUse {
  return { kind, view: undefined, labels: new Set(labels), opaque: undefined };
}

function write(target: ColumnLabel, ...labels: readonly ColumnLabel[]): LabelWrite {
  return { target, labels: new Set(labels), opaque: undefined };
}

function opaque(target: ColumnLabel): LabelWrite {
  return { target, labels: new Set(), opaque: 'function 1' };
}

function judge(
  labels: Partial<StatementLabels>,
  masks = STRICT,
  more: Partial<Circumstances> = {},
): MaskVerdict {
  const all = {
    outputs: undefined,
    uses: [],
    writes: [],
    relations: new Set<number>(),
    utilities: [],
    ...labels,
  };
  return maskVerdict(all, LOOKUP, masks, { ...PLAIN, ...more });
}

function says({ blocked }: MaskVerdict): readonly string[] {
  return blocked.map(({ mask: name, what }) => `${name}: ${what}`);
}

describe('maskVerdict', () => {
  it('lets a masked column be shown', () => {
    const labels = { outputs: [output([EMAIL], { identity: EMAIL })], uses: [use('predicate', NOTE)] };
    expect(judge(labels)).toEqual({ blocked: [], recorded: [] });
  });

  it('stops every use of a masked column, in plain words', () => {
    for (const kind of KINDS) {
      const { blocked } = judge({ uses: [use(kind, EMAIL, NOTE)] });
      expect(blocked).toMatchObject([{ mask: 'emails', version: 1, mode: 'strict', kind }]);
      expect(blocked[0]?.what).toMatch(/^shop\.customers\.email (is|makes|goes|decides) /);
    }
    expect(says(judge({ uses: [use('predicate', EMAIL)] }))).toEqual([
      'emails: shop.customers.email is compared in a condition (WHERE, HAVING, FILTER)',
    ]);
  });

  it('lets a permissive Mask record what it does not stop', () => {
    const verdict = judge({ uses: [use('order', EMAIL), use('order', PHONE)] }, PERMISSIVE);
    expect(verdict.recorded).toMatchObject([{ mask: 'emails', mode: 'permissive', kind: 'order' }]);
    expect(verdict.blocked).toMatchObject([{ mask: 'phones', mode: 'strict' }]);
  });

  it('leaves what the target hides to the target, and takes it for strict where somebody asks for it', () => {
    const role = masksOf(mask('a', { mode: 'server-role' }));
    expect(role.isEmpty).toBe(true);
    expect(judge({ uses: [use('predicate', EMAIL)] }, role)).toEqual({ blocked: [], recorded: [] });
    expect(judge({ uses: [use('predicate', EMAIL)] }, role.by('target'))).toMatchObject({
      blocked: [{ mask: 'a' }],
      recorded: [],
    });
  });

  it('stops what one of several Masks on a column stops', () => {
    const both = masksOf(mask('a', { mode: 'permissive' }), mask('b', {}));
    expect(judge({ uses: [use('predicate', EMAIL)] }, both)).toMatchObject({
      blocked: [{ mask: 'b' }],
      recorded: [],
    });
  });

  it('stops what nobody knows wherever rows or other places tell of it', () => {
    for (const kind of KINDS) {
      const verdict = judge({
        uses: [{ kind, view: undefined, labels: new Set(), opaque: 'function 16420' }],
      });
      expect(verdict.blocked).toMatchObject([{ kind }]);
      expect(verdict.blocked[0]?.what).toContain('what function 16420 may show');
    }
  });

  it('stops uses of statistics, of whole rows, and of what is newer than the catalog', () => {
    expect(says(judge({ uses: [use('predicate', '3000.5')] }))[0]).toContain(
      'pg_catalog.pg_statistic.stavalues1',
    );
    expect(judge({ uses: [use('distinct', '20000.0')] }).blocked).toHaveLength(2);
    expect(says(judge({ uses: [use('predicate', '20002.1')] }))[0]).toContain('relation 20002 is newer');
    expect(judge({ uses: [use('predicate', '20001.0', '1259.2')] }).blocked).toEqual([]);
  });

  describe('of writes', () => {
    it('lets values that nobody hid be written, into a masked column too', () => {
      expect(judge({ writes: [write(EMAIL), write(NOTE, NOTE)] })).toEqual({ blocked: [], recorded: [] });
    });

    it('stops a masked value on its way into a column that hides it less', () => {
      expect(says(judge({ writes: [write(NOTE, EMAIL)] }))).toEqual([
        'emails: shop.customers.email is written into column 20000.4, which is masked less',
      ]);
      expect(judge({ writes: [write(PHONE, EMAIL)] }).blocked).toHaveLength(1);
      expect(judge({ writes: [write(EMAIL, EMAIL)] }).blocked).toEqual([]);
    });

    it('stops a write of which a constraint tells, whatever is written', () => {
      const constrained = new Set<ColumnLabel>([EMAIL, NOTE]);
      expect(judge({ writes: [write(EMAIL)] }, STRICT, { constrained }).blocked).toMatchObject([
        { kind: 'constraint' },
      ]);
      expect(judge({ writes: [write(PHONE)] }, STRICT, { constrained }).blocked).toEqual([]);
      expect(judge({ writes: [write(NOTE)] }, STRICT, { constrained }).blocked).toEqual([]);
      const kinds = judge({ writes: [write(NOTE, PHONE)] }, STRICT, { constrained }).blocked.map(
        ({ kind }) => kind,
      );
      expect(kinds).toEqual(['constraint', 'write']);
    });

    it('stops what nobody knows on its way into a column that does not hide all of it', () => {
      expect(judge({ writes: [opaque(NOTE)] }).blocked).toHaveLength(1);
      expect(judge({ writes: [opaque(EMAIL)] }).blocked).toHaveLength(1);
      expect(judge({ writes: [opaque(PHONE)] }).blocked).toEqual([]);
    });
  });

  it('stops EXPLAIN of whatever has to do with a masked column', () => {
    const outputs = [output([EMAIL], { identity: EMAIL })];
    expect(judge({ outputs }).blocked).toEqual([]);
    expect(says(judge({ outputs }, STRICT, { explains: true }))).toEqual([
      'emails: shop.customers.email is what EXPLAIN tells of',
    ]);
    expect(judge({ outputs: [output([NOTE])] }, STRICT, { explains: true }).blocked).toEqual([]);
  });

  it('says nothing where no column is named', () => {
    const looks = masksOf(mask('looks', { detect: ['all'] }));
    const labels = {
      uses: [
        { kind: 'predicate', view: undefined, labels: new Set<ColumnLabel>([EMAIL]), opaque: 'x' } as const,
      ],
    };
    expect(judge(labels, looks)).toEqual({ blocked: [], recorded: [] });
  });

  it('stops a statement however much of it is only recorded', () => {
    const many = Array.from({ length: 2 * MASKING_PLAN_LIMITS.findingsMax }, (_, index) => index);
    const lookup = database(
      Object.fromEntries(
        many.map((index) => [`20000.${index + 1}`, customers(`c${index}`, 'customers.email')]),
      ),
    );
    const last = {
      ...lookup,
      of: (label: ColumnLabel) =>
        label === '20001.1' ? customers('phone', 'customers.phone') : lookup.of(label),
    };
    const uses = [
      use('predicate', ...many.map((index) => `20000.${index + 1}` as const)),
      use('predicate', '20001.1'),
    ];
    const labels = { outputs: undefined, uses, writes: [], relations: new Set<number>(), utilities: [] };
    const verdict = maskVerdict(labels, last, PERMISSIVE, PLAIN);
    expect(verdict.recorded).toHaveLength(MASKING_PLAN_LIMITS.findingsMax);
    expect(verdict.blocked).toHaveLength(1);
  });

  it('gives the same for the same, in any order of labels, and never less for more', () => {
    const label = fc.constantFrom(EMAIL, PHONE, NOTE, '20000.0', '3000.5', '20002.4', '20001.1' as const);
    const uses = fc.array(fc.tuple(fc.constantFrom(...KINDS), fc.array(label, { maxLength: 4 })), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(uses, uses, (some, others) => {
        const made = (list: typeof some, turned: boolean): readonly LabelUse[] =>
          list.map(([kind, labels]) => use(kind, ...(turned ? labels.toReversed() : labels)));
        const one = judge({ uses: made(some, false) });
        expect(judge({ uses: made(some, true) })).toEqual(one);
        const more = judge({ uses: made([...some, ...others], false) }).blocked;
        expect(more).toEqual(expect.arrayContaining([...one.blocked]));
      }),
    );
  });
});
