/**
 * A good package as a map of its files, and what an attacker may do with one: change files, and seal
 * them again with a key that they have.
 */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { utf8 } from '@countersign/ledger/bytes';
import { formatCheckpoint, parseCheckpoint } from '@countersign/ledger/checkpoint';
import { formatCsvRow, parseCsv } from '@countersign/ledger/csv';
import { SIGNATURE_NOTE, signatureText, type TreeHead } from '@countersign/ledger/evidence';
import { emptyRoot } from '@countersign/ledger/merkle';
import { compareInZip } from '@countersign/ledger/zip-form';
import { exportEvidence } from '../../packages/gateway/src/evidence/export.ts';
import {
  openTestingLog,
  signNote,
  TESTING_ORIGIN,
  type TestingExtras,
  verifierKeyOf,
  writeTestingLog,
} from '../../packages/gateway/src/evidence/testing-log.ts';
import { FileSource, nodeHost } from '../../packages/verify/src/node-host.ts';
import { PackageFiles } from '../../packages/verify/src/package-files.ts';
import {
  makeZip,
  packedSha256,
  type TestingEntry,
  type ZipHooks,
} from '../../packages/verify/src/testing-zip.ts';

/** Content by path in the bag. */
export type Files = Map<string, Uint8Array>;

/** A change that an attacker makes. */
export type Change = (files: Files) => void;

export const LOG = 'data/ledger/gw1';
export const REAL_SEEDS = { first: seedOf('first'), second: seedOf('second') } as const;
export const OWN_SEED: Uint8Array = seedOf('attacker');
/** The first key of the log, as an auditor has it. */
export const VKEY: string = verifierKeyOf(REAL_SEEDS.first);

/** Enough for two full tiles and a partial one. */
const STATEMENTS = 300;

/** Writes a log and its package below a directory; `package.zip` is the package. */
export async function makeGoodPackage(
  directory: string,
  statements: number = STATEMENTS,
  extras: TestingExtras = {},
): Promise<{ readonly bag: string; readonly files: Files }> {
  await writeTestingLog(directory, statements, extras);
  const out = join(directory, 'package.zip');
  const { directory: bag } = await exportEvidence({ ...openTestingLog(directory), out });
  await using source = await FileSource.open(out);
  const read = await PackageFiles.open(source, nodeHost());
  const files: Files = new Map();
  for (const path of read.paths) files.set(path, await read.bytes(path, 100_000_000));
  return { bag, files };
}

/** The zip of these files, in the order that it must have. */
export function pack(bag: string, files: Files, hooks?: ZipHooks): Uint8Array<ArrayBuffer> {
  return makeZip(entriesOf(bag, files), hooks);
}

/** What goes into the zip. */
export function entriesOf(bag: string, files: Files): TestingEntry[] {
  return [...files]
    .toSorted(([a], [b]) => compareInZip(a, b, SIGNATURE_NOTE))
    .map(([path, bytes]) => ({ name: `${bag}/${path}`, bytes }));
}

function text(files: Files, path: string): string {
  return Buffer.from(files.get(path) ?? []).toString();
}

export function lines(files: Files, path: string): string[] {
  return text(files, path).split('\n').slice(0, -1);
}

export function setLines(files: Files, path: string, all: readonly string[]): void {
  files.set(path, utf8(all.map((line) => `${line}\n`).join('')));
}

export function sha256(bytes: Uint8Array | undefined): string {
  return createHash('sha256')
    .update(bytes ?? utf8(''))
    .digest('hex');
}

