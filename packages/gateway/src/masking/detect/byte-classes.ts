/** What a byte can be, as tables: one load instead of many comparisons. */

export const IS_DIGIT = 1;
export const IS_UPPER = 2;
export const IS_LOWER = 4;
export const IS_LETTER = 6;
/** A letter or a digit of ASCII. */
export const IS_WORD = 7;
/** May stand before the `@` of an address. */
export const IS_LOCAL = 8;
/** May stand in the domain of an address. */
export const IS_DOMAIN = 16;
/** Ends whatever is written without a space: no detector walks back over such a byte. */
export const IS_BREAK = 32;
/** May stand in a secret that a program made. */
export const IS_SECRET = 64;
/** May stand between two groups of digits. */
export const IS_JOINER = 128;

/** Bits of each byte. */
export const CLASS: Uint8Array = new Uint8Array(256);

export const TRIGGER_DIGIT = 1;
export const TRIGGER_AT = 2;
export const TRIGGER_COLON = 3;
export const TRIGGER_HYPHEN = 4;
const TRIGGER_UNDERSCORE = 5;
export const TRIGGER_EQUALS = 6;
export const TRIGGER_PERCENT = 7;

/** What makes the scanner stop and look; 0 for all the rest. */
export const TRIGGER: Uint8Array = new Uint8Array(256);

function add(bits: number, characters: string): void {
  for (const character of characters) {
    const byte = character.charCodeAt(0);
    CLASS[byte] = (CLASS[byte] ?? 0) | bits;
  }
}

const DIGITS = '0123456789';
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = UPPER.toLowerCase();

add(IS_DIGIT, DIGITS);
add(IS_UPPER, UPPER);
add(IS_LOWER, LOWER);
// RFC 5322, atext, and the dot.
add(IS_LOCAL, `${DIGITS}${UPPER}${LOWER}.!#$%&'*+/=?^_\`{|}~-`);
add(IS_DOMAIN, `${DIGITS}${UPPER}${LOWER}.-`);
add(IS_SECRET, `${DIGITS}${UPPER}${LOWER}_-.+/=~%`);
add(IS_BREAK, ' \t\r\n\f\v\0"\'`<>,;|{}[]()\\');
add(IS_JOINER, ' -./()');
for (let byte = 1; byte < 32; byte += 1) CLASS[byte] = (CLASS[byte] ?? 0) | IS_BREAK;
CLASS[127] = IS_BREAK;
// RFC 6531: letters beyond ASCII may stand on both sides.
for (let byte = 128; byte < 256; byte += 1) CLASS[byte] = IS_LOCAL | IS_DOMAIN;

for (const digit of DIGITS) TRIGGER[digit.charCodeAt(0)] = TRIGGER_DIGIT;
TRIGGER['@'.charCodeAt(0)] = TRIGGER_AT;
TRIGGER[':'.charCodeAt(0)] = TRIGGER_COLON;
TRIGGER['-'.charCodeAt(0)] = TRIGGER_HYPHEN;
TRIGGER['_'.charCodeAt(0)] = TRIGGER_UNDERSCORE;
TRIGGER['='.charCodeAt(0)] = TRIGGER_EQUALS;
TRIGGER['%'.charCodeAt(0)] = TRIGGER_PERCENT;

/** The class of a byte of a text; 0 outside of it. */
export function classAt(bytes: Uint8Array, at: number, end: number): number {
  return at >= 0 && at < end ? (CLASS[bytes[at] ?? 0] ?? 0) : 0;
}
