/**
 * When somebody who guesses has to wait: a state machine over time that is given.
 *
 * Two counters of failures over a sliding window: one for a name from one address, one for an
 * address with any name. Never one for a name alone, so that a stranger cannot lock a person out.
 * After a lock the failures still count until they leave the window: one more locks again.
 *
 * A flood cannot fill the log: of the attempts that a lock refuses, the first few get a leaf each,
 * then one in a window, which carries the number of those without. Attempts before a lock are
 * bounded by the lock itself. The number is exact; what is forgotten is kept as one sum.
 */

import { isIPv6 } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { LIMITS } from '../core/limits.ts';

/** Untrusted: both. A name is absent where a bearer token is all there is. */
export interface LockoutKey {
  readonly name: string | undefined;
  readonly address: string;
}

export type Admission =
  | { readonly kind: 'open' }
  | {
      readonly kind: 'locked';
      readonly secondsLeft: number;
      /** Whether this attempt gets a leaf, */
      readonly writeLeaf: boolean;
      /** and how many before it got none; 0 unless `writeLeaf`. */
      readonly unreported: number;
    };

/** A lock that began with the failure that was just counted. */
export interface BegunLock extends LockoutKey {
  readonly failures: number;
  readonly seconds: number;
}

/** Attempts that got no leaf yet. */
export interface Unreported extends LockoutKey {
  readonly count: number;
}

interface Entry extends LockoutKey {
  failuresUs: number[];
  lockedUntilUs: number;
  refusedUs: number;
  leafUs: number;
  leaves: number;
  unreported: number;
}

const WINDOW_US = LIMITS.identity.failureWindowMs * 1000;
const LOCK_US = LIMITS.identity.lockMs * 1000;

/** The one owner of the counters. */
export class Lockout {
  readonly #clock: Clock;
  readonly #entriesMax: number;
  /** In the order of the last attempt: the oldest goes first. */
  readonly #entries = new Map<string, Entry>();
  #forgotten = 0;

  constructor(clock: Clock, entriesMax: number = LIMITS.identity.lockoutEntriesMax) {
    this.#clock = clock;
    this.#entriesMax = entriesMax;
  }

  get entryCount(): number {
    return this.#entries.size;
  }

  /** Whether an attempt may be looked at; before anything is hashed. */
  admit(key: LockoutKey): Admission {
    const nowUs = this.#clock.monotonicUs();
    const locked = keysOf(key).filter(({ id }) => (this.#entries.get(id)?.lockedUntilUs ?? 0) > nowUs);
    // The address first: one account for whoever tries many names.
    const entry = this.#touch(locked[0]?.id);
    if (entry === undefined) return { kind: 'open' };
    const until = Math.max(...locked.map(({ id }) => this.#entries.get(id)?.lockedUntilUs ?? 0));
    const secondsLeft = Math.ceil((until - nowUs) / 1_000_000);
    return { kind: 'locked', secondsLeft, ...account(entry, nowUs) };
  }

  /** Counts a failure; the locks that begin with it. */
  fail(key: LockoutKey): readonly BegunLock[] {
    const nowUs = this.#clock.monotonicUs();
    const begun: BegunLock[] = [];
    for (const { id, failuresMax, ...named } of keysOf(key)) {
      const entry = this.#touch(id) ?? this.#add(id, named);
      entry.failuresUs = entry.failuresUs.filter((us) => us > nowUs - WINDOW_US).slice(1 - failuresMax);
      entry.failuresUs.push(nowUs);
      if (entry.failuresUs.length < failuresMax || entry.lockedUntilUs > nowUs) continue;
      entry.lockedUntilUs = nowUs + LOCK_US;
      begun.push({ ...named, failures: entry.failuresUs.length, seconds: LIMITS.identity.lockMs / 1000 });
    }
    return begun;
  }

  /** Forgets the failures of this name from this address; those of the address stay. */
  succeed(key: LockoutKey): void {
    for (const { id, name } of keysOf(key)) {
      const entry = this.#entries.get(id);
      if (entry === undefined || name === undefined) continue;
      entry.failuresUs = [];
      entry.lockedUntilUs = 0;
      if (entry.unreported === 0) this.#entries.delete(id);
    }
  }

  /**
   * Attempts without a leaf that are due to be told, now taken as told.
   *
   * @param which `due` where the last leaf is a window ago; `all` before a shutdown
   */
  drain(which: 'due' | 'all'): readonly Unreported[] {
    const nowUs = this.#clock.monotonicUs();
    const drained: Unreported[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.unreported === 0 || (which === 'due' && nowUs - entry.leafUs < WINDOW_US)) continue;
      drained.push({ name: entry.name, address: entry.address, count: entry.unreported });
      entry.unreported = 0;
      entry.leafUs = nowUs;
    }
    if (this.#forgotten > 0) drained.push({ name: undefined, address: '', count: this.#forgotten });
    this.#forgotten = 0;
    return drained;
  }

  #touch(id: string | undefined): Entry | undefined {
    if (id === undefined) return undefined;
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    return entry;
  }

  #add(id: string, key: LockoutKey): Entry {
    const entry: Entry = {
      ...key,
      failuresUs: [],
      lockedUntilUs: 0,
      refusedUs: 0,
      leafUs: 0,
      leaves: 0,
      unreported: 0,
    };
    this.#entries.set(id, entry);
    const [oldest] = this.#entries;
    if (this.#entries.size > this.#entriesMax && oldest !== undefined) {
      this.#forgotten += oldest[1].unreported;
      this.#entries.delete(oldest[0]);
    }
    return entry;
  }
}

/** Whether a refused attempt gets a leaf. */
function account(entry: Entry, nowUs: number): { writeLeaf: boolean; unreported: number } {
  if (nowUs - entry.refusedUs >= WINDOW_US) entry.leaves = 0;
  entry.refusedUs = nowUs;
  if (entry.leaves >= LIMITS.identity.lockedLeavesMax && nowUs - entry.leafUs < WINDOW_US) {
    entry.unreported += 1;
    return { writeLeaf: false, unreported: 0 };
  }
  const { unreported } = entry;
  entry.unreported = 0;
  entry.leaves += 1;
  entry.leafUs = nowUs;
  return { writeLeaf: true, unreported };
}

function keysOf({ name, address }: LockoutKey): (LockoutKey & { id: string; failuresMax: number })[] {
  const network = networkOf(address);
  const { addressFailuresMax, failuresMax } = LIMITS.identity;
  const byAddress = {
    id: `${network}\0`,
    name: undefined,
    address: network,
    failuresMax: addressFailuresMax,
  };
  if (name === undefined) return [byAddress];
  return [byAddress, { id: `${network}\0${name}`, name, address: network, failuresMax }];
}

/** The address, or the /64 of an IPv6 address: whoever has one of its addresses has them all. */
export function networkOf(address: string): string {
  const plain = address.toLowerCase().split('%', 1)[0] ?? '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.replace(/\d+\.\d+\.\d+\.\d+$/, '0:0').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(8 - left.length - right.length, 0) }, () => '0');
  const groups = [...left, ...(tail === undefined ? [] : zeros), ...right].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
