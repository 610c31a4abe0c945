/** Addresses of mail: RFC 5322 dot-atoms, RFC 6531 letters beyond ASCII. Quoted local parts are not found. */

import { CLASS, IS_DOMAIN, IS_LETTER, IS_LOCAL, IS_WORD } from './byte-classes.ts';
import { entityId } from './entities.ts';
import type { ScanState } from './scan-state.ts';

const EMAIL = entityId('EMAIL');
/** RFC 5321, section 4.5.3.1; letters beyond ASCII take up to four bytes. */
const LOCAL_BYTES_MAX = 128;
const DOMAIN_BYTES_MAX = 320;

/** May stand in a local part, but stand before one more often: `to=a@b.example`, `/a@b.example`. */
const CUTS = new Uint8Array(256);
for (const cut of "=/?&#*!$%^{}|`'") CUTS[cut.charCodeAt(0)] = 1;

/** What is written `icon@2x.png`, `chart@v2.js`: no domain ends so. */
const FILES = new Set(
  ['png', 'jpg', 'jpeg', 'gif', 'svg', 'webp', 'js', 'css', 'ts', 'json', 'html', 'pdf', 'tgz'].map(packed),
);

/** The address around an `@`: whether there is one. */
export function emailAt(state: ScanState, at: number): boolean {
  const from = localStart(state, at);
  if (from === at) return false;
  const to = domainEnd(state, at + 1);
  if (to === 0) return false;
  state.add(EMAIL, from, to);
  return true;
}

function localStart(state: ScanState, at: number): number {
  const { bytes } = state;
  const earliest = Math.max(state.floor, at - LOCAL_BYTES_MAX);
  let from = at;
  while (from > earliest) {
    const byte = bytes[from - 1] ?? 0;
    if (((CLASS[byte] ?? 0) & IS_LOCAL) === 0 || CUTS[byte] === 1) break;
    from -= 1;
  }
  while (from < at && (bytes[from] === 46 || bytes[from] === 45)) from += 1;
  return bytes[at - 1] === 46 ? at : from;
}

/** Where the domain ends; 0 where what follows is none. */
function domainEnd(state: ScanState, at: number): number {
  const { bytes } = state;
  const latest = Math.min(state.end, at + DOMAIN_BYTES_MAX);
  let to = at;
  let lastDot = 0;
  while (to < latest && ((CLASS[bytes[to] ?? 0] ?? 0) & IS_DOMAIN) !== 0) {
    if (bytes[to] === 46) {
      // `a@b..example`, `a@.example`
      if (to === at || bytes[to - 1] === 46) break;
      lastDot = to;
    }
    to += 1;
  }
  while (to > at && (bytes[to - 1] === 46 || bytes[to - 1] === 45)) to -= 1;
  if (lastDot >= to - 1) lastDot = previousDot(bytes, at, to);
  if (lastDot === 0 || bytes[at] === 45) return 0;
  return endOfTopLabel(state, lastDot + 1, to);
}

/** The last label has letters: two at least. */
function endOfTopLabel(state: ScanState, from: number, to: number): number {
  const { bytes } = state;
  if (to - from < 2 || ((CLASS[bytes[from] ?? 0] ?? 0) & IS_LETTER) === 0) {
    return (bytes[from] ?? 0) >= 0x80 && to - from >= 2 ? to : 0;
  }
  const isPunycode = bytes[from] === 120 && bytes[from + 1] === 110 && bytes[from + 2] === 45;
  let end = isPunycode ? to : from;
  while (end < to && (((CLASS[bytes[end] ?? 0] ?? 0) & IS_LETTER) !== 0 || (bytes[end] ?? 0) >= 0x80))
    end += 1;
  if (end - from < 2) return 0;
  // `a@b.example-Office`: the label ends at the hyphen. `a@b.c3` is none.
  if (end < to && ((CLASS[bytes[end] ?? 0] ?? 0) & IS_WORD) !== 0) return 0;
  if (end - from <= 4) {
    let label = 0;
    for (let place = from; place < end; place += 1) label = label * 32 + ((bytes[place] ?? 0) & 31);
    if (FILES.has(label)) return 0;
  }
  return end;
}

function previousDot(bytes: Uint8Array, from: number, to: number): number {
  for (let at = to - 1; at > from; at -= 1) if (bytes[at] === 46) return at;
  return 0;
}

/** A word of at most four letters as a number, five bits a letter. */
function packed(word: string): number {
  let number = 0;
  for (let at = 0; at < word.length; at += 1) number = number * 32 + (word.charCodeAt(at) & 31);
  return number;
}
