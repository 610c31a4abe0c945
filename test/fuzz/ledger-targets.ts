/** What a verifier reads: notes, checkpoints, proofs, tiles, leaves, bodies, CSV, zips; all may be forged. */

import { equal } from 'node:assert/strict';
import { formatBody, openBody, parseBody, verifyBody } from '../../packages/ledger/src/body.ts';
import { fromBase64, fromHex, parseDecimal, toBase64, toHex, utf8 } from '../../packages/ledger/src/bytes.ts';
import { parseCheckpoint, formatCheckpoint } from '../../packages/ledger/src/checkpoint.ts';
import { formatCsvRow, parseCsv } from '../../packages/ledger/src/csv.ts';
import { LedgerError } from '../../packages/ledger/src/errors.ts';
import { nodeHost } from '../../packages/verify/src/node-host.ts';
import { jcs, parseJson } from '../../packages/ledger/src/jcs.ts';
import { formatLeaf, type Leaf, parseLeaf } from '../../packages/ledger/src/leaf.ts';
import {
  inclusionProof,
  leafHash,
  verifyConsistency,
  verifyInclusion,
} from '../../packages/ledger/src/merkle.ts';
import {
  formatNote,
  formatVerifierKey,
  makeVerifierKey,
  parseNote,
  parseVerifierKey,
  SIGNATURE_TYPE,
} from '../../packages/ledger/src/note.ts';
import {
  decodeBundle,
  encodeBundle,
  parseTilePath,
  tileHashes,
  tilePath,
} from '../../packages/ledger/src/tiles.ts';
import { formatTlogProof, parseTlogProof, verifyTlogProof } from '../../packages/ledger/src/tlog-proof.ts';
import { canonicalJson } from '../../packages/verify/src/package-files.ts';
import { PackageError } from '../../packages/verify/src/report.ts';
import { makeZip, memorySource } from '../../packages/verify/src/testing-zip.ts';
import { readEntry } from '../../packages/verify/src/zip-content.ts';
import { openZip } from '../../packages/verify/src/zip.ts';
import { mutate, type Random } from './random.ts';
import type { Target } from './target.ts';

const ROOT = new Uint8Array(32).fill(3);
const KEY = makeVerifierKey('example.org/log', SIGNATURE_TYPE.ed25519, new Uint8Array(32).fill(9));
const LEAF: Leaf = {
  v: 1,
  log: 'example.org/log',
  n: 12,
  t: '2026-01-02T03:04:05.000006Z',
  boot: 'bot_0123456789abcdefghjkmnpqrs',
  type: 'statement.outcome',
  kind: 'user',
  actor: 'a'.repeat(32),
  session: 'ses_0123456789abcdefghjkmnpqrs',
  seq: 4,
  target: 'db',
  ref: 11,
  status: 'ok',
  body: 'b'.repeat(64),
};
const BODY = openBody({ sql: 'select 1', rows: 5, tags: ['SELECT 1'] }, new Uint8Array(128).fill(1));
const SIGNATURE = { name: KEY.name, keyId: KEY.keyId, signature: new Uint8Array(64) };
const NOTE = formatNote(formatCheckpoint({ origin: KEY.name, size: 70_000, root: ROOT }), [SIGNATURE]);
const PROOF = formatTlogProof({ extra: utf8('x'), index: 5, hashes: [ROOT, ROOT], checkpoint: NOTE });
const host = nodeHost();
const ZIP = makeZip([
  { name: 'bagit.txt', bytes: utf8('BagIt-Version: 1.0\n') },
  { name: 'data/a.json', bytes: utf8('{}') },
]);

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof LedgerError || thrown instanceof PackageError;
}

/** Text of bytes that may not be UTF-8: a reader of files gets U+FFFD, or an error before. */
function mutatedText(text: string, random: Random): string {
  return Buffer.from(mutate(Buffer.from(text), random)).toString('utf8');
}

interface TextForm {
  readonly name: string;
  readonly sample: string;
  /** Reads it, and writes it again; what is read has one form. */
  again(text: string): string;
}

const FORMS: readonly TextForm[] = [
  {
    name: 'note',
    sample: NOTE,
    again(text) {
      const note = parseNote(text);
      return formatNote(note.text, note.signatures);
    },
  },
  {
    name: 'checkpoint',
    sample: NOTE,
    again(text) {
      const { note, extensions, ...checkpoint } = parseCheckpoint(text);
      const more = extensions.map((line) => `${line}\n`).join('');
      return formatNote(formatCheckpoint(checkpoint) + more, note.signatures);
    },
  },
  {
    name: 'verifier key',
    sample: formatVerifierKey(KEY),
    again: (text) => formatVerifierKey(parseVerifierKey(text)),
  },
  {
    name: 'proof',
    sample: PROOF,
    again(text) {
      const proof = parseTlogProof(text);
      if (proof.index === 5) {
        try {
          verifyTlogProof(proof, ROOT);
          throw new Error('a proof of nothing was taken');
        } catch (error) {
          if (!(error instanceof LedgerError)) throw error;
        }
      }
      return formatTlogProof(proof);
    },
  },
  { name: 'tile path', sample: 'tile/0/x001/x234/067.p/12', again: (text) => tilePath(parseTilePath(text)) },
  {
    name: 'body',
    sample: formatBody(BODY.opened),
    again: (text) => canonical(text, () => formatBody(parseBody(text))),
  },
  {
    name: 'JSON of a package',
    sample: '{"a":[1,"x",true],"b":{"c":"\\n"}}',
    again: (text) => jcs(canonicalJson(text, 'x')),
  },
  { name: 'hex', sample: '00ffa0', again: (text) => toHex(fromHex(text)) },
  { name: 'base64', sample: 'AAECAwQ=', again: (text) => toBase64(fromBase64(text)) },
  {
    name: 'number',
    sample: '9007199254740991',
    again: (text) => {
      const value = parseDecimal(text);
      return value === undefined ? text : String(value);
    },
  },
];

