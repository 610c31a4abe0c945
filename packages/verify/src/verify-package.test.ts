import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@countersign/ledger/bytes';
import { parseCsv } from '@countersign/ledger/csv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  asVersion10,
  asVersion11,
  asVersion12,
  asVersion13,
  type Files,
  flip,
  makeGoodPackage,
  OWN_SEED,
  pack,
  REAL_SEEDS,
  replaceIn,
  seal,
  sha256,
  VKEY,
  withoutAskedLeaf,
} from '../../../test/conformance/evidence-files.ts';
import { TESTING_ORIGIN, verifierKeyOf } from '../../gateway/src/evidence/testing-log.ts';
import { runCli } from './cli.ts';
import { nodeHost } from './node-host.ts';
import type { Report } from './report.ts';
import { memorySource } from './testing-zip.ts';
import { verifyPackage } from './verify-package.ts';

let directory: string;
let good: Files;
let bag: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-verify-'));
  ({ bag, files: good } = await makeGoodPackage(directory));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function text(files: Files, path: string): string {
  return Buffer.from(files.get(path) ?? []).toString();
}

function verify(files: Files, vkey: string = VKEY): Promise<Report> {
  return verifyPackage(memorySource(pack(bag, files)), { host: nodeHost(), vkey });
}

describe('a good package', () => {
  it('is verified under the key that came by another way, whichever of the log’s keys that is', async () => {
    for (const vkey of [VKEY, verifierKeyOf(REAL_SEEDS.second)]) {
      const report = await verify(good, vkey);
      expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
      expect(report.verdict).toBe('verified');
    }
  });

  it('is consistent without a key, and not under another', async () => {
    const report = await verifyPackage(memorySource(pack(bag, good)), { host: nodeHost() });
    expect(report).toMatchObject({ verdict: 'consistent', key: { vkey: VKEY, confirmed: false } });
    expect(await verify(good, verifierKeyOf(OWN_SEED))).toMatchObject({ verdict: 'failed' });
  });

  it('stays good when it is sealed again by the log’s key: so the attacks below are found by their content', async () => {
    const files = new Map(good);
    seal(files, REAL_SEEDS.second);
    expect((await verify(files)).verdict).toBe('verified');
  });

  it('of version 1.0 has no asked_leaf among its approvals, and is good without', async () => {
    const files = new Map(good);
    const csv = 'data/populations/approvals.csv';
    const [header = [], ...rows] = parseCsv(text(files, csv));
    const at = header.indexOf('asked_leaf');
    expect(rows.some((row) => /^[0-9]+$/.test(row[at] ?? ''))).toBe(true);
    withoutAskedLeaf(files);
    seal(files, REAL_SEEDS.second);
    // It says that it is of the version that has the column.
    const said = await verify(files);
    expect(said.checks.find(({ name }) => name === 'populations')?.status).toBe('failed');
    const older = new Map(good);
    asVersion10(older);
    seal(older, REAL_SEEDS.second);
    expect((await verify(older)).verdict).toBe('verified');
  });

  it('of version 1.1 has no list of reveals, and that is said', async () => {
    const files = new Map(good);
    asVersion11(files);
    seal(files, REAL_SEEDS.second);
    const report = await verify(files);
    expect(report.verdict).toBe('verified');
    expect(report.checks.flatMap((check) => check.notes)).toContain('version 1.1 has no list of reveals');
  });

  it('of version 1.3 has no looks at models, and that is said', async () => {
    const files = new Map(good);
    expect(text(files, 'data/populations/changes-unapproved.jsonl')).toContain('"why":"unannounced"');
    asVersion13(files);
    seal(files, REAL_SEEDS.second);
    const report = await verify(files);
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect(report.verdict).toBe('verified');
    expect(report.checks.flatMap((check) => check.notes)).toContain(
      'version 1.3 has no list of looks at models',
    );
  });

  it('of version 1.2 has no requests over HTTP, in lists of their own and in others, and that is said', async () => {
    const files = new Map(good);
    expect(text(files, 'data/populations/changes.jsonl')).toContain('http.intent');
    asVersion12(files);
    seal(files, REAL_SEEDS.second);
    const report = await verify(files);
    expect(report.checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect(report.verdict).toBe('verified');
    expect(report.checks.flatMap((check) => check.notes)).toContain(
      'version 1.2 has no lists of requests over HTTP and of rerank calls',
    );
    // With a list of the version after it, it is none of its own.
    files.set(
      'data/populations/rerank-requests.csv',
      good.get('data/populations/rerank-requests.csv') ?? utf8(''),
    );
    seal(files, REAL_SEEDS.second);
    expect((await verify(files)).verdict).toBe('failed');
  });

  it('says which statement was asked about, and another one is refused', async () => {
    const files = new Map(good);
    replaceIn('data/populations/approvals.jsonl', /"asked_leaf":[0-9]+/, '"asked_leaf":1')(files);
    seal(files, REAL_SEEDS.second);
    const report = await verify(files);
    expect(report.checks.find(({ name }) => name === 'populations')?.status).toBe('failed');
  });

  it('with an unknown file or a later minor version is good, and says so', async () => {
    const files = new Map(good);
    files.set('data/notes.txt', utf8('x'));
    replaceIn('data/generation.json', '"version":"1.4"', '"version":"1.7","w_later":"x"')(files);
    replaceIn('data/index.csv', /$/, `data/notes.txt,,,document,,${sha256(utf8('x'))}\r\n`)(files);
    seal(files, REAL_SEEDS.second);
    const report = await verify(files);
    expect(report.verdict).toBe('verified');
    const notes = report.checks.flatMap((check) => check.notes);
    expect(notes).toContain('unknown file: data/notes.txt');
    expect(notes).toContain('version 1.7 is read as 1.4');
  });
});

describe('found', () => {
  it('a changed byte in any file, even where all but the log’s key is the attacker’s', {
    timeout: 180_000,
  }, async () => {
    const missed: string[] = [];
    for (const path of good.keys()) {
      const files = new Map(good);
      flip(path)(files);
      const { verdict, checks } = await verify(files);
      const failed = checks.filter(({ status }) => status === 'failed').map(({ name }) => name);
      // The signature is over the tag manifest and by itself; everything else is in a manifest.
      const signed = path === 'SIGNATURE.note' || path === 'tagmanifest-sha256.txt';
      const found = failed.includes('bag') || (signed && failed.includes('signature'));
      if (verdict !== 'failed' || !found) missed.push(path);
    }
    expect(missed).toEqual([]);
  });
});

describe('countersign-verify', () => {
  it('ends with 0 where all checks passed, 1 where it refuses, 2 where there is nothing to check', async () => {
    const file = join(directory, 'package.zip');
    const verified = await runCli(['--vkey', VKEY, file]);
    expect(verified.stdout).toMatch(/^Range {4}leaves \d+ to \d+ \(exclusive\): \d+$/m);
    expect(verified).toMatchObject({ status: 0, stderr: '' });
    expect(verified.stdout).toContain('VERIFIED');
    const consistent = await runCli([file]);
    expect(consistent.status).toBe(0);
    expect(consistent.stdout).toContain('CONSISTENT, KEY NOT CONFIRMED');
    expect((await runCli(['--vkey', verifierKeyOf(OWN_SEED), file])).status).toBe(1);
    const cut = join(directory, 'cut.zip');
    await writeFile(cut, (await readFile(file)).subarray(0, 1000));
    expect((await runCli([cut])).status).toBe(1);
    const noZip = join(directory, 'no.zip');
    await writeFile(noZip, 'a text');
    const unreadable = await runCli([noZip]);
    expect(unreadable).toMatchObject({ status: 2, stderr: '' });
    expect(unreadable.stdout).toContain('NOT A PACKAGE');
    for (const args of [
      [],
      ['--what'],
      ['a', 'b'],
      [join(directory, 'none.zip')],
      [directory],
      ['--vkey', 'x', file],
    ]) {
      expect(await runCli(args)).toMatchObject({ status: 2 });
    }
    const { stdout } = await runCli(['--json', file]);
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'consistent', origin: TESTING_ORIGIN });
  });

  it('says how it is used, and which version it is', async () => {
    const help = await runCli(['--help']);
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toMatch(/^Usage: countersign-verify .*Exit status.*\n {2}0 .*\n {2}1 .*\n {2}2 /s);
    expect(await runCli(['--version'])).toEqual({
      status: 0,
      stdout: expect.stringMatching(
        /^countersign-verify [0-9]+\.[0-9]+\.[0-9]+, packages of version 1\.4\n$/,
      ),
      stderr: '',
    });
  });
});
