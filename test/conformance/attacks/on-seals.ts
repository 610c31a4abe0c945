/** Attacks on checkpoints, keys, signature, manifests, populations and index. */

import { concat, utf8 } from '@countersign/ledger/bytes';
import { formatCheckpoint } from '@countersign/ledger/checkpoint';
import { signNote, verifierKeyOf } from '../../../packages/gateway/src/evidence/testing-log.ts';
import {
  endOf,
  lines,
  LOG,
  nOf,
  onBodies,
  onLeaves,
  OWN_SEED,
  REAL_SEEDS,
  replaceIn,
  resign,
  seal,
  setLines,
  startOf,
} from '../evidence-files.ts';
import type { ContentAttack } from './attack.ts';
const FOREIGN = 'countersign.test/ledger/other';
const anything = /./;

export const ON_SEALS: readonly ContentAttack[] = [
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
    title: 'a change that was approved, as the package says',
    sealed: 'stolen',
    change: replaceIn('data/populations/changes.csv', ',false,', ',true,'),
    found: [['populations', /changes\.csv is not what/]],
  },
  {
    title: 'a change that nobody approved and that is left out',
    sealed: 'stolen',
    change: (files) => {
      for (const name of ['changes-unapproved.csv', 'changes-unapproved.jsonl']) {
        const path = `data/populations/${name}`;
        setLines(files, path, lines(files, path).slice(0, -1));
      }
    },
    found: [
      ['populations', /changes-unapproved\.csv is not what/],
      ['populations', /changes-unapproved\.jsonl is not what/],
    ],
  },
  {
    title: 'a model that changed and that nobody is told of',
    sealed: 'stolen',
    change: replaceIn('data/populations/model-probes.jsonl', '"finding":true', '"finding":false'),
    found: [['populations', /model-probes\.jsonl is not what/]],
  },
  {
    title: 'a finding that is left out of the changes that nobody approved',
    sealed: 'stolen',
    change: (files) => {
      for (const form of ['csv', 'jsonl']) {
        const path = `data/populations/changes-unapproved.${form}`;
        setLines(
          files,
          path,
          lines(files, path).filter((line) => !line.includes('unannounced')),
        );
      }
    },
    found: [
      ['populations', /changes-unapproved\.csv is not what/],
      ['populations', /changes-unapproved\.jsonl is not what/],
    ],
  },
  {
    title: 'a rerank call with another score',
    sealed: 'stolen',
    change: replaceIn('data/populations/rerank-requests.csv', '1:0.70 0:1.0e-3', '1:0.7 0:1.0e-3'),
    found: [['populations', /rerank-requests\.csv is not what/]],
  },
  {
    title: 'a rerank call in another order',
    sealed: 'stolen',
    change: replaceIn('data/populations/rerank-requests.jsonl', '1:0.70 0:1.0e-3', '0:1.0e-3 1:0.70'),
    found: [['populations', /rerank-requests\.jsonl is not what/]],
  },
  {
    title: 'a rerank call that is left out',
    sealed: 'stolen',
    change: (files) => {
      for (const form of ['csv', 'jsonl']) {
        const path = `data/populations/rerank-requests.${form}`;
        setLines(files, path, lines(files, path).toSpliced(1, 1));
      }
    },
    found: [
      ['populations', /rerank-requests\.csv is not what/],
      ['populations', /rerank-requests\.jsonl is not what/],
    ],
  },
  {
    title: 'a rerank call whose documents came from elsewhere',
    sealed: 'stolen',
    change: replaceIn(
      'data/populations/rerank-requests.jsonl',
      /"lineage_leaves":\[\d+\]/,
      '"lineage_leaves":[1]',
    ),
    found: [['populations', /rerank-requests\.jsonl is not what/]],
  },
  {
    title: 'a rerank call with more documents that were retrieved',
    sealed: 'stolen',
    change: replaceIn('data/populations/rerank-requests.jsonl', '"lineage_matched":1', '"lineage_matched":2'),
    found: [['populations', /rerank-requests\.jsonl is not what/]],
  },
  {
    title: 'a lineage that leads to another leaf, in its body',
    sealed: 'stolen',
    change: replaceIn(`${LOG}/bodies.jsonl`, /(?<="documents":\[1\],"leaf":)\d+/, '1'),
    found: [['bodies', /rerank\.call/]],
  },
  {
    title: 'a request over HTTP that is left out',
    sealed: 'stolen',
    change: (files) => {
      for (const form of ['csv', 'jsonl']) {
        const path = `data/populations/http-requests.${form}`;
        setLines(files, path, lines(files, path).toSpliced(2, 1));
      }
    },
    found: [
      ['populations', /http-requests\.csv is not what/],
      ['populations', /http-requests\.jsonl is not what/],
    ],
  },
  {
    title: 'an answer with another score, in its body',
    sealed: 'stolen',
    change: replaceIn(`${LOG}/bodies.jsonl`, '"score":"0.70"', '"score":"0.71"'),
    found: [['bodies', /rerank\.result/]],
  },
  {
    title: 'a request over HTTP with another status',
    sealed: 'stolen',
    change: replaceIn('data/populations/http-requests.csv', ',403,', ',200,'),
    found: [['populations', /http-requests\.csv is not what/]],
  },
  {
    title: 'a change of a model that was approved, as the package says',
    sealed: 'stolen',
    change: (files) => {
      const path = 'data/populations/changes-unapproved.jsonl';
      const kept = lines(files, path).filter((line) => !line.includes('"http.intent"'));
      if (kept.length === lines(files, path).length) throw new Error('There is no such change.');
      setLines(files, path, kept);
    },
    found: [['populations', /changes-unapproved\.jsonl is not what/]],
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
    title: 'a Mask that was never in force',
    sealed: 'stolen',
    change: replaceIn('data/masking/masking-rules.json', '"masks":[]', '"masks":[{"mask":"all"}]'),
    found: [['populations', /masking-rules\.json is not what/]],
  },
  {
    title: 'values that nobody masked',
    sealed: 'stolen',
    change: replaceIn(
      'data/populations/masking-summary.csv',
      /$/,
      'values,rerank,all,1,a,EMAIL,redact,1,9,,1,1,,\r\n',
    ),
    found: [['populations', /masking-summary\.csv is not what/]],
  },
  {
    title: 'a second scan that is left out',
    sealed: 'stolen',
    change: (files) => files.delete('data/masking/masking-second-scan.csv'),
    found: [['populations', /masking-second-scan\.csv is not there/]],
  },
  {
    title: 'a checkpoint of another key',
    sealed: 'stolen',
    change: (files) => resign(endOf(files).size, endOf(files).root, OWN_SEED, 'checkpoint.end')(files),
    found: [['checkpoints', /without a valid signature of a known key/]],
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
    title: 'a start that leaves out the beginning of the period',
    sealed: 'stolen',
    change: (files) =>
      replaceIn('data/generation.json', /"from":"[^"]*"/, '"from":"2020-01-01T00:00:00.000000Z"')(files),
    found: [['period', /the leaf before it is of/]],
  },
  {
    title: 'a checkpoint of another log',
    early: true,
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
    change: replaceIn('data/index.csv', /(?<=sessions\.csv,[^,]*,[^,]*,population,)2/, '3'),
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
    early: true,
    sealed: 'stolen',
    change: replaceIn('data/generation.json', '"version":"1.4"', '"version":"2.0"'),
    found: [['version', /needs a verifier of version 2/]],
  },
  {
    title: 'a rest of the log that is cut off, checkpoint and all',
    sealed: 'own',
    change: (files) => {
      const { size } = startOf(files);
      onLeaves(() => [])(files);
      onBodies(() => [])(files);
      resign(size, startOf(files).root, OWN_SEED, 'checkpoint.end')(files);
    },
    found: [
      ['checkpoints', /without a valid signature of a known key/],
      ['signature', /without a valid signature of a known key/],
    ],
  },
  {
    title: 'a second signature under the package, of nobody that is known',
    sealed: 'stolen',
    change: () => undefined,
    after: (files) => {
      const more = signNote(OWN_SEED, 'x\n').split('\n\n')[1] ?? '';
      files.set('SIGNATURE.note', concat(files.get('SIGNATURE.note') ?? utf8(''), utf8(more)));
    },
    found: [['signature', /expected one signature, got 2/]],
  },
  {
    title: 'another package’s signature',
    sealed: 'not',
    change: (files) => {
      const other = new Map(files);
      replaceIn('data/generation.json', /"to":"20/, '"to":"21')(other);
      seal(other, REAL_SEEDS.second);
      files.set('SIGNATURE.note', other.get('SIGNATURE.note') ?? utf8(''));
    },
    found: [['signature', /expected "evp_/]],
  },
  {
    title: 'another verifier in the package',
    sealed: 'own',
    change: replaceIn('data/verify.html', '</body>', '<p>Verified</p></body>'),
    found: [['signature', /without a valid signature of a known key/]],
  },
  {
    title: 'a body of a withheld kind under a leaf whose body was disclosed',
    sealed: 'stolen',
    change: onBodies((all) => all.with(100, JSON.stringify({ n: nOf(all[100]), withheld: true }))),
    found: [
      ['populations', /is not what the leaves and bodies give/],
      ['index', /bodies is not/],
    ],
  },
];
