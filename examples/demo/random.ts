/** Numbers that look random and are the same for the same seed, so that the demo can be repeated. */

/** xorshift32 (Marsaglia 2003) with a mixed seed; good enough for invented data, for nothing else. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not give neighbouring sequences, and the state must not be 0.
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1;
    for (let round = 0; round < 8; round += 1) this.next();
  }

  /** In [0, 1). */
  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state / 0x1_0000_0000;
  }

  /** An integer in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    const [first] = from;
    if (first === undefined) throw new RangeError('Expected something to pick from.');
    return from[this.below(from.length)] ?? first;
  }

  /** Decimal digits. */
  digits(count: number): string {
    return Array.from({ length: count }, () => String(this.below(10))).join('');
  }
}
