/** What looking at every value for personal data costs a core: the row mix, values by their columns. */

import { contextOfNames } from '../../packages/gateway/src/masking/detect/context.ts';
import type { Hints } from '../../packages/gateway/src/masking/detect/scan-state.ts';
import { Scanner } from '../../packages/gateway/src/masking/detect/scanner.ts';
import { rowMix } from '../measure/row-mix.ts';
import { formatSpread, spreadOf } from '../measure/statistics.ts';
import { metIf, type Row, type RowResult } from './row.ts';

const ROWS = 4_000;
/** Passes over the rows before it is measured, and in one measurement. */
const WARM_PASSES = 10;
const PASSES = 20;

export const MASKING_SCAN_ROW: Row = {
  id: 'masking-scan',
  run: (stage) => Promise.resolve(measure(stage.rounds)),
};

function measure(rounds: number): RowResult {
  const { columns, bytes, offsets } = rowMix(ROWS);
  const fields = offsets.length - 1;
  const scanner = new Scanner();
  const hints = columns.map(
    (name): Hints => ({
      context: contextOfNames('orders', name),
      isColumnValue: true,
      promoted: undefined,
    }),
  );
  function pass(): void {
    for (let field = 0; field < fields; field += 1) {
      scanner.scan(bytes, offsets[field], offsets[field + 1], hints[field % columns.length]);
    }
  }
  for (let at = 0; at < WARM_PASSES; at += 1) pass();
  const rates: number[] = [];
  const costs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Time of this process on a core, so that others on the machine count for less.
    const before = process.cpuUsage();
    for (let at = 0; at < PASSES; at += 1) pass();
    const { user } = process.cpuUsage(before);
    rates.push((bytes.length * PASSES) / user);
    costs.push((user * 1_000) / (fields * PASSES));
  }
  return {
    tables: [
      {
        title: 'Looking for personal data',
        columns: ['columns', 'bytes a field', 'MB/s of one core', 'ns a field'],
        rows: [
          [
            String(columns.length),
            (bytes.length / fields).toFixed(0),
            formatSpread(rates, 0),
            formatSpread(costs, 0),
          ],
        ],
      },
    ],
    goals: [
      {
        what: 'looking for personal data, sixteen columns',
        goal: '≥ 150 MB/s of one core',
        measured: formatSpread(rates, 0),
        met: metIf(spreadOf(rates).median, (value) => value >= 150),
      },
    ],
  };
}
