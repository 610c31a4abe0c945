import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { CATALOG_OF_OIDS_SQL, CATALOG_SNAPSHOT_SQL } from './catalog-sql.ts';
import { parseCatalog } from './catalog.ts';
import type { CatalogRow } from './catalog-row.ts';

const RELATION: CatalogRow = [
  'relation',
  '20000',
  '["public","parts","p",true,false,false,null,["20001","20001",0]]',
];
const FUNCTION = ['public', 'f', 'f', 'v', false, 'plpgsql', true, 'ana', false, false, 'integer', []];

function functionRow(change: Readonly<Record<number, unknown>> = {}): CatalogRow {
  return [
    'function',
    '20001',
    JSON.stringify(FUNCTION.map((value, index) => (index in change ? change[index] : value))),
  ];
}

describe('rows of a catalog', () => {
  it('are read into what they say', () => {
    const { relations, functions } = parseCatalog([RELATION, functionRow(), functionRow({ 7: null })]);
    expect(relations.get(20_000)).toEqual({
      oid: 20_000,
      schema: 'public',
      name: 'parts',
      relkind: 'p',
      isView: false,
      hasTriggers: true,
      hasRules: false,
      hasRowSecurity: false,
      partitionRoot: undefined,
      hiddenFunctions: [20_001],
    });
    expect(functions.get(20_001)).toMatchObject({ name: 'f', volatility: 'volatile', owner: undefined });
  });

  it.each<readonly [string, CatalogRow]>([
    ['of an unknown kind', ['index', '1', '[]']],
    ['without a kind', [null, '1', '[]']],
    ['without an oid', ['relation', null, '[]']],
    ['with an oid that is none', ['relation', '-1', '[]']],
    ['with an oid that is too large', ['relation', '4294967296', '[]']],
    ['with nothing', []],
    ['that is not JSON', ['relation', '1', '{']],
    ['that is not a list', ['relation', '1', '{}']],
    ['that ends too early', ['relation', '1', '["a"]']],
    ['with a number for a name', functionRow({ 1: 1 })],
    ['with a text for a boolean', functionRow({ 4: 'f' })],
    ['of another volatility', functionRow({ 3: 'x' })],
    ['with a name for an oid', ['operator', '1', '["s","n","f"]']],
    ['with a name in a list of oids', functionRow({ 11: ['f'] })],
  ])('%s are refused', (_, row) => {
    expect(() => parseCatalog([row])).toThrow(expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }));
  });

  it('are refused where there are too many', () => {
    const rows = Array.from({ length: LIMITS.serverTree.catalogRowsMax + 1 }, () => RELATION);
    expect(() => parseCatalog(rows)).toThrow(CountersignError);
  });
});

describe('what is asked', () => {
  it.each([
    ['CATALOG_OF_OIDS_SQL', CATALOG_OF_OIDS_SQL],
    ['CATALOG_SNAPSHOT_SQL', CATALOG_SNAPSHOT_SQL],
  ])('%s uses no operator, function or table that search_path could replace', (_, sql) => {
    const bare = sql.replace(/operator\(pg_catalog\.[=<>]+\)/g, ' ').replace(/'[^']*'/g, "''");
    expect(bare).not.toMatch(/[=<>~!@#%^&|?]|\bin\b|\blike\b|\bbetween\b|\busing\b/i);
    const tables = [...bare.matchAll(/\b(?:from|join)\s+(?!lateral\s*\()(?:lateral\s+)?([\w.]+)/g)].map(
      ([, name]) => name,
    );
    const own = [...bare.matchAll(/(\w+) \([\w, ]+\) as (?:not materialized )?\(/g)].map(([, name]) => name);
    expect(tables.filter((name) => name?.startsWith('pg_catalog.') === false && !own.includes(name))).toEqual(
      [],
    );
    const casts = [...bare.matchAll(/::([\w."]+)/g)].map(([, name]) => name);
    expect(casts.filter((name) => name?.startsWith('pg_catalog.') === false)).toEqual([]);
  });
});
