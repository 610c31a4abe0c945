/** Where real servers say that values come from, and what they themselves say of it in RowDescription. */

import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LabelsReader } from '../../../packages/gateway/src/sql/labels/labels-reader.ts';
import { explained, stored } from '../../../packages/gateway/src/sql/labels/utility-labels.ts';
import { frame, parse } from '../../differential/frames.ts';
import { requirePresent } from '../require-present.ts';
import { type Case, labelCases } from './cases.ts';
import { type LabelsRig, startLabelsRig } from './rig.ts';

const DEBIAN = '/usr/lib/postgresql/15/bin';

const VERSIONS = [
  { major: 15, version: DEBIAN },
  { major: 16, version: 'embedded-16' },
  { major: 17, version: 'embedded-17' },
  { major: 18, version: 'embedded' },
];

const CASES = labelCases();

it('are at least so many statements', () => {
  expect(CASES.length).toBeGreaterThanOrEqual(225);
});

describe.each(VERSIONS)('PostgreSQL $major', ({ major, version }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(`${DEBIAN}/postgres`));
  const cases = CASES.filter(({ since }) => since <= major);
  let rig: LabelsRig;

  beforeAll(async () => {
    if (present) rig = await startLabelsRig(version);
  }, 120_000);

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  async function wordsOf(sql: string, before = '') {
    const { roots, refusals, error } = await rig.trees.run(sql, before);
    if (roots.length === 0) throw new Error(`no tree: ${error ?? refusals.join()}`);
    return rig.words(new LabelsReader().read(roots, rig.functions));
  }

  it.runIf(present).each(cases)('$sql', async (wanted) => {
    const { out, uses, writes, utilities } = seenBy(major, wanted);
    expect(await wordsOf(wanted.sql, wanted.before)).toEqual({ out, uses, writes, utilities });
  });

  it.runIf(present)(
    'a column that RowDescription names is among the labels',
    async () => {
      const columns = await oids(
        "select attrelid || '.' || attnum from pg_attribute join pg_class c on c.oid = attrelid where relkind <> 'v'",
      );
      const missed: string[] = [];
      let named = 0;
      let identical = 0;
      for (const { sql, before, utilities } of cases) {
        if (utilities.length > 0) continue;
        const fields = await described(rig, before, sql);
        if (fields === undefined) continue;
        const { roots } = await rig.trees.run(sql, before);
        const { outputs } = new LabelsReader().read(roots, rig.functions);
        const shown = outputs?.map(({ name }) => name) ?? [];
        expect([sql, ...shown]).toEqual([sql, ...fields.map(({ name }) => name)]);
        for (const [index, { tableID, columnID, name }] of fields.entries()) {
          const label = `${tableID}.${columnID}` as const;
          if (tableID === 0 || columnID <= 0 || !columns.has(label)) continue;
          named += 1;
          const output = outputs?.[index];
          if (output?.identity === label) identical += 1;
          if (output === undefined || !output.labels.has(label)) missed.push(`${name} of ${sql}`);
        }
      }
      expect(missed).toEqual([]);
      console.info(
        `PostgreSQL ${major}: RowDescription names ${named} columns, ${identical} of them are identities.`,
      );
      expect(named).toBeGreaterThan(140);
    },
    120_000,
  );

  it.runIf(present)(
    'an inner query that is asked for by itself says what EXPLAIN and CREATE TABLE AS do',
    async () => {
      const sql = "select mail, spy(name) as spied from contacts where mail = 'x'";
      const { roots } = await rig.trees.run(sql);
      const inner = new LabelsReader().read(roots, rig.functions);
      expect(rig.words(explained(inner)).out).toEqual([
        'QUERY PLAN!<customers.email, customers.name, customers.note',
      ]);
      expect(rig.words(stored(inner))).toMatchObject({
        out: undefined,
        writes: ['new.1 < customers.email', 'new.2! < customers.name'],
      });
    },
  );

  it.runIf(present)(
    'of what the corpora have, whatever can be analysed is read',
    async () => {
      const reader = new LabelsReader();
      const counts = { statements: 0, withoutTree: 0, opaque: 0, sinks: 0 };
      for (const text of corpora()) {
        counts.statements += 1;
        const { roots } = await rig.trees.send(Buffer.concat([parse('', text), frame('S')]));
        const { outputs = [], uses } = reader.read(roots, rig.functions);
        if (roots.length === 0) counts.withoutTree += 1;
        if ([...outputs, ...uses].some(({ opaque }) => opaque !== undefined)) counts.opaque += 1;
        if (uses.some(({ kind }) => kind === 'sink' || kind === 'unknown-sink')) counts.sinks += 1;
      }
      console.info(`PostgreSQL ${major}: ${JSON.stringify(counts)}`);
      expect(counts.statements - counts.withoutTree).toBeGreaterThan(150);
      // None of them calls what users made, and nothing in them is unknown to this version.
      expect(counts.opaque).toBeLessThanOrEqual(OPAQUE_MAX);
    },
    120_000,
  );

  async function oids(sql: string): Promise<ReadonlySet<string>> {
    const { rows } = await rig.trees.catalog.query<[string]>({ text: sql, rowMode: 'array' });
    return new Set(rows.map(([oid]) => oid));
  }
});

/** Of the corpora, those that call what only a server of their own has. */
const OPAQUE_MAX = 5;

/** The texts of vectors/sql, one at a time. */
function corpora(): readonly string[] {
  return ['harmless', 'psql', 'pg-dump', 'destructive'].flatMap((name) => {
    const text = readFileSync(new URL(`../../../vectors/sql/${name}.txt`, import.meta.url), 'utf8');
    const [, ...blocks] = text.split(/^case: /m);
    return blocks.map((block) =>
      block
        .split('\n')
        .filter((line) => line.startsWith('>'))
        .map((line) => line.slice(2))
        .join('\n'),
    );
  });
}

/** Undefined for what fails when it runs. */
async function described({ trees: { catalog } }: LabelsRig, before: string, sql: string) {
  await catalog.query(`begin; ${before}`);
  try {
    return (await catalog.query({ text: sql, rowMode: 'array' })).fields;
  } catch {
    // What it is made of is known without running it.
    return undefined;
  } finally {
    await catalog.query('rollback; reset role');
  }
}

/** PostgreSQL 15 prints of utility statements only DECLARE; COPY and PREPARE have the tree of their query beside. */
function seenBy(major: number, wanted: Case): Case {
  const [utility] = wanted.utilities;
  if (major > 15 || utility === undefined || utility === 'DECLARECURSORSTMT') return wanted;
  const known = utility === 'COPYSTMT' || utility === 'PREPARESTMT';
  const shown = known ? wanted : { ...wanted, out: undefined, uses: [], writes: [] };
  return { ...shown, utilities: ['?'] };
}
