/**
 * What the values of a column say together. One number of eleven digits proves nothing: one in ten passes a
 * check by chance. Eight that all pass do not happen by chance.
 *
 * Spec: spec/masking.md §5.
 */

import { CLASS, IS_DIGIT, IS_JOINER } from './byte-classes.ts';
import { isCard } from './cards.ts';
import { entityId, entityName, entityNames } from './entities.ts';
import { bareNumbers, DIGITS_MAX } from './number-table.ts';

/** Fewer different values decide nothing. */
const DISTINCT_MIN = 8;
/** More are not needed. */
const DISTINCT_MAX = 512;
/** Places for their hashes: a power of two, at most half of it used. */
const SLOTS = 1_024;
/** Share of the values that have to be valid: some are mistyped. */
const SHARE_MIN = 0.9;
/** Schemes that more random numbers pass than this prove nothing. */
const CHANCE_MAX = 0.1;
/** How unlikely it has to be that chance alone made so many valid. */
const ODDS_MAX = 1e-8;
/** From here on a share near chance is a finding, too. */
const DISTINCT_FOR_CHANCE = 64;

const CREDIT_CARD = entityId('CREDIT_CARD');
/** What may be fixed of a number without being a scheme, as its prefix or a date, is not counted: only the check. */
const CHECK_CHANCE = 0.1;

export interface ColumnVerdict {
  /**
   * - `unknown`: too few values, or neither;
   * - `promoted`: the values are of these entities;
   * - `chance`: numbers that pass no scheme more often than random ones do, so probably ids.
   */
  readonly kind: 'unknown' | 'promoted' | 'chance';
  readonly entities: readonly string[];
  /** Different values that were looked at. */
  readonly distinct: number;
}

/** Counts over the values of one column; the owner is whoever knows the column. */
export class ColumnStatistics {
  #distinct = 0;
  #numbers = 0;
  readonly #seen = new Int32Array(SLOTS);
  readonly #valid: Int32Array = new Int32Array(entityNames().length);
  readonly #digits = new Uint8Array(DIGITS_MAX + 1);

  /** Takes one value; the same value counts once. */
  take(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    if (from === to || this.#distinct === DISTINCT_MAX) return;
    const count = this.#read(bytes, from, to);
    if (!this.#isNew(bytes, from, to)) return;
    this.#distinct += 1;
    if (count < 6) return;
    this.#numbers += 1;
    if (isCard(this.#digits, count)) this.#pass(CREDIT_CARD);
    // Of two rows of an entity a value counts once.
    let last = -1;
    for (const { detector, entity } of bareNumbers(count)) {
      if (entity === last || detector.hasNoCheck === true || detector.chance > CHANCE_MAX) continue;
      if (!detector.valid(this.#digits, count)) continue;
      this.#pass(entity);
      last = entity;
    }
  }

  /** Digits of a value; 0 where it has anything but digits and what joins them. */
  #read(bytes: Uint8Array, from: number, to: number): number {
    let count = 0;
    for (let at = from; at < to; at += 1) {
      const bits = CLASS[bytes[at] ?? 0] ?? 0;
      if ((bits & IS_DIGIT) !== 0) {
        if (count === DIGITS_MAX) return 0;
        this.#digits[count] = (bytes[at] ?? 48) - 48;
        count += 1;
      } else if ((bits & IS_JOINER) === 0) {
        return 0;
      }
    }
    return count;
  }

  #isNew(bytes: Uint8Array, from: number, to: number): boolean {
    let hash = 0x811c_9dc5 | 0;
    for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x0100_0193);
    if (hash === 0) hash = 1;
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    while (this.#seen[slot] !== 0) {
      if (this.#seen[slot] === hash) return false;
      slot = (slot + 1) & (SLOTS - 1);
    }
    this.#seen[slot] = hash;
    return true;
  }

  #pass(entity: number): void {
    this.#valid[entity] = (this.#valid[entity] ?? 0) + 1;
  }

  /** What there is to say; it may change with more values. */
  verdict(): ColumnVerdict {
    const distinct = this.#distinct;
    const entities: string[] = [];
    let isChance = distinct >= DISTINCT_FOR_CHANCE && this.#numbers >= distinct * SHARE_MIN;
    for (const [entity, valid] of this.#valid.entries()) {
      if (valid === 0) continue;
      const isEnough = distinct >= DISTINCT_MIN && valid >= distinct * SHARE_MIN;
      if (isEnough && binomialTail(distinct, valid, CHECK_CHANCE) <= ODDS_MAX * 1.000_001)
        entities.push(entityName(entity));
      // Four standard deviations above chance are not chance.
      const expected = distinct * CHECK_CHANCE;
      if (valid > expected + 4 * Math.sqrt(expected)) isChance = false;
    }
    const kind = entities.length > 0 ? 'promoted' : isChance ? 'chance' : 'unknown';
    return { kind, entities, distinct };
  }
}

/** What the scanner wants to know of a verdict; undefined where there is nothing to know. */
export function promotedBy(verdict: Pick<ColumnVerdict, 'entities'>): Uint8Array | undefined {
  if (verdict.entities.length === 0) return undefined;
  const promoted = new Uint8Array(entityNames().length);
  for (const name of verdict.entities) promoted[entityId(name)] = 1;
  return promoted;
}

/** The probability that at least so many of n pass by chance, each with p. */
export function binomialTail(n: number, atLeast: number, p: number): number {
  // From the last term down, each from the one before, so that nothing overflows.
  let logTerm = n * Math.log(p);
  let tail = Math.exp(logTerm);
  for (let k = n; k > atLeast; k -= 1) {
    logTerm += Math.log(k) - Math.log(n - k + 1) + Math.log1p(-p) - Math.log(p);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, tail);
}
