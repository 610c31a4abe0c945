/** How random a text looks: C. E. Shannon, 1948. */

const counts = new Int32Array(256);

/** Bits for each byte of a text. */
export function entropyOf(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length <= 0) return 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    counts[byte] = (counts[byte] ?? 0) + 1;
  }
  let bits = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    const count = counts[byte] ?? 0;
    if (count === 0) continue;
    bits -= (count / length) * Math.log2(count / length);
    counts[byte] = 0;
  }
  return bits;
}
