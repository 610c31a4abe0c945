/**
 * Which keys may have signed: spec/evidence.md, sections 2 (`rotations.jsonl`, `vkeys.txt`) and 5.
 *
 * Untrusted: every key of the package. A rotation counts where its leaf is proved to be under a
 * checkpoint of the key that it replaces.
 */

import { bodyValues, toBody, verifyBody } from '@countersign/ledger/body';
import { utf8, utf8Text } from '@countersign/ledger/bytes';
import { openCheckpoint, parseCheckpoint } from '@countersign/ledger/checkpoint';
import { member, type TreeHead } from '@countersign/ledger/evidence';
import { type Json } from '@countersign/ledger/jcs';
import { type Leaf, parseLeaf } from '@countersign/ledger/leaf';
import { leafHash } from '@countersign/ledger/merkle';
import {
  formatVerifierKey,
  parseVerifierKey,
  SIGNATURE_TYPE,
  type VerifierKey,
} from '@countersign/ledger/note';
import { parseTlogProof, verifyTlogProof } from '@countersign/ledger/tlog-proof';
import { BOUNDS } from './bounds.ts';
import type { Host } from './host.ts';
import { canonicalJson, type PackageFiles } from './package-files.ts';
import { type Findings, PackageError, reasonOf } from './report.ts';

export interface KeySet {
  /** The key that everything rests on. */
  readonly root: string;
  /** That key, and those that rotations lead to from it. */
  readonly trusted: readonly VerifierKey[];
  /** All that vkeys.txt names. */
  readonly named: readonly VerifierKey[];
  /** Trees that the rotations' checkpoints sign, */
  readonly heads: readonly TreeHead[];
  /** and the leaves that the rotations are, by index. */
  readonly leaves: ReadonlyMap<number, string>;
}

export interface KeyOptions {
  readonly files: PackageFiles;
  readonly host: Host;
  /** `data/ledger/<node>`. */
  readonly directory: string;
  readonly origin: string;
  /** The key that came by another way. */
  readonly given: string | undefined;
}

interface Step {
  readonly from: string;
  readonly to: string;
}

/** Reads the keys; undefined where there is none to begin with. */
export async function checkKeys(options: KeyOptions, findings: Findings): Promise<KeySet | undefined> {
  const { files, directory, origin, given } = options;
  const named = (await findings.get(() => readNamed(files, directory, origin))) ?? [];
  const root = given ?? (named[0] === undefined ? undefined : formatVerifierKey(named[0]));
  if (root === undefined) return undefined;
  const heads: TreeHead[] = [];
  const leaves = new Map<number, string>();
  const steps: Step[] = [];
  let unreadable = 0;
  await findings.run(async () => {
    for await (const line of files.lines(`${directory}/rotations`, 'jsonl', BOUNDS.lineBytesMax)) {
      if (leaves.size >= BOUNDS.rotationsMax) throw new PackageError('too many rotations');
      const rotation = await readRotation(utf8Text(line), options);
      leaves.set(rotation.leaf.n, rotation.text);
      heads.push(rotation.head);
      if (rotation.step === undefined) unreadable += 1;
      else steps.push(rotation.step);
    }
  });
  const trusted = follow(root, steps);
  const missing = named
    .map(formatVerifierKey)
    .filter((key) => !follow(formatFirst(named, root), steps).has(key));
  if (missing.length > 0 && unreadable === 0) {
    for (const key of missing) findings.problem(`vkeys.txt: no rotation leads to ${key}`);
  }
  if (unreadable > 0)
    findings.note(`${unreadable} rotations cannot be read, because their bodies are shredded`);
  if (steps.length > 0) findings.note(`rotations that are proved: ${steps.length}`);
  return { root, trusted: [...trusted].map(parseVerifierKey), named, heads, leaves };
}

function formatFirst([first]: readonly VerifierKey[], otherwise: string): string {
  return first === undefined ? otherwise : formatVerifierKey(first);
}

async function readNamed(files: PackageFiles, directory: string, origin: string): Promise<VerifierKey[]> {
  const text = await files.text(`${directory}/vkeys.txt`);
  const keys = text.split('\n').slice(0, -1).map(parseVerifierKey);
  if (keys.length === 0 || !text.endsWith('\n')) throw new PackageError('vkeys.txt: expected a key a line');
  for (const { name, type } of keys) {
    if (name !== origin || type !== SIGNATURE_TYPE.ed25519) {
      throw new PackageError(`vkeys.txt: expected Ed25519 keys of ${origin}, got one of ${name}`);
    }
  }
  return keys;
}

async function readRotation(
  text: string,
  { host, origin }: KeyOptions,
): Promise<{
  readonly leaf: Leaf;
  readonly text: string;
  readonly head: TreeHead;
  readonly step: Step | undefined;
}> {
  const line = canonicalJson(text, 'rotations.jsonl');
  const leafText = stringOf(line, 'leaf');
  const parsed = parseLeaf(utf8(leafText));
  if (parsed.kind !== 'leaf' || parsed.leaf.type !== 'ledger.key.rotate' || parsed.leaf.log !== origin) {
    throw new PackageError('rotations.jsonl: expected leaves of ledger.key.rotate of this log');
  }
  const { leaf } = parsed;
  const proof = parseTlogProof(stringOf(line, 'proof'));
  if (member(line, 'n') !== leaf.n || proof.index !== leaf.n) {
    throw new PackageError(`rotations.jsonl: two indexes for the rotation at leaf ${leaf.n}`);
  }
  verifyTlogProof(proof, leafHash(utf8(leafText)));
  const { size, root } = parseCheckpoint(proof.checkpoint);
  const head = { size, root };
  const body = member(line, 'body');
  if (body === undefined) return { leaf, text: leafText, head, step: undefined };
  const opened = toBody(body);
  verifyBody(opened, leaf.body ?? '');
  const values = bodyValues(opened);
  const step = { from: stringOf(values, 'from_vkey'), to: stringOf(values, 'to_vkey') };
  try {
    await openCheckpoint(proof.checkpoint, [parseVerifierKey(step.from)], host.verifyEd25519);
  } catch (error) {
    throw new PackageError(
      `rotations.jsonl: leaf ${leaf.n} is not under the key it replaces (${reasonOf(error)})`,
    );
  }
  if (parseVerifierKey(step.to).name !== origin) throw new PackageError('a rotation to a key of another log');
  return { leaf, text: leafText, head, step };
}

/** Keys that can be reached; rotations stand in the order of the log, so one pass is enough. */
function follow(root: string, steps: readonly Step[]): ReadonlySet<string> {
  const reached = new Set([root]);
  for (const { from, to } of steps) if (reached.has(from)) reached.add(to);
  return reached;
}

function stringOf(value: Json, name: string): string {
  const text = member(value, name);
  if (typeof text !== 'string') throw new PackageError(`expected a text "${name}"`);
  return text;
}
