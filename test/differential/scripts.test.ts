/** The same messages directly and through the gateway give the same answers, byte for byte. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requirePresent } from '../real/require-present.ts';
import { targetInPieces } from './in-pieces.ts';
import { randomPieces } from './random-pieces.ts';
import { runScript } from './run-script.ts';
import { COPY_SCRIPTS } from './scripts/copy.ts';
import { COPY_SYNC_SCRIPTS } from './scripts/copy-syncs.ts';
import { EXTENDED_QUERY_SCRIPTS } from './scripts/extended-query.ts';
import { MALFORMED_SCRIPTS } from './scripts/malformed.ts';
import { ODD_SCRIPTS } from './scripts/odd.ts';
import { SESSION_SCRIPTS } from './scripts/sessions.ts';
import { SIMPLE_QUERY_SCRIPTS } from './scripts/simple-query.ts';
import { VALUE_SCRIPTS } from './scripts/values.ts';
import { type Pair, startPair } from './servers.ts';

const ALL = [
  ...SIMPLE_QUERY_SCRIPTS,
  ...EXTENDED_QUERY_SCRIPTS,
  ...ODD_SCRIPTS,
  ...MALFORMED_SCRIPTS,
  ...COPY_SCRIPTS,
  ...COPY_SYNC_SCRIPTS,
  ...SESSION_SCRIPTS,
  ...VALUE_SCRIPTS,
];
const DEBIAN = '/usr/lib/postgresql/15/bin';
const soak = process.env['COUNTERSIGN_SOAK'] !== undefined;
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? Date.now() % 2 ** 31);
const VERSIONS = [
  { version: 'embedded', major: 18 },
  { version: 'embedded-17', major: 17 },
  { version: 'embedded-16', major: 16 },
  { version: DEBIAN, major: 15 },
];

describe.each(VERSIONS)('PostgreSQL $major, directly and through the gateway', ({ version, major }) => {
  const present = version !== DEBIAN || requirePresent('PostgreSQL 15', existsSync(join(DEBIAN, 'postgres')));
  let pair: Pair;
  let inPieces: Awaited<ReturnType<typeof targetInPieces>>;

  beforeAll(async () => {
    if (!present) return;
    pair = await startPair(version);
    inPieces = await targetInPieces(pair, randomPieces(seed));
  }, 60_000);

  afterAll(async () => {
    await pair?.harness[Symbol.asyncDispose]();
    await inPieces?.[Symbol.asyncDispose]();
  });

  // What is large tests the gateway more than the server: once is enough outside of a soak.
  const scripts = ALL.filter(({ large }) => soak || large !== true || major === 18);

  it.skipIf(!present).each(scripts)(
    '$name',
    async (script) => {
      const admin = pair.direct;
      const direct = await runScript(script, { endpoint: pair.direct, admin });
      expect(direct.filter((line) => line.startsWith('silence'))).toEqual([]);
      expect(await runScript(script, { endpoint: pair.through, admin })).toEqual(direct);
      if (script.large === true) return;
      // What both sides say comes in pieces.
      const split = { endpoint: inPieces, admin, pieces: randomPieces(seed) };
      expect(await runScript(script, split), `split, COUNTERSIGN_SEED=${seed}`).toEqual(direct);
    },
    60_000,
  );
});