/** Index, manifests, Oxum and signature as they would be for these files. */
export function seal(files: Files, seed: Uint8Array): void {
  const index = parseCsv(text(files, 'data/index.csv'));
  const rows = index.map((row, i) => (i === 0 ? row : row.with(5, sha256(files.get(row[0] ?? '')))));
  files.set('data/index.csv', utf8(rows.map((row) => formatCsvRow(row)).join('')));
  const payload = [...files].filter(([path]) => path.startsWith('data/'));
  const bytes = payload.reduce((sum, [, content]) => sum + content.length, 0);
  const info = text(files, 'bag-info.txt').replace(
    /Payload-Oxum: .*/,
    `Payload-Oxum: ${bytes}.${payload.length}`,
  );
  files.set('bag-info.txt', utf8(info));
  const manifest = payload.map(([path, content]) => `${sha256(content)}  ${path}\n`).join('');
  files.set('manifest-sha256.txt', utf8(manifest));
  const tags = ['bag-info.txt', 'bagit.txt', 'manifest-sha256.txt'];
  const tagManifest = tags.map((path) => `${sha256(files.get(path))}  ${path}\n`).join('');
  files.set('tagmanifest-sha256.txt', utf8(tagManifest));
  const generation: { from: string; to: string } = JSON.parse(text(files, 'data/generation.json'));
  const { origin, ...end } = parseCheckpoint(text(files, `${LOG}/checkpoint.end`));
  const startNote = files.has(`${LOG}/checkpoint.start`) ? text(files, `${LOG}/checkpoint.start`) : undefined;
  const start = startNote === undefined ? { size: 0, root: emptyRoot() } : parseCheckpoint(startNote);
  const { from, to } = generation;
  const packed = packedSha256(entriesOf('bag', files));
  const signed = signatureText(
    { origin, from, to, start, end },
    { tagManifest: sha256(utf8(tagManifest)), packed },
  );
  files.set('SIGNATURE.note', utf8(signNote(seed, signed)));
}

export function onLeaves(change: (leaves: string[]) => string[]): Change {
  return (files) => setLines(files, `${LOG}/leaves.jsonl`, change(lines(files, `${LOG}/leaves.jsonl`)));
}

export function onBodies(change: (bodies: string[]) => string[]): Change {
  return (files) => setLines(files, `${LOG}/bodies.jsonl`, change(lines(files, `${LOG}/bodies.jsonl`)));
}

export function replaceIn(
  path: string,
  from: string | RegExp,
  to: string | ((found: string) => string),
): Change {
  const replacement = typeof to === 'string' ? () => to : to;
  return (files) => {
    const before = text(files, path);
    const after = before.replace(from, replacement);
    if (after === before) throw new Error(`Nothing to change in ${path}.`);
    files.set(path, utf8(after));
  };
}

export function swap(files: Files, a: string, b: string): void {
  const [one, two] = [files.get(a), files.get(b)];
  if (one === undefined || two === undefined) throw new Error('not there');
  files.set(a, two).set(b, one);
}

export function flip(path: string): Change {
  return (files) => {
    const before = files.get(path) ?? new Uint8Array(0);
    const bytes = before.length === 0 ? new Uint8Array(1) : before.slice();
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    files.set(path, bytes);
  };
}

export function nOf(line: string | undefined): number {
  const { n }: { n: number } = JSON.parse(line ?? '{}');
  return n;
}

export function endOf(files: Files): TreeHead {
  return parseCheckpoint(text(files, `${LOG}/checkpoint.end`));
}

export function startOf(files: Files): TreeHead {
  return parseCheckpoint(text(files, `${LOG}/checkpoint.start`));
}

/** A checkpoint by this key, in place of the one at the path. */
export function resign(size: number, root: Uint8Array, seed: Uint8Array, path: string): Change {
  return (files) => {
    const note = signNote(seed, formatCheckpoint({ origin: TESTING_ORIGIN, size, root }));
    files.set(`${LOG}/${path}`, utf8(note));
    if (path === 'checkpoint.end') files.set(`${LOG}/checkpoint`, utf8(note));
  };
}

/** The seed of what is random in the attacks: COUNTERSIGN_SEED, or the day, so that all of one run share it. */
export function attackSeed(): number {
  const seed = Number(process.env['COUNTERSIGN_SEED'] ?? Math.floor(Date.now() / 86_400_000));
  console.info(`attacks: COUNTERSIGN_SEED=${seed}`);
  return seed;
}

function seedOf(name: string): Uint8Array {
  return createHash('sha256').update(name).digest();
}

/** The package as version 1.3 had it: without looks at models. */
export function asVersion13(files: Files): void {
  withoutPopulations(files, ['model-probes']);
  for (const name of ['changes', 'changes-unapproved']) withoutRowsOf(files, name, 'model.identity');
  replaceIn('data/generation.json', '"version":"1.4"', '"version":"1.3"')(files);
}

