/**
 * Which holds somebody may open in an emergency: what the rule names, against everything that is held.
 *
 * Spec: spec/policy.md, "Break-glass". Such a rule decides about no statement: what is blocked stays
 * blocked. Its conditions are read the other way round than those of a rule that stops: not that one of
 * the things that a text does is named, but that all are. So nothing slips through beside what was meant.
 */

import type { Effect, FoundEffect, QualifiedName, StatementFacts } from '../core/effects.ts';
import type { Decision } from './decide.ts';
import { HARMLESS } from './effect-classes.ts';
import { callsOf } from './matches.ts';
import { CATALOG, isNamed, type ObservedTable } from './observed.ts';
import { matchesName, type NamePattern } from './patterns.ts';
import type { BreakGlassRule, CompiledRule } from './rule.ts';

/**
 * The rules that may open the hold of a rule, in the order of their names; hours are looked at when somebody
 * does.
 *
 * @param tables whose rows were counted; undefined where the text alone is held
 */
export function openersOf(
  { statements, breakGlass }: Pick<Decision, 'statements' | 'breakGlass'>,
  held: CompiledRule,
  tables: readonly ObservedTable[] = [],
): readonly BreakGlassRule[] {
  if (held.hold === undefined || held.hold.breakGlass === 'never') return [];
  return breakGlass.filter(
    (rule) =>
      namesNothing(rule) ||
      (statements.length > 0 &&
        statements.every((statement) => coversStatement(rule, held, statement)) &&
        tables.every((table) => coversRows(rule, table))),
  );
}

/** It opens whatever is held where it reaches. */
function namesNothing({ effects, writes, reads, functions }: BreakGlassRule): boolean {
  return [effects, writes, reads, functions].every((names) => names === undefined);
}

function coversStatement(rule: BreakGlassRule, held: CompiledRule, statement: StatementFacts): boolean {
  const { writes, reads } = rule;
  return (
    statement.effects
      .filter(({ effect }) => !HARMLESS.has(effect) || isHeldFor(held, effect))
      .every((found) => coversEffect(rule, statement, found)) &&
    (writes === undefined || statement.writes.every((table) => isOneOf(writes, table))) &&
    (reads === undefined || statement.reads.every((table) => isOneOf(reads, table)))
  );
}

/** A rule that holds harmless things means them. */
function isHeldFor({ effects }: CompiledRule, effect: Effect): boolean {
  return effects?.has(effect) === true;
}

/** Where the rule does not say `effects`, what it names says them. */
function coversEffect(rule: BreakGlassRule, statement: StatementFacts, found: FoundEffect): boolean {
  const { effects, functions, writes, reads } = rule;
  const calls = callsOf(statement, found);
  const isByName = functions !== undefined && calls.length > 0;
  if (isByName && !calls.every((called) => isOneOf(functions, called))) return false;
  if (effects !== undefined) return effects.has(found.effect);
  if (isByName) return true;
  if (reads !== undefined && found.effect === 'read') return true;
  return (
    writes !== undefined &&
    statement.writes.some(({ verb }) => found.effect === verb || found.effect === `${verb}-unqualified`)
  );
}

/** Rows that were written, by whatever path. What changed definitions, or took a table's place, shows no rows. */
function coversRows({ effects, writes, reads, functions }: BreakGlassRule, table: ObservedTable): boolean {
  if (table.schema === CATALOG || table.exchanged === true) return false;
  if (writes === undefined && effects === undefined && (reads ?? functions) !== undefined) return false;
  if (writes !== undefined && !isNamed(writes, table)) return false;
  const verbs: readonly (readonly [number, readonly Effect[]])[] = [
    [table.inserted, ['insert', 'copy-in', 'merge']],
    [table.updated, ['update', 'merge']],
    [table.deleted, ['delete', 'merge']],
  ];
  return verbs.every(
    ([rows, by]) => rows === 0 || effects === undefined || by.some((effect) => effects.has(effect)),
  );
}

function isOneOf(patterns: readonly NamePattern[], name: QualifiedName): boolean {
  return patterns.some((pattern) => matchesName(pattern, name));
}
