/** What masking the rows of a result costs a core: sixteen columns, nothing masked, two masked, all looked through. */

import { contextOfNames } from '../../packages/gateway/src/masking/detect/context.ts';
import { entityNames } from '../../packages/gateway/src/masking/detect/entities.ts';
import { Scanner } from '../../packages/gateway/src/masking/detect/scanner.ts';
import { MaskingKeyRing } from '../../packages/gateway/src/masking/operators/key-ring.ts';
import type { TypeDescription } from '../../packages/gateway/src/masking/operators/operator.ts';
import type { ColumnPlan } from '../../packages/gateway/src/masking/plan/column-plan.ts';
import { MaskCounts } from '../../packages/gateway/src/masking/rows/mask-counts.ts';
import { MaskMemory } from '../../packages/gateway/src/masking/rows/mask-memory.ts';
import { RowMasker } from '../../packages/gateway/src/masking/rows/row-masker.ts';
import { Secret } from '../../packages/gateway/src/core/secret.ts';
import { rowMix } from '../measure/row-mix.ts';
import { formatSpread, spreadOf } from '../measure/statistics.ts';
import { metIf, type Row, type RowResult } from './row.ts';

const ROWS = 4_000;
/** Passes over the rows before it is measured, and in one measurement. */
const WARM_PASSES = 3;
const PASSES = 5;
const TEXT: TypeDescription = { kind: 'base', name: 'text', typmod: -1 };
const JSONB: TypeDescription = { kind: 'base', name: 'jsonb', typmod: -1 };
const CLEAR: ColumnPlan = { kind: 'clear' };
const MASKED: ReadonlySet<string> = new Set(['contact', 'phone']);
/** Few different values, as columns that are joined on have: a session remembers their tokens. */
const TOKENS: ReadonlySet<string> = new Set(['status', 'phone']);

export const ROW_MASKER_ROW: Row = {
  id: 'row-masker',
  run: (stage) => Promise.resolve(measure(stage.rounds)),
};

function measure(rounds: number): RowResult {
  const { columns, bodies } = dataRows();
  const cases: readonly (readonly [string, (column: string) => ColumnPlan])[] = [
    ['nothing masked', () => CLEAR],
    ['two partly masked', (column) => (MASKED.has(column) ? masked(column) : CLEAR)],
    ['two as tokens that are remembered', (column) => (TOKENS.has(column) ? masked(column, 'token') : CLEAR)],
    ['all looked through', scanned],
  ];
  const measured = cases.map(([name, plan]) => ({
    name,
    rates: ratesOf(
      columns.map((column) => plan(column)),
      bodies,
      rounds,
    ),
  }));
  const all = measured.at(-1)?.rates ?? [];
  return {
    tables: [
      {
        title: 'Masking rows of sixteen columns',
        columns: ['plan', 'rows a second of one core'],
        rows: measured.map(({ name, rates }) => [name, formatSpread(rates, 0)]),
      },
    ],
    goals: [
      {
        what: 'masking rows, sixteen columns, all looked through',
        goal: '≥ 500,000 rows/s of one core',
        measured: formatSpread(all, 0),
        met: metIf(spreadOf(all).median, (value) => value >= 500_000),
      },
    ],
  };
}

function ratesOf(
  plans: readonly ColumnPlan[],
  bodies: readonly Uint8Array[],
  rounds: number,
): readonly number[] {
  const masker = new RowMasker({
    plans,
    resultFormats: [],
    settings: { clientEncoding: 'UTF8', dateStyle: 'ISO, MDY', intervalStyle: 'postgres' },
    keys: new MaskingKeyRing({ id: 1, secret: new Secret(new Uint8Array(32)) }),
    scanner: new Scanner(),
    memory: new MaskMemory(),
    counts: new MaskCounts(),
  });
  function pass(): void {
    for (const body of bodies) masker.mask(body);
  }
  for (let at = 0; at < WARM_PASSES; at += 1) pass();
  return Array.from({ length: rounds }, () => {
    // Time of this process on a core, so that others on the machine count for less.
    const before = process.cpuUsage();
    for (let at = 0; at < PASSES; at += 1) pass();
    return (bodies.length * PASSES * 1e6) / process.cpuUsage(before).user;
  });
}

function masked(column: string, kind: 'partial' | 'token' = 'partial'): ColumnPlan {
  const entity = column === 'phone' ? 'PHONE' : 'EMAIL';
  return {
    kind: 'mask',
    operator: { kind },
    entity,
    type: TEXT,
    mask: 'bench',
    version: 1,
    masks: [{ mask: 'bench', version: 1 }],
    column,
    hidesNull: false,
  };
}

function scanned(column: string): ColumnPlan {
  return {
    kind: 'scan',
    type: column === 'payload' ? JSONB : TEXT,
    hints: { context: contextOfNames('orders', column), statistics: undefined },
    masks: [{ mask: 'bench', version: 1, entities: new Set(entityNames()), operator: { kind: 'redact' } }],
    column,
  };
}

/** The row mix as bodies of DataRow. */
function dataRows(): { readonly columns: readonly string[]; readonly bodies: readonly Uint8Array[] } {
  const { columns, bytes, offsets } = rowMix(ROWS);
  const bodies = Array.from({ length: ROWS }, (_, row) => {
    const first = row * columns.length;
    const parts = columns.map((_name, column) => {
      const value = bytes.subarray(offsets[first + column], offsets[first + column + 1]);
      const length = Buffer.alloc(4);
      length.writeInt32BE(value.length);
      return Buffer.concat([length, value]);
    });
    return new Uint8Array(Buffer.concat([Buffer.of(0, columns.length), ...parts]));
  });
  return { columns, bodies };
}
