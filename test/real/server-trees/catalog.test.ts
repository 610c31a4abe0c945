/** What real catalogs say of a statement's oids, also where somebody has made an `=` of their own. */

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Effect } from '../../../packages/gateway/src/core/effects.ts';
import {
  CATALOG_OF_OIDS_SQL,
  CATALOG_SNAPSHOT_SQL,
} from '../../../packages/gateway/src/sql/server-tree/catalog-sql.ts';
import {
  type Catalog,
  type CatalogFunction,
  type CatalogRelation,
  catalogNames,
  parseCatalog,
} from '../../../packages/gateway/src/sql/server-tree/catalog.ts';
import {
  calledEffects,
  type FunctionRules,
} from '../../../packages/gateway/src/sql/server-tree/function-effects.ts';
import { requirePresent } from '../require-present.ts';
import { TreeRig } from './rig.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';

const VERSIONS = [
  { major: 15, version: DEBIAN },
  { major: 16, version: 'embedded-16' },
  { major: 17, version: 'embedded-17' },
  { major: 18, version: 'embedded' },
];

/** Functions of every sort, and operators that PostgreSQL would take for its own by their names. */
const MORE = `
create role maker;
create function stable_one() returns integer language sql stable as 'select 1';
create function theirs() returns integer language sql stable as 'select 1';
alter function theirs() owner to maker;
create function in_c() returns integer language internal stable as 'pg_backend_pid';
create function computed_in_c() returns integer language internal immutable as 'pg_backend_pid';
create function checked(text) returns boolean language plpgsql immutable as 'begin return true; end';
create table guarded (id integer check (checked(id::text)), p positive);
create index on guarded (pure(id::text));
create table split (id integer) partition by range (id);
create table split_one partition of split for values from (0) to (10);
create trigger split_one_trigger before insert on split_one for each row execute function open_door();
create type purse as (a positive);
create schema bad;
create function bad.never(oid, oid) returns boolean language sql as 'select false';
create operator bad.= (leftarg = oid, rightarg = oid, procedure = bad.never);
create function bad.unnest(oid[]) returns setof oid language sql as 'select 1::oid where false';
`;

const rules: FunctionRules = {
  builtIn: ({ schema, name }): readonly Effect[] =>
    schema === 'pg_catalog' && name === 'pg_sleep' ? ['sleep'] : [],
  trustedOwners: new Set(),
};

