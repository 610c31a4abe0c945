/**
 * UTF-8 as it has to be: RFC 3629, section 4, and Table 3-7 of the Unicode Standard. No overlong forms, no
 * surrogates, nothing above U+10FFFF.
 */

/** Bytes of the character at a place; 0 where there is none that is well formed. Untrusted: every byte. */
export function utf8Width(bytes: Uint8Array, at: number, to: number): 0 | 1 | 2 | 3 | 4 {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return at < to ? 1 : 0;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = at + 1 < to ? (bytes[at + 1] ?? 0) : 0;
  if (first < 0xe0) return isTail(second) ? 2 : 0;
  const isSecond = second >= leastSecond(first) && second <= greatestSecond(first);
  if (!isSecond || at + 2 >= to || !isTail(bytes[at + 2] ?? 0)) return 0;
  if (first < 0xf0) return 3;
  return at + 3 < to && isTail(bytes[at + 3] ?? 0) ? 4 : 0;
}

/** Whether all of it is. */
export function isWellFormed(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    const width = utf8Width(bytes, at, bytes.length);
    if (width === 0) return false;
    at += width;
  }
  return true;
}

function isTail(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

function leastSecond(first: number): number {
  return first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
}

function greatestSecond(first: number): number {
  return first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
}
