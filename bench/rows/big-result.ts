/** A result that is larger than the memory it may take: what the gateway needs at most while it records it. */

import { memoryOf } from '../measure/process-cost.ts';
import { formatSpread } from '../measure/statistics.ts';
import { WireClient } from '../measure/wire-client.ts';
import type { Stage } from '../stage.ts';
import { metIf, type Row, type RowResult } from './row.ts';
import { prepareSampleTable } from './sample-table.ts';

const BYTES = 5_000_000_000;
const MEGABYTE = 1_048_576;

export const BIG_RESULT_ROW: Row = { id: 'big-result', run: measure };

async function measure(stage: Stage): Promise<RowResult> {
  await prepareSampleTable(stage, 'wide');
  const direct = await WireClient.open(stage.direct);
  const once = await direct.query('select * from wide');
  await direct.close();
  const times = Math.ceil(BYTES / once.bytes);
  const gateway = await stage.startGateway('big-result');
  try {
    const client = await WireClient.open(gateway.way);
    const before = memoryOf(gateway.pid).peakBytes;
    // The table again and again, not each row again and again, which would compress as nothing real does.
    const { bytes, ms } = await client.query(
      `select w.* from generate_series(1, ${times}) as again, lateral (select * from wide offset again * 0) as w`,
    );
    const peakMb = memoryOf(gateway.pid).peakBytes / MEGABYTE;
    await client.close();
    const gigabytes = (bytes / 1e9).toFixed(1);
    return {
      tables: [
        {
          title: `A result of ${gigabytes} GB, recorded`,
          columns: ['MB/s', 'peak RSS before, MB', 'peak RSS, MB'],
          rows: [[((bytes / ms) * 1e-3).toFixed(0), (before / MEGABYTE).toFixed(0), peakMb.toFixed(0)]],
          notes: ['VmHWM of a fresh gateway: the most that it had in memory since it began.'],
        },
      ],
      goals: [
        {
          what: `memory: a result of ${gigabytes} GB and its recording`,
          goal: '≤ 300 MB',
          measured: `${formatSpread([peakMb], 0)} MB`,
          met: metIf(peakMb, (value) => value <= 300),
        },
      ],
    };
  } finally {
    await gateway.stop();
  }
}
