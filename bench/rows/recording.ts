/** The recording alone, without a socket: compress, seal, hash and write. */

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { recordAll, sampleRows } from '../measure/sample-recording.ts';
import { formatSpread } from '../measure/statistics.ts';
import type { Stage } from '../stage.ts';
import type { Row, RowResult } from './row.ts';

const MEGABYTES = 50;

export const RECORDING_ROW: Row = { id: 'recording', run: measure };

async function measure(stage: Stage): Promise<RowResult> {
  const parent = join(stage.directory, 'recording');
  await mkdir(parent);
  try {
    const data = sampleRows(MEGABYTES * 1_000_000);
    const all: Awaited<ReturnType<typeof recordAll>>[] = [];
    for (let round = 0; round < stage.rounds; round++) all.push(await recordAll(data, parent));
    const of = (key: 'mbPerS' | 'cpuMsPerMb' | 'mainMsPerMb' | 'ratio', digits: number): string =>
      formatSpread(
        all.map((one) => one[key]),
        digits,
      );
    return {
      tables: [
        {
          title: 'The recording alone',
          columns: ['MB/s', 'CPU ms a MB, both threads', 'of it in the main thread', 'compressed by'],
          rows: [[of('mbPerS', 0), of('cpuMsPerMb', 2), of('mainMsPerMb', 2), of('ratio', 2)]],
          notes: [
            `${MEGABYTES} MB of rows of ranked documents. What each step costs: bench/recording-spike.ts.`,
          ],
        },
      ],
      goals: [],
    };
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}
