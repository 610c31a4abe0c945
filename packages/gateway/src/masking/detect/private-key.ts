/** Private keys as text: from `-----BEGIN … PRIVATE KEY-----` to the END of the same, or to the end of the text. */

import { entityId } from './entities.ts';
import type { ScanState } from './scan-state.ts';

const PRIVATE_KEY = entityId('PRIVATE_KEY');
const BEGIN = Uint8Array.from('-----BEGIN ', (character) => character.charCodeAt(0));
const END = Uint8Array.from('-----END ', (character) => character.charCodeAt(0));
const LABEL = Uint8Array.from('PRIVATE KEY', (character) => character.charCodeAt(0));
/** RFC 7468: a label is short. */
const LABEL_BYTES_MAX = 48;

/**
 * A private key that begins at a place; whether there is one. One that is cut off is masked to the end of
 * what there is, and the stream goes on masking (streaming-scanner.ts).
 */
export function privateKeyAt(state: ScanState, at: number): boolean {
  if (!isPrivateKeyBegin(state.bytes, at, state.end)) return false;
  state.add(PRIVATE_KEY, at, privateKeyEnd(state.bytes, at + BEGIN.length, state.end) || state.end);
  return true;
}

function isPrivateKeyBegin(bytes: Uint8Array, at: number, end: number): boolean {
  if (!matches(bytes, at, end, BEGIN)) return false;
  const latest = Math.min(end - LABEL.length, at + BEGIN.length + LABEL_BYTES_MAX);
  for (let place = at + BEGIN.length; place <= latest; place += 1) {
    const byte = bytes[place] ?? 0;
    if (byte === 45 || byte === 10) return false;
    if (byte === 80 && matches(bytes, place, end, LABEL)) return true;
  }
  return false;
}

/** Behind the line that ends a key; 0 where there is none up to the end. */
export function privateKeyEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at += 1) {
    if (bytes[at] !== 45 || !matches(bytes, at, end, END)) continue;
    let to = at + END.length;
    const latest = Math.min(end, to + LABEL_BYTES_MAX);
    while (to < latest && bytes[to] !== 45) to += 1;
    while (to < latest && bytes[to] === 45) to += 1;
    return to;
  }
  return 0;
}

function matches(bytes: Uint8Array, at: number, end: number, text: Uint8Array): boolean {
  if (at + text.length > end) return false;
  for (let step = 0; step < text.length; step += 1) if (bytes[at + step] !== text[step]) return false;
  return true;
}
