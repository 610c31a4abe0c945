/**
 * What an evidence package says of itself: spec/evidence.md, sections 1, 2 and 4.
 *
 * Shared by the exporter and the verifier, so that both form the same texts.
 */

import { toBase64, toHex, utf8 } from './bytes.ts';
import { isObject, type Json, jcs } from './jcs.ts';
import { sha256 } from './sha256.ts';
import { isSafePath } from './zip-form.ts';

/** The newest minor version: what it added is in no package before it. */
export const PACKAGE_MINOR = 4;
export const PACKAGE_VERSION: string = `1.${PACKAGE_MINOR}`;
/** The masks that were in force, which follow from the leaves (spec/evidence.md, section 4). */
export const MASKING_RULES = 'data/masking/masking-rules.json';
/** What the exporter found by itself, and what its detectors find: its word. */
export const MASKING_SECOND_SCAN = 'data/masking/masking-second-scan.csv';
export const MASKING_EFFECTIVENESS = 'data/masking/masking-effectiveness.json';
/** The signature of a package, the last file of its zip. */
export const SIGNATURE_NOTE = 'SIGNATURE.note';
const SIGNATURE_HEADER = 'countersign/evidence/v1';

/** A tree by size and root. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/** What a package is about. */
export interface PackageSubject {
  readonly origin: string;
  /** Leaf times: from ≤ t < to. */
  readonly from: string;
  readonly to: string;
  readonly start: TreeHead;
  readonly end: TreeHead;
}

/** The id that follows from what a package is about. */
export function packageIdOf(subject: PackageSubject): string {
  const { origin, from, to, start, end } = subject;
  const text = jcs({ origin, from, to, start: headJson(start), end: headJson(end) });
  return `evp_${toHex(sha256(utf8(text))).slice(0, 32)}`;
}

/** What a package's files are, as they are and as they lie in the zip; both hex SHA-256. */
export interface PackageHashes {
  readonly tagManifest: string;
  /** Of {@link packedLine} for each file but the signature, in the order of the zip. */
  readonly packed: string;
}

/** One line of what `packed-sha256` is over. */
export function packedLine(path: string, deflatedSha256: string): string {
  return `${deflatedSha256}  ${path}\n`;
}

/** The text that SIGNATURE.note signs. */
export function signatureText(subject: PackageSubject, hashes: PackageHashes): string {
  const { origin, from, to, start, end } = subject;
  return [
    SIGNATURE_HEADER,
    packageIdOf(subject),
    origin,
    `from ${from}`,
    `to ${to}`,
    `tagmanifest-sha256 ${hashes.tagManifest}`,
    `packed-sha256 ${hashes.packed}`,
    `start ${start.size} ${toBase64(start.root)}`,
    `end ${end.size} ${toBase64(end.root)}`,
    '',
  ].join('\n');
}

/** A tree head as JSON. */
export function headJson({ size, root }: TreeHead): { readonly size: number; readonly root: string } {
  return { size, root: toBase64(root) };
}

/** The directory of a log in a package: the last segment of its origin, where it can be one everywhere. */
export function logDirectoryName(origin: string): string {
  const last = origin.split('/').at(-1) ?? '';
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(last) && isSafePath(last) ? last : 'log';
}

/** What people compare: hex SHA-256 of a verifier key's text. */
export function fingerprintOf(vkey: string): string {
  return toHex(sha256(utf8(vkey)));
}

/** The value of a member of an untrusted JSON object, where it has it. */
export function member(value: Json | undefined, name: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
