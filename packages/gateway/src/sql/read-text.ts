/** A text as a client sent it → what it does, or why that cannot be told. */

import type { ReadText } from '../core/effects.ts';
import { classify } from './classify.ts';
import type { Parser } from './parser.ts';
import { preScan } from './pre-scan.ts';

/**
 * Untrusted: every byte. The facts hold for a server that sees the tokens that its parser would see with its
 * default settings; `doubts` says on which of these that depends.
 */
export function readText(bytes: Uint8Array, parser: Parser): ReadText {
  const scanned = preScan(bytes);
  if (scanned.kind === 'uninspectable') return scanned;
  const parsed = parser.parse(bytes);
  if (parsed.kind !== 'tree') return parsed;
  const statements = classify(parsed.tree, bytes, scanned.pieces);
  return { kind: 'read', statements, doubts: scanned.doubts };
}
