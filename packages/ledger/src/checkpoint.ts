/**
 * Checkpoints: C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint).
 *
 * ```
 * <origin>\n<size, decimal>\n<base64 root>\n[<extension line>\n …]
 * ```
 * Refused: leading zeros, a root that is not 32 bytes, empty extension lines.
 * Untrusted: every checkpoint.
 */

import { fromBase64, parseDecimal, toBase64 } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { HASH_BYTES } from './merkle.ts';
import { type Ed25519Verify, isKeyName, type Note, parseNote, verifyNote, type VerifierKey } from './note.ts';

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  /** Lines that this specification leaves to others; signed like the rest. */
  readonly extensions: readonly string[];
}

/** The signed text of a checkpoint. */
export function formatCheckpoint(checkpoint: Omit<Checkpoint, 'extensions'>): string {
  return `${checkpoint.origin}\n${checkpoint.size}\n${toBase64(checkpoint.root)}\n`;
}

/** The checkpoint in the text of a note. */
export function parseCheckpointText(text: string): Checkpoint {
  const lines = text.split('\n');
  const [origin, sizeText, rootText] = lines;
  if (lines.length < 4 || lines.at(-1) !== '' || origin === undefined || !isKeyName(origin)) {
    throw new LedgerError('CHECKPOINT_MALFORMED', 'expected origin, size and root');
  }
  const size = parseDecimal(sizeText ?? '');
  if (size === undefined) throw new LedgerError('CHECKPOINT_MALFORMED', 'expected a size');
  const root = fromBase64(rootText ?? '');
  if (root.length !== HASH_BYTES)
    throw new LedgerError('CHECKPOINT_MALFORMED', `a root of ${root.length} bytes`);
  const extensions = lines.slice(3, -1);
  if (extensions.includes('')) throw new LedgerError('CHECKPOINT_MALFORMED', 'an empty extension line');
  return { origin, size, root, extensions };
}

/** A checkpoint whose signature nobody has checked: for reading one's own files. */
export function parseCheckpoint(note: string): Checkpoint & { readonly note: Note } {
  const parsed = parseNote(note);
  return { ...parseCheckpointText(parsed.text), note: parsed };
}

/** The checkpoint of an untrusted note, signed by one of the log's keys. */
export async function openCheckpoint(
  note: string,
  keys: readonly VerifierKey[],
  verify: Ed25519Verify,
): Promise<Checkpoint & { readonly note: Note }> {
  const checkpoint = parseCheckpoint(note);
  const own = keys.filter((key) => key.name === checkpoint.origin);
  await verifyNote(checkpoint.note, own, verify);
  return checkpoint;
}
