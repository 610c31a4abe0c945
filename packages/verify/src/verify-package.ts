/**
 * Verifies an evidence package: spec/evidence.md, section 5. Runs in a browser and in Node.
 *
 * Nothing of the package is believed: every check ends in a line of the report, whatever the package
 * does. Untrusted: everything but the key that came by another way.
 */

import { openCheckpoint, parseCheckpoint } from '@countersign/ledger/checkpoint';
import {
  fingerprintOf,
  member,
  PACKAGE_MINOR,
  PACKAGE_VERSION,
  packageIdOf,
  type PackageSubject,
  SIGNATURE_NOTE,
  signatureText,
} from '@countersign/ledger/evidence';
import type { Json } from '@countersign/ledger/jcs';
import { emptyRoot } from '@countersign/ledger/merkle';
import { parseNote, parseVerifierKey, verifyNote } from '@countersign/ledger/note';
import { FILE_BYTES_MAX } from '@countersign/ledger/population-files';
import { type BagFacts, checkBag, type Hashes, TAG_MANIFEST } from './check-bag.ts';
import { checkIndex, checkPopulations } from './check-index.ts';
import { checkKeys, type KeySet } from './check-keys.ts';
import { checkLeaves, type LeavesFacts } from './check-leaves.ts';
import { checkMasking } from './check-masking.ts';
import { checkTree, type TreeFacts } from './check-tree.ts';
import { Sessions } from './check-sessions.ts';
import type { Host, Source } from './host.ts';
import { PackageFiles } from './package-files.ts';
import {
  type Check,
  type CheckName,
  CHECKS,
  Findings,
  type KeyReport,
  NoPackageError,
  PackageError,
  type Report,
} from './report.ts';

const GENERATION = 'data/generation.json';
const MAJOR = '1';
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$/;
/** Files of versions 1.0 to 1.4 that have no check of their own but their hash. */
const KNOWN =
  /^(bagit\.txt|bag-info\.txt|(tag)?manifest-sha256\.txt|SIGNATURE\.note|data\/(index\.csv|generation\.json|limitations\.md|VERIFY\.md|verify\.html|populations\/.+|masking\/(masking-rules\.json|masking-effectiveness\.json|masking-second-scan(-[0-9]{4})?\.csv)|ledger\/[^/]+\/(checkpoint(\.start|\.end)?|frontier\.json|(leaves|bodies|resources)(-[0-9]{4})?\.jsonl|context\.jsonl|rotations\.jsonl|vkeys\.txt|tile\/.+)))$/;

export interface VerifyOptions {
  readonly host: Host;
  /** The verifier key that came by another way than the package. */
  readonly vkey?: string | undefined;
  /** @param stage what is being done, for people */
  readonly onProgress?: (stage: string, done: number, total: number) => void;
  /** Hex SHA-256 of the page that belongs to this verifier; absent where it is not at hand. */
  readonly pageSha256?: string | undefined;
}

/** The report on a package; rejects with VKEY_MALFORMED where the key given is none, and for nothing else. */
export async function verifyPackage(source: Source, options: VerifyOptions): Promise<Report> {
  if (options.vkey !== undefined) parseVerifierKey(options.vkey);
  const run = new Verification(options);
  await run.all(source);
  return run.report();
}

