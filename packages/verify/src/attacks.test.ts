/** From one good package, whatever somebody may do to it: found by the command and in process alike. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { utf8 } from '@countersign/ledger/bytes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Good } from '../../../test/conformance/attacks/attack.ts';
import { sealedAgain } from '../../../test/conformance/attacks/on-zip.ts';
import { ATTACKS, missing, rowsFor } from '../../../test/conformance/attacks/table.ts';
import {
  attackSeed,
  makeGoodPackage,
  pack,
  REAL_SEEDS,
  seal,
  VKEY,
} from '../../../test/conformance/evidence-files.ts';
import { nodeHost } from './node-host.ts';
import type { Report } from './report.ts';
import { memorySource } from './testing-zip.ts';
import { verifyPackage } from './verify-package.ts';

const PROGRAM = join(import.meta.dirname, '../bin/countersign-verify.js');

/** Which rows run in the command, and which in the page; the seed is that of the day, and is printed. */
const SEED = attackSeed();

let directory: string;
let good: Good;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-attacks-'));
  good = await makeGoodPackage(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function verify(zip: Uint8Array): Promise<Report> {
  return verifyPackage(memorySource(zip), { host: nodeHost(), vkey: VKEY });
}

/** The program itself, on a file. */
async function runProgram(zip: Uint8Array): Promise<{ readonly status: number; readonly report: Report }> {
  const file = join(directory, 'attacked.zip');
  await writeFile(file, zip);
  const args = ['--conditions=source', PROGRAM, '--json', '--vkey', VKEY, file];
  const options = { env: { ...process.env, NODE_COMPILE_CACHE: join(directory, 'cache') } };
  return promisify(execFile)(process.execPath, args, options).then(
    ({ stdout }) => ({ status: 0, report: JSON.parse(stdout) }),
    ({ code, stdout }) => ({ status: code, report: JSON.parse(stdout) }),
  );
}

it('the package is good before, and sealed again by the log’s key, and not by a stranger’s', async () => {
  expect((await verify(sealedAgain(good, false))).verdict).toBe('verified');
  expect((await runProgram(sealedAgain(good, false))).status).toBe(0);
  expect((await verify(sealedAgain(good, true))).verdict).toBe('failed');
});

it('each attack has a title of its own', () => {
  expect(new Set(ATTACKS.map(({ title }) => title)).size).toBe(ATTACKS.length);
});

describe('found', () => {
  it.each(ATTACKS)('in process: $title', async ({ make, found }) => {
    expect(missing(found, await verify(make(good)))).toEqual([]);
  });

  it.each(rowsFor('command', SEED))('by countersign-verify: $title', async ({ make, found }) => {
    const { status, report } = await runProgram(make(good));
    expect(status).toBe(1);
    expect(missing(found, report)).toEqual([]);
  });
});

it('what no log says is called the words of the maker, and another page is named', async () => {
  const words = 'limitations.md, VERIFY.md and verify.html are the words of who made the package';
  const page = 'data/verify.html is not the page of this verifier: do not rely on what it shows';
  const files = new Map(good.files);
  files.set('data/verify.html', utf8('<h1>Verified</h1>'));
  files.set('data/limitations.md', utf8('There are none.'));
  seal(files, REAL_SEEDS.second);
  const { status, report } = await runProgram(pack(good.bag, files));
  expect(status).toBe(0);
  expect(report.checks.flatMap(({ notes }) => notes)).toEqual(expect.arrayContaining([words, page]));
  const notes = (await runProgram(pack(good.bag, good.files))).report.checks.flatMap((check) => check.notes);
  expect(notes).toContain(words);
  expect(notes).not.toContain(page);
});
