/**
 * From one good package, whatever somebody may do to it; the check that finds it is named.
 *
 * `sealed` says how far the attacker goes: `not` leaves the manifests as they were; `own` makes
 * manifests and signs them with a key of their own; `stolen` signs with the log's real key, so that
 * nothing but the content itself can tell.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBase64, utf8 } from '@countersign/ledger/bytes';
import { formatCheckpoint } from '@countersign/ledger/checkpoint';
import { emptyRoot } from '@countersign/ledger/merkle';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Change,
  endOf,
  type Files,
  flip,
  lines,
  LOG,
  makeGoodPackage,
  nOf,
  onBodies,
  onLeaves,
  OWN_SEED,
  pack,
  REAL_SEEDS,
  replaceIn,
  seal,
  setLines,
  startOf,
  swap,
  VKEY,
} from '../../../test/conformance/evidence-files.ts';
import { signNote, TESTING_ORIGIN, verifierKeyOf } from '../../gateway/src/evidence/testing-log.ts';
import { nodeHost } from './node-host.ts';
import type { CheckName, Report } from './report.ts';
import { memorySource } from './testing-zip.ts';
import { verifyPackage } from './verify-package.ts';

type Sealed = 'not' | 'own' | 'stolen';

interface Attack {
  readonly title: string;
  readonly sealed: Sealed;
  readonly change: Change;
  /** The check that must find it, and what it must say. */
  readonly found: readonly (readonly [check: CheckName, says: RegExp])[];
}

let directory: string;
let good: Files;
let bag: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-attacks-'));
  ({ bag, files: good } = await makeGoodPackage(directory));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function verify(files: Files, vkey: string = VKEY): Promise<Report> {
  return verifyPackage(memorySource(pack(bag, files)), { host: nodeHost(), vkey });
}

function resign(size: number, root: Uint8Array, seed: Uint8Array, path: string): Change {
  return (files) => {
    const note = signNote(seed, formatCheckpoint({ origin: TESTING_ORIGIN, size, root }));
    files.set(`${LOG}/${path}`, utf8(note));
    if (path === 'checkpoint.end') files.set(`${LOG}/checkpoint`, utf8(note));
  };
}

const FOREIGN = 'countersign.test/ledger/other';
const anything = /./;

