/**
 * Other ways to write the same: digits of other scripts, full-width forms, spaces that do not look different,
 * dashes, and characters that are not seen at all. A text that has any is scanned as a person reads it, and
 * what is found is brought back to where it stands.
 *
 * What is folded is a table; anything else stays as it is.
 */

/** First code point of ten digits. Unicode 16, general category Nd, of scripts in use, and the mathematical ones. */
const DIGITS_FROM: readonly number[] = [
  0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0e50,
  0x0ed0, 0x0f20, 0x1040, 0x17e0, 0x1810, 0xa9d0, 0xff10, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
  0x1fbf0,
];
/** Not seen: soft hyphen, joiners, marks of direction, word joiner, byte order mark, variation selectors. */
const UNSEEN: readonly (readonly [number, number])[] = [
  [0x00ad, 0x00ad],
  [0x034f, 0x034f],
  [0x061c, 0x061c],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x202a, 0x202e],
  [0x2060, 0x2064],
  [0x2066, 0x206f],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
];
const SPACES: readonly (readonly [number, number])[] = [
  [0x00a0, 0x00a0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];
const DASHES: readonly (readonly [number, number])[] = [
  [0x2010, 0x2015],
  [0x2043, 0x2043],
  [0x2212, 0x2212],
  [0xfe58, 0xfe58],
  [0xfe63, 0xfe63],
];
/** Full-width forms of ASCII. */
const FULL_WIDTH_FROM = 0xff01;
const FULL_WIDTH_TO = 0xff5e;

/** Not folded. */
const STAYS = -1;
/** Left out. */
const LEFT_OUT = 0;

const FOLDED = new Map<number, number>();
for (const first of DIGITS_FROM)
  for (let digit = 0; digit < 10; digit += 1) FOLDED.set(first + digit, 48 + digit);
for (const [from, to] of UNSEEN) for (let point = from; point <= to; point += 1) FOLDED.set(point, LEFT_OUT);
for (const [from, to] of SPACES) for (let point = from; point <= to; point += 1) FOLDED.set(point, 32);
for (const [from, to] of DASHES) for (let point = from; point <= to; point += 1) FOLDED.set(point, 45);
for (let point = FULL_WIDTH_FROM; point <= FULL_WIDTH_TO; point += 1) FOLDED.set(point, point - 0xfee0);
for (const [point, byte] of [
  [0x2024, 46],
  [0xfe52, 46],
  [0x3002, 46],
  [0xff61, 46],
  [0xfe6b, 64],
  [0x2044, 47],
  [0x2215, 47],
] as const) {
  FOLDED.set(point, byte);
}

/** First bytes of characters that are folded, so that the rest is passed over. */
const LEADS = new Uint8Array(256);
const encoder = new TextEncoder();
for (const point of FOLDED.keys()) LEADS[encoder.encode(String.fromCodePoint(point))[0] ?? 0] = 1;

/** More unseen characters than this in a row are no longer within a word. */
const UNSEEN_RUN_MAX = 8;

/** Whether a text may have something to fold: a byte of the table of first bytes. */
export function mayFold(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  for (; at + 3 < to; at += 4) {
    const any = (bytes[at] ?? 0) | (bytes[at + 1] ?? 0) | (bytes[at + 2] ?? 0) | (bytes[at + 3] ?? 0);
    if (any < 0x80) continue;
    for (let step = 0; step < 4; step += 1) if (LEADS[bytes[at + step] ?? 0] === 1) return true;
  }
  for (; at < to; at += 1) if (LEADS[bytes[at] ?? 0] === 1) return true;
  return false;
}

/** A text as it is read, and where each of its bytes comes from. */
export class FoldedText {
  bytes: Uint8Array = new Uint8Array(1_024);
  /** Where the character of a byte begins in the original; one more for the end. */
  origins: Int32Array = new Int32Array(1_025);
  length = 0;

  /** Where the byte stands that comes from a place of the original, or from the next that is left. */
  placeOf(origin: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.origins[middle] ?? 0) < origin) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Folds a text; false where nothing was folded, and the text itself can be scanned. */
  fold(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.bytes.length < to - from) {
      this.bytes = new Uint8Array((to - from) * 2);
      this.origins = new Int32Array((to - from) * 2 + 1);
    }
    let length = 0;
    let at = from;
    let changed = false;
    let unseen = 0;
    while (at < to) {
      const byte = bytes[at] ?? 0;
      const width = byte < 0x80 ? 1 : widthOf(byte);
      const folded = LEADS[byte] === 1 && at + width <= to ? foldAt(bytes, at, width) : STAYS;
      unseen = folded === LEFT_OUT ? unseen + 1 : 0;
      if (folded === STAYS) {
        const last = Math.min(to, at + width);
        for (let place = at; place < last; place += 1) {
          this.bytes[length] = bytes[place] ?? 0;
          this.origins[length] = place;
          length += 1;
        }
      } else {
        changed = true;
        if (folded !== LEFT_OUT || unseen > UNSEEN_RUN_MAX) {
          this.bytes[length] = folded === LEFT_OUT ? 32 : folded;
          this.origins[length] = at;
          length += 1;
        }
      }
      at += width;
    }
    this.origins[length] = to;
    this.length = length;
    return changed;
  }
}

function widthOf(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}

function foldAt(bytes: Uint8Array, at: number, width: number): number {
  const lead = bytes[at] ?? 0;
  let point = width === 4 ? lead & 0x07 : width === 3 ? lead & 0x0f : lead & 0x1f;
  for (let step = 1; step < width; step += 1) {
    const next = bytes[at + step] ?? 0;
    if ((next & 0xc0) !== 0x80) return STAYS;
    point = (point << 6) | (next & 0x3f);
  }
  return FOLDED.get(point) ?? STAYS;
}
