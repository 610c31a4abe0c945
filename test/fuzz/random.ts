/** Random numbers that come again with their seed: one input of a fuzzer costs a few of them. */

/** Lengths and counts at which implementations break. */
const EDGES: readonly number[] = [
  0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x000f_ffff,
  0x0010_0000, 0x0010_0001, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffb, 0xffff_fffe,
  0xffff_ffff,
];

/** Bob Jenkins's small fast counting generator, sfc32. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, stream = 0) {
    this.#a = seed | 0;
    this.#b = stream | 0;
    this.#c = 0x9e37_79b9 | 0;
    for (let i = 0; i < 12; i++) this.uint32();
  }

  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return sum >>> 0;
  }

  /** 0 … count - 1 */
  below(count: number): number {
    return this.uint32() % count;
  }

  /** True once in so many. */
  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** An unsigned 32-bit number, most often one at an edge. */
  edge(): number {
    if (this.oneIn(4)) return this.uint32();
    const near = this.oneIn(3) ? this.below(5) - 2 : 0;
    return (this.pick(EDGES) + near) >>> 0;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.uint32();
    return bytes;
  }

  /** Short most of the time. */
  length(max: number): number {
    return this.below(1 + (this.oneIn(8) ? max : Math.min(max, 8)));
  }
}

/** Changes bytes as transmission and attackers do; may give them back unchanged. */
export function mutate(bytes: Uint8Array, random: Random, changesMax = 3): Uint8Array {
  let changed: Uint8Array = bytes.slice();
  for (let i = random.below(changesMax + 1); i > 0; i--) changed = changeOnce(changed, random);
  return changed;
}

function changeOnce(bytes: Uint8Array, random: Random): Uint8Array {
  const { length } = bytes;
  if (length === 0) return random.bytes(random.length(8));
  const at = random.below(length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  switch (random.below(8)) {
    case 0:
      bytes[at] = random.uint32();
      return bytes;
    case 1:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 2:
      if (at + 4 <= length) view.setUint32(at, random.edge());
      return bytes;
    case 3:
      if (at + 2 <= length) view.setUint16(at, random.edge());
      return bytes;
    case 4:
      return bytes.slice(0, at);
    case 5:
      return Buffer.concat([bytes, random.bytes(1 + random.length(16))]);
    case 6: {
      // A part again, or a part less.
      const end = Math.min(length, at + 1 + random.below(16));
      const more = random.oneIn(2) ? [bytes.subarray(at, end), bytes.subarray(at, end)] : [];
      return Buffer.concat([bytes.subarray(0, at), ...more, bytes.subarray(end)]);
    }
    default:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(random.length(4)), bytes.subarray(at)]);
  }
}

/** The same bytes in pieces: of one byte, of a few, or of any length. */
export function split(bytes: Uint8Array, random: Random): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const max = random.pick([1, 2, 3, 7, 64, Math.max(1, bytes.length)]);
  for (let at = 0; at < bytes.length; ) {
    const end = at + (max === 1 ? 1 : 1 + random.below(max));
    pieces.push(bytes.slice(at, end));
    at = end;
  }
  return pieces;
}
