/** The ledger on a disk that loses its power, lies, fails, fills up or turns read-only, at any moment. */

import { describe, expect, it } from 'vitest';
import { plugNativeSha256 } from '../../packages/gateway/src/audit/native-sha256.ts';
import type { OpenedWriter } from '../../packages/gateway/src/audit/open-writer.ts';
import { Dice, seedOfRun } from './dice.ts';
import { checkLog, refusalOf, SimulatedLog } from './log-on-disk.ts';
import { diskError, SimulatedDisk } from './simulated-disk.ts';

const SOAK = process.env['COUNTERSIGN_SOAK'] !== undefined;

plugNativeSha256();

/** A short life of a log: groups, checkpoints, several segments, a full tile, an orderly restart. */
function shortLife(log: SimulatedLog, disk: SimulatedDisk): void {
  let opened = log.open(disk);
  log.append(opened, 3);
  opened.writer.checkpoint();
  log.append(opened, 250);
  log.append(opened, 1);
  opened.writer.checkpoint(true);
  log.append(opened, 5);
  opened.writer.checkpoint();
  opened.writer.close();
  opened = log.open(disk);
  log.append(opened, 2);
  opened.writer.checkpoint();
  log.append(opened, 2);
}

/** A life of random groups, checkpoints and restarts, of some thousand leaves. */
function longLife(log: SimulatedLog, disk: SimulatedDisk, dice: Dice, steps: number): void {
  let opened = log.open(disk);
  for (let step = 0; step < steps; step++) {
    const choice = dice.below(20);
    if (choice < 12) log.append(opened, 1 + dice.below(dice.pick([3, 40, 300])));
    else if (choice < 19) opened.writer.checkpoint(dice.chance(0.1));
    else {
      opened.writer.close();
      opened = log.open(disk);
    }
  }
  opened.writer.close();
}

/** Runs until the power goes off; whether it did. */
function untilPowerLoss(disk: SimulatedDisk, run: () => void): boolean {
  try {
    run();
  } catch (error) {
    if (!disk.isOff) throw error;
  }
  return disk.isOff;
}

/** Opens what is left, goes on a little, and gives what is wrong with it. */
function goOn(log: SimulatedLog, disk: SimulatedDisk): readonly string[] {
  let opened: OpenedWriter;
  try {
    opened = log.open(disk);
  } catch (error) {
    return [`refused: ${String(error)}`];
  }
  const { problems } = checkLog(disk, log, opened);
  if (problems.length > 0) return problems;
  log.append(opened, 4);
  opened.writer.checkpoint(true);
  const after = checkLog(disk, log, opened);
  opened.writer.close();
  return after.problems;
}

/** What `ledger doctor --accept-rollback` does; from then on, what is left is the log. */
function recordRollback(log: SimulatedLog, disk: SimulatedDisk): void {
  const opened = log.open(disk, true);
  log.secondPlace.notes.splice(0, log.secondPlace.notes.length - 1);
  log.promised.clear();
  const { leaves } = checkLog(disk, log, opened);
  if (!leaves.some(({ type }) => type === 'ledger.rollback')) throw new Error('no leaf says so');
  opened.writer.close();
}

/** What it throws. */
function attempt(run: () => unknown): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** How many mutating operations a run makes on a disk that works. */
function countOperations(run: (log: SimulatedLog, disk: SimulatedDisk) => void): number {
  const disk = new SimulatedDisk();
  run(new SimulatedLog(), disk);
  return disk.operations.length;
}

describe('the ledger on a disk that loses its power', () => {
  it('keeps every promise after a loss of power at each single operation of a short life', {
    timeout: 600_000,
  }, () => {
    const seed = seedOfRun('loss of power at each operation');
    const count = countOperations(shortLife);
    expect(count).toBeGreaterThan(100);
    const worlds = SOAK ? 20 : 1;
    for (let crashAt = 0; crashAt <= count; crashAt++) {
      const log = new SimulatedLog();
      const disk = new SimulatedDisk();
      disk.breakWith({ crashAt });
      expect(untilPowerLoss(disk, () => shortLife(log, disk))).toBe(crashAt < count);
      for (let world = 0; world < worlds; world++) {
        const dice = new Dice(seed + crashAt * 1_000 + world);
        const problems = goOn(log.copy(), disk.afterPowerLoss(dice));
        expect({ crashAt, world, problems }).toEqual({ crashAt, world, problems: [] });
      }
      const problems = goOn(log.copy(), disk.afterKill());
      expect({ crashAt, problems }).toEqual({ crashAt, problems: [] });
    }
  });

  it('keeps every promise over several losses of power, some of them during recovery', {
    timeout: 3_600_000,
  }, () => {
    const seed = seedOfRun('several losses of power');
    const lives = SOAK ? 1_000 : 30;
    for (let life = 0; life < lives; life++) {
      const dice = new Dice(seed + life);
      const log = new SimulatedLog(dice.pick([4_096, 65_536, 1_048_576]));
      let disk = new SimulatedDisk();
      for (let crash = 0; crash < 4; crash++) {
        disk.breakWith({ crashAt: dice.below(dice.pick([12, 60, 300])) });
        const broken = disk;
        untilPowerLoss(broken, () => longLife(log, broken, dice, 40));
        disk = dice.chance(0.8) ? broken.afterPowerLoss(dice) : broken.afterKill();
      }
      const problems = goOn(log, disk);
      expect({ seed: seed + life, problems }).toEqual({ seed: seed + life, problems: [] });
    }
  });
});

