/** Whether the bag is whole: RFC 8493, section 3, as narrow as spec/evidence.md makes it. */

import { utf8 } from '@countersign/ledger/bytes';
import { packedLine, SIGNATURE_NOTE } from '@countersign/ledger/evidence';
import { FILE_BYTES_MAX } from '@countersign/ledger/population-files';
import type { Host } from './host.ts';
import type { PackageFiles } from './package-files.ts';
import { type Findings, PackageError } from './report.ts';

export const TAG_MANIFEST = 'tagmanifest-sha256.txt';
const MANIFEST = 'manifest-sha256.txt';
const BAGIT = 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n';
const PAYLOAD = 'data/';

/** Hex SHA-256 of every file, as it is. */
export type Hashes = ReadonlyMap<string, string>;

export interface BagFacts {
  readonly hashes: Hashes;
  /** What `packed-sha256` of the signature must be. */
  readonly packed: string;
}

export interface BagOptions {
  readonly files: PackageFiles;
  readonly host: Host;
  readonly onProgress: (done: number, total: number) => void;
}

/** Hashes every file, and compares with the manifests. */
export async function checkBag(
  { files, host, onProgress }: BagOptions,
  findings: Findings,
): Promise<BagFacts> {
  const hashes = new Map<string, string>();
  const packedHash = host.makeHash();
  for (const path of files.paths) {
    await findings.run(async () => {
      const { sha256, packed } = await files.hash(path);
      hashes.set(path, sha256);
      if (path !== SIGNATURE_NOTE) packedHash.update(utf8(packedLine(path, packed)));
    });
    onProgress(hashes.size, files.paths.length);
  }
  const payload = files.paths.filter((path) => path.startsWith(PAYLOAD));
  // A tag manifest cannot name itself, nor the signature that is over it.
  const tags = files.paths.filter(
    (path) => !path.startsWith(PAYLOAD) && path !== TAG_MANIFEST && path !== SIGNATURE_NOTE,
  );
  await findings.run(async () => {
    if ((await files.text('bagit.txt')) !== BAGIT) findings.problem('bagit.txt is not that of BagIt 1.0');
  });
  await findings.run(() => checkManifest(files, MANIFEST, payload, hashes, findings));
  await findings.run(() => checkManifest(files, TAG_MANIFEST, tags, hashes, findings));
  await findings.run(() => checkOxum(files, payload, findings));
  return { hashes, packed: await packedHash.digest() };
}

async function checkManifest(
  files: PackageFiles,
  manifest: string,
  expected: readonly string[],
  hashes: Hashes,
  findings: Findings,
): Promise<void> {
  const listed = parseManifest(await files.text(manifest, FILE_BYTES_MAX), manifest);
  for (const path of expected) {
    if (!listed.has(path)) findings.problem(`${path} is not in ${manifest}`);
  }
  for (const [path, sha256] of listed) {
    const actual = hashes.get(path);
    if (!files.has(path)) findings.problem(`${path} is in ${manifest} and not there`);
    else if (actual !== undefined && actual !== sha256) {
      findings.problem(`${path} is not the file that ${manifest} lists: its SHA-256 is ${actual}`);
    }
  }
}

function parseManifest(text: string, name: string): ReadonlyMap<string, string> {
  const listed = new Map<string, string>();
  if (!text.endsWith('\n')) throw new PackageError(`${name} does not end with a line feed`);
  for (const line of text.slice(0, -1).split('\n')) {
    const [, sha256, path] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    if (sha256 === undefined || path === undefined)
      throw new PackageError(`${name}: malformed line "${line}"`);
    if (listed.has(path)) throw new PackageError(`${name} lists ${path} twice`);
    listed.set(path, sha256);
  }
  return listed;
}

/** A member of bag-info.txt. */
export function bagInfo(text: string, label: string): string | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${label}: `));
  return line?.slice(label.length + 2);
}

async function checkOxum(files: PackageFiles, payload: readonly string[], findings: Findings): Promise<void> {
  const stated = bagInfo(await files.text('bag-info.txt'), 'Payload-Oxum');
  let bytes = 0;
  for (const path of payload) bytes += files.bytesOf(path);
  const actual = `${bytes}.${payload.length}`;
  if (stated !== actual)
    findings.problem(`bag-info.txt: expected Payload-Oxum ${actual}, got ${stated ?? 'none'}`);
}