const ATTACKS: readonly Attack[] = [
  {
    title: 'a dropped leaf',
    sealed: 'stolen',
    change: onLeaves((all) => all.toSpliced(100, 1)),
    found: [['leaves', /leaf 108 at position 107/]],
  },
  {
    title: 'an inserted leaf',
    sealed: 'stolen',
    change: onLeaves((all) =>
      all.toSpliced(100, 0, all[100]?.replace('"status":"ok"', '"status":"error"') ?? ''),
    ),
    found: [['leaves', anything]],
  },
  {
    title: 'a duplicated leaf',
    sealed: 'stolen',
    change: onLeaves((all) => all.toSpliced(100, 0, all[100] ?? '')),
    found: [['leaves', /leaf 107 at position 108/]],
  },
  {
    title: 'two leaves in another order',
    sealed: 'stolen',
    change: onLeaves((all) => all.with(100, all[101] ?? '').with(101, all[100] ?? '')),
    found: [['leaves', /at position/]],
  },
  {
    title: 'a leaf with another status',
    sealed: 'stolen',
    change: replaceIn(`${LOG}/leaves.jsonl`, '"status":"failed"', '"status":"ok"'),
    found: [['leaves', /root/]],
  },
  {
    title: 'a leaf that is not canonical',
    sealed: 'stolen',
    change: onLeaves((all) => all.with(100, all[100]?.replace('{', '{ ') ?? '')),
    found: [['leaves', /canonical/]],
  },
  {
    title: 'a truncated tail',
    sealed: 'stolen',
    change: onLeaves((all) => all.slice(0, -3)),
    found: [['leaves', /expected leaves up to/]],
  },
  {
    title: 'half a last line',
    sealed: 'stolen',
    change: (files) =>
      files.set(`${LOG}/leaves.jsonl`, (files.get(`${LOG}/leaves.jsonl`) ?? utf8('')).slice(0, -20)),
    found: [['leaves', /does not end with a line feed/]],
  },
  {
    title: 'a leaf of another log',
    sealed: 'stolen',
    change: onLeaves((all) => all.with(100, all[100]?.replace(TESTING_ORIGIN, FOREIGN) ?? '')),
    found: [['leaves', /is of the log countersign\.test\/ledger\/other/]],
  },
  {
    title: 'a changed bundle',
    sealed: 'stolen',
    change: replaceIn(`${LOG}/tile/entries/001`, '"status":"ok"', '"status":"no"'),
    found: [['tree', /root/]],
  },
  {
    title: 'a bundle that is not there',
    sealed: 'stolen',
    change: (files) => files.delete(`${LOG}/tile/entries/001`),
    found: [['tree', /tile\/entries\/001 is not there/]],
  },
  {
    title: 'two swapped tiles',
    sealed: 'stolen',
    change: (files) => swap(files, `${LOG}/tile/0/000`, `${LOG}/tile/0/001`),
    found: [
      ['tree', /tile\/0\/000 is not the tile/],
      ['tree', /tile\/0\/001 is not the tile/],
    ],
  },
  {
    title: 'a changed upper tile',
    sealed: 'stolen',
    change: flip(`${LOG}/tile/1/000.p/2`),
    found: [['tree', /tile\/1\/000\.p\/2 is not the tile/]],
  },
  {
    title: 'a changed frontier',
    sealed: 'stolen',
    change: replaceIn(`${LOG}/frontier.json`, /"hashes":\["./, '"hashes":["0'),
    found: [
      ['tree', /not the frontier of size/],
      ['leaves', /root/],
    ],
  },
  {
    title: 'a frontier of another size',
    sealed: 'stolen',
    change: (files) => files.set(`${LOG}/frontier.json`, utf8('{"hashes":[],"size":0}')),
    found: [['tree', /size 0/]],
  },
  {
    title: 'two swapped bodies',
    sealed: 'stolen',
    change: onBodies((all) => all.with(100, withN(all[101], all[100])).with(101, withN(all[100], all[101]))),
    found: [['bodies', /leaf \d+ \(statement\.\w+\): a body that is not the one the leaf commits to/]],
  },
  {
    title: 'a changed value in a body',
    sealed: 'stolen',
    change: replaceIn(`${LOG}/bodies.jsonl`, '"value":"select 17"', '"value":"select 18"'),
    found: [
      ['bodies', /statement\.intent.*commits to/],
      ['populations', /statements\.csv is not/],
    ],
  },
  {
    title: 'a wrong salt',
    sealed: 'stolen',
    change: replaceIn(
      `${LOG}/bodies.jsonl`,
      /"salt":"[A-Za-z0-9+/]{43}=","value":"select 17"/,
      `"salt":"${toBase64(new Uint8Array(32))}","value":"select 17"`,
    ),
    found: [['bodies', /commits to/]],
  },
  {
    title: 'a body that is left out',
    sealed: 'stolen',
    change: onBodies((all) => all.toSpliced(100, 1)),
    found: [['bodies', /there is no line for leaf/]],
  },
  {
    title: 'a body for a leaf that has none',
    sealed: 'stolen',
    change: onBodies((all) => [...all, '{"n":9007199254740991,"shredded":true}']),
    found: [['bodies', /leaf 9007199254740991, which has none/]],
  },
  {
    title: 'a body that is called shredded',
    sealed: 'stolen',
    change: onBodies((all) => all.with(100, JSON.stringify({ n: nOf(all[100]), shredded: true }))),
    found: [
      ['populations', /is not what the leaves and bodies give/],
      ['index', /bodies is not/],
    ],
  },
  {
    title: 'a context that is left out',
    sealed: 'stolen',
    change: (files) => files.set(`${LOG}/context.jsonl`, utf8('')),
    found: [['tree', /context\.jsonl has no line for leaf/]],
  },
  {
    title: 'a context with another name',
    sealed: 'stolen',
    change: replaceIn(`${LOG}/context.jsonl`, 'early@example.test', 'other@example.test'),
    found: [['tree', /commits to/]],
  },
  {
    title: 'a changed row',
    sealed: 'stolen',
    change: replaceIn('data/populations/authentication.csv', 'failed', 'ok'),
    found: [['populations', /authentication\.csv is not what/]],
  },
  {
    title: 'a row that is left out of the JSON lines',
    sealed: 'stolen',
    change: (files) =>
      setLines(
        files,
        'data/populations/statements.jsonl',
        lines(files, 'data/populations/statements.jsonl').slice(1),
      ),
    found: [['populations', /statements\.jsonl is not what/]],
  },
  {
    title: 'a second part of a population',
    sealed: 'stolen',
    change: (files) => files.set('data/populations/sessions-0002.csv', utf8('x')),
    found: [
      ['populations', /sessions-0002\.csv does not follow/],
      ['index', /sessions-0002\.csv is not in/],
    ],
  },
  {
    title: 'a population that is left out',
    sealed: 'stolen',
    change: (files) => files.delete('data/populations/sessions.csv'),
    found: [['populations', /sessions\.csv is not there/]],
  },
  {
    title: 'a checkpoint of another key',
    sealed: 'stolen',
    change: (files) => resign(endOf(files).size, endOf(files).root, OWN_SEED, 'checkpoint.end')(files),
    found: [['checkpoints', /without a valid signature of a known key/]],
  },
  {
    title: 'a checkpoint of the real key over another root',
    sealed: 'stolen',
    change: (files) => resign(endOf(files).size, emptyRoot(), REAL_SEEDS.second, 'checkpoint.end')(files),
    found: [
      ['tree', /root/],
      ['leaves', /root/],
    ],
  },
  {
    title: 'an older checkpoint at the end',
    sealed: 'stolen',
    change: (files) => files.set(`${LOG}/checkpoint.end`, files.get(`${LOG}/checkpoint.start`) ?? utf8('')),
    found: [
      ['checkpoints', /checkpoint is not checkpoint\.end/],
      ['leaves', /expected leaves up to 7/],
    ],
  },
  {
    title: 'an older checkpoint at the start',
    sealed: 'stolen',
    change: (files) => files.delete(`${LOG}/checkpoint.start`),
    found: [['tree', /frontier\.json is of size 7, expected 0/]],
  },
  {
    title: 'a start that leaves out the beginning of the period',
    sealed: 'stolen',
    change: (files) =>
      replaceIn('data/generation.json', /"from":"[^"]*"/, '"from":"2020-01-01T00:00:00.000000Z"')(files),
    found: [['period', /the leaf before it is of/]],
  },
  {
    title: 'a checkpoint of another log',
    sealed: 'stolen',
    change: (files) =>
      files.set(
        `${LOG}/checkpoint.start`,
        utf8(signNote(REAL_SEEDS.second, formatCheckpoint({ ...startOf(files), origin: FOREIGN }), FOREIGN)),
      ),
    found: [['checkpoints', /is of the log/]],
  },
  {
    title: 'a changed signature',
    sealed: 'not',
    change: replaceIn('SIGNATURE.note', /to 20/, 'to 21'),
    found: [
      ['signature', /expected "to 20/],
      ['signature', /bad signature/],
    ],
  },
  {
    title: 'a package that is signed by another key',
    sealed: 'own',
    change: replaceIn('data/limitations.md', 'not', 'surely'),
    found: [['signature', /without a valid signature of a known key/]],
  },
  {
    title: 'a key that nothing leads to',
    sealed: 'own',
    change: (files) =>
      setLines(files, `${LOG}/vkeys.txt`, [...lines(files, `${LOG}/vkeys.txt`), verifierKeyOf(OWN_SEED)]),
    found: [
      ['keys', /no rotation leads to/],
      ['signature', anything],
    ],
  },
  {
    title: 'a rotation to another key',
    sealed: 'own',
    change: (files) =>
      replaceIn(`${LOG}/rotations.jsonl`, verifierKeyOf(REAL_SEEDS.second), verifierKeyOf(OWN_SEED))(files),
    found: [
      ['keys', /commits to/],
      ['signature', anything],
    ],
  },
  {
    title: 'a rotation that is left out',
    sealed: 'stolen',
    change: (files) => files.set(`${LOG}/rotations.jsonl`, utf8('')),
    found: [
      ['keys', /no rotation leads to/],
      ['checkpoints', anything],
    ],
  },
  {
    title: 'an altered manifest',
    sealed: 'not',
    change: replaceIn('manifest-sha256.txt', /^[0-9a-f]{8}/, '00000000'),
    found: [
      ['bag', /VERIFY\.md is not the file that manifest-sha256\.txt lists|is not the file/],
      ['bag', /manifest-sha256\.txt is not the file that tagmanifest/],
    ],
  },
  {
    title: 'a file that no manifest lists',
    sealed: 'not',
    change: (files) => files.set('data/extra.txt', utf8('x')),
    found: [['bag', /data\/extra\.txt is not in manifest/]],
  },
  {
    title: 'a file that is missing',
    sealed: 'not',
    change: (files) => files.delete('data/limitations.md'),
    found: [['bag', /data\/limitations\.md is in manifest-sha256\.txt and not there/]],
  },
  {
    title: 'a wrong Oxum',
    sealed: 'not',
    change: replaceIn('bag-info.txt', /Payload-Oxum: ./, 'Payload-Oxum: 9'),
    found: [['bag', /expected Payload-Oxum/]],
  },
  {
    title: 'an index that leaves out a file',
    sealed: 'stolen',
    change: replaceIn('data/index.csv', /data\/limitations\.md.*\r\n/, ''),
    found: [['index', /limitations\.md is not in data\/index\.csv/]],
  },
  {
    title: 'an index with another count',
    sealed: 'stolen',
    change: replaceIn('data/index.csv', /(sessions\.csv,[^,]*,[^,]*,population),2/, '$1,3'),
    found: [['index', /has 3 rows, expected 2/]],
  },
  {
    title: 'a generation record with other counts',
    sealed: 'stolen',
    change: replaceIn('data/generation.json', /"statements":\d+/, '"statements":1'),
    found: [['index', /populations is not/]],
  },
  {
    title: 'a package of a later major version',
    sealed: 'stolen',
    change: replaceIn('data/generation.json', '"version":"1.0"', '"version":"2.0"'),
    found: [['version', /needs a verifier of version 2/]],
  },
];

/** A line with the index of another. */
function withN(line: string | undefined, other: string | undefined): string {
  return (line ?? '').replace(/"n":\d+}$/, `"n":${nOf(other)}}`);
}

function seedFor(sealed: Exclude<Sealed, 'not'>): Uint8Array {
  return sealed === 'own' ? OWN_SEED : REAL_SEEDS.second;
}

describe('found, and named', () => {
  it.each(ATTACKS)('$title', async ({ sealed, change, found }) => {
    const files = new Map(good);
    change(files);
    if (sealed !== 'not') seal(files, seedFor(sealed));
    const report = await verify(files);
    expect(report.verdict).toBe('failed');
    for (const [name, says] of found) {
      const check = report.checks.find((candidate) => candidate.name === name);
      expect(check).toMatchObject({ name, status: 'failed' });
      expect(check?.problems.join('\n')).toMatch(says);
    }
  });
});
