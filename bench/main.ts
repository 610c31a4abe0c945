/**
 * Ratios, not absolutes: the same work directly, through PgBouncer, through HAProxy and through the
 * gateway, interleaved in one run, each in a process of its own. Of HTTP: directly, through nginx and the gateway.
 *
 * Run: npm run bench. Needs Debian's postgresql, pgbouncer, haproxy and nginx-light. Nothing here fails a build for
 * being slow; a timed test would only test the machine.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { measureFlush } from './measure/flush.ts';
import { describeMachine } from './measure/machine.ts';
import { type Load, readProfiles } from './measure/profile.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { formatGoals, formatReport, formatTable, type Report } from './report.ts';
import { ROWS } from './rows/all.ts';
import type { Row, RowResult } from './rows/row.ts';
import { prepareTables } from './rows/select.ts';
import { Stage } from './stage.ts';

const PROFILED_FUNCTIONS = 30;

let stage: Stage | undefined;

function selected(options: Options): readonly Row[] {
  const { only } = options;
  const rows = ROWS.filter(({ id }) => only.length === 0 || only.some((name) => id.startsWith(name)));
  const unknown = only.find((name) => !ROWS.some(({ id }) => id.startsWith(name)));
  if (unknown !== undefined) throw new Error(`--only: nothing is called ${unknown}; see --list`);
  return rows;
}

async function measureAll(
  on: Stage,
  rows: readonly Row[],
): Promise<{ readonly results: readonly RowResult[]; readonly failures: readonly string[] }> {
  const results: RowResult[] = [];
  const failures: string[] = [];
  for (const row of rows) {
    const before = performance.now();
    try {
      const result = await row.run(on);
      results.push(result);
      for (const table of result.tables) console.info(`\n${table.title}\n\n${formatTable(table)}`);
    } catch (error) {
      const text = `${row.id}: ${error instanceof Error ? error.message : String(error)}`;
      failures.push(text);
      console.error(`\nFAILED ${text}`, error);
    }
    console.info(`\n(${row.id}: ${((performance.now() - before) / 1_000).toFixed(1)} s)`);
  }
  return { results, failures: [...on.missing, ...failures] };
}

function printProfiles(profile: string, loads: readonly Load[]): void {
  const [unit = 'transaction'] = loads.map((load) => load.unit);
  const own = loads.filter((load) => load.unit === unit);
  const count = own.reduce((sum, load) => sum + load.count, 0);
  const threads = new Set(own.flatMap(({ threadUs }) => [...threadUs.keys()]));
  const cpu = [...threads]
    .map((name) => ({ name, us: own.reduce((sum, { threadUs }) => sum + (threadUs.get(name) ?? 0), 0) }))
    .filter(({ us }) => us > 0)
    .toSorted((one, other) => other.us - one.us)
    .map(({ name, us }) => [name, (us / count).toFixed(1)]);
  console.info('\nCPU time by thread, profiler included:\n');
  console.info(formatTable({ title: '', columns: ['thread', `µs a ${unit}`], rows: cpu }));
  for (const { thread, file, busyUs, functions } of readProfiles(profile, own)) {
    const each = (us: number): string => (us / count).toFixed(2);
    console.info(
      `\n${thread}: busy ${(busyUs / 1e6).toFixed(2)} s, ${each(busyUs)} µs for each ${unit} of ${count.toFixed(0)} (${file})\n`,
    );
    const rows = functions
      .slice(0, PROFILED_FUNCTIONS)
      .map(({ name, selfUs }) => [each(selfUs), `${((selfUs / busyUs) * 100).toFixed(1)} %`, name]);
    console.info(formatTable({ title: '', columns: ['self µs', 'share', 'function'], rows }));
  }
}

type Facts = Omit<Report, 'results' | 'failures' | 'tookSeconds'>;

function factsOf(on: Stage, options: Options, machine: string): Facts {
  const words = process.argv.slice(2);
  const flush = measureFlush(on.directory, 500);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine,
    command: words.length === 0 ? 'npm run bench' : `npm run bench -- ${words.join(' ')}`,
    programs: on.versions,
    settings: `Everything on loopback on one machine; SCRAM-SHA-256 on every leg; PostgreSQL with fsync off, the gateway with every leaf on disk; ${options.rounds} interleaved rounds, ${options.seconds} s for each run of pgbench or of calls.`,
    flush: `This disk's own flush, 4 KiB and fdatasync: at the end of a growing file ${milliseconds(flush.append)}; inside written blocks ${milliseconds(flush.overwrite)}.`,
  };
}

function milliseconds({ p50, p99 }: { readonly p50: number; readonly p99: number }): string {
  return `p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms`;
}

async function run(options: Options): Promise<number> {
  const rows = selected(options);
  const started = performance.now();
  // Before our own work: the load of others is part of what a figure belongs to.
  const machine = describeMachine(options.parent);
  stage = await Stage.open(options);
  const facts = factsOf(stage, options, machine);
  console.info(`${facts.machine}\n${facts.programs.join(' · ')}\n${facts.flush}`);
  if (rows.some(({ usesTables }) => usesTables !== false)) await prepareTables(stage);
  // Warming up is not what is looked at.
  stage.loads.length = 0;
  const { results, failures } = await measureAll(stage, rows);
  const { loads } = stage;
  await stage.close();
  if (options.profile !== undefined) printProfiles(options.profile, loads);
  const report: Report = { ...facts, results, failures, tookSeconds: (performance.now() - started) / 1_000 };
  console.info(
    `\n${formatGoals(results.flatMap(({ goals }) => goals))}\n\n${report.tookSeconds.toFixed(0)} s`,
  );
  for (const text of failures) console.error(`FAILED ${text}`);
  if (options.write) {
    const to = new URL('results/', import.meta.url);
    await mkdir(to, { recursive: true });
    await writeFile(new URL(`${facts.date}.md`, to), formatReport(report));
  }
  return failures.length === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    stage?.children.killAll();
    process.exit(130);
  });
}
try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.info(USAGE);
  else if (options.list) console.info(ROWS.map(({ id }) => id).join('\n'));
  else process.exitCode = await run(options);
} catch (error) {
  console.error(error);
  stage?.children.killAll();
  process.exit(1);
}
