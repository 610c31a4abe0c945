import { describe, expect, it } from 'vitest';
import { MASK_CATALOG_LIMITS } from '../../core/masking-limits.ts';
import type { FunctionKnowledge } from '../labels/function-knowledge.ts';
import type { CatalogRow } from '../server-tree/catalog-row.ts';
import { closure, type MaskedLabels } from './closure.ts';
import { parseMaskCatalog } from './mask-catalog.ts';

const PURE: FunctionKnowledge = { of: (oid) => (oid < 16_384 ? 'pure' : 'opaque') };

function row(kind: string, oid: number, fields: readonly unknown[]): CatalogRow {
  return [kind, String(oid), Buffer.from(JSON.stringify(fields)).toString('base64')];
}

/** A table `t<oid>` with the columns a, b and c, of which a pattern names the first. */
function table(
  oid: number,
  { parents = [] as readonly number[], named = true, relkind = 'r' } = {},
): CatalogRow {
  const columns = [
    [1, 'a'],
    [2, 'b'],
    [3, 'c'],
  ];
  return row('relation', oid, [
    's',
    `t${oid}`,
    relkind,
    '0',
    columns,
    named ? [[1, 1]] : [],
    parents.map(String),
    [],
  ]);
}

const KNOWN = row('known', 0, ['16400.3.r 16401.3.r 16402.3.m']);

function masked(rows: readonly CatalogRow[], functions = PURE): MaskedLabels {
  const patterns = [{ text: 't16400.a', schema: undefined, table: 't16400', column: 'a' }];
  return closure(parseMaskCatalog([KNOWN, ...rows]), { patterns, functions });
}

function labels(of: MaskedLabels): readonly string[] {
  return of.columns.map(({ label }) => label).toSorted();
}

function generated(tree: string, oid = 16_400): CatalogRow {
  return row('tree', oid, [2, tree]);
}

const VAR_A = '{VAR :varno 1 :varattno 1 :vartype 25}';

describe('closure', () => {
  it('masks a column and the whole row', () => {
    expect(labels(masked([table(16_400)]))).toEqual(['16400.0', '16400.1']);
  });

  it('follows a generated column to heirs, and what they generate, in whatever order they come', () => {
    const rows = [
      generated('{FUNCEXPR :funcid 870 :args ({VAR :varno 1 :varattno 2 :vartype 25})}', 16_401),
      table(16_401, { parents: [16_400], named: false }),
      generated(`{FUNCEXPR :funcid 870 :args (${VAR_A})}`),
      table(16_400),
    ];
    const all = ['16400.0', '16400.1', '16400.2', '16401.0', '16401.1', '16401.2'];
    expect(labels(masked(rows))).toEqual(all);
    expect(labels(masked(rows.toReversed()))).toEqual(all);
  });

  const unclear: readonly (readonly [what: string, tree: string])[] = [
    ['a function of a user', `{FUNCEXPR :funcid 16500 :args ({CONST :consttype 25})}`],
    ['an operator of a user', '{OPEXPR :opno 16500 :opfuncid 0 :args ({CONST :consttype 25})}'],
    ['a type of a user', '{COERCEVIAIO :resulttype 16500 :arg {CONST :consttype 25}}'],
    ['a node that is new', '{NEWEXPR :arg {CONST :consttype 25}}'],
    ['a whole row', '{VAR :varno 1 :varattno 0}'],
    ['no tree', '{FUNCEXPR'],
  ];
  it.each(unclear)('takes a generated column with %s for masked', (_, tree) => {
    expect(
      labels(masked([table(16_400), table(16_401, { named: false }), generated(tree, 16_401)])),
    ).toContain('16401.2');
  });

  it('does not take a generated column for masked that is made of another', () => {
    const rows = [
      table(16_400),
      generated('{OPEXPR :opno 98 :args ({VAR :varno 1 :varattno 3} {CONST :consttype 16500})}'),
    ];
    expect(labels(masked(rows))).toEqual(['16400.0', '16400.1']);
  });

  it('masks every column of a view that nobody reads', () => {
    const rows = [
      table(16_400),
      table(16_402, { named: false, relkind: 'm' }),
      row('tree', 16_402, [0, '({QUERY})']),
    ];
    expect(labels(masked(rows))).toEqual(['16400.0', '16400.1', '16402.0', '16402.1', '16402.2', '16402.3']);
  });
});

describe('parseMaskCatalog', () => {
  it.each([
    ['another kind', row('other', 1, [])],
    ['no JSON', ['known', '0', 'e30']],
    ['nothing', ['known', '0', null]],
    ['a number for a name', row('relation', 16_400, [1, 't', 'r', '0', [], [], [], []])],
    ['a text for a number', row('relation', 16_400, ['s', 't', 'r', '0', [['1', 'a']], [], [], []])],
    ['a row that ends', row('relation', 16_400, ['s', 't', 'r', '0', []])],
    ['no oid', ['relation', '-1', 'W10=']],
    ['a relation without an oid', row('known', 0, ['x.3.r'])],
  ] as readonly (readonly [string, CatalogRow])[])('refuses %s', (_, bad) => {
    expect(() => parseMaskCatalog([bad])).toThrow(expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }));
  });

  const { relationsMax, subjectsMax, columnsMax, generatedMax, treeBytesMax } = MASK_CATALOG_LIMITS;
  const many: readonly (readonly [limit: string, rows: () => readonly CatalogRow[]])[] = [
    [
      'relationsMax',
      () => [
        row('known', 0, [Array.from({ length: relationsMax + 1 }, (_, i) => `${i + 16_384}.1.r`).join(' ')]),
      ],
    ],
    ['subjectsMax', () => Array.from({ length: subjectsMax + 1 }, (_, i) => table(i + 16_384))],
    [
      'columnsMax',
      () => [
        row('relation', 16_400, [
          's',
          't',
          'r',
          '0',
          [],
          Array.from({ length: columnsMax + 1 }, (_, i) => [1, i]),
          [],
          [],
        ]),
      ],
    ],
    ['generatedMax', () => Array.from({ length: generatedMax + 1 }, () => generated('<>'))],
    ['treeBytesMax', () => Array.from({ length: 2 }, () => generated('x'.repeat(treeBytesMax / 2 + 1)))],
  ];
  it.each(many)('refuses more than %s', (limit, rows) => {
    expect(() => parseMaskCatalog(rows())).toThrow(
      expect.objectContaining({
        code: 'LIMIT_EXCEEDED',
        details: expect.objectContaining({ limit: `maskCatalog.${limit}` }),
      }),
    );
  });
});
