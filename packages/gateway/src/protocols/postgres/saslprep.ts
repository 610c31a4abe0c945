/**
 * SASLprep: which bytes of a password are hashed, so that two ways of typing it are one.
 *
 * Spec: RFC 4013 (https://www.rfc-editor.org/rfc/rfc4013), as pg_saslprep() in PostgreSQL's
 * src/common/saslprep.c applies it.
 * Grammar: map, normalize with NFKC, check prohibited and unassigned characters, check direction.
 * Refused: nothing. A password that is ASCII, not UTF-8 or prohibited is taken as its own bytes, as
 * PostgreSQL does, so that every password that can be set can be used.
 * Untrusted: the password. Its length is bounded by the message that carried it.
 */

import { utf8Bytes, utf8Text } from './byte-reader.ts';
import {
  LEFT_TO_RIGHT,
  MAPPED_TO_NOTHING,
  MAPPED_TO_SPACE,
  PROHIBITED,
  RIGHT_TO_LEFT,
  UNASSIGNED,
} from './stringprep-tables.ts';

const SPACE = 0x20;

/** The bytes to hash for a password. */
export function saslPrep(password: string | Uint8Array): Uint8Array {
  const raw = typeof password === 'string' ? utf8Bytes(password) : password;
  if (raw.every((byte) => byte < 0x80)) return raw;
  const text = utf8Text(raw);
  const prepared = text === null ? null : prepare(text);
  return prepared === null ? raw : utf8Bytes(prepared);
}

/** The prepared text, or null where it is prohibited. */
function prepare(text: string): string | null {
  // 2.1 Mapping.
  const mapped = codePoints(text)
    .filter((point) => !MAPPED_TO_NOTHING.has(point))
    .map((point) => (MAPPED_TO_SPACE.has(point) ? SPACE : point));
  if (mapped.length === 0) return null;
  // 2.2 Normalization.
  const normalized = String.fromCodePoint(...mapped).normalize('NFKC');
  const points = codePoints(normalized);
  // 2.3 Prohibited output, and 2.5 unassigned code points.
  if (points.some((point) => PROHIBITED.has(point) || UNASSIGNED.has(point))) return null;
  // 2.4 Bidirectional characters.
  return isOneDirection(points) ? normalized : null;
}

/** RFC 3454, section 6. */
function isOneDirection(points: readonly number[]): boolean {
  if (!points.some((point) => RIGHT_TO_LEFT.has(point))) return true;
  if (points.some((point) => LEFT_TO_RIGHT.has(point))) return false;
  return RIGHT_TO_LEFT.has(points[0] ?? 0) && RIGHT_TO_LEFT.has(points.at(-1) ?? 0);
}

function codePoints(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0);
}
