/** SHA-256, FIPS 180-4, for short texts: the check of Base58Check is a part of it. This room has no node:crypto. */

const K = new Int32Array(64);
const INITIAL = new Int32Array(8);

/** The first bits of the fractions of roots of the first primes, FIPS 180-4 §4.2.2 and §5.3.3. */
(function constants(): void {
  let count = 0;
  for (let candidate = 2; count < 64; candidate += 1) {
    let isPrime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor += 1)
      if (candidate % divisor === 0) isPrime = false;
    if (!isPrime) continue;
    if (count < 8) INITIAL[count] = fraction(Math.sqrt(candidate));
    K[count] = fraction(Math.cbrt(candidate));
    count += 1;
  }
})();

function fraction(root: number): number {
  return ((root - Math.floor(root)) * 2 ** 32) | 0;
}

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

const schedule = new Int32Array(64);
const block = new Uint8Array(64);

/** The digest of at most 55 bytes, which fit one block. */
export function sha256Short(bytes: Uint8Array, length: number): Uint8Array {
  block.fill(0);
  block.set(bytes.subarray(0, length));
  block[length] = 0x80;
  block[62] = (length * 8) >>> 8;
  block[63] = (length * 8) & 0xff;
  for (let at = 0; at < 16; at += 1) {
    schedule[at] =
      ((block[at * 4] ?? 0) << 24) |
      ((block[at * 4 + 1] ?? 0) << 16) |
      ((block[at * 4 + 2] ?? 0) << 8) |
      (block[at * 4 + 3] ?? 0);
  }
  for (let at = 16; at < 64; at += 1) {
    const first = schedule[at - 15] ?? 0;
    const second = schedule[at - 2] ?? 0;
    const small0 = rotate(first, 7) ^ rotate(first, 18) ^ (first >>> 3);
    const small1 = rotate(second, 17) ^ rotate(second, 19) ^ (second >>> 10);
    schedule[at] = ((schedule[at - 16] ?? 0) + small0 + (schedule[at - 7] ?? 0) + small1) | 0;
  }
  return digestOf(compress());
}

function compress(): Int32Array {
  const state = Int32Array.from(INITIAL);
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let at = 0; at < 64; at += 1) {
    const big1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const first = (h + big1 + ((e & f) ^ (~e & g)) + (K[at] ?? 0) + (schedule[at] ?? 0)) | 0;
    const big0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const second = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  for (const [at, word] of [a, b, c, d, e, f, g, h].entries()) state[at] = ((state[at] ?? 0) + word) | 0;
  return state;
}

function digestOf(state: Int32Array): Uint8Array {
  const digest = new Uint8Array(32);
  for (const [at, word] of state.entries()) {
    digest[at * 4] = word >>> 24;
    digest[at * 4 + 1] = (word >>> 16) & 0xff;
    digest[at * 4 + 2] = (word >>> 8) & 0xff;
    digest[at * 4 + 3] = word & 0xff;
  }
  return digest;
}
