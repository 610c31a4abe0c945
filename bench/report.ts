/** The report of a run: goals first, then a table for each measurement. */

import type { Goal, RowResult, Table } from './rows/row.ts';

export interface Report {
  readonly date: string;
  readonly command: string;
  readonly machine: string;
  readonly programs: readonly string[];
  readonly settings: string;
  readonly flush: string;
  readonly results: readonly RowResult[];
  /** What did not happen, in sentences. */
  readonly failures: readonly string[];
  readonly tookSeconds: number;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

export function formatTable(table: Table): string {
  return [
    line(table.columns),
    line(table.columns.map(() => '---')),
    ...table.rows.map(line),
    ...(table.notes ?? []).flatMap((note) => ['', note]),
  ].join('\n');
}

export function formatGoals(goals: readonly Goal[]): string {
  return formatTable({
    title: '',
    columns: ['what', 'goal', 'measured', 'met'],
    rows: goals.map(({ what, goal, measured, met }) => [what, goal, measured, met]),
  });
}

export function formatReport(report: Report): string {
  const { results, failures } = report;
  return [
    `# Figures, ${report.date}`,
    '',
    `\`${report.command}\`, ${report.tookSeconds.toFixed(0)} s · ${report.machine}`,
    '',
    `${report.programs.join(' · ')}. ${report.settings}`,
    '',
    report.flush,
    '',
    'Median (smallest–largest) of the rounds. Shares are of the same round.',
    '',
    '## Goals',
    '',
    formatGoals(results.flatMap(({ goals }) => goals)),
    ...(failures.length === 0 ? [] : ['', '## What failed', '', ...failures.map((text) => `- ${text}`)]),
    ...results.flatMap(({ tables }) =>
      tables.flatMap((table) => ['', `## ${table.title}`, '', formatTable(table)]),
    ),
    '',
  ].join('\n');
}
