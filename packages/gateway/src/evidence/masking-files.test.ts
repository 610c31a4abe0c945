import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseCsv } from '@countersign/ledger/csv';
import { FileSource, nodeHost } from '@countersign/verify/node-host';
import type { Report } from '@countersign/verify/report';
import { verifyPackage } from '@countersign/verify/verify-package';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackendMessage } from '../protocols/postgres/messages.ts';
import { type EvidenceResult, exportEvidence } from './export.ts';
import { exportInThread } from './export-thread.ts';
import { openTestingLog, type TestingExport, writeTestingLog } from './testing-log.ts';
import { type MaskScene, masksBefore, masksWithin, record } from './testing-masks.ts';

const run = promisify(execFile);
const SQL = 'select email, note from customers';
/** What a Mask should have hidden, and did not. */
const CARD = '4111 1111 1111 1111';
const MAIL = 'ana.canary@example.org';

let directory: string;
let options: TestingExport;
let result: EvidenceResult;
let bag: string;
let session: string;
let recordedAtUs: number;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-masking-'));
  await writeTestingLog(directory, 3, { before: masksBefore, within });
  options = { ...openTestingLog(directory), recordings: join(directory, 'recordings') };
  result = await exportEvidence({ ...options, out: join(directory, 'package.zip') });
  await run('unzip', ['-q', join(directory, 'package.zip'), '-d', join(directory, 'unzipped')]);
  bag = join(directory, 'unzipped', result.directory, 'data');
}, 120_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

async function within(scene: MaskScene, id: string): Promise<void> {
  session = id;
  await masksWithin(scene, id);
  recordedAtUs = Date.now() * 1_000;
  await record(scene, directory, id, SQL, [
    { kind: 'RowDescription', fields: [field('email'), field('note')] },
    { kind: 'DataRow', values: [Buffer.from('[REDACTED:EMAIL]'), Buffer.from(`card ${CARD} of ${MAIL}`)] },
    { kind: 'DataRow', values: [null, Buffer.from(`${CARD} again`)] },
    { kind: 'NoticeResponse', fields: [{ code: 'M', valueBytes: Buffer.from(`look at ${MAIL}`) }] },
    { kind: 'CommandComplete', tag: 'SELECT 2' },
  ]);
}

function field(name: string): Extract<BackendMessage, { kind: 'RowDescription' }>['fields'][number] {
  const numbers = { tableOid: 0, columnNumber: 0, typeOid: 25, typeLength: -1, typeModifier: -1 };
  return { nameBytes: Buffer.from(name), ...numbers, format: 0 };
}

async function verify(file: string): Promise<Report> {
  await using source = await FileSource.open(file);
  return await verifyPackage(source, { host: nodeHost(), vkey: options.verifierKeys[0] });
}

async function rows(path: string, root: string = bag): Promise<Record<string, string>[]> {
  const [header = [], ...cells] = parseCsv(await readFile(join(root, path), 'utf8'));
  return cells.map((row) => Object.fromEntries(header.map((column, i) => [column, row[i] ?? ''])));
}

function shown(list: readonly Readonly<Record<string, string>>[], ...columns: string[]): unknown {
  return list.map((row) => columns.map((column) => row[column]));
}

/** Another package of the same log, unpacked: its directory `data`. */
async function another(name: string, changed: Partial<TestingExport>): Promise<string> {
  const out = join(directory, `${name}.zip`);
  const made = await exportEvidence({ ...options, ...changed, out });
  const report = await verify(out);
  expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
  await run('unzip', ['-q', out, '-d', join(directory, name)]);
  return join(directory, name, made.directory, 'data');
}