/** JSON has many forms; only the canonical one has to come back. */
function canonical(text: string, again: () => string): string {
  const written = again();
  return jcs(parseJson(text)) === text ? written : text;
}

const forms: readonly Target[] = FORMS.map((form) => ({
  name: `text: ${form.name}`,
  weight: 2,
  refusal: isRefusal,
  run(random) {
    const text = random.oneIn(50) ? form.sample : mutatedText(form.sample, random);
    equal(form.again(text), text);
  },
}));

const leaves: Target = {
  name: 'leaves',
  weight: 5,
  refusal: isRefusal,
  run(random) {
    const bytes = mutate(utf8(formatLeaf(LEAF)), random);
    const parsed = parseLeaf(bytes);
    if (parsed.kind === 'leaf' && parsed.unknownKeys.length === 0) {
      equal(formatLeaf(parsed.leaf), Buffer.from(bytes).toString('utf8'));
    }
  },
};

const bodies: Target = {
  name: 'opened bodies',
  weight: 2,
  refusal: isRefusal,
  run(random) {
    const text = formatBody(BODY.opened);
    const other = mutatedText(text, random);
    const commitment = toHex(BODY.commitment);
    verifyBody(parseBody(other), commitment);
    // Only white space and escapes may differ in what has the same commitment.
    equal(jcs(parseJson(other)), text);
  },
};

const bundles: Target = {
  name: 'bundles and tiles',
  weight: 3,
  refusal: isRefusal,
  run(random) {
    const entries = Array.from({ length: random.below(6) }, () => random.bytes(random.length(300)));
    const bytes = mutate(encodeBundle(entries), random);
    const width = random.oneIn(4) ? random.below(257) : entries.length;
    if (random.oneIn(4)) tileHashes(bytes, width);
    equal(toHex(encodeBundle(decodeBundle(bytes, width))), toHex(bytes));
  },
};

const TREE = Array.from({ length: 8 }, (_, i) => leafHash(Uint8Array.of(i)));

const proofs: Target = {
  name: 'proofs of sizes and indexes that are at an edge',
  weight: 3,
  refusal: isRefusal,
  run(random) {
    const hashes = Array.from({ length: random.below(8) }, () => random.pick(TREE));
    const number = (): number =>
      random.oneIn(3) ? random.below(9) : random.edge() * random.pick([1, 1, 2 ** 20, 2 ** 21]);
    const [index, size] = [number(), number()];
    if (random.oneIn(2)) verifyInclusion(random.pick(TREE), index, size, hashes, random.pick(TREE));
    else verifyConsistency(index, random.pick(TREE), size, random.pick(TREE), hashes);
    // Of random hashes nothing can be proved but that a tree of one leaf, or of one size, is itself.
    equal(index === size || size === 1, true);
    if (size <= 8 && index < size) inclusionProof(() => ROOT, index, size);
  },
};

const csv: Target = {
  name: 'CSV',
  weight: 2,
  refusal: isRefusal,
  run(random) {
    const cells = Array.from({ length: 1 + random.below(5) }, () => mutatedText('a,"b"\r\n', random));
    const [row = []] = parseCsv(formatCsvRow(cells));
    // What a spreadsheet would take for a formula gets a quote in front.
    for (const [i, cell] of cells.entries()) equal([cell, `'${cell}`].includes(row[i] ?? ''), true);
    equal(row.length, cells.length);
    const text = mutatedText(formatCsvRow(cells), random);
    equal(parseCsv(text).flat().join('').length <= text.length, true);
  },
};

const zips: Target = {
  name: 'zips',
  weight: 2,
  refusal: isRefusal,
  async run(random) {
    const bytes = mutate(ZIP, random);
    const source = memorySource(new Uint8Array(bytes));
    let read = 0;
    for (const entry of await openZip(source)) {
      // oxlint-disable-next-line no-await-in-loop -- One entry after the other.
      for await (const piece of readEntry(source, entry, host)) read += piece.length;
    }
    equal(read <= bytes.length, true);
  },
};

export const LEDGER_TARGETS: readonly Target[] = [...forms, leaves, bodies, bundles, proofs, csv, zips];
