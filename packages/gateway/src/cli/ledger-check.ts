/**
 * A log on disk, checked offline: every leaf, every signed checkpoint of the history, the second place.
 *
 * Reads only, and may run beside the gateway.
 */

import { createPublicKey, verify } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint, parseCheckpoint } from '@countersign/ledger/checkpoint';
import { RangeCheck } from '@countersign/ledger/completeness';
import { Frontier, leafHash } from '@countersign/ledger/merkle';
import { type Ed25519Verify, makeVerifierKey, type VerifierKey } from '@countersign/ledger/note';
import { fileCheckpointStore } from '../audit/checkpoint-store.ts';
import type { SignedCheckpoint } from '../audit/checkpoint-history.ts';
import { LogReader } from '../audit/log-reader.ts';
import type { Config } from '../config/config.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { loadInstallationKey } from '../keys/installation-key.ts';
import { loadFormerSigningKeys, loadSigningKey } from '../keys/signing-key.ts';

const ED25519 = 1;
/** RFC 8410: the DER of an Ed25519 public key is this and the key. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export interface LedgerFindings {
  /** Leaves under the newest checkpoint; each was read. */
  readonly size: number;
  readonly checkpoints: number;
  /** Leaves whose version or type this code does not know. */
  readonly notInterpreted: number;
  /** What is wrong; empty where all is well. */
  readonly problems: readonly string[];
}

/** The verifier keys of an installation, first to current. */
export async function verifierKeysOf(
  config: Config,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly VerifierKey[]> {
  const { key: installationKey } = await loadInstallationKey(config.installationKey, {
    env,
    randomBytes: noRandom,
    firstStart: false,
  });
  const options = { file: config.ledger.keyFile, installationKey, randomBytes: noRandom };
  const keys = [...(await loadFormerSigningKeys(options)), await loadSigningKey(options)];
  return keys.map(({ publicKey }) => makeVerifierKey(config.origin, ED25519, publicKey));
}

/** Checks the log of a configuration against these keys. */
export async function checkLedger(config: Config, keys: readonly VerifierKey[]): Promise<LedgerFindings> {
  const reader = new LogReader(config.ledger.directory);
  const note = await reader.checkpoint();
  if (note === undefined)
    throw new CountersignError('NOT_FOUND', { what: `log in ${config.ledger.directory}` });
  const problems: string[] = [];
  const newest = await signed(note, keys, 'the newest checkpoint', problems);
  const history = (await reader.checkpoints()).filter(({ size }) => size <= newest.size);
  for (const { note: old, size } of history)
    await signed(old, keys, `the checkpoint of size ${size}`, problems);
  const { size, notInterpreted } = await checkLeaves(reader, config.origin, note, history, problems);
  checkSecondPlace(config, note, problems);
  return { size, checkpoints: history.length, notInterpreted, problems };
}

/** Keys are only read here. */
function noRandom(): Uint8Array {
  throw new CountersignError('INTERNAL');
}

async function signed(
  note: string,
  keys: readonly VerifierKey[],
  what: string,
  problems: string[],
): Promise<{ readonly size: number }> {
  try {
    return await openCheckpoint(note, keys, verifyEd25519);
  } catch (error) {
    problems.push(`${what} is not signed by this installation: ${reasonOf(error)}`);
    return parseCheckpoint(note);
  }
}

/** Every leaf once; at each size of the history, the root must be the one that was signed. */
async function checkLeaves(
  reader: LogReader,
  origin: string,
  note: string,
  history: readonly SignedCheckpoint[],
  problems: string[],
): Promise<{ readonly size: number; readonly notInterpreted: number }> {
  const { size, root } = parseCheckpoint(note);
  const check = new RangeCheck(new Frontier(), origin);
  const tree = new Frontier();
  const expected = new Map(history.map((old) => [old.size, Buffer.from(parseCheckpoint(old.note).root)]));
  try {
    for await (const { leaf } of reader.leaves(0, size)) {
      check.push(leaf);
      tree.push(leafHash(leaf));
      const wanted = expected.get(tree.size);
      if (wanted !== undefined && !wanted.equals(tree.root())) {
        problems.push(`the first ${tree.size} leaves do not have the root that was signed then`);
      }
    }
    return { size, notInterpreted: check.finish(size, root).notInterpreted };
  } catch (error) {
    problems.push(`leaf ${tree.size}: ${reasonOf(error)}`);
    return { size, notInterpreted: 0 };
  }
}

/** A second place that is ahead means that this log was set back. */
function checkSecondPlace(config: Config, note: string, problems: string[]): void {
  const { secondPlace } = config.checkpoints;
  if (!existsSync(join(secondPlace, 'checkpoints.sqlite'))) {
    problems.push(`there is no checkpoint in the second place, ${secondPlace}`);
    return;
  }
  const store = fileCheckpointStore(secondPlace);
  try {
    const other = store.read(config.origin);
    if (other === undefined) problems.push('the second place knows nothing of this log');
    else if (parseCheckpoint(other).size > parseCheckpoint(note).size + WRITING) {
      problems.push(`the second place has seen ${parseCheckpoint(other).size} leaves: this log was set back`);
    }
  } finally {
    store.close();
  }
}

/** The second place is swapped before the checkpoint is written, so that it may be ahead of a log that runs. */
const WRITING = 65_536;

const verifyEd25519: Ed25519Verify = (publicKey, message, signature) => {
  const key = Buffer.concat([SPKI_PREFIX, publicKey]);
  return verify(null, message, createPublicKey({ key, format: 'der', type: 'spki' }), signature);
};
