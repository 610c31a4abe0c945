/** Small rerank calls: directly, through nginx as a plain proxy, and through the gate, which records them. */

import type { HttpCalls } from '../measure/http-calls.ts';
import { formatSpread, ratios, spreadOf } from '../measure/statistics.ts';
import type { HttpConnectionName, HttpGround, HttpWay, HttpWork } from '../peers/http-ground.ts';
import { rotated, type Stage } from '../stage.ts';
import { type Goal, metIf, type Row, type RowResult, type Table } from './row.ts';

/** A way, and where it has several connections, which of them. */
interface Path {
  readonly name: string;
  readonly way: HttpWay;
  readonly connection: HttpConnectionName;
}

interface Workload {
  readonly id: string;
  readonly says: string;
  readonly callers: number;
  /** Of the target. */
  readonly path: string;
  readonly paths: (ground: HttpGround) => readonly Path[];
  readonly goals: (runs: Runs) => readonly Goal[];
}

/** What each name measured in each round. */
export type Runs = ReadonlyMap<string, readonly HttpCalls[]>;

const MICROSECONDS = 1_000_000;
const DIRECT = 'direct';
const NGINX = 'nginx';
const OWN = 'countersign';
const MASKED = 'countersign, masked';

const WORKLOADS: readonly Workload[] = [
  {
    id: 'http/1',
    says: 'A small rerank call, one client',
    callers: 1,
    path: '/v2/rerank',
    paths: everyWay,
    goals: oneClientGoals,
  },
  {
    id: 'http/32',
    says: 'Small rerank calls, 32 clients',
    callers: 32,
    path: '/v2/rerank',
    paths: everyWay,
    goals: coreGoals,
  },
  {
    id: 'http/masked',
    says: 'Small rerank calls, 32 clients, an address in each document of the answer',
    callers: 32,
    path: '/v1/rerank',
    paths: (ground) => [
      ...everyWay(ground),
      ...everyWay(ground)
        .filter(({ name }) => name === OWN)
        .map(({ way }): Path => ({ name: MASKED, way, connection: 'reranker-masked' })),
    ],
    goals: () => [],
  },
];

export const HTTP_CALL_ROWS: readonly Row[] = WORKLOADS.map((workload) => ({
  id: workload.id,
  usesTables: false,
  run: (stage) => runWorkload(stage, workload),
}));

function everyWay({ ways }: HttpGround): readonly Path[] {
  return ways.map((way) => ({ name: way.name, way, connection: 'reranker' }));
}

async function runWorkload(stage: Stage, workload: Workload): Promise<RowResult> {
  const ground = await stage.http();
  const paths = workload.paths(ground);
  const work: Omit<HttpWork, 'connection'> = {
    path: workload.path,
    callers: workload.callers,
    seconds: stage.seconds,
  };
  const runs = new Map<string, HttpCalls[]>(paths.map(({ name }) => [name, []]));
  for (let round = 0; round < stage.rounds; round += 1) {
    for (const { name, way, connection } of rotated(paths, round)) {
      runs.get(name)?.push(await ground.run(way, { ...work, connection }));
    }
  }
  return { tables: [tableOf(workload.says, runs)], goals: workload.goals(runs) };
}

/** What one way measured, by round. */
function each(runs: Runs, name: string, value: (run: HttpCalls) => number | undefined): number[] {
  return (runs.get(name) ?? []).flatMap((run) => value(run) ?? []);
}

function tableOf(title: string, runs: Runs): Table {
  const perSecond = (name: string): number[] => each(runs, name, (run) => run.perSecond);
  return {
    title,
    columns: [
      'in the path',
      'calls a second',
      'share of direct',
      'share of nginx',
      'p50 ms',
      'p99 ms',
      'added p50 ms',
      'CPU µs a call',
      'calls for a CPU second',
      'of a core for the load',
    ],
    rows: [...runs.keys()].map((name) => [
      name,
      formatSpread(perSecond(name), 0),
      formatSpread(ratios(perSecond(name), perSecond(DIRECT)), 2),
      formatSpread(ratios(perSecond(name), perSecond(NGINX)), 2),
      formatSpread(
        each(runs, name, (run) => run.p50Ms),
        3,
      ),
      formatSpread(
        each(runs, name, (run) => run.p99Ms),
        3,
      ),
      formatSpread(addedP50(runs, name), 3),
      formatSpread(
        each(runs, name, (run) => run.cpuUs),
        1,
      ),
      formatSpread(perCore(runs, name), 0),
      formatSpread(
        each(runs, name, (run) => run.busy),
        2,
      ),
    ]),
    notes: [
      'Cohere’s v2 or v1 with ten short documents, plain HTTP/1.1, sockets kept. nginx writes its access log; the gateway has every intent on disk before it forwards, and records both contents. The last column is what the load itself took of a core: where it is near 1, the load is what was measured.',
    ],
  };
}

/** Milliseconds that a call takes longer than directly, in the same round. */
export function addedP50(runs: Runs, name: string): number[] {
  const direct = runs.get(DIRECT) ?? [];
  return (runs.get(name) ?? []).flatMap(({ p50Ms }, round) =>
    direct[round] === undefined ? [] : [p50Ms - direct[round].p50Ms],
  );
}

/** Calls for one CPU second of the process in the path, whatever else the machine does. */
export function perCore(runs: Runs, name: string): number[] {
  return each(runs, name, ({ cpuUs }) => (cpuUs === undefined ? undefined : MICROSECONDS / cpuUs));
}

function oneClientGoals(runs: Runs): readonly Goal[] {
  const added = addedP50(runs, OWN);
  return [
    {
      what: 'HTTP, a small rerank call, one client: added p50',
      goal: '≤ 1 ms',
      measured: `${formatSpread(added, 3)} ms`,
      met: metIf(spreadOf(added).median, (value) => value <= 1),
    },
  ];
}

function coreGoals(runs: Runs): readonly Goal[] {
  const calls = perCore(runs, OWN);
  return [
    {
      what: 'HTTP, small rerank calls, 32 clients, recorded',
      goal: '≥ 5,000 a second of one core',
      measured: formatSpread(calls, 0),
      met: metIf(spreadOf(calls).median, (value) => value >= 5_000),
    },
  ];
}
