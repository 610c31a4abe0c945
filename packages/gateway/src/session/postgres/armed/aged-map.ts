/**
 * What the server said, for as long as it can be taken to hold: until this session may have changed it, and never
 * longer than limits.serverTree.answerMaxAgeMs, because another session may change it at any time.
 */

import { LIMITS } from '../../../core/limits.ts';

const MAX_AGE_US = LIMITS.serverTree.answerMaxAgeMs * 1000;

interface Aged<T> {
  readonly value: T;
  readonly epoch: number;
  readonly atUs: number;
}

/** Whether something that was said then can still be taken to hold. */
export function isFresh(
  { epoch, atUs }: Omit<Aged<unknown>, 'value'>,
  now: Omit<Aged<unknown>, 'value'>,
): boolean {
  return epoch === now.epoch && now.atUs - atUs <= MAX_AGE_US;
}

/** Bounded; what was set first goes first. */
export class AgedMap<T> {
  readonly #all = new Map<string, Aged<T>>();
  readonly #nowUs: () => number;
  readonly #max: number;

  /** @param nowUs of a clock that only goes on */
  constructor(nowUs: () => number, max: number) {
    this.#nowUs = nowUs;
    this.#max = max;
  }

  get(key: string, epoch: number): T | undefined {
    const known = this.#all.get(key);
    if (known === undefined) return undefined;
    if (isFresh(known, { epoch, atUs: this.#nowUs() })) return known.value;
    this.#all.delete(key);
    return undefined;
  }

  set(key: string, epoch: number, value: T): void {
    this.#all.delete(key);
    this.#all.set(key, { value, epoch, atUs: this.#nowUs() });
    if (this.#all.size <= this.#max) return;
    for (const oldest of this.#all.keys()) {
      this.#all.delete(oldest);
      break;
    }
  }
}