/** The package as version 1.2 had it: without lists of requests, and without requests in others. */
export function asVersion12(files: Files): void {
  asVersion13(files);
  withoutPopulations(files, ['http-requests', 'rerank-requests']);
  for (const name of ['changes', 'changes-unapproved']) {
    withoutRowsOf(files, name, 'http.intent');
    withoutColumns(files, name, ['method', 'path', 'operation', 'http_status']);
  }
  replaceIn('data/generation.json', '"version":"1.3"', '"version":"1.2"')(files);
}

/** The package as version 1.1 had it. */
export function asVersion11(files: Files): void {
  asVersion12(files);
  withoutPopulations(files, ['reveals']);
  replaceIn('data/generation.json', '"version":"1.2"', '"version":"1.1"')(files);
}

function withoutPopulations(files: Files, names: readonly string[]): void {
  const gone = new RegExp(`^data/populations/(?:${names.join('|')})\\.`);
  for (const path of files.keys()) if (gone.test(path)) files.delete(path);
  for (const name of names) replaceIn('data/generation.json', new RegExp(`"${name}":\\d+,?`), '')(files);
  const kept = lines(files, 'data/index.csv').filter((line) => !gone.test(line.split(',')[0] ?? ''));
  setLines(files, 'data/index.csv', kept);
}

/** Without rows of an event that later versions have; counts follow. */
function withoutRowsOf(files: Files, population: string, type: string): void {
  const stem = `data/populations/${population}`;
  const kept = lines(files, `${stem}.jsonl`).filter((line) => !line.includes(`"event_type":"${type}"`));
  setLines(files, `${stem}.jsonl`, kept);
  const [header = [], ...rows] = parseCsv(text(files, `${stem}.csv`));
  const at = header.indexOf('event_type');
  const csv = [header, ...rows.filter((row) => row[at] !== type)];
  files.set(`${stem}.csv`, utf8(csv.map((row) => formatCsvRow(row)).join('')));
  const count = new RegExp(`"${population}":\\d+`);
  replaceIn('data/generation.json', count, () => `"${population}":${kept.length}`)(files);
  const index = parseCsv(text(files, 'data/index.csv'));
  const counted = index.map((row) =>
    row[0]?.startsWith(`${stem}.`) === true ? row.with(4, String(kept.length)) : row,
  );
  files.set('data/index.csv', utf8(counted.map((row) => formatCsvRow(row)).join('')));
}

/** The package as version 1.0 had it. */
export function asVersion10(files: Files): void {
  asVersion11(files);
  withoutAskedLeaf(files);
  for (const name of ['sessions', 'authentication']) withoutColumns(files, name, ['amr', 'authenticated_at']);
  const gone = /^data\/(masking\/|populations\/(masking-|pii-)|ledger\/gw1\/resources)/;
  for (const path of files.keys()) if (gone.test(path)) files.delete(path);
  replaceIn('data/generation.json', '"version":"1.1"', '"version":"1.0"')(files);
  replaceIn('data/generation.json', /"(masking-blocked|masking-summary|pii-flows)":\d+,?/g, '')(files);
  const kept = lines(files, 'data/index.csv').filter((line) => !gone.test(line.split(',')[0] ?? ''));
  setLines(files, 'data/index.csv', kept);
}

/** Approvals without the column that 1.1 has added. */
export function withoutAskedLeaf(files: Files): void {
  withoutColumns(files, 'approvals', ['asked_leaf']);
}

function withoutColumns(files: Files, population: string, columns: readonly string[]): void {
  const csv = `data/populations/${population}.csv`;
  const [header = [], ...rows] = parseCsv(Buffer.from(files.get(csv) ?? []).toString());
  const kept = header.map((column) => !columns.includes(column));
  const without = [header, ...rows].map((row) => formatCsvRow(row.filter((_, at) => kept[at])));
  files.set(csv, utf8(without.join('')));
  const jsonl = `data/populations/${population}.jsonl`;
  // A line has only what there is. Keys are sorted, and another one follows.
  const member = new RegExp(`"(?:${columns.join('|')})":(?:[0-9]+|null|"[^"]*"|\\[[^\\]]*\\]),`, 'g');
  files.set(jsonl, utf8(text(files, jsonl).replace(member, '')));
}
