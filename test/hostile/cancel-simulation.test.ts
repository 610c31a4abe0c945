/** A cancel request hits what it was meant for, or nothing: in any order in which things may happen. */

import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { Random } from '../fuzz/random.ts';
import { simulate } from './cancel-simulation.ts';

const RUNS = process.env['COUNTERSIGN_SOAK'] === undefined ? 2_000 : 100_000;
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? randomInt(2 ** 31));
const only = process.env['COUNTERSIGN_INPUT'];

it(`no request of ${RUNS} interleavings hits another session, or what was sent after it`, {
  timeout: 900_000,
}, async () => {
  const [from, to] = only === undefined ? [0, RUNS] : [Number(only), Number(only) + 1];
  const sum = { cancelled: 0, signals: 0, ended: 0 };
  for (let run = from; run < to; run++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const found = await simulate(new Random(seed, run));
      sum.cancelled += found.cancelled;
      sum.signals += found.signals;
      sum.ended += found.ended;
    } catch (cause) {
      throw new Error(`again with COUNTERSIGN_SEED=${seed} COUNTERSIGN_INPUT=${run}`, { cause });
    }
  }
  console.info(
    `seed ${seed}, ${to - from} interleavings: ${sum.signals} requests reached the target, ${sum.cancelled} statements were cancelled, ${sum.ended} sessions ended`,
  );
  // Where nothing is ever cancelled, nothing is tested.
  expect(sum.cancelled).toBeGreaterThan(only === undefined ? RUNS / 10 : -1);
});
