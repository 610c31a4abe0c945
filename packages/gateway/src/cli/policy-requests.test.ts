/** Cases of `policy test` that send requests. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SqlReading } from '../session/sql-reading.ts';
import { type CaseSet, loadCases } from './policy-cases.ts';
import type { FileProblem } from './file-problems.ts';
import { runCases } from './policy-run.ts';
import { caseLines } from './policy-text.ts';

let home: string;
const reader = new SqlReading();

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'countersign-requests-'));
});
afterAll(async () => {
  await reader.close();
  await rm(home, { recursive: true });
});

const RESOURCES = `resources:
  - { kind: Connection, name: db, protocol: postgres, target: { host: db, database: d }, credential: { user: u } }
  - { kind: Connection, name: store, protocol: http, target: { url: https://s.example }, credential: { scheme: none }, dialect: qdrant, otherwise: { hold: { approvers: [zoe] } } }
  - { kind: Person, name: ana, displayName: Ana }
  - { kind: Person, name: zoe, displayName: Zoe }
  - { kind: Group, name: night, members: [ana] }
  - { kind: Access, name: all, who: [ana], to: [db, store] }
  - { kind: Rule, name: many, when: { documents: "> 2" }, then: block }
  - { kind: Rule, name: drops, when: { effects: [drop], paths: [/collections/*] }, then: { hold: { approvers: [zoe] } } }
  - { kind: Rule, name: glass, who: [ana], when: { effects: [drop] }, then: { breakGlass: { reviewers: [zoe] } } }
defaults: { as: ana, on: db }
cases:
`;

async function load(cases: string): Promise<CaseSet | readonly FileProblem[]> {
  const path = join(home, 'cases.yaml');
  await writeFile(path, `${RESOURCES}${cases}`);
  return loadCases(path, []);
}

async function linesOf(cases: string): Promise<readonly string[]> {
  const set = await load(cases);
  if (!('cases' in set)) throw new Error(JSON.stringify(set));
  return (await runCases(set, reader)).flatMap((result) => caseLines(result, set.loaded.places));
}

async function problemsOf(cases: string): Promise<readonly string[]> {
  const set = await load(cases);
  return 'cases' in set ? [] : set.map(({ line, says }) => `${line}: ${says}`);
}

describe('a case with a request', () => {
  it('is decided on as the gateway would', async () => {
    expect(
      await linesOf(`  - { name: a, request: { path: /v2/rerank, body: { query: q, documents: [a, b] } }, expect: allow }
  - { name: b, request: { path: /v2/rerank, body: { query: q, documents: [a, b, c] } }, expect: block, rule: many }
  - { name: c, request: { method: DELETE, path: /collections/x }, expect: hold, rule: drops, breakGlass: glass }
  - { name: d, request: { method: DELETE, path: /v1/schema/X }, expect: block, rule: "access:all" }
  - { name: e, as: zoe, request: { path: /v1/schema }, expect: block, rule: access }
  - { name: f, request: { path: "/models?reload=1" }, expect: block }
  - { name: g, request: { path: /_bulk, body: "{\\"delete\\":{\\"_index\\":\\"a\\"}}\\n" }, expect: block }
  - { name: h, request: { path: /v1/schema, headers: { X-Http-Method: DELETE } }, expect: allow }
`),
    ).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => `ok    ${name}`));
  });

  it('shows the line of the request where it fails', async () => {
    const lines = await linesOf(
      '  - { name: a, request: { path: "/v2/rerank?x=1", body: { query: q, documents: [a, b, c] } }, expect: allow }\n',
    );
    expect(lines.join('\n')).toContain('block     by many (version 0');
    expect(lines.join('\n')).toContain(
      'POST /v2/rerank, and it has 3 documents, where up to 2 are not held up by it',
    );
    expect(lines.join('\n')).toContain('POST /v2/rerank?x=1');
  });

  it('is held by its connection where that says who is asked about the rest', async () => {
    const put =
      'request: { method: PUT, path: /collections/c/points, dialect: qdrant, body: { points: [] } }';
    expect(
      await linesOf(`  - { name: a, on: store, ${put}, expect: hold, rule: "connection:store", breakGlass: false }
  - { name: b, on: store, request: { path: /no/such/route, body: {} }, expect: hold, rule: "connection:store" }
  - { name: c, on: store, request: { method: GET, path: /collections/c, dialect: qdrant }, expect: allow }
`),
    ).toEqual(['ok    a', 'ok    b', 'ok    c']);
    const failed = await linesOf(`  - { name: a, on: store, ${put}, expect: allow }\n`);
    expect(failed.join('\n')).toMatch(
      /hold {6}by connection:store \(version \d+, .*cases\.yaml:\d+\): nothing allows insert of c/,
    );
    expect(
      await problemsOf('  - { name: a, request: { path: / }, expect: hold, rule: "connection:db" }\n'),
    ).toEqual([expect.stringContaining('there is no connection with otherwise for "connection:db"')]);
  });

  it('is said to be wrong with its line', async () => {
    const line = RESOURCES.split('\n').length;
    expect(await problemsOf('  - { name: a, expect: allow }\n')).toEqual([
      `${line}: cases.0: needs "sql" or "request": what is sent`,
    ]);
    expect(await problemsOf('  - { name: a, sql: select 1, request: { path: / }, expect: allow }\n')).toEqual(
      [`${line}: cases.0: "sql" and "request" are two cases`],
    );
    expect(await problemsOf('  - { name: a, request: { path: / }, returned: 3, expect: allow }\n')).toEqual([
      `${line}: cases.0: "returned" is about SQL, and this sends a request`,
    ]);
    expect(await problemsOf('  - { name: a, request: { path: x }, expect: allow }\n')).toHaveLength(1);
    expect(await problemsOf('  - { name: a, request: { path: /, port: 1 }, expect: allow }\n')).toEqual([
      expect.stringContaining('has no key "port"'),
    ]);
  });
});
