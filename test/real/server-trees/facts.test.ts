/** What real servers say that statements do: views, rules, overloads, shadowed names, casts, operators. */

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerFacts } from '../../../packages/gateway/src/sql/server-tree/facts.ts';
import { writeTree } from '../../../packages/gateway/src/sql/server-tree/testing-trees.ts';
import { requirePresent } from '../require-present.ts';
import { TreeRig } from './rig.ts';
import { type Expected, STATEMENTS } from './statements.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';

const VERSIONS = [
  { major: 15, version: DEBIAN },
  { major: 16, version: 'embedded-16' },
  { major: 17, version: 'embedded-17' },
  { major: 18, version: 'embedded' },
];

/** PostgreSQL's own objects have smaller oids. */
const FIRST_USER_OID = 16_384;

describe.each(VERSIONS)('PostgreSQL $major', ({ major, version }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(`${DEBIAN}/postgres`));
  let rig: TreeRig;
  let names: Record<'relations' | 'functions' | 'operators' | 'types', ReadonlyMap<number, string>>;

  beforeAll(async () => {
    if (!present) return;
    rig = await TreeRig.start(version);
    names = {
      relations: await named('select oid, oid::regclass::text from pg_class'),
      functions: await named('select oid, oid::regprocedure::text from pg_proc'),
      operators: await named('select oid, oid::regoperator::text from pg_operator'),
      types: await named('select oid, oid::regtype::text from pg_type'),
    };
  });

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  async function named(sql: string): Promise<ReadonlyMap<number, string>> {
    const { rows } = await rig.catalog.query<[number, string]>({ text: sql, rowMode: 'array' });
    return new Map(rows);
  }

  function ofUsers(kind: 'functions' | 'operators' | 'types', facts: ServerFacts): readonly string[] {
    const oids = facts[kind].filter((oid) => oid >= FIRST_USER_OID);
    return oids.map((oid) => names[kind].get(oid) ?? String(oid)).toSorted();
  }

  function relationName(oid: number): string {
    return names.relations.get(oid) ?? String(oid);
  }

  function found(facts: ServerFacts): Omit<Expected, 'sql' | 'before' | 'inner' | 'since' | 'unexpanded'> {
    return {
      verbs: facts.commands.map(({ verb }) => verb).join(' '),
      uses: Object.fromEntries(
        facts.relations.map(({ oid, uses }) => [relationName(oid), uses.toSorted().join(' ')]),
      ),
      functions: ofUsers('functions', facts),
      operators: ofUsers('operators', facts),
      types: ofUsers('types', facts),
      columns: [
        ...new Set(
          facts.relations.flatMap(({ oid, columns }) =>
            columns.map(({ name }) => `${relationName(oid)}.${name}`),
          ),
        ),
      ].toSorted(),
    };
  }

  it.runIf(present).each(STATEMENTS.filter(({ since = 0 }) => since <= major))('$sql', async (expected) => {
    const { facts, roots, refusals, error } = await rig.run(expected.sql, expected.before);
    if (roots.length === 0) throw new Error(`no tree: ${error ?? refusals.join()}`);
    const silent = major === 15 && expected.inner !== undefined;
    const { verbs, uses = {}, functions = [], operators = [], types = [], columns = [] } = expected;
    const wanted = { verbs, uses, functions, operators, types, columns };
    expect(found(facts)).toEqual(silent ? { ...wanted, uses: {}, functions: [], columns: [] } : wanted);
    expect([...facts.unknown, ...refusals]).toEqual([]);
    expect(facts.expanded).toBe(silent || expected.unexpanded === undefined);
    const [first] = facts.commands;
    // PostgreSQL 15 prints four kinds of utility statements, and these are three of them.
    const said =
      major > 15 ||
      ['DECLARECURSORSTMT', 'CREATESTMT', 'INDEXSTMT', 'NOTIFYSTMT'].includes(expected.utility ?? '');
    expect(first?.utility).toBe(said ? expected.utility : undefined);
    // Nothing of the tree was lost, and no name was taken for a field or the other way round.
    for (const root of roots) expect(writeTree(root)).not.toMatch(/ :\w+ :/);
  });
});
