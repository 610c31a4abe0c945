/**
 * SHA-256 (FIPS 180-4, section 6.2), synchronous, in plain TypeScript; and the place where a host
 * that has a faster one plugs it in.
 */

/** Digest of the whole input: 32 bytes, which the caller owns. */
export type Sha256 = (data: Uint8Array) => Uint8Array;

let implementation: Sha256 = sha256Portable;

/** SHA-256 by whatever is plugged in. */
export function sha256(data: Uint8Array): Uint8Array {
  return implementation(data);
}

/** Replaces the portable implementation, for this whole process. */
export function useSha256(native: Sha256): void {
  implementation = native;
}

const BLOCK_BYTES = 64;
const LENGTH_BYTES = 8;
const ROUNDS = 64;

/** FIPS 180-4, section 4.2.2: the first 32 bits of the fractional parts of cube roots of primes. */
const K: Readonly<Int32Array> = new Int32Array(fractionalRoots(ROUNDS, 1 / 3));
/** Section 5.3.3: the same of the square roots of the first eight. */
const INITIAL: readonly number[] = fractionalRoots(8, 1 / 2);

/** The implementation that runs everywhere. */
export function sha256Portable(data: Uint8Array): Uint8Array {
  const state = new Int32Array(INITIAL);
  const schedule = new Int32Array(ROUNDS);
  const whole = data.length - (data.length % BLOCK_BYTES);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < whole; at += BLOCK_BYTES) compress(state, schedule, view, at);

  const rest = data.length - whole;
  const tail = new Uint8Array(rest + 1 + LENGTH_BYTES > BLOCK_BYTES ? 2 * BLOCK_BYTES : BLOCK_BYTES);
  tail.set(data.subarray(whole));
  tail[rest] = 0x80;
  const tailView = new DataView(tail.buffer);
  tailView.setUint32(tail.length - 8, Math.floor(data.length / 0x2000_0000));
  tailView.setUint32(tail.length - 4, (data.length * 8) >>> 0);
  for (let at = 0; at < tail.length; at += BLOCK_BYTES) compress(state, schedule, tailView, at);

  const digest = new Uint8Array(32);
  const digestView = new DataView(digest.buffer);
  for (let i = 0; i < 8; i++) digestView.setInt32(4 * i, state[i] ?? 0);
  return digest;
}

// Index checks cost as much as the arithmetic here; every index is in range by construction.
function compress(state: Int32Array, w: Int32Array, view: DataView, at: number): void {
  for (let t = 0; t < 16; t++) w[t] = view.getInt32(at + 4 * t);
  for (let t = 16; t < ROUNDS; t++) {
    const x = w[t - 15] ?? 0;
    const y = w[t - 2] ?? 0;
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    w[t] = ((w[t - 16] ?? 0) + s0 + (w[t - 7] ?? 0) + s1) | 0;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let t = 0; t < ROUNDS; t++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (K[t] ?? 0) + (w[t] ?? 0)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  const add = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) state[i] = ((state[i] ?? 0) + (add[i] ?? 0)) | 0;
}

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

function fractionalRoots(count: number, power: number): number[] {
  const words: number[] = [];
  for (let candidate = 2; words.length < count; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++)
      if (candidate % divisor === 0) prime = false;
    if (!prime) continue;
    const root = candidate ** power;
    words.push(((root - Math.floor(root)) * 0x1_0000_0000) | 0);
  }
  return words;
}
