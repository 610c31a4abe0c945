import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseResources } from '../resources/parse.ts';
import { referenceProblems } from '../resources/references.ts';
import { ResourceView } from '../resources/view.ts';
import { SqlReading } from '../session/sql-reading.ts';
import { loadCases } from './policy-cases.ts';
import { listPacks, readPack } from './policy-packs.ts';
import { runCases } from './policy-run.ts';

const PACKS = fileURLToPath(new URL('../../packs', import.meta.url));

/** Columns of examples/demo/sql/01-schema.sql. */
const PERSONAL = [
  'full_name',
  'email',
  'phone',
  'national_id',
  'date_of_birth',
  'iban',
  'card_number',
  'user_email',
  'client_ip',
];

describe('packs', () => {
  it('are listed and printed with their cases, and nothing else of the disk is', async () => {
    const packs = await listPacks();
    expect(packs.map(({ name, masks }) => [name, masks])).toEqual([
      ['postgres-baseline', 0],
      ['reranking-iso27001', 9],
    ]);
    for (const { name, rules, summary } of packs) {
      expect([rules, summary]).toEqual([expect.any(Number), expect.stringMatching(/^Rules for [^.]*\.$/)]);
      expect(rules).toBeGreaterThan(9);
      expect(parseResources(await readPack(name, 'rules')).length).toBeGreaterThan(rules);
      expect(await readPack(name, 'cases')).toContain(`  - ${name}.yaml\n`);
    }
    expect(packs[1]?.summary).toBe(
      'Rules for what ranks search results: databases, vector stores and reranking services, connections with the label class=reranking.',
    );
    await expect(readPack('../package', 'rules')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('can be applied as they are, both to one installation too', async () => {
    const texts = await Promise.all((await listPacks()).map(({ name }) => readPack(name, 'rules')));
    const stored = texts
      .flatMap((text) => parseResources(text))
      .map((document) => ({ document, version: 1, digest: '', changedUs: 0, changedBy: '' }));
    const view = new ResourceView(stored);
    expect(view.all).toHaveLength(stored.length);
    expect(referenceProblems(view)).toEqual([]);
  });

  it('mask what is personal in the demo, but for privacy, on connections of their class', async () => {
    const set = await loadCases(join(PACKS, 'reranking-iso27001.test.yaml'), []);
    if (!('cases' in set)) throw new Error(JSON.stringify(set));
    const privacy = parseResources('{ kind: Group, name: privacy, members: [service:nightly-rerank] }');
    const others = set.loaded.view.all.filter(({ document }) => document.name !== 'privacy');
    const stored = { version: 1, digest: '', changedUs: 0, changedBy: '' };
    const view = new ResourceView([...others, ...privacy.map((document) => ({ document, ...stored }))]);
    const masked = (name: string, connection: string): readonly string[] => {
      const { columns, detecting } = view.masks({ name }, connection);
      const named = columns.flatMap(({ patterns }) => patterns.map(({ column = '*' }) => column));
      return [...named, ...detecting.map(() => 'what looks so')];
    };
    expect(masked('ana', 'reranker-db')).toEqual(expect.arrayContaining([...PERSONAL, 'what looks so']));
    expect(masked('nightly-rerank', 'reranker-db')).toEqual([]);
    expect(masked('ana', 'other-db')).toEqual([]);
  });

  it('decide as their cases say, and each of their rules is expected by one', async () => {
    const names = (await readdir(PACKS)).filter((name) => name.endsWith('.test.yaml'));
    const reader = new SqlReading();
    let ran = 0;
    for (const name of names) {
      const set = await loadCases(join(PACKS, name), []);
      if (!('cases' in set)) throw new Error(JSON.stringify(set));
      const results = await runCases(set, reader);
      ran += results.length;
      expect(results.filter(({ passed }) => !passed).map(({ policyCase }) => policyCase.name)).toEqual([]);
      const rules = set.loaded.view.documents('Rule');
      const expected = new Set(results.map(({ policyCase }) => policyCase.rule));
      expect(rules.filter((rule) => !expected.has(rule.name))).toEqual([]);
      const masks = set.loaded.view.documents('Mask');
      expect([...rules, ...masks].filter(({ description }) => description === undefined)).toEqual([]);
    }
    await reader.close();
    expect(names).toHaveLength(2);
    expect(ran).toBeGreaterThanOrEqual(100);
  });
});
