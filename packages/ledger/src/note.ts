/**
 * Signed notes and their keys: C2SP signed-note (https://c2sp.org/signed-note).
 *
 * ```
 * <text, ends in a line feed>
 * <empty line>
 * — <key name> <base64(key id[4] ‖ signature)>      one or more
 * ```
 * The signatures follow the last empty line. Unknown keys are ignored; a bad signature by a known key
 * refuses the whole note. Refused: control characters below 0x20 but line feed, more than 100 signatures,
 * two signatures of one known key, notes above 1 MiB.
 * Untrusted: every note.
 */

import { concat, equalBytes, fromBase64, fromHex, toBase64, toHex, utf8 } from './bytes.ts';
import { LedgerError } from './errors.ts';
import { sha256 } from './sha256.ts';

export const NOTE_BYTES_MAX: number = 1024 * 1024;
const SIGNATURES_MAX = 100;
const KEY_ID_BYTES = 4;

/** Signature types of signed-note, "Signature types". */
export const SIGNATURE_TYPE = { ed25519: 0x01, cosignatureV1: 0x04 } as const;

/** Checks an Ed25519 signature: by WebCrypto in a browser, by node:crypto in the gateway. */
export type Ed25519Verify = (
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => boolean | Promise<boolean>;

/** A verifier key: `name+hex8(key id)+base64(type ‖ public key)`. */
export interface VerifierKey {
  readonly name: string;
  readonly keyId: Uint8Array;
  readonly type: number;
  /** 32 bytes for both types that are known. */
  readonly publicKey: Uint8Array;
}

export interface NoteSignature {
  readonly name: string;
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

export interface Note {
  /** What is signed; ends in a line feed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** First four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key). */
export function makeKeyId(name: string, type: number, publicKey: Uint8Array): Uint8Array {
  return sha256(concat(utf8(name), Uint8Array.of(0x0a, type), publicKey)).slice(0, KEY_ID_BYTES);
}

export function makeVerifierKey(name: string, type: number, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name))
    throw new LedgerError('VKEY_MALFORMED', 'expected a name without spaces and without +');
  return { name, type, publicKey, keyId: makeKeyId(name, type, publicKey) };
}

export function formatVerifierKey(key: VerifierKey): string {
  return `${key.name}+${toHex(key.keyId)}+${toBase64(concat(Uint8Array.of(key.type), key.publicKey))}`;
}

/** The key of an untrusted text; its id must be the one that follows from name and key. */
export function parseVerifierKey(text: string): VerifierKey {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(text);
  const [, name, id, data] = match ?? [];
  if (name === undefined || id === undefined || data === undefined || !isKeyName(name)) {
    throw new LedgerError('VKEY_MALFORMED', 'expected name+hash+key');
  }
  const bytes = fromBase64(data);
  const [type] = bytes;
  if (type === undefined) throw new LedgerError('VKEY_MALFORMED', 'expected a type and a key');
  const publicKey = bytes.slice(1);
  const known = type === SIGNATURE_TYPE.ed25519 || type === SIGNATURE_TYPE.cosignatureV1;
  if (known && publicKey.length !== 32) throw new LedgerError('VKEY_MALFORMED', 'expected 32 bytes of key');
  const key = makeVerifierKey(name, type, publicKey);
  if (!equalBytes(key.keyId, fromHex(id)))
    throw new LedgerError('VKEY_MALFORMED', 'a hash that is not of this key');
  return key;
}

/** One signature line, with its line feed. */
export function formatSignature(signature: NoteSignature): string {
  return `— ${signature.name} ${toBase64(concat(signature.keyId, signature.signature))}\n`;
}

export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  if (!text.endsWith('\n'))
    throw new LedgerError('NOTE_MALFORMED', 'expected a text that ends in a line feed');
  return `${text}\n${signatures.map(formatSignature).join('')}`;
}

/** Text and signatures of an untrusted note; nothing is verified yet. */
export function parseNote(note: string): Note {
  if (note.length > NOTE_BYTES_MAX) throw new LedgerError('NOTE_MALFORMED', `${note.length} characters`);
  // oxlint-disable-next-line no-control-regex -- The specification forbids exactly these.
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note) || !note.isWellFormed()) {
    throw new LedgerError('NOTE_MALFORMED', 'control characters or lone surrogates');
  }
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n'))
    throw new LedgerError('NOTE_MALFORMED', 'expected text, empty line, signatures');
  const lines = note
    .slice(split + 2)
    .split('\n')
    .slice(0, -1);
  if (lines.length === 0 || lines.length > SIGNATURES_MAX) {
    throw new LedgerError(
      'NOTE_MALFORMED',
      `expected 1 to ${SIGNATURES_MAX} signatures, got ${lines.length}`,
    );
  }
  return { text: note.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

/**
 * The signatures of known keys, each verified. Cosignatures are checked by cosignature.ts.
 *
 * @throws NOTE_BAD_SIGNATURE where a known key's is bad, NOTE_UNVERIFIED where there is none of a known key
 */
export async function verifyNote(
  note: Note,
  keys: readonly VerifierKey[],
  verify: Ed25519Verify,
): Promise<readonly NoteSignature[]> {
  const verified: NoteSignature[] = [];
  const seen = new Set<VerifierKey>();
  for (const signature of note.signatures) {
    const key = keys.find(
      (candidate) => isBy(signature, candidate) && candidate.type === SIGNATURE_TYPE.ed25519,
    );
    if (key === undefined) continue;
    if (seen.has(key)) throw new LedgerError('NOTE_MALFORMED', `two signatures by ${key.name}`);
    seen.add(key);
    const good =
      signature.signature.length === 64 &&
      (await verify(key.publicKey, utf8(note.text), signature.signature));
    if (!good) throw new LedgerError('NOTE_BAD_SIGNATURE', key.name);
    verified.push(signature);
  }
  if (verified.length === 0) throw new LedgerError('NOTE_UNVERIFIED', `${note.signatures.length} signatures`);
  return verified;
}

/** Whether a signature names this key. */
export function isBy(signature: NoteSignature, key: VerifierKey): boolean {
  return signature.name === key.name && equalBytes(signature.keyId, key.keyId);
}

/** Key names are not empty, and have neither spaces nor plus signs. */
export function isKeyName(name: string): boolean {
  return name !== '' && name.isWellFormed() && !/[\s+]/u.test(name);
}

function parseSignature(line: string): NoteSignature {
  const match = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line);
  const [, name, data] = match ?? [];
  if (name === undefined || data === undefined) throw new LedgerError('NOTE_MALFORMED', 'a signature line');
  const bytes = fromBase64(data);
  if (bytes.length <= KEY_ID_BYTES) throw new LedgerError('NOTE_MALFORMED', 'a signature that is too short');
  return { name, keyId: bytes.slice(0, KEY_ID_BYTES), signature: bytes.slice(KEY_ID_BYTES) };
}
