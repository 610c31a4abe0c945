/** Behind a gateway with Masks no try shows a secret, no oracle tells anything, and everyday work goes on. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everyServerVersion, serverVersions } from '../e2e/clients.ts';
import { canariesOf, makeSecrets, SEED } from './canaries.ts';
import type { DatabaseCopy } from './copies.ts';
import { compareHarmless } from './compare-harmless.ts';
import { masksAreEnforced, MIXED_MASKS } from './masks.ts';
import { present, type Rig, startRig } from './rig.ts';
import { schemaWith } from './schema.ts';
import { LeakSearch } from './search.ts';
import { runScript, type Seen } from './session-script.ts';
import { SOAKS, someTriesFor, triesFor } from './tries.ts';
import { type Guess, RIGHT, type Try, WRONG } from './tries/try.ts';

const SEARCH = new LeakSearch(canariesOf(makeSecrets(SEED)));
const ENFORCED = masksAreEnforced();
/** Of those that the server itself takes. */
const HARMLESS_MIN = 500;
const STOPPED_SHARE_MAX = 0.05;
const CHANCES_MAX = 3;
/** On those between the newest and the oldest. */
const BETWEEN_EVERY = 32;
/** On the newest server all of them, each time; of those between it and the oldest, parts that differ. */
const EVERY: Readonly<Record<number, number>> = { 18: 1, 17: BETWEEN_EVERY, 16: BETWEEN_EVERY, 15: 4 };
const TRIES_OF = (major: number): readonly Try[] =>
  someTriesFor(major, EVERY[major] ?? 1, major === 16 ? BETWEEN_EVERY / 2 : 0);
/** Whether the harmless ones, which take longer, are for a soak. */
const IS_BETWEEN = (major: number): boolean => EVERY[major] === BETWEEN_EVERY;

async function ask(rig: Rig, one: Try, guess: Guess): Promise<Seen> {
  const copy: DatabaseCopy = present(rig.copies.get('shop'));
  const seen = await runScript(rig.through('shop'), one.script(guess), copy);
  await copy.renewIfWritten();
  return seen;
}

/** A control: the harness itself hides nothing. */
describe.each(serverVersions().slice(0, 1))(
  'without a Mask, PostgreSQL $major',
  ({ version, major, isPresent }) => {
    it.runIf(isPresent)(
      'the gateway lets through what the battery looks for',
      async () => {
        await using rig = await startRig({ version, masks: '', databases: { shop: [schemaWith()] } });
        const sample = triesFor(major).filter((_, at) => at % 25 === 0);
        let found = 0;
        for (const one of sample) {
          const right = await ask(rig, one, RIGHT);
          if (one.bit === undefined) {
            if (SEARCH.leaksOf(right.frames).length > 0) found += 1;
          } else if (one.bit(right) && !one.bit(await ask(rig, one, WRONG))) {
            found += 1;
          }
        }
        expect(found).toBeGreaterThan(sample.length / 2);
      },
      120_000,
    );
  },
);

describe.skipIf(!ENFORCED).each(everyServerVersion())(
  'with Masks, PostgreSQL $major',
  ({ version, major, isPresent }) => {
    let rig: Rig;

    beforeAll(async () => {
      if (!isPresent) return;
      rig = await startRig({ version, masks: MIXED_MASKS, databases: { shop: [schemaWith()] } });
    }, 120_000);

    afterAll(() => rig?.[Symbol.asyncDispose]());

    it.runIf(isPresent).each(TRIES_OF(major).filter(({ bit }) => bit === undefined))(
      'shows no secret: $title',
      async (one) => {
        const seen = await ask(rig, one, RIGHT);
        expect(SEARCH.leaksOf(seen.frames)).toEqual([]);
      },
    );

    it.runIf(isPresent).each(TRIES_OF(major).filter(({ bit }) => bit !== undefined))(
      'tells nothing: $title',
      async (one) => {
        let told = true;
        let shown: readonly unknown[] = [];
        // Chance may tell once, and a busy machine may be slow where nothing sleeps.
        for (let left = CHANCES_MAX; left > 0 && told; left -= 1) {
          const right = await ask(rig, one, RIGHT);
          const wrong = await ask(rig, one, WRONG);
          told = one.bit?.(right) === true && !one.bit(wrong);
          // A right guess holds a secret, and may come back in an error; a wrong one holds none.
          shown = [...shown, ...SEARCH.leaksOf(wrong.frames)];
        }
        expect({ told, shown }).toEqual({ told: false, shown: [] });
      },
    );

    if (IS_BETWEEN(major) && !SOAKS) return;

    it.runIf(isPresent)(
      'stops or masks too much of at most 5 of 100 harmless statements',
      async () => {
        const ends = { directly: rig.directly('shop'), through: rig.through('shop') };
        const copy = present(rig.copies.get('shop'));
        const found = await compareHarmless(SEARCH, ends, () => copy.renewIfWritten());
        const total = found.passed + found.stopped.length + found.changed.length + found.leaked.length;
        process.stdout.write(
          `${major}: ${found.passed} of ${total} as without masks\nstopped: ${found.stopped.join('\n  ')}\nchanged: ${found.changed.join('\n  ')}\n`,
        );
        expect(found.leaked).toEqual([]);
        expect(total).toBeGreaterThanOrEqual(HARMLESS_MIN);
        expect((found.stopped.length + found.changed.length) / total).toBeLessThanOrEqual(STOPPED_SHARE_MAX);
      },
      300_000,
    );
  },
);
