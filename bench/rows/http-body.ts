/** A content of 100 MB in either direction: how fast it passes, and what the gateway needs in memory while it does. */

import { type Direction, moveBody } from '../measure/body-client.ts';
import { memoryOf, settledCpuUs } from '../measure/process-cost.ts';
import { formatSpread, ratios } from '../measure/statistics.ts';
import type { HttpWay } from '../peers/http-ground.ts';
import { rotated, type Stage } from '../stage.ts';
import { metIf, type Row, type RowResult } from './row.ts';

const BYTES = 100_000_000;
const MEGABYTE = 1_000_000;
const MEBIBYTE = 1_048_576;
const PEAK_MB_MAX = 300;

const DIRECTIONS: readonly (readonly [Direction, string])[] = [
  ['up', 'from the client'],
  ['down', 'to the client'],
];

interface Measured {
  readonly mbPerS: number;
  readonly cpuMsPerMb: number | undefined;
}

export const HTTP_BODY_ROW: Row = { id: 'http/body', usesTables: false, run: measure };

async function measure(stage: Stage): Promise<RowResult> {
  const ground = await stage.http();
  // Of its own, so that the most that it had in memory was because of these.
  const gateway = await stage.startGateway('http-body', ground.targetPort);
  try {
    const ways = ground.ways.map(
      (way): HttpWay => (way.name === 'countersign' ? { ...way, ...gateway.http, pid: gateway.pid } : way),
    );
    const restMb = memoryOf(gateway.pid).peakBytes / MEBIBYTE;
    const rows: string[][] = [];
    for (const [direction, says] of DIRECTIONS) {
      const runs = await interleaved(ways, stage.rounds, (way) => moveOnce(way, direction));
      rows.push(
        ...ways.map(({ name }) => lineOf(`${name}, ${says}`, runs.get(name) ?? [], runs.get('direct'))),
      );
    }
    const peakMb = memoryOf(gateway.pid).peakBytes / MEBIBYTE;
    return {
      tables: [
        {
          title: `A content of ${BYTES / MEGABYTE} MB, recorded by the gateway`,
          columns: ['in the path', 'MB/s', 'share of direct', 'CPU ms a MB'],
          rows,
          notes: [
            `A fresh gateway: peak RSS before ${restMb.toFixed(0)} MB, behind ${2 * stage.rounds} of them ${peakMb.toFixed(0)} MB. nginx buffers as it does by default.`,
          ],
        },
      ],
      goals: [
        {
          what: `memory: contents of ${BYTES / MEGABYTE} MB over HTTP, and their recordings`,
          goal: `≤ ${PEAK_MB_MAX} MB`,
          measured: `${formatSpread([peakMb], 0)} MB`,
          met: metIf(peakMb, (value) => value <= PEAK_MB_MAX),
        },
      ],
    };
  } finally {
    await gateway.stop();
  }
}

async function interleaved(
  ways: readonly HttpWay[],
  rounds: number,
  once: (way: HttpWay) => Promise<Measured>,
): Promise<ReadonlyMap<string, readonly Measured[]>> {
  const runs = new Map<string, Measured[]>(ways.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const way of rotated(ways, round)) runs.get(way.name)?.push(await once(way));
  }
  return runs;
}

async function moveOnce(way: HttpWay, direction: Direction): Promise<Measured> {
  const { pid } = way;
  const before = pid === undefined ? 0 : await settledCpuUs(pid);
  const ms = await moveBody(way, direction, BYTES);
  const cpuUs = pid === undefined ? undefined : (await settledCpuUs(pid)) - before;
  const mb = BYTES / MEGABYTE;
  return { mbPerS: mb / (ms / 1_000), cpuMsPerMb: cpuUs === undefined ? undefined : cpuUs / 1_000 / mb };
}

function lineOf(name: string, runs: readonly Measured[], direct: readonly Measured[] = []): string[] {
  const speed = (of: readonly Measured[]): number[] => of.map(({ mbPerS }) => mbPerS);
  return [
    name,
    formatSpread(speed(runs), 0),
    formatSpread(ratios(speed(runs), speed(direct)), 2),
    formatSpread(
      runs.flatMap(({ cpuMsPerMb }) => cpuMsPerMb ?? []),
      2,
    ),
  ];
}
