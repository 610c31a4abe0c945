/**
 * Base 32 in lower case without padding. Spec: RFC 4648, section 6.
 *
 * Lower-case letters and digits survive whatever an application does to a value short of changing it.
 */

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let pending = 0;
  for (const byte of bytes) {
    pending = (pending << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((pending >>> bits) & 31);
    }
    pending &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + ALPHABET.charAt((pending << (5 - bits)) & 31);
}

/** The bytes of such a text; undefined for one that no bytes have. */
export function bytesOfBase32(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let length = 0;
  let bits = 0;
  let pending = 0;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value === -1) return undefined;
    pending = (pending << 5) | value;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = pending >>> bits;
    pending &= (1 << bits) - 1;
  }
  // Bits that are left, or a character too many: the same bytes would have two texts.
  return base32(bytes) === text ? bytes : undefined;
}
