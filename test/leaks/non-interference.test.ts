/**
 * What a client is sent does not depend on what is masked: databases that differ in nothing else answer every
 * statement byte for byte alike. It needs no idea of what a leak looks like.
 *
 * A third one, which is the same as the first, shows what differs of itself. The seed is printed;
 * COUNTERSIGN_SEED runs another.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OidNames, transcriptOf } from '../differential/transcript.ts';
import type { ServerFrame } from '../differential/wire-client.ts';
import { everyServerVersion, serverVersions } from '../e2e/clients.ts';
import { makeSecrets, SEED } from './canaries.ts';
import { DatabaseCopy } from './copies.ts';
import { HARMLESS } from './harmless/harmless.ts';
import { FULL_MASKS, masksAreEnforced } from './masks.ts';
import { randomQueries } from './random-queries.ts';
import { present, type Rig, startRig } from './rig.ts';
import { rewriteSecrets, schemaWith } from './schema.ts';
import { runScript } from './session-script.ts';
import { StatementSession } from './statement-session.ts';
import { SOAKS, someTriesFor } from './tries.ts';
import { RIGHT } from './tries/try.ts';

const ENFORCED = masksAreEnforced();
const RANDOM_SEED = Number(process.env['COUNTERSIGN_SEED'] ?? SEED);
const RANDOM_COUNT = 400;
/** More that differs of itself would leave too little that is compared. */
const UNSTEADY_SHARE_MAX = 0.2;

/** The first; the same again; other values of the same lengths; and of other lengths. */
const DATABASES = {
  first: databaseOf(makeSecrets(SEED)),
  again: databaseOf(makeSecrets(SEED)),
  other: databaseOf(makeSecrets(SEED + 1)),
  longer: databaseOf(makeSecrets(SEED + 2, 'other')),
};
const NAMES = ['first', 'again', 'other', 'longer'] as const;

function databaseOf(secrets: ReturnType<typeof makeSecrets>): readonly string[] {
  return [schemaWith(), rewriteSecrets(secrets), 'analyze'];
}

interface Compared {
  alike: number;
  readonly unsteady: string[];
  readonly different: string[];
}

function compare(found: Compared, title: string, answers: readonly (readonly ServerFrame[])[]): void {
  const [first = '', again = '', ...others] = answers.map((frames) =>
    transcriptOf(frames, new OidNames())
      .join('\n')
      // Their names are no secret.
      .replaceAll(/\b(?:first|again|other|longer)\b/g, 'database'),
  );
  if (first !== again) found.unsteady.push(title);
  else if (others.some((other) => other !== first))
    found.different.push(`${title}\n${differenceOf(first, others)}`);
  else found.alike += 1;
}

/** The first line that differs, of both. */
function differenceOf(first: string, others: readonly string[]): string {
  const lines = first.split('\n');
  const other = (others.find((one) => one !== first) ?? '').split('\n');
  const at = lines.findIndex((line, index) => line !== other[index]);
  return `  ${(lines[at] ?? '(nothing)').slice(0, 200)}\n  ${(other[at] ?? '(nothing)').slice(0, 200)}`;
}

const ALIKE = { different: [], comparedEnough: true };

/** What has to be {@link ALIKE}. */
function verdictOf(found: Compared): {
  readonly different: readonly string[];
  readonly comparedEnough: boolean;
} {
  const total = found.alike + found.unsteady.length + found.different.length;
  process.stdout.write(
    `seed ${RANDOM_SEED}: ${found.alike} of ${total} alike; of themselves differ: ${found.unsteady.join(', ')}\n`,
  );
  const comparedEnough = found.unsteady.length / total <= UNSTEADY_SHARE_MAX;
  return { different: found.different, comparedEnough };
}

/** Those between the newest and the oldest in a soak: each has four databases to make. */
const VERSIONS = SOAKS ? everyServerVersion() : serverVersions();

describe.each(VERSIONS)('PostgreSQL $major', ({ version, major, isPresent }) => {
  let rig: Rig;

  beforeAll(async () => {
    if (!isPresent || (!ENFORCED && major !== 18)) return;
    rig = await startRig({ version, masks: ENFORCED ? FULL_MASKS : '', databases: DATABASES });
  }, 240_000);

  afterAll(() => rig?.[Symbol.asyncDispose]());

  async function compareStatements(
    statements: readonly {
      readonly title: string;
      readonly text: string;
      readonly values?: readonly (string | null)[];
    }[],
    endpoint: 'through' | 'directly',
  ): Promise<Compared> {
    const found: Compared = { alike: 0, unsteady: [], different: [] };
    const sessions = NAMES.map((name) => new StatementSession(rig[endpoint](name)));
    for (const statement of statements) {
      const answers = [];
      for (const session of sessions) answers.push(await session.run(statement));
      compare(found, statement.title, answers);
    }
    await Promise.all(sessions.map((session) => session.close()));
    await DatabaseCopy.renewIfWritten(NAMES.map((name) => present(rig.copies.get(name))));
    return found;
  }

  const queries = randomQueries(RANDOM_SEED, RANDOM_COUNT).map((text) => ({ title: text, text }));

  it.runIf(isPresent)(
    'directly, the random queries do depend on it',
    async () => {
      const found = await compareStatements(queries, 'directly');
      process.stdout.write(
        `seed ${RANDOM_SEED}: ${found.different.length} of ${queries.length} differ directly\n`,
      );
      expect(found.different.length).toBeGreaterThan(RANDOM_COUNT / 2);
    },
    240_000,
  );

  it.runIf(isPresent && ENFORCED)(
    'random queries',
    async () => {
      expect(verdictOf(await compareStatements(queries, 'through'))).toEqual(ALIKE);
    },
    240_000,
  );

  it.runIf(isPresent && ENFORCED).each(HARMLESS)(
    'harmless statements: %s',
    async (_, statements) => {
      expect(verdictOf(await compareStatements(statements, 'through'))).toEqual(ALIKE);
    },
    240_000,
  );

  it.runIf(isPresent && ENFORCED)(
    'tries',
    async () => {
      const found: Compared = { alike: 0, unsteady: [], different: [] };
      for (const [at, one] of someTriesFor(major, major === 18 ? 11 : 41).entries()) {
        const answers: (readonly ServerFrame[])[] = [];
        // Each of the two that differ has its turn; three copies are enough to make anew.
        for (const name of ['first', 'again', at % 2 === 0 ? 'other' : 'longer']) {
          const copy = present(rig.copies.get(name));
          const seen = await runScript(rig.through(name), one.script(RIGHT), copy);
          await copy.renewIfWritten();
          answers.push(seen.frames);
        }
        compare(found, one.title, answers);
      }
      expect(verdictOf(found)).toEqual(ALIKE);
    },
    3_600_000,
  );
});
