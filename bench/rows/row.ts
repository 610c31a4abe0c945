/** A measurement, and what it gives. */

import type { Stage } from '../stage.ts';

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes?: readonly string[];
}

export type Met = 'yes' | 'no' | 'not measured';

/** A figure to reach, and what was reached. */
export interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly measured: string;
  readonly met: Met;
}

export interface RowResult {
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
}

export interface Row {
  /** What `--only` names, whole or by its beginning. */
  readonly id: string;
  /** False where it reads nothing of what pgbench prepares. */
  readonly usesTables?: false;
  run(stage: Stage): Promise<RowResult>;
}

/** A goal that could not be looked at, because something it is compared with was left out. */
export function metIf(value: number | undefined, meets: (value: number) => boolean): Met {
  if (value === undefined || Number.isNaN(value)) return 'not measured';
  return meets(value) ? 'yes' : 'no';
}
