/**
 * A changed byte anywhere in a package is found: no byte of the zip may differ without a check that
 * fails. Soak changes each byte of a small package; otherwise a seeded choice has some of every part.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@countersign/ledger/bytes';
import { centralHeader, dataDescriptor, localHeader, ZIP_BYTES } from '@countersign/ledger/zip-form';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sealedAgain } from '../../../test/conformance/attacks/on-zip.ts';
import { attackSeed, makeGoodPackage, VKEY } from '../../../test/conformance/evidence-files.ts';
import { nodeHost } from './node-host.ts';
import { memorySource } from './testing-zip.ts';
import { verifyPackage } from './verify-package.ts';
import { openZip } from './zip.ts';

const SOAK = process.env['COUNTERSIGN_SOAK'] !== undefined;
const SEED = attackSeed();
const STATEMENTS = 2;

let directory: string;
let zip: Uint8Array;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-bytes-'));
  const good = await makeGoodPackage(directory, STATEMENTS);
  // The page is most of a small package, and is a file like any other.
  good.files.set('data/verify.html', utf8('<!doctype html>'));
  zip = sealedAgain(good, false);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function verdictOf(bytes: Uint8Array): Promise<string> {
  return (await verifyPackage(memorySource(bytes), { host: nodeHost(), vkey: VKEY })).verdict;
}

/** The parts of a zip: headers, data, descriptors, directory, end. */
async function partsOf(): Promise<readonly (readonly [from: number, to: number])[]> {
  const parts: [number, number][] = [];
  const entries = await openZip(memorySource(zip));
  let central = 0;
  for (const entry of entries) {
    const dataEnd = entry.dataOffset + entry.compressedBytes;
    const end = dataEnd + dataDescriptor(entry).length;
    const nameAt = entry.offset + ZIP_BYTES.local;
    parts.push([entry.offset, nameAt], [nameAt, entry.offset + localHeader(entry).length]);
    parts.push([entry.dataOffset, dataEnd]);
    if (end > dataEnd) parts.push([dataEnd, end]);
    central = end;
  }
  for (const entry of entries) {
    const end = central + centralHeader(entry).length;
    parts.push([central, central + ZIP_BYTES.central], [central + ZIP_BYTES.central, end]);
    central = end;
  }
  return [...parts, [central, zip.length]];
}

/** Numbers that look random and follow from the seed. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

it('is verified as it is', async () => {
  expect(await verdictOf(zip)).toBe('verified');
});

it('with a changed byte anywhere is refused', { timeout: 3_600_000 }, async () => {
  const random = numbersFrom(SEED);
  const parts = await partsOf();
  expect(parts.reduce((sum, [from, to]) => sum + to - from, 0)).toBe(zip.length);
  const positions = SOAK
    ? Array.from({ length: zip.length }, (_, at) => at)
    : parts.flatMap(([from, to]) => [from + random(to - from), from + random(to - from)]);
  const missed: string[] = [];
  for (const at of positions) {
    const changed = zip.slice();
    const change = 1 + random(255);
    changed[at] = (changed[at] ?? 0) ^ change;
    if ((await verdictOf(changed)) !== 'failed') missed.push(`byte ${at} ^ ${change}`);
  }
  expect(missed).toEqual([]);
});

it('that lost a byte, or has one more, anywhere is refused', { timeout: 3_600_000 }, async () => {
  const random = numbersFrom(SEED + 1);
  const missed: string[] = [];
  for (let round = 0; round < (SOAK ? 5_000 : 60); round++) {
    const at = random(zip.length);
    const without = Buffer.concat([zip.subarray(0, at), zip.subarray(at + 1)]);
    const more = Buffer.concat([zip.subarray(0, at), Buffer.of(random(256)), zip.subarray(at)]);
    for (const bytes of [without, more, zip.slice(0, at)]) {
      const verdict = await verdictOf(bytes);
      // Cut within the first four bytes, nothing says that it was a zip.
      if (verdict !== 'failed' && verdict !== 'unreadable') missed.push(`at ${at}: ${bytes.length} bytes`);
    }
  }
  expect(missed).toEqual([]);
});
