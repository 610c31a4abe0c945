import { array, assert, constantFrom, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../core/limits.ts';
import { Lockout, networkOf } from './lockout.ts';
import { HandClock } from './testing-room.ts';

const { failuresMax, addressFailuresMax, failureWindowMs, lockMs, lockedLeavesMax } = LIMITS.identity;
const ana = { name: 'ana', address: '10.0.0.1' };

function failTimes(lockout: Lockout, times: number, key = ana): void {
  for (let i = 0; i < times; i++) lockout.fail(key);
}

describe('Lockout', () => {
  it('locks a name from one address at the limit and not before', () => {
    const lockout = new Lockout(new HandClock());
    failTimes(lockout, failuresMax - 1);
    expect(lockout.admit(ana)).toEqual({ kind: 'open' });
    expect(lockout.fail(ana)).toEqual([{ ...ana, failures: failuresMax, seconds: lockMs / 1000 }]);
    expect(lockout.admit(ana)).toMatchObject({ kind: 'locked', secondsLeft: lockMs / 1000 });
  });

  it('does not lock a person out because of a stranger elsewhere, nor others at the same address', () => {
    const lockout = new Lockout(new HandClock());
    failTimes(lockout, failuresMax);
    expect(lockout.admit({ ...ana, address: '10.0.0.2' })).toEqual({ kind: 'open' });
    expect(lockout.admit({ ...ana, name: 'ben' })).toEqual({ kind: 'open' });
  });

  it('locks an address that tries many names, for a bearer too', () => {
    const lockout = new Lockout(new HandClock());
    for (let i = 0; i < addressFailuresMax; i++) lockout.fail({ ...ana, name: `name${i}` });
    expect(lockout.admit({ ...ana, name: 'zoe' }).kind).toBe('locked');
    expect(lockout.admit({ ...ana, name: undefined }).kind).toBe('locked');
  });

  it('opens after the lock, locks again at one more failure, and forgets after the window', () => {
    const clock = new HandClock();
    const lockout = new Lockout(clock);
    failTimes(lockout, failuresMax);
    clock.pass(lockMs);
    expect(lockout.admit(ana)).toEqual({ kind: 'open' });
    expect(lockout.fail(ana)).toHaveLength(1);
    clock.pass(failureWindowMs);
    expect(lockout.fail(ana)).toHaveLength(0);
  });

  it('forgets the failures of a name at its success, but not those of the address', () => {
    const lockout = new Lockout(new HandClock());
    for (let i = 0; i < addressFailuresMax; i++) {
      lockout.fail(ana);
      if (i < addressFailuresMax - 1) lockout.succeed(ana);
    }
    expect(lockout.admit({ ...ana, name: 'ben' }).kind).toBe('locked');
  });

  it('gives the first refused attempts a leaf each, then one in a window, with an exact count', () => {
    const clock = new HandClock();
    const lockout = new Lockout(clock);
    const seconds = 5000;
    let leaves = 0;
    let told = 0;
    let refused = 0;
    for (let i = 0; i < seconds; i++) {
      clock.pass(1000);
      const admission = lockout.admit(ana);
      if (admission.kind === 'open') {
        lockout.fail(ana);
        continue;
      }
      refused += 1;
      if (!admission.writeLeaf) continue;
      leaves += 1;
      told += 1 + admission.unreported;
    }
    const windows = Math.ceil((seconds * 1000) / failureWindowMs);
    expect(refused).toBeGreaterThan(4000);
    expect(leaves).toBeLessThanOrEqual(lockedLeavesMax + windows);
    for (const { count } of lockout.drain('all')) told += count;
    expect(told).toBe(refused);
    expect(lockout.drain('all')).toEqual([]);
  });

  it('locks exactly when a plain count of failures says so', () => {
    assert(
      property(array(STEP, { maxLength: 500 }), (steps) => {
        const { locked } = simulate(steps, 100);
        expect(locked).toEqual(plainCount(steps));
      }),
      { numRuns: 200 },
    );
  });

  it('stays bounded, and tells of every refused attempt, also of those it had to forget', () => {
    assert(
      property(array(STEP, { maxLength: 500 }), (steps) => {
        const { locked, told, entriesMost } = simulate(steps, 3);
        expect(entriesMost).toBeLessThanOrEqual(3);
        expect(told).toBe(locked.filter(Boolean).length);
      }),
      { numRuns: 200 },
    );
  });
});

interface Step {
  readonly name: string;
  readonly address: string;
  readonly passMs: number;
  readonly ok: boolean;
}

const STEP = record({
  name: constantFrom('ana', 'ben', 'cy'),
  address: constantFrom('10.0.0.1', '10.0.0.2'),
  passMs: constantFrom(0, 0, 1, 1, 20_000, lockMs, failureWindowMs / 3),
  ok: constantFrom(false, false, false, false, false, false, false, true),
});

function simulate(
  steps: readonly Step[],
  entriesMax: number,
): { locked: boolean[]; told: number; entriesMost: number } {
  const clock = new HandClock();
  const lockout = new Lockout(clock, entriesMax);
  const locked: boolean[] = [];
  let told = 0;
  let entriesMost = 0;
  for (const { passMs, ok, ...key } of steps) {
    clock.pass(passMs);
    const admission = lockout.admit(key);
    locked.push(admission.kind === 'locked');
    if (admission.kind === 'locked') told += admission.writeLeaf ? 1 + admission.unreported : 0;
    else if (ok) lockout.succeed(key);
    else lockout.fail(key);
    entriesMost = Math.max(entriesMost, lockout.entryCount);
  }
  for (const { count } of lockout.drain('all')) told += count;
  return { locked, told, entriesMost };
}

/** The same rules over the whole history, without a thought for memory. */
function plainCount(steps: readonly Step[]): boolean[] {
  const failures = new Map<string, number[]>();
  const lockedUntil = new Map<string, number>();
  let now = 0;
  return steps.map(({ name, address, passMs, ok }) => {
    now += passMs;
    const pair = `${name} ${address}`;
    if ([pair, address].some((id) => (lockedUntil.get(id) ?? 0) > now)) return true;
    if (ok) {
      failures.delete(pair);
      lockedUntil.delete(pair);
      return false;
    }
    for (const id of [pair, address]) {
      const recent = [...(failures.get(id) ?? []), now].filter((ms) => ms > now - failureWindowMs);
      failures.set(id, recent);
      if (recent.length >= (id === address ? addressFailuresMax : failuresMax))
        lockedUntil.set(id, now + lockMs);
    }
    return false;
  });
}

describe('networkOf', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2::7', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('counts %s as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
