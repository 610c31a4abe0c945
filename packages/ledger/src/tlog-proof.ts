/**
 * Offline proofs of one entry: C2SP tlog-proof (https://c2sp.org/tlog-proof).
 *
 * ```
 * c2sp.org/tlog-proof@v1
 * [extra <base64>]
 * index <decimal>
 * <base64 hash>            from the leaf to the root, none or more
 * <empty line>
 * <checkpoint, verbatim>
 * ```
 */

import { fromBase64, parseDecimal, toBase64 } from './bytes.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { LedgerError } from './errors.ts';
import { checkHash, verifyInclusion } from './merkle.ts';

const HEADER = 'c2sp.org/tlog-proof@v1';
/** A tree of 2^53 leaves needs 53. */
const HASHES_MAX = 63;

export interface TlogProof {
  readonly extra: Uint8Array | undefined;
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
  /** The signed note; its signatures are the reader's to check. */
  readonly checkpoint: string;
}

export function formatTlogProof(proof: TlogProof): string {
  const extra = proof.extra === undefined ? '' : `extra ${toBase64(proof.extra)}\n`;
  const hashes = proof.hashes.map((hash) => `${toBase64(hash)}\n`).join('');
  return `${HEADER}\n${extra}index ${proof.index}\n${hashes}\n${proof.checkpoint}`;
}

/** An untrusted proof file. */
export function parseTlogProof(text: string): TlogProof {
  const split = text.indexOf('\n\n');
  if (split < 0)
    throw new LedgerError('TLOG_PROOF_MALFORMED', 'expected an empty line before the checkpoint');
  const lines = text.slice(0, split).split('\n');
  if (lines.shift() !== HEADER) throw new LedgerError('TLOG_PROOF_MALFORMED', `expected ${HEADER}`);
  const extraLine = lines[0]?.startsWith('extra ') ? lines.shift() : undefined;
  const indexLine = lines.shift() ?? '';
  const index = indexLine.startsWith('index ') ? parseDecimal(indexLine.slice(6)) : undefined;
  if (index === undefined) throw new LedgerError('TLOG_PROOF_MALFORMED', 'expected an index');
  if (lines.length > HASHES_MAX) throw new LedgerError('PROOF_HASH_COUNT', `${lines.length} hashes`);
  return {
    extra: extraLine === undefined ? undefined : fromBase64(extraLine.slice(6)),
    index,
    hashes: lines.map((line) => checkHash(fromBase64(line))),
    checkpoint: text.slice(split + 2),
  };
}

/** Throws unless the entry with this leaf hash is where the proof says; does not check the checkpoint's signatures. */
export function verifyTlogProof(proof: TlogProof, leaf: Uint8Array): void {
  const { size, root } = parseCheckpoint(proof.checkpoint);
  verifyInclusion(leaf, proof.index, size, proof.hashes, root);
}