class Verification {
  readonly #options: VerifyOptions;
  readonly #findings: Readonly<Record<CheckName, Findings>>;
  #subject: PackageSubject | undefined;
  #keys: KeySet | undefined;
  #leaves: LeavesFacts | undefined;
  #unreadable = false;
  readonly #sessions: Sessions;

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.#findings = makeFindings();
    this.#sessions = new Sessions(this.#findings.sessions);
  }

  async all(source: Source): Promise<void> {
    const { zip, bag, version } = this.#findings;
    const { host } = this.#options;
    const files = await zip.get(() =>
      PackageFiles.open(source, host).catch((error: unknown) => {
        this.#unreadable = error instanceof NoPackageError;
        throw error;
      }),
    );
    if (files === undefined) {
      this.#skipFrom('bag', this.#unreadable ? 'the file is no zip' : 'the zip cannot be read');
      return;
    }
    const bagFacts = await checkBag({ files, host, onProgress: this.#progress('reading files') }, bag);
    for (const path of files.paths) if (!KNOWN.test(path)) bag.note(`unknown file: ${path}`);
    const generation = await version.get(() => readGeneration(files, version));
    if (generation === undefined) {
      this.#skipFrom('keys', 'the package is of no version that this verifier knows');
      return;
    }
    await this.#log(files, bagFacts, generation);
  }

  async #log(files: PackageFiles, bagFacts: BagFacts, generation: Json): Promise<void> {
    const { keys, checkpoints, signature, index, populations } = this.#findings;
    const directory = await checkpoints.get(async () => logDirectory(files));
    const subject =
      directory === undefined
        ? undefined
        : await checkpoints.get(() => readSubject(files, directory, generation));
    if (directory === undefined || subject === undefined) {
      this.#skipFrom('keys', 'the package does not say what it is about');
      return;
    }
    this.#subject = subject;
    const { hashes } = bagFacts;
    const { host, vkey: given } = this.#options;
    this.#keys = await keys.get(() =>
      checkKeys({ files, host, directory, origin: subject.origin, given }, keys),
    );
    await checkpoints.run(() => this.#checkpoints(files, directory, subject));
    await signature.run(() => this.#signature(files, bagFacts, subject));
    const isOld = member(generation, 'version') === '1.0';
    const tree = await this.#tree(files, directory, subject, !isOld);
    if (tree !== undefined) await this.#range(files, hashes, directory, generation, tree);
    if (this.#leaves === undefined) {
      populations.skip('the leaves are not what they should be');
      index.note('counts were not compared, because the leaves are not what they should be');
    }
    await checkIndex({ files, hashes, directory, subject, generation, leaves: this.#leaves }, index);
    this.#documents(hashes);
  }

  /** Signed, and following from nothing: whoever has the log's key can have written anything. */
  #documents(hashes: Hashes): void {
    const { index } = this.#findings;
    index.note('limitations.md, VERIFY.md and verify.html are the words of who made the package');
    const { pageSha256 } = this.#options;
    const page = hashes.get('data/verify.html');
    if (pageSha256 !== undefined && page !== undefined && page !== pageSha256)
      index.note('data/verify.html is not the page of this verifier: do not rely on what it shows');
  }

  async #checkpoints(files: PackageFiles, directory: string, subject: PackageSubject): Promise<void> {
    const { checkpoints } = this.#findings;
    const { verifyEd25519 } = this.#options.host;
    const end = await files.text(`${directory}/checkpoint.end`);
    if ((await files.text(`${directory}/checkpoint`)) !== end) {
      checkpoints.problem('checkpoint is not checkpoint.end');
    }
    const { trusted = [], named = [] } = this.#keys ?? {};
    await checkpoints.run(async () => {
      await openCheckpoint(end, trusted, verifyEd25519);
    });
    const startPath = `${directory}/checkpoint.start`;
    if (subject.start.size === 0) {
      if (files.has(startPath)) checkpoints.problem('there is a checkpoint.start of size 0');
      return;
    }
    // Its root is that of the tree under checkpoint.end; an older key of the log may have signed it.
    const start = await files.text(startPath);
    await openCheckpoint(start, [...named, ...trusted].filter(isFirstOfItsKind), verifyEd25519);
  }

  async #signature(
    files: PackageFiles,
    { hashes, packed }: BagFacts,
    subject: PackageSubject,
  ): Promise<void> {
    const { signature } = this.#findings;
    const note = parseNote(await files.text(SIGNATURE_NOTE));
    const expected = signatureText(subject, { tagManifest: hashes.get(TAG_MANIFEST) ?? '', packed });
    if (note.text !== expected) {
      const stated = note.text.split('\n');
      const differing = expected.split('\n').findIndex((line, i) => line !== stated[i]);
      signature.problem(
        `${SIGNATURE_NOTE}: expected "${expected.split('\n')[differing] ?? ''}", got "${stated[differing] ?? ''}"`,
      );
    }
    // Another signature would be bytes that nothing vouches for.
    if (note.signatures.length !== 1) {
      signature.problem(`${SIGNATURE_NOTE}: expected one signature, got ${note.signatures.length}`);
    }
    const own = (this.#keys?.trusted ?? []).filter(({ name }) => name === subject.origin);
    await verifyNote(note, own, this.#options.host.verifyEd25519);
  }

  async #tree(
    files: PackageFiles,
    directory: string,
    subject: PackageSubject,
    hasResources: boolean,
  ): Promise<TreeFacts | undefined> {
    const { tree, leaves, sessions, bodies, period } = this.#findings;
    const { heads = [], leaves: expectedLeaves = new Map<number, string>() } = this.#keys ?? {};
    const onProgress = this.#progress('reading the log');
    const facts = await tree.get(() =>
      checkTree(
        {
          files,
          directory,
          subject,
          heads,
          expectedLeaves,
          hasResources,
          sessions: this.#sessions,
          onProgress,
        },
        tree,
      ),
    );
    if (facts === undefined)
      for (const check of [leaves, sessions, bodies, period]) check.skip('the tree cannot be read');
    return facts;
  }

  async #range(
    files: PackageFiles,
    hashes: Hashes,
    directory: string,
    generation: Json,
    tree: TreeFacts,
  ): Promise<void> {
    const { leaves, sessions, bodies, period, populations } = this.#findings;
    const subject = this.#subject;
    if (subject === undefined) return;
    const partBytesMax = partBytesMaxOf(generation);
    const minor = minorOf(generation);
    const { host } = this.#options;
    this.#leaves = await leaves.get(() =>
      checkLeaves(
        { files, host, directory, subject, tree, partBytesMax, minor, sessions: this.#sessions },
        leaves,
        bodies,
      ),
    );
    if (this.#leaves === undefined) {
      for (const check of [sessions, period]) check.skip('the leaves are not what they should be');
      return;
    }
    checkPeriod(subject, tree, this.#leaves, period);
    checkPopulations(files, hashes, this.#leaves, populations);
    if (minor > 0) checkMasking(files, hashes, this.#leaves, populations);
  }

  report(): Report {
    const checks = Object.values(this.#findings).map((findings) => findings.finish());
    const key = this.#key();
    const subject = this.#subject;
    return {
      verdict: this.#verdict(checks, key),
      checks,
      key,
      packageId: subject === undefined ? undefined : packageIdOf(subject),
      origin: subject?.origin,
      from: subject?.from,
      to: subject?.to,
      startSize: subject?.start.size,
      endSize: subject?.end.size,
      leaves: this.#leaves?.count,
      inDoubt: this.#leaves === undefined ? undefined : this.#sessions.inDoubt,
      rows: Object.fromEntries(this.#leaves?.rows ?? []),
    };
  }

  #verdict(checks: readonly Check[], key: KeyReport | undefined): Report['verdict'] {
    if (this.#unreadable) return 'unreadable';
    if (!checks.every(({ status }) => status === 'passed')) return 'failed';
    return key?.confirmed === true ? 'verified' : 'consistent';
  }

  #key(): KeyReport | undefined {
    const { vkey } = this.#options;
    const root = vkey ?? this.#keys?.root;
    return root === undefined
      ? undefined
      : { vkey: root, fingerprint: fingerprintOf(root), confirmed: vkey !== undefined };
  }

  #skipFrom(first: CheckName, because: string): void {
    let skipped = false;
    for (const findings of Object.values(this.#findings)) {
      skipped ||= findings.name === first;
      if (skipped && !findings.failed) findings.skip(because);
    }
  }

  #progress(stage: string): (done: number, total: number) => void {
    return (done, total) => this.#options.onProgress?.(stage, done, total);
  }
}

function makeFindings(): Readonly<Record<CheckName, Findings>> {
  return {
    zip: new Findings('zip'),
    bag: new Findings('bag'),
    version: new Findings('version'),
    keys: new Findings('keys'),
    signature: new Findings('signature'),
    checkpoints: new Findings('checkpoints'),
    tree: new Findings('tree'),
    leaves: new Findings('leaves'),
    sessions: new Findings('sessions'),
    bodies: new Findings('bodies'),
    period: new Findings('period'),
    populations: new Findings('populations'),
    index: new Findings('index'),
  } satisfies Record<keyof typeof CHECKS, Findings>;
}

async function readGeneration(files: PackageFiles, findings: Findings): Promise<Json> {
  const generation = await files.json(GENERATION);
  const version = member(generation, 'version');
  const [, major] = typeof version === 'string' ? (/^([0-9]{1,4})\.[0-9]{1,4}$/.exec(version) ?? []) : [];
  if (major === undefined) throw new PackageError('generation.json has no version');
  if (major !== MAJOR)
    throw new PackageError(`it needs a verifier of version ${major}; this one reads version ${MAJOR}`);
  const minor = minorOf(generation);
  if (minor === 0) findings.note('version 1.0 has no lists about masking');
  if (minor === 1) findings.note('version 1.1 has no list of reveals');
  if (minor === 2) findings.note('version 1.2 has no lists of requests over HTTP and of rerank calls');
  if (minor === 3) findings.note('version 1.3 has no list of looks at models');
  if (minor > PACKAGE_MINOR) findings.note(`version ${MAJOR}.${minor} is read as ${PACKAGE_VERSION}`);
  return generation;
}

/** Each column was added by a minor version: an older package is without the later ones. */
function minorOf(generation: Json): number {
  const version = member(generation, 'version');
  return Number(typeof version === 'string' ? version.slice(MAJOR.length + 1) : PACKAGE_MINOR);
}

function logDirectory(files: PackageFiles): string {
  const found = files.paths.filter((path) => /^data\/ledger\/[^/]+\/checkpoint\.end$/.test(path));
  const [path] = found;
  if (path === undefined || found.length !== 1)
    throw new PackageError(`expected one log, got ${found.length}`);
  return path.slice(0, path.lastIndexOf('/'));
}

/** What the package is about: its period as it says, its trees as the checkpoints say. */
async function readSubject(
  files: PackageFiles,
  directory: string,
  generation: Json,
): Promise<PackageSubject> {
  const end = parseCheckpoint(await files.text(`${directory}/checkpoint.end`));
  const startPath = `${directory}/checkpoint.start`;
  const start = files.has(startPath)
    ? parseCheckpoint(await files.text(startPath))
    : { size: 0, root: emptyRoot(), origin: end.origin };
  if (start.origin !== end.origin) throw new PackageError(`checkpoint.start is of the log ${start.origin}`);
  if (start.size > end.size) throw new PackageError(`checkpoint.start is larger than checkpoint.end`);
  const from = member(generation, 'from');
  const to = member(generation, 'to');
  if (
    typeof from !== 'string' ||
    typeof to !== 'string' ||
    !TIME.test(from) ||
    !TIME.test(to) ||
    from >= to
  ) {
    throw new PackageError('generation.json: expected a period');
  }
  const { origin } = end;
  return {
    origin,
    from,
    to,
    start: { size: start.size, root: start.root },
    end: { size: end.size, root: end.root },
  };
}

function partBytesMaxOf(generation: Json): number {
  const stated = member(generation, 'part_bytes_max');
  if (typeof stated !== 'number' || !Number.isSafeInteger(stated) || stated < 1 || stated > FILE_BYTES_MAX) {
    throw new PackageError('generation.json: expected part_bytes_max');
  }
  return stated;
}

function checkPeriod(
  subject: PackageSubject,
  tree: TreeFacts,
  leaves: LeavesFacts,
  findings: Findings,
): void {
  const { from, to } = subject;
  const { timeBefore } = tree;
  if (timeBefore !== undefined && timeBefore >= from) {
    findings.problem(
      `the range begins at leaf ${subject.start.size}, but the leaf before it is of ${timeBefore}, in the period`,
    );
  }
  const last = leaves.lastTime ?? timeBefore ?? 'none';
  if (last < to) {
    findings.note(`the last leaf is of ${last}: that nothing followed until ${to} is a claim`);
  } else {
    findings.note(`a leaf after the period is in the range: the period is whole`);
  }
}

function isFirstOfItsKind<T extends { readonly keyId: Uint8Array }>(
  key: T,
  index: number,
  all: readonly T[],
): boolean {
  return all.findIndex((other) => String(other.keyId) === String(key.keyId)) === index;
}
