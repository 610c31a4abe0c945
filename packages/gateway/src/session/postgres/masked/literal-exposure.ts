/**
 * Whether the literals of a statement may stand for values of masked columns.
 *
 * Spec: spec/masking.md, section 16. They do where the statement compares a masked column with anything, computes with
 * one, writes one, or does something of which nobody knows what: then all of them are hidden where it is recorded. A
 * statement that only shows masked columns says nothing of their values.
 */

import type { LabelUse, LabelWrite, OutputColumn, StatementLabels } from '../../../core/column-labels.ts';
import type { ReadText, StatementFacts } from '../../../core/effects.ts';
import { findLabel, type MaskedLookup } from '../../../masking/plan/masked-lookup.ts';
import type { AskedStatement } from './mask-judge.ts';

/** @param masked undefined where nobody can tell which columns are masked */
export function exposesLiterals(
  read: ReadText,
  asked: readonly AskedStatement[] | undefined,
  masked: MaskedLookup | undefined,
): boolean {
  if (read.kind !== 'read') return true;
  return read.statements.some((statement, at) => isExposing(statement, asked?.[at], masked));
}

function isExposing(
  { node, writes }: StatementFacts,
  said: AskedStatement | undefined,
  masked: MaskedLookup | undefined,
): boolean {
  // Its values go to the statement that it runs.
  if (said === undefined || node === 'ExecuteStmt') return true;
  // Its condition is in no tree, and its data are values.
  if (writes.some(({ verb }) => verb === 'copy-in')) return true;
  if (said.labels === undefined) return said.hasQuery;
  return masked === undefined || isAbout(said.labels, masked);
}

function isAbout({ outputs, uses, writes }: StatementLabels, masked: MaskedLookup): boolean {
  const isMasked = ({ labels, opaque }: Pick<LabelUse, 'labels' | 'opaque'>): boolean =>
    opaque !== undefined || [...labels].some((label) => findLabel(masked, label).kind !== 'clear');
  // What the definition of a view compares is no literal of this text.
  if (uses.some((use) => use.view === undefined && isMasked(use))) return true;
  if (writes.some((write) => isMasked(write) || isTarget(write, masked))) return true;
  return outputs?.some((output) => !isPlain(output) && isMasked(output)) === true;
}

/** The column as it is stored. */
function isPlain({ identity, opaque }: OutputColumn): boolean {
  return identity !== undefined && opaque === undefined;
}

function isTarget({ target }: LabelWrite, masked: MaskedLookup): boolean {
  return findLabel(masked, target).kind !== 'clear';
}

/** @param tables names of tables that have masked columns */
export function writesAny(read: ReadText, tables: ReadonlySet<string>): boolean {
  if (read.kind !== 'read') return true;
  return read.statements.some(({ writes }) => writes.some(({ name }) => tables.has(name)));
}
