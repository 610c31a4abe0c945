/** Behind a gateway with Masks no try shows a secret, no oracle tells anything, and everyday work goes on. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OidNames, transcriptOf } from '../differential/transcript.ts';
import type { ServerFrame } from '../differential/wire-client.ts';
import { serverVersions } from '../e2e/clients.ts';
import { canariesOf, makeSecrets, SEED } from './canaries.ts';
import type { DatabaseCopy } from './copies.ts';
import { HARMLESS } from './harmless/harmless.ts';
import { masksAreEnforced, MIXED_MASKS } from './masks.ts';
import { present, type Rig, startRig } from './rig.ts';
import { schemaWith } from './schema.ts';
import { LeakSearch } from './search.ts';
import { runScript, type Seen } from './session-script.ts';
import { errorOf, StatementSession, unchangedColumns, withoutColumns } from './statement-session.ts';
import { someTriesFor, triesFor } from './tries.ts';
import { type Guess, RIGHT, type Try, WRONG } from './tries/try.ts';

const SEARCH = new LeakSearch(canariesOf(makeSecrets(SEED)));
const ENFORCED = masksAreEnforced();
/** Of those that the server itself takes. */
const HARMLESS_MIN = 500;
const STOPPED_SHARE_MAX = 0.05;
const CHANCES_MAX = 3;
/** On the newest server all of them, each time. */
const TRIES_OF = (major: number): readonly Try[] => someTriesFor(major, major === 18 ? 1 : 4);
const NO_COLUMNS: ReadonlySet<string> = new Set();

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

describe.skipIf(!ENFORCED).each(serverVersions())(
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

    it.runIf(isPresent)(
      'stops or masks too much of at most 5 of 100 harmless statements',
      async () => {
        const found = { passed: 0, stopped: [] as string[], changed: [] as string[], leaked: [] as string[] };
        for (const [name, statements] of HARMLESS) await compareSession(rig, name, statements, found);
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

/** A secret is in it, or a masked value that is no secret of letters. */
function isShown(
  wanted: readonly ServerFrame[],
  got: readonly ServerFrame[],
  hidden: ReadonlySet<string>,
): boolean {
  if (SEARCH.leaksOf(got).length > 0) return true;
  // What stands for an enum is one of its labels, and may be the same.
  return unchangedColumns(wanted, got, hidden).some((name) => !name.endsWith('risk'));
}

interface Found {
  passed: number;
  readonly stopped: string[];
  readonly changed: string[];
  readonly leaked: string[];
}

/** The same session twice directly, which shows what differs of itself, and once through the gateway. */
async function compareSession(
  rig: Rig,
  name: string,
  statements: (typeof HARMLESS)[number][1],
  found: Found,
): Promise<void> {
  const first = new StatementSession(rig.directly('shop'));
  const again = new StatementSession(rig.directly('shop'));
  const through = new StatementSession(rig.through('shop'));
  for (const statement of statements) {
    const wanted = await first.run(statement);
    const repeated = await again.run(statement);
    const got = await through.run(statement);
    if (errorOf(wanted) !== undefined) continue;
    const title = `${name}: ${statement.title}`;
    const problem = errorOf(got);
    const hidden = new Set(statement.masked ?? NO_COLUMNS);
    const line = (frames: typeof got): string =>
      transcriptOf(withoutColumns(frames, hidden), new OidNames()).join('\n');
    if (problem !== undefined) found.stopped.push(`${title}: ${problem}`);
    else if (isShown(wanted, got, hidden)) found.leaked.push(title);
    else if (line(wanted) === line(repeated) && line(wanted) !== line(got)) found.changed.push(title);
    else found.passed += 1;
  }
  await Promise.all([first.close(), again.close(), through.close()]);
  await present(rig.copies.get('shop')).renewIfWritten();
}