describe('a package with masks', () => {
  it('is verified, and says what of it is the exporter’s word', async () => {
    const report = await verify(join(directory, 'package.zip'));
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect(report.verdict).toBe('verified');
    expect(report.rows).toMatchObject({ 'masking-summary': 6, 'pii-flows': 5, 'masking-blocked': 1 });
    const notes = report.checks.flatMap((check) => check.notes);
    expect(notes).toContain('masking-second-scan.csv and masking-effectiveness.json follow from no leaf');
    expect(notes.filter((note) => /unknown/.test(note))).toEqual([]);
  });

  it('is the same out of a thread of its own', async () => {
    const { reader: _, ...rest } = options;
    const out = join(directory, 'thread.zip');
    const made = await exportInThread({ ...rest, log: join(directory, 'ledger'), out });
    expect(made).toEqual(result);
  });

  it('adds up what each Mask did to each column', async () => {
    const summary = await rows('populations/masking-summary.csv');
    expect(
      shown(summary, 'what', 'mask', 'mask_version', 'column', 'operator', 'statements', 'values'),
    ).toEqual([
      ['values', 'customers', '1', 'shop.customers.email', 'redact', '1', '3'],
      ['values', 'customers', '2', 'shop.customers.email', 'partial', '1', '5'],
      ['values', 'looks', '1', 'note', 'redact', '2', '3'],
      ['further-values', '', '', '', '', '1', '9'],
      ['columns-withheld', '', '', '', '', '1', ''],
      ['messages', '', '', '', '', '1', '1'],
    ]);
    expect(summary[4]).toMatchObject({ columns: '2', target: 'rerank' });
    expect(Number(summary[2]?.['first_leaf_index'])).toBeLessThan(Number(summary[2]?.['last_leaf_index']));
  });

  it('says to whom it went, who was exempt, and what was only asked about', async () => {
    const flows = await rows('populations/pii-flows.csv');
    expect(shown(flows, 'flow', 'actor_name', 'mask', 'column', 'use', 'statements', 'values')).toEqual(
      [
        ['masked', 'ana@example.test', 'customers', 'shop.customers.email', '', '2', '8'],
        ['predicate', 'ana@example.test', 'customers', "'=shop.customers.phone", 'predicate', '1', ''],
        ['masked', 'ana@example.test', 'looks', 'note', '', '2', '3'],
        ['exempt', 'ana@example.test', 'customers', '', '', '1', ''],
        ['revealed', '', 'customers', 'shop.customers.email', '', '1', '1'],
      ].toSorted((a, b) => order(flows, a) - order(flows, b)),
    );
  });

  it('lists what somebody was shown again, and that nobody had agreed', async () => {
    const reveals = await rows('populations/reveals.csv');
    const columns = ['event_type', 'rule', 'column', 'reason', 'approvers', 'approved_before_shown'];
    expect(shown(reveals, ...columns)).toEqual([
      ['mask.reveal', 'customers', 'shop.customers.email', 'a complaint', '', 'false'],
    ]);
  });

  it('lists what a Mask stopped, which is among the denied too', async () => {
    const blocked = await rows('populations/masking-blocked.csv');
    expect(shown(blocked, 'event_type', 'decision', 'reason', 'actor_name')).toEqual([
      ['statement.intent', 'block', 'a masked column', 'ana@example.test'],
    ]);
    expect(blocked[0]?.['rules']).toBe('[{"rule":"customers","verdict":"block","version":2}]');
    const denied = (await rows('populations/denied.csv')).map((row) => row['leaf_index']);
    expect(denied).toContain(blocked[0]?.['leaf_index']);
  });

  it('has the Masks that were in force, and nothing of what else was changed before the range', async () => {
    const rules: { masks: unknown[] } = JSON.parse(
      await readFile(join(bag, 'masking/masking-rules.json'), 'utf8'),
    );
    expect(rules).toMatchObject({
      masks: [
        { mask: 'customers', version: 1, until: 'changed', document: { as: 'redact' } },
        { mask: 'looks', version: 1, until: 'deleted', document: { detect: ['email'] } },
        { mask: 'customers', version: 2, document: { as: { kind: 'partial', keepLast: 4 } } },
      ],
      named_only: [{ mask: 'elsewhere', version: 7 }],
      undisclosed: 0,
    });
    const lines = (await readFile(join(bag, 'ledger/gw1/resources.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines.join('')).not.toMatch(/secret-people|zoe/);
    expect(lines[3]).toContain('"value":"Access"');
    expect(rules).toMatchObject({
      detectors: [{ detector: 'staff', version: 1, document: { pattern: 'EMP-[0-9]{6}' } }],
    });
  });

  it('is indexed by the controls that it speaks to', async () => {
    const index = await rows('index.csv');
    const about = (path: string): unknown => index.find((row) => row['path'] === `data/${path}`);
    expect(about('populations/pii-flows.csv')).toMatchObject({ control_2022: '5.34 8.11 8.12', rows: '5' });
    expect(about('masking/masking-second-scan.csv')).toMatchObject({ kind: 'machine', rows: '6' });
    expect(about('masking/masking-rules.json')).toMatchObject({ control_2022: '5.34 8.11' });
  });
});

/** Where a row stands, so that the order of the list is not what the test is about. */
function order(flows: readonly Readonly<Record<string, string>>[], row: readonly string[]): number {
  return flows.findIndex(
    (one) => one['flow'] === row[0] && one['mask'] === row[2] && one['column'] === row[3],
  );
}

describe('the second scan', () => {
  it('finds what was delivered in the clear, by statement, column and entity, and never has it', async () => {
    const found = await rows('masking/masking-second-scan.csv');
    const own = found.filter((row) => row['session_id'] === session);
    expect(shown(own, 'state', 'place', 'column', 'entity', 'values', 'not_scanned')).toEqual([
      ['scanned', '', '', '', '', ''],
      ['', 'value', 'note', 'CREDIT_CARD', '2', ''],
      ['', 'value', 'note', 'EMAIL', '1', ''],
      ['', 'notice', '', 'EMAIL', '1', ''],
    ]);
    expect(Number(own[0]?.['scanned_bytes'])).toBeGreaterThan(80);
    const statement = (await rows('populations/statements.csv')).find(({ sql }) => sql === SQL);
    expect(new Set(own.slice(1).map((row) => row['leaf_index']))).toEqual(
      new Set([statement?.['leaf_index']]),
    );
    const text = await readFile(join(bag, 'masking/masking-second-scan.csv'), 'latin1');
    expect(text).not.toMatch(/4111|canary/);
  });

  it.skipIf(spawnSync('python3', ['--version']).status !== 0)(
    'is added up by the program of the guide',
    async () => {
      const guide = await readFile(new URL('../../../../docs/guides/evidence.md', import.meta.url), 'utf8');
      const [, program = ''] = /## 3\. What was masked.*?```python\n(.*?)```/s.exec(guide) ?? [];
      const { stdout } = await run('python3', ['-c', program, join(directory, 'package.zip')]);
      expect(stdout).toMatch(/'scanned': 1.*\n +2 CREDIT_CARD +rerank note\n/);
    },
  );

  it('says of every other session of the period why it was not looked at', async () => {
    const found = (await rows('masking/masking-second-scan.csv')).filter((row) => row['state'] !== '');
    expect(new Set(found.map((row) => row['state']))).toEqual(
      new Set(['not-scanned', 'scanned', 'shredded']),
    );
    expect(found).toHaveLength(3);
    expect(found.find((row) => row['state'] === 'not-scanned')?.['not_scanned']).toBe(
      'it goes on behind the range',
    );
  });

  it('ends at its bound, and says so', async () => {
    const data = await another('bounded', { recordedBytesMax: 50 });
    const found = (await rows('masking/masking-second-scan.csv', data)).filter(
      (row) => row['session_id'] === session,
    );
    expect(shown(found, 'state', 'not_scanned')).toEqual([
      ['partly', 'the bound of bytes that an export reads'],
    ]);
  });

  it('finds nothing of what was delivered after the period', async () => {
    const data = await another('earlier', { toUs: recordedAtUs });
    const found = await rows('masking/masking-second-scan.csv', data);
    expect(found.filter((row) => row['entity'] !== '')).toEqual([]);
    const own = found.filter((row) => row['session_id'] === session);
    expect(shown(own, 'state', 'scanned_bytes')).toEqual([['scanned', '0']]);
  });

  it('is there without recordings, and says that there were none', async () => {
    const { recordings: _, ...without } = options;
    const out = join(directory, 'without.zip');
    await exportEvidence({ ...without, out });
    await run('unzip', ['-q', out, '-d', join(directory, 'without')]);
    const data = join(directory, 'without', result.directory, 'data');
    const states = (await rows('masking/masking-second-scan.csv', data)).map((row) => row['state']);
    expect(new Set(states)).toEqual(new Set(['not-scanned']));
    expect((await verify(out)).verdict).toBe('verified');
  });

  it('names a recording that is not the one of its leaves', async () => {
    const copy = join(directory, 'changed');
    await run('cp', ['-a', join(directory, 'recordings'), copy]);
    await mkdir(copy, { recursive: true });
    const file = join(copy, session, readdirSync(join(copy, session))[0] ?? '');
    const bytes = readFileSync(file);
    bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const data = await another('invalid', { recordings: copy });
    const states = (await rows('masking/masking-second-scan.csv', data)).map((row) => row['state']);
    expect(states).toContain('invalid');
  });

  it('has no leaf where the texts are withheld', async () => {
    const data = await another('withheld', { withheldFields: ['sql', 'masked'] });
    const found = (await rows('masking/masking-second-scan.csv', data)).filter((row) => row['entity'] !== '');
    expect(shown(found, 'leaf_index', 'entity')).toEqual([
      ['', 'CREDIT_CARD'],
      ['', 'EMAIL'],
      ['', 'EMAIL'],
    ]);
    const summary = await rows('populations/masking-summary.csv', data);
    expect(summary.map((row) => row['what'])).toEqual(['further-values', 'columns-withheld', 'messages']);
  });
});

describe('a package without masks', () => {
  it('has the same files with no row, and rules that say that there were none', async () => {
    const plain = join(directory, 'plain');
    await mkdir(plain);
    await writeTestingLog(plain, 2);
    const out = join(plain, 'package.zip');
    const made = await exportEvidence({ ...openTestingLog(plain), out });
    await run('unzip', ['-q', out, '-d', plain]);
    const data = join(plain, made.directory, 'data');
    for (const name of ['masking-summary', 'pii-flows', 'masking-blocked']) {
      expect(await rows(`populations/${name}.csv`, data)).toEqual([]);
      expect(await readFile(join(data, `populations/${name}.jsonl`), 'utf8')).toBe('');
    }
    const rules = JSON.parse(await readFile(join(data, 'masking/masking-rules.json'), 'utf8'));
    expect(rules).toMatchObject({ masks: [], named_only: [], undisclosed: 0 });
    expect(await readFile(join(data, 'limitations.md'), 'utf8')).toContain(
      'They never say that personal data was not exposed.',
    );
    expect((await verify(out)).verdict).toBe('verified');
  });
});
