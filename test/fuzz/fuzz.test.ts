/**
 * Whatever a peer or a file holds: only errors of our own, bounded memory, no hang, the same however
 * it is split, and what is accepted encodes back to itself.
 *
 * COUNTERSIGN_SEED=… runs the same inputs again; with COUNTERSIGN_INPUT=… only the one that failed.
 */

import { randomInt } from 'node:crypto';
import { getHeapStatistics } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { BODY_TARGETS } from './body-targets.ts';
import { LEDGER_TARGETS } from './ledger-targets.ts';
import { Random } from './random.ts';
import { REPLAY_TARGETS } from './replay-targets.ts';
import { SESSION_TARGETS } from './session-targets.ts';
import type { Target } from './target.ts';
import { WIRE_TARGETS } from './wire-targets.ts';

const TARGETS: readonly Target[] = [
  ...WIRE_TARGETS,
  ...SESSION_TARGETS,
  ...REPLAY_TARGETS,
  ...LEDGER_TARGETS,
  ...BODY_TARGETS,
];
const WEIGHTS = TARGETS.reduce((sum, { weight }) => sum + weight, 0);
const INPUTS = process.env['COUNTERSIGN_SOAK'] === undefined ? 60_000 : 10_000_000;
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? randomInt(2 ** 31));
const only = process.env['COUNTERSIGN_INPUT'];

/** No input is longer than some kilobytes: what is much larger was allocated for a declared length. */
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;
/** So many inputs take milliseconds; where they take this long, one is a hang in the making. */
const INPUT_MS_MAX = 10_000;
const CHECK_INTERVAL = 64;

async function runInput(target: Target, index: number): Promise<'taken' | 'refused'> {
  try {
    await target.run(new Random(seed, index));
    return 'taken';
  } catch (thrown) {
    if (target.refusal(thrown)) return 'refused';
    const again = `COUNTERSIGN_SEED=${seed} COUNTERSIGN_INPUT=${index} npx vitest run test/fuzz -t '${target.name}'`;
    throw new Error(`input ${index}: ${again}`, { cause: thrown });
  }
}

describe('garbage', () => {
  it.each(TARGETS)('as $name', { timeout: 1_200_000 }, async (target) => {
    const share = Math.ceil((INPUTS * target.weight) / WEIGHTS);
    const [from, to] = only === undefined ? [0, share] : [Number(only), Number(only) + 1];
    const found = { taken: 0, refused: 0 };
    const started = performance.now();
    let checked = started;
    let before = memoryBytes();
    for (let index = from; index < to; index++) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      found[await runInput(target, index)] += 1;
      if (index % CHECK_INTERVAL !== 0) continue;
      const now = performance.now();
      const bytes = memoryBytes();
      const grown = bytes - before;
      if (grown > GROWTH_BYTES_MAX || now - checked > INPUT_MS_MAX) {
        throw new Error(`inputs up to ${index} of seed ${seed}: ${now - checked} ms, ${grown} bytes`);
      }
      before = bytes;
      checked = now;
    }
    const perSecond = Math.round(((to - from) / (performance.now() - started)) * 1000);
    console.info(
      `${target.name}: seed ${seed}, ${to - from} inputs, ${found.taken} taken, ${found.refused} refused, ${perSecond} a second`,
    );
    expect(found.taken + found.refused).toBe(to - from);
  });
});

/** Memory outside of the heap, where buffers are. */
function memoryBytes(): number {
  return getHeapStatistics().external_memory;
}
