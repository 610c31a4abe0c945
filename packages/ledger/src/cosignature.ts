/**
 * Witness cosignatures, version 1: C2SP tlog-cosignature (https://c2sp.org/tlog-cosignature).
 *
 * Payload of the signature line: `uint64be timestamp ‖ Ed25519 signature[64]`; the signed message is
 * `cosignature/v1\ntime <timestamp>\n` and the whole text of the checkpoint.
 */

import { utf8 } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { type Ed25519Verify, isBy, type Note, SIGNATURE_TYPE, type VerifierKey } from './note.ts';

const PAYLOAD_BYTES = 8 + 64;

export interface Cosignature {
  readonly witness: VerifierKey;
  /** Seconds since the epoch, as the witness says. */
  readonly timestamp: number;
}

/** What a witness signs. */
export function cosignedMessage(text: string, timestamp: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${timestamp}\n${text}`);
}

/**
 * The cosignatures of known witnesses, one of each, so that counting them counts witnesses.
 * A bad or a second one of a known witness refuses the note.
 */
export async function verifyCosignatures(
  note: Note,
  witnesses: readonly VerifierKey[],
  verify: Ed25519Verify,
): Promise<readonly Cosignature[]> {
  const cosignatures: Cosignature[] = [];
  const seen = new Set<VerifierKey>();
  for (const signature of note.signatures) {
    const witness = witnesses.find(
      (key) => isBy(signature, key) && key.type === SIGNATURE_TYPE.cosignatureV1,
    );
    if (witness === undefined) continue;
    if (seen.has(witness)) throw new LedgerError('NOTE_MALFORMED', `two cosignatures by ${witness.name}`);
    seen.add(witness);
    const { timestamp, bytes } = splitPayload(signature.signature, witness.name);
    const good = await verify(witness.publicKey, cosignedMessage(note.text, timestamp), bytes);
    if (!good) throw new LedgerError('NOTE_BAD_SIGNATURE', witness.name);
    cosignatures.push({ witness, timestamp });
  }
  return cosignatures;
}

function splitPayload(
  payload: Uint8Array,
  name: string,
): { readonly timestamp: number; readonly bytes: Uint8Array } {
  if (payload.length !== PAYLOAD_BYTES) throw new LedgerError('NOTE_BAD_SIGNATURE', name);
  const view = new DataView(payload.buffer, payload.byteOffset, 8);
  const timestamp = view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4);
  if (!Number.isSafeInteger(timestamp)) throw new LedgerError('NOTE_BAD_SIGNATURE', name);
  return { timestamp, bytes: payload.subarray(8) };
}