describe.each(VERSIONS)('the catalog of PostgreSQL $major', ({ version }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(`${DEBIAN}/postgres`));
  let rig: TreeRig;

  beforeAll(async () => {
    if (!present) return;
    rig = await TreeRig.start(version);
    await rig.catalog.query(MORE);
    await rig.catalog.query('set search_path = bad, public, pg_catalog');
  });

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  /** The catalog of what a statement says. */
  async function of(
    statement: string,
  ): Promise<{ readonly catalog: Catalog; readonly effects: Record<string, string> }> {
    const { facts, error } = await rig.run(statement);
    expect(error).toBeUndefined();
    const catalog = await ask(
      facts.relations.map(({ oid }) => oid),
      facts.functions,
      facts.operators,
      facts.types,
    );
    const effects = calledEffects(facts, catalog, rules).filter(
      ({ oid, effects: all }) => oid >= 16_384 || all.length > 0,
    );
    return {
      catalog,
      effects: Object.fromEntries(
        effects.map(({ name, effects: all, securityDefiner }) => [
          name?.name ?? '?',
          [...all, ...(securityDefiner ? ['as its owner'] : [])].join(' '),
        ]),
      ),
    };
  }

  async function ask(...oids: readonly (readonly number[])[]): Promise<Catalog> {
    const values = oids.map((each) => `{${each.join()}}`);
    const types = { getTypeParser: () => (value: string) => value };
    const { rows } = await rig.catalog.query<(string | null)[]>({
      text: CATALOG_OF_OIDS_SQL,
      values,
      rowMode: 'array',
      types,
    });
    return parseCatalog(rows);
  }

  it.runIf(present).each([
    ["select lower('x'), pg_sleep(0)", { pg_sleep: 'sleep' }],
    ['select bump()', { bump: 'function-unknown' }],
    ["select pure('x'), stable_one()", { pure: '', stable_one: '' }],
    ['select theirs()', { theirs: 'function-unknown' }],
    ['select owned()', { owned: 'function-unknown as its owner' }],
    ['select in_c()', { in_c: 'host' }],
    ['select computed_in_c()', { computed_in_c: '' }],
    ["select 'a' === 'b'", { same: '' }],
    ['select longest(title) from documents', { longest: '', longest_step: '' }],
    ['select 5::positive', { is_positive: '' }],
    ["select ('(' || 1 || ')')::purse", { is_positive: '' }],
    ["update documents set title = 'x'", { open_door: 'function-unknown' }],
    ['select id from documents', {}],
    ['insert into guarded values (1)', { checked: 'function-unknown', pure: '', is_positive: '' }],
    ['insert into split values (1)', { open_door: 'function-unknown' }],
  ])('of %s', async (statement, effects) => {
    expect((await of(statement)).effects).toEqual(effects);
  });

  it.runIf(present)('says what a relation is', async () => {
    const { catalog } = await of('select 1 from doors, titles, watched, secrets, split_one');
    expect(relation(catalog, 'doors')).toMatchObject({
      schema: 'public',
      relkind: 'v',
      isView: true,
      hasTriggers: true,
      hasRules: false,
    });
    expect(relation(catalog, 'titles')).toMatchObject({
      isView: true,
      hasTriggers: false,
      partitionRoot: undefined,
    });
    expect(relation(catalog, 'watched')).toMatchObject({ relkind: 'r', isView: false, hasRules: true });
    expect(relation(catalog, 'secrets')).toMatchObject({ hasRowSecurity: true });
    const { catalog: more } = await of('select 1 from split, split_one');
    expect(relation(more, 'split_one').partitionRoot).toBe(relation(more, 'split').oid);
    expect(relation(more, 'split')).toMatchObject({
      relkind: 'p',
      hasTriggers: true,
      partitionRoot: undefined,
    });
  });

  it.runIf(present)('has nothing for oids that are not there, so that they are unknown', async () => {
    const oids = [4_000_000_000];
    const catalog = await ask(oids, oids, oids, oids);
    expect([...catalog.relations, ...catalog.functions, ...catalog.operators, ...catalog.types]).toEqual([]);
    const facts = {
      commands: [],
      relations: [],
      functions: oids,
      operators: oids,
      types: oids,
      expanded: true,
      unknown: [],
    };
    const effects = calledEffects(facts, catalog, rules).map(({ effects: all }) => all);
    expect(effects).toEqual([['function-unknown'], ['function-unknown']]);
  });

  it.runIf(present)('gives all that users have made, by name', async () => {
    const { rows } = await rig.catalog.query<(string | null)[]>({
      text: CATALOG_SNAPSHOT_SQL,
      rowMode: 'array',
      types: { getTypeParser: () => (value: string) => value },
    });
    const catalog = parseCatalog(rows);
    const { functions, operators } = catalogNames(catalog);
    expect(functions.get('overloaded')?.map(described).toSorted()).toEqual([
      'public(integer) immutable sql',
      'public(text) immutable sql',
    ]);
    expect(functions.get('lower')?.map(described)).toEqual(['evil(text) volatile plpgsql']);
    expect(functions.has('pg_sleep')).toBe(false);
    expect(operators.get('===')?.map(({ function: oid }) => catalog.functions.get(oid)?.name)).toEqual([
      'same',
    ]);
    expect(
      catalog.casts.map(({ function: oid, implicit }) => [catalog.functions.get(oid)?.name, implicit]),
    ).toEqual([['to_text', false]]);
  });
});

function relation({ relations }: Catalog, wanted: string): CatalogRelation {
  const found = [...relations.values()].find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`no ${wanted}`);
  return found;
}

function described({ schema, argumentTypes, volatility, language }: CatalogFunction): string {
  return `${schema}(${argumentTypes}) ${volatility} ${language}`;
}
