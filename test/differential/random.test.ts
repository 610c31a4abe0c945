/** Random messages directly and through the gateway give the same answers; the seed is in the failure. */

import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serverVersions } from '../e2e/clients.ts';
import { query } from './frames.ts';
import { END, messages } from './random-messages.ts';
import { type Pair, startPair } from './servers.ts';
import { OidNames, transcriptOf } from './transcript.ts';
import { type Endpoint, WireClient } from './wire-client.ts';

const soak = process.env['COUNTERSIGN_SOAK'] !== undefined;
/** Of the newest server, and of the oldest. */
const RUNS: Readonly<Record<number, number>> = soak ? { 18: 5_000, 15: 1_500 } : { 18: 150, 15: 50 };
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? Date.now() % 2 ** 31);

const SETUP = `create temporary table t(a int, b text); create temporary table u(a int primary key);
insert into u select generate_series(1, 5)`;

async function answers(endpoint: Endpoint, writes: readonly (readonly Buffer[])[]): Promise<string[]> {
  const client = await WireClient.login(endpoint);
  try {
    client.send(query(SETUP));
    await client.wait('Z', 1);
    for (const write of writes) client.send(Buffer.concat(write));
    client.send(Buffer.concat(END));
    const probed = await client.waitProbe('the probe');
    const lines = transcriptOf(client.frames, new OidNames());
    return probed ? lines : [...lines, 'silence'];
  } finally {
    client.destroy();
  }
}

describe.each(serverVersions())('random messages to PostgreSQL $major', ({ version, major, isPresent }) => {
  if (!isPresent) return;
  let pair: Pair;

  beforeAll(async () => {
    pair = await startPair(version);
  }, 60_000);

  afterAll(() => pair?.harness[Symbol.asyncDispose]());

  it(`are answered alike (seed ${seed})`, async () => {
    const property = fc.asyncProperty(messages, async (writes) => {
      const direct = await answers(pair.direct, writes);
      expect(direct.at(-1)).not.toBe('silence');
      expect(await answers(pair.through, writes)).toEqual(direct);
    });
    await fc.assert(property, { seed, numRuns: RUNS[major] ?? 1 });
  }, 3_600_000);
});
