/** The same messages directly and through the gateway give the same answers, byte for byte. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runScript } from './run-script.ts';
import { COPY_SCRIPTS } from './scripts/copy.ts';
import { EXTENDED_QUERY_SCRIPTS } from './scripts/extended-query.ts';
import { ODD_SCRIPTS } from './scripts/odd.ts';
import { SESSION_SCRIPTS } from './scripts/sessions.ts';
import { SIMPLE_QUERY_SCRIPTS } from './scripts/simple-query.ts';
import { VALUE_SCRIPTS } from './scripts/values.ts';
import { type Pair, startPair } from './servers.ts';

let pair: Pair;

beforeAll(async () => {
  pair = await startPair(process.env['PGV'] ?? 'embedded');
}, 60_000);

afterAll(() => pair?.harness[Symbol.asyncDispose]());

const ALL = [
  ...SIMPLE_QUERY_SCRIPTS,
  ...EXTENDED_QUERY_SCRIPTS,
  ...ODD_SCRIPTS,
  ...COPY_SCRIPTS,
  ...SESSION_SCRIPTS,
  ...VALUE_SCRIPTS,
];

describe('directly and through the gateway', () => {
  it.each(ALL)(
    '$name',
    async (script) => {
      const admin = pair.direct;
      const direct = await runScript(script, { endpoint: pair.direct, admin });
      expect(direct.filter((line) => line.startsWith('silence'))).toEqual([]);
      const through = await runScript(script, { endpoint: pair.through, admin });
      expect(through).toEqual(direct);
    },
    60_000,
  );
});