describe('the ledger on a disk that fails', () => {
  it('halts at an error of any operation, promises nothing more, and goes on at the next start', {
    timeout: 600_000,
  }, () => {
    const count = countOperations(shortLife);
    for (const [first, code] of ['EIO', 'ENOSPC', 'EROFS'].entries()) {
      for (let failAt = first; failAt < count; failAt += SOAK ? 1 : 3) {
        const log = new SimulatedLog();
        const disk = new SimulatedDisk();
        let thrown: unknown;
        disk.breakWith({ fail: ({ index }) => (index === failAt ? diskError(code) : undefined) });
        try {
          shortLife(log, disk);
        } catch (error) {
          thrown = error;
        }
        expect({ code, failAt, thrown: refusalOf(thrown) }).toEqual({
          code,
          failAt,
          thrown: 'LEDGER_HALTED',
        });
        disk.breakWith({});
        const problems = goOn(log, disk.afterKill());
        expect({ code, failAt, problems }).toEqual({ code, failAt, problems: [] });
      }
    }
  });

  it('does not believe what the system holds in memory after a sync that failed', {
    timeout: 600_000,
  }, () => {
    const seed = seedOfRun('loss of power after a failed sync');
    const syncs = new SimulatedDisk();
    shortLife(new SimulatedLog(), syncs);
    for (const { index, name } of syncs.operations) {
      if (name !== 'datasync') continue;
      const log = new SimulatedLog();
      const disk = new SimulatedDisk();
      disk.breakWith({ fail: (operation) => (operation.index === index ? diskError('EIO') : undefined) });
      expect(() => shortLife(log, disk)).toThrow(/cannot be written/);
      // The next process sees the bytes that the disk does not have; then the power goes.
      const next = disk.afterKill();
      const opened = log.open(next);
      log.append(opened, 4);
      const problems = goOn(log, next.afterPowerLoss(new Dice(seed + index)));
      expect({ index, problems }).toEqual({ index, problems: [] });
    }
  });

  it('never syncs a journal again whose sync failed', () => {
    const log = new SimulatedLog();
    const disk = new SimulatedDisk();
    const opened = log.open(disk);
    disk.breakWith({ fail: ({ name }) => (name === 'datasync' ? diskError('EIO') : undefined) });
    expect(() => log.append(opened, 1)).toThrow(/cannot be written/);
    expect(() => log.append(opened, 1)).toThrow(/cannot be written/);
    expect(() => opened.writer.checkpoint()).toThrow(/cannot be written/);
    expect(disk.operations.filter(({ name }) => name === 'datasync').length).toBe(1);
  });

  it('writes all of a group where the disk takes a few bytes at a time', () => {
    const log = new SimulatedLog();
    const disk = new SimulatedDisk();
    disk.breakWith({ atOnceMax: 7 });
    shortLife(log, disk);
    expect(goOn(log, disk.afterKill())).toEqual([]);
  });

  it('halts with a last leaf where the disk is full at any size, and goes on when there is room', {
    timeout: 600_000,
  }, () => {
    const whole = new SimulatedDisk();
    shortLife(new SimulatedLog(), whole);
    const used = [...whole.files().values()].reduce((sum, { length }) => sum + length, 0);
    let farewells = 0;
    for (let capacityBytes = 0; capacityBytes < used; capacityBytes += SOAK ? 97 : 1_901) {
      const log = new SimulatedLog();
      const disk = new SimulatedDisk();
      disk.breakWith({ capacityBytes });
      expect(refusalOf(attempt(() => shortLife(log, disk)))).toBe('LEDGER_HALTED');
      const full = disk.afterKill();
      full.breakWith({ capacityBytes });
      // Still full: it may start, if what it frees is enough; if not, it says why.
      expect([undefined, 'LEDGER_HALTED']).toContain(refusalOf(attempt(() => log.open(full))));
      const roomy = full.afterKill();
      expect({ capacityBytes, problems: goOn(log, roomy) }).toEqual({ capacityBytes, problems: [] });
      farewells += Number(Buffer.concat([...roomy.files().values()]).includes('"type":"ledger.halt"'));
    }
    expect(farewells).toBeGreaterThan(0);
  });
});

describe('the ledger on a disk that lies about syncs', () => {
  it('goes on with all that was signed, or refuses until an operator has recorded what is lost', {
    timeout: 600_000,
  }, () => {
    const seed = seedOfRun('a disk that lies');
    const found = { whole: 0, refused: 0 };
    for (let run = 0; run < (SOAK ? 1_500 : 60); run++) {
      const dice = new Dice(seed + run);
      const log = new SimulatedLog(dice.pick([4_096, 65_536]));
      const disk = new SimulatedDisk();
      disk.breakWith({ lies: true, crashAt: 20 + dice.below(200) });
      untilPowerLoss(disk, () => longLife(log, disk, dice, 30));
      // Where only the process ends, the machine still has what it lied about.
      const left = dice.chance(0.2) ? disk.afterKill() : disk.afterPowerLoss(dice);
      // What no checkpoint covered can be lost; nothing else.
      log.forgetUnsigned();
      const error = attempt(() => log.open(left));
      const refusal = refusalOf(error);
      expect([undefined, 'LEDGER_INCONSISTENT']).toContain(refusal);
      if (refusal === undefined) found.whole += 1;
      else {
        found.refused += 1;
        recordRollback(log, left);
      }
      expect({ run, problems: goOn(log, left.afterKill()) }).toEqual({ run, problems: [] });
    }
    expect(found.refused).toBeGreaterThan(0);
    expect(found.whole).toBeGreaterThan(0);
  });
});
