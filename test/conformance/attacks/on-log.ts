/** Attacks on leaves, tree, sessions and bodies. */

import { concat, toBase64, utf8 } from '@countersign/ledger/bytes';
import { emptyRoot } from '@countersign/ledger/merkle';
import { decodeBundle, encodeBundle, TILE_WIDTH } from '@countersign/ledger/tiles';
import { TESTING_ORIGIN } from '../../../packages/gateway/src/evidence/testing-log.ts';
import {
  endOf,
  flip,
  LOG,
  nOf,
  onBodies,
  onLeaves,
  REAL_SEEDS,
  replaceIn,
  resign,
  swap,
} from '../evidence-files.ts';
import type { ContentAttack } from './attack.ts';
import { lastBundle, lastTile, outcomeOfEnded, rewriteLog, withoutAnswer } from './rewrite-log.ts';

const FOREIGN = 'countersign.test/ledger/other';
const anything = /./;

export const ON_LOG: readonly ContentAttack[] = [
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
    change: replaceIn(`${LOG}/frontier.json`, /(?<="hashes":\[")./, (first) => (first === '0' ? '1' : '0')),
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
    title: 'a checkpoint of the real key over another root',
    sealed: 'stolen',
    change: (files) => resign(endOf(files).size, emptyRoot(), REAL_SEEDS.second, 'checkpoint.end')(files),
    found: [
      ['tree', /root/],
      ['leaves', /root/],
    ],
  },
  {
    title: 'an older checkpoint at the start',
    sealed: 'stolen',
    change: (files) => files.delete(`${LOG}/checkpoint.start`),
    found: [['tree', /frontier\.json is of size 7, expected 0/]],
  },
  {
    title: 'a dropped leaf in the bundles and in the range alike',
    sealed: 'stolen',
    change: (files) => {
      onLeaves((all) => all.slice(0, -1))(files);
      const [path, bytes] = lastBundle(files);
      const entries = decodeBundle(bytes, endOf(files).size % TILE_WIDTH);
      files.set(path, encodeBundle(entries.slice(0, -1)));
    },
    found: [
      ['tree', /entry bundle/],
      ['leaves', /expected leaves up to/],
    ],
  },
  {
    title: 'a dropped leaf that every later leaf and hash was adapted to',
    sealed: 'stolen',
    change: rewriteLog((leaves) => leaves.toSpliced(100, 1)),
    found: [['checkpoints', /bad signature of a known key|without a valid signature/]],
  },
  {
    title: 'a changed partial tile',
    sealed: 'stolen',
    change: (files) => flip(lastTile(files))(files),
    found: [['tree', /is not the tile that the entries give/]],
  },
  {
    title: 'a partial tile with its hashes in another order',
    sealed: 'stolen',
    change: (files) => {
      const path = lastTile(files);
      const tile = files.get(path) ?? utf8('');
      files.set(path, concat(tile.slice(32, 64), tile.slice(0, 32), tile.slice(64)));
    },
    found: [['tree', /is not the tile that the entries give/]],
  },
  {
    title: 'a partial tile of an older size',
    sealed: 'stolen',
    change: (files) => files.set(lastTile(files), (files.get(lastTile(files)) ?? utf8('')).slice(0, -32)),
    found: [['tree', /is not the tile that the entries give/]],
  },
  {
    title: 'a tile that the tree does not have',
    sealed: 'stolen',
    change: (files) =>
      files.set(`${LOG}/tile/0/000.p/7`, files.get(`${LOG}/tile/0/000`)?.slice(0, 224) ?? utf8('')),
    found: [['tree', /not a tile of this tree/]],
  },
  {
    title: 'a leaf of another log, with its own number',
    sealed: 'stolen',
    change: rewriteLog((leaves) => leaves.with(300, leaves[300]?.replace(TESTING_ORIGIN, FOREIGN) ?? '')),
    found: [['leaves', /is of the log countersign\.test\/ledger\/other/]],
  },
  {
    title: 'an intent of an ended session without its outcome, in a log that was signed so',
    sealed: 'stolen',
    change: rewriteLog(
      (leaves) => leaves.map((leaf, n) => (n === outcomeOfEnded(leaves) ? withoutAnswer(leaf) : leaf)),
      REAL_SEEDS.second,
    ),
    found: [['sessions', /has no outcome, and its session ended/]],
  },
  {
    title: 'a second outcome of one intent, in a log that was signed so',
    sealed: 'stolen',
    change: rewriteLog((leaves) => {
      const [first = 0, second = 0] = leaves.flatMap((leaf, n) =>
        n > 100 && leaf.includes('"type":"statement.outcome"') ? [n] : [],
      );
      const again = /"ref":\d+/.exec(leaves[first] ?? '')?.[0] ?? '';
      return leaves.with(second, leaves[second]?.replace(/"ref":\d+/, again) ?? '');
    }, REAL_SEEDS.second),
    found: [['sessions', /is no open intent of its session/]],
  },
  {
    title: 'a body that has two spellings',
    sealed: 'stolen',
    change: onBodies((all) => all.with(100, all[100]?.replace('{', '{ ') ?? '')),
    found: [['bodies', /not canonical JSON/]],
  },
];

/** A line with the index of another. */
function withN(line: string | undefined, other: string | undefined): string {
  return (line ?? '').replace(/"n":\d+}$/, `"n":${nOf(other)}}`);
}
