/**
 * What a transaction has written, as the server counted it, × the rules that have a say about rows.
 *
 * Spec: spec/policy.md §5. The server counts every row that its transaction inserted, updated or
 * deleted, by table: those of triggers, functions, cascades, MERGE, COPY and data-modifying CTEs too.
 */

import type { Effect, QualifiedName, StatementFacts } from '../core/effects.ts';
import type { Cause } from './decide.ts';
import { allowedWrites } from './matches.ts';
import { matchesName, type NamePattern } from './patterns.ts';
import type { CompiledRule } from './rule.ts';
import { mfaSaid } from './second-factor.ts';

/** Rows of one table. */
export interface ObservedTable {
  /** Undefined where it is not known. */
  readonly schema: string | undefined;
  readonly name: string;
  /** The other tables whose rows they are: it is a partition or a child of them, or they are of it. */
  readonly partOf?: readonly QualifiedName[];
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /**
   * It was truncated, rewritten, renamed, dropped or detached, or another table has taken its place or
   * become a part of it: nobody can say how many of its rows that changes.
   */
  readonly exchanged?: boolean;
}

/** Rows that nobody can count: more than any bound, and a safe integer wherever it is written down. */
const ROWS_UNKNOWN: number = Number.MAX_SAFE_INTEGER;

/** Rows that a rule is about, and what it says about them. */
export interface Counted {
  readonly rule: CompiledRule;
  readonly rows: number;
  /** Tables whose rows these are. */
  readonly tables: readonly ObservedTable[];
  /** Tables of the system's that changed, for a rule about definitions. */
  readonly defined: readonly string[];
  /** Up to so many the rule does not apply. */
  readonly allowed: number;
}

/** The schema of the system's own tables. */
export const CATALOG = 'pg_catalog';

/** What a change of the system's own tables may come from, by what happened to their rows. */
const SEEN_IN_CATALOG: Readonly<Partial<Record<Effect, (table: ObservedTable) => boolean>>> = {
  create: ({ inserted }) => inserted > 0,
  code: ({ name, inserted, updated }) =>
    ['pg_proc', 'pg_trigger', 'pg_rewrite'].includes(name) && inserted + updated > 0,
  drop: ({ deleted }) => deleted > 0,
  'alter-drop': ({ name, updated, deleted }) => deleted > 0 || (name === 'pg_attribute' && updated > 0),
  alter: ({ updated }) => updated > 0,
  rename: ({ updated }) => updated > 0,
  truncate: ({ name, updated }) => name === 'pg_class' && updated > 0,
  grant: ({ name, inserted, updated, deleted }) =>
    (/^pg_(?:auth|policy|default_acl|shdepend)/.test(name) && inserted + updated + deleted > 0) ||
    updated > 0,
};

/** Whether an effect leaves its trace in the system's own tables. */
export function isSeenInCatalog(effect: Effect): boolean {
  return SEEN_IN_CATALOG[effect] !== undefined;
}

/**
 * The rules that apply, with the rows of each; none: all is within what was allowed.
 *
 * @param statements that have just run; none: what they were has no say
 */
export function overBound(
  rules: readonly CompiledRule[],
  observed: readonly ObservedTable[],
  statements: readonly StatementFacts[] = [],
): readonly Counted[] {
  return rules
    .map((rule) => ({
      rule,
      ...rowsOf(rule, observed),
      allowed: allowedWrites(withNames(rule, observed), statements),
    }))
    .filter(({ rows, allowed }) => rows > allowed);
}

/** The rule by every name of what it saw written: a statement can name a table, and a part of it, and mean the same. */
function withNames(rule: CompiledRule, observed: readonly ObservedTable[]): CompiledRule {
  const { writes, anyRows } = rule;
  if (writes === undefined || anyRows === undefined) return rule;
  const names = observed
    .filter((table) => isNamed(writes, table))
    .flatMap(({ partOf = [], ...own }) => (partOf.length === 0 ? [] : [own, ...partOf]))
    .map(({ schema, name }): NamePattern => ({ text: name, schema, name, columns: undefined }));
  return names.length === 0 ? rule : { ...rule, writes: [...writes, ...names] };
}

/** A cause without a place in the text: it is what the statement did. */
export function causeOfCount({ rule, rows, allowed, defined }: Counted): Cause {
  const { name, version, verdict, description } = rule;
  const written =
    rows === ROWS_UNKNOWN
      ? 'a table is truncated, rewritten or exchanged, which is nobody knows how many rows'
      : `${rows} rows are written`;
  const isAny = allowed < (rule.rows?.allowed ?? 0);
  const bound = isAny ? 'by what is stopped from one row on' : `and up to ${allowed} are not held up by it`;
  const counted = `${written}, ${bound}`;
  const found = defined.length === 0 ? counted : `it changes definitions (${defined.join(', ')})`;
  const what = `${found}${mfaSaid(rule)}`;
  return { rule: name, version, verdict, description, what, from: 0, to: 0 };
}

function rowsOf(
  rule: CompiledRule,
  observed: readonly ObservedTable[],
): Pick<Counted, 'rows' | 'tables' | 'defined'> {
  let rows = 0;
  const tables: ObservedTable[] = [];
  const defined: string[] = [];
  for (const table of observed) {
    if (table.schema === CATALOG) {
      if (!defines(rule, table)) continue;
      defined.push(table.name);
      tables.push(table);
      rows += table.inserted + table.updated + table.deleted;
      continue;
    }
    if (rule.writes !== undefined && !isNamed(rule.writes, table)) continue;
    tables.push(table);
    if (table.exchanged === true) return { rows: ROWS_UNKNOWN, tables, defined: [] };
    if (counts(rule, ['insert', 'copy-in', 'merge'])) rows += table.inserted;
    if (counts(rule, ['update', 'merge'])) rows += table.updated;
    if (counts(rule, ['delete', 'merge'])) rows += table.deleted;
  }
  return { rows, tables, defined };
}

function defines({ effects, writes, rows }: CompiledRule, table: ObservedTable): boolean {
  if (effects === undefined || writes !== undefined || rows !== undefined) return false;
  return [...effects].some((effect) => SEEN_IN_CATALOG[effect]?.(table) === true);
}

/** Whether rows of a table are rows of one of these. */
export function isNamed(patterns: readonly NamePattern[], table: ObservedTable): boolean {
  return [table, ...(table.partOf ?? [])].some((name) =>
    patterns.some((pattern) => matchesName(pattern, name)),
  );
}

function counts({ effects }: CompiledRule, verbs: readonly Effect[]): boolean {
  return effects === undefined || verbs.some((verb) => effects.has(verb));
}
