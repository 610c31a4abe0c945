/**
 * Whether a rule is about a statement, and about which effects of it.
 *
 * Spec: spec/policy.md §3 and §4.
 */

import type {
  CalledFunction,
  Effect,
  FoundEffect,
  QualifiedName,
  StatementFacts,
  WriteVerb,
  WrittenTable,
} from '../core/effects.ts';
import { holdsOverHttp, mayBeNamed } from './http-conditions.ts';
import { matchesColumns, matchesName, type NamePattern } from './patterns.ts';
import type { CompiledRule } from './rule.ts';

const MERGED: ReadonlySet<Effect> = new Set<Effect>([
  'insert',
  'update',
  'update-unqualified',
  'delete',
  'delete-unqualified',
]);

/** What of a statement a rule is about; `from` and `to` are bytes of its text. */
export interface Range {
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

/** What of a statement a rule is about; none: it does not apply. */
export function matches(rule: CompiledRule, statement: StatementFacts): readonly Range[] {
  const { http, node, from, to } = statement;
  if (rule.http !== undefined && !holdsOverHttp(rule.http, http, strictnessOf(rule))) return [];
  const found = [
    rule.writes === undefined ? matchEffects(rule, statement) : matchWrites(rule, statement),
    matchReads(rule, statement),
    matchFunctions(rule, statement),
  ].filter((ranges) => ranges !== undefined);
  if (found.some((ranges) => ranges.length === 0)) return [];
  if (found.length > 0) return found.flat();
  return [{ what: http === undefined ? node : `${http.method} ${http.path}`, from, to }];
}

/** What of a rule applies where a request does not say all. */
function strictnessOf({ verdict }: CompiledRule): 'stops' | 'allows' {
  return verdict === 'allow' ? 'allows' : 'stops';
}

/** Names of requests may stand for several, those of statements never. */
function isNamed(
  pattern: NamePattern,
  found: QualifiedName,
  rule: CompiledRule,
  { http }: StatementFacts,
): boolean {
  return http === undefined ? matchesName(pattern, found) : mayBeNamed(pattern, found, strictnessOf(rule));
}

function matchEffects({ effects }: CompiledRule, statement: StatementFacts): readonly Range[] | undefined {
  if (effects === undefined) return undefined;
  return statement.effects.filter(({ effect }) => effects.has(effect)).map(rangeOf);
}

function matchWrites(rule: CompiledRule, statement: StatementFacts): readonly Range[] {
  const written = statement.writes.filter((table) => isWritten(rule, table, statement));
  return written.flatMap((table) => {
    const found = statement.effects.filter(
      (effect) => isOf(table.verb, effect.effect) && isAbout(effect, table),
    );
    const wanted = found.filter(({ effect }) => rule.effects === undefined || rule.effects.has(effect));
    if (rule.effects !== undefined && wanted.length === 0) return [];
    const [first] = wanted.length > 0 ? wanted : found;
    const { from, to } = first ?? statement;
    return [{ what: `${table.verb} on ${nameOf(table)}`, from, to }];
  });
}

function isWritten(rule: CompiledRule, table: WrittenTable, statement: StatementFacts): boolean {
  return (rule.writes ?? []).some(
    (pattern) => isNamed(pattern, table, rule, statement) && matchesColumns(pattern, table.columns),
  );
}

/** `delete` and `delete-unqualified` are effects of a DELETE, and of a MERGE so is whatever its actions do. */
function isOf(verb: WriteVerb, effect: Effect): boolean {
  if (verb === 'merge' && MERGED.has(effect)) return true;
  return effect === verb || effect === `${verb}-unqualified`;
}

function isAbout({ object }: FoundEffect, table: WrittenTable): boolean {
  return object === undefined || object === nameOf(table);
}

function matchReads(rule: CompiledRule, statement: StatementFacts): readonly Range[] | undefined {
  const { reads } = rule;
  if (reads === undefined) return undefined;
  const { from, to } = statement;
  return statement.reads
    .filter((table) => reads.some((pattern) => isNamed(pattern, table, rule, statement)))
    .map((table) => ({ what: `read of ${nameOf(table)}`, from, to }));
}

function matchFunctions(
  { functions }: CompiledRule,
  statement: StatementFacts,
): readonly Range[] | undefined {
  if (functions === undefined) return undefined;
  return statement.functions
    .filter((called) => functions.some((pattern) => matchesName(pattern, called)))
    .map((called) => ({ what: `call of ${nameOf(called)}`, from: called.from, to: called.to }));
}

/** Up to so many written rows of these statements a rule does not apply. */
export function allowedWrites(rule: CompiledRule, statements: readonly StatementFacts[]): number {
  const { rows, anyRows: effects } = rule;
  if (rows === undefined) return 0;
  const isAny =
    effects !== undefined && statements.some((one) => matches({ ...rule, effects }, one).length > 0);
  return isAny ? 0 : rows.allowed;
}

/** A rule that holds asks somebody each time; one on rows, only where there are too many. */
export function letsThrough({ verdict, rows, returned }: CompiledRule): boolean {
  return verdict === 'allow' || (verdict === 'hold' && rows === undefined && returned === undefined);
}

/** Whether a rule that lets through is about this effect, and not only about another one of the statement. */
export function covers(rule: CompiledRule, statement: StatementFacts, found: FoundEffect): boolean {
  if (matches(rule, statement).length === 0) return false;
  if (rule.effects !== undefined && !rule.effects.has(found.effect)) return false;
  if (rule.functions !== undefined) {
    const { functions } = rule;
    return callsOf(statement, found).some((called) =>
      functions.some((pattern) => matchesName(pattern, called)),
    );
  }
  if (rule.writes !== undefined) {
    const tables = statement.writes.filter(
      (table) => isOf(table.verb, found.effect) && isAbout(found, table),
    );
    return allOrAny(tables, (table) => isWritten(rule, table, statement), rule, statement);
  }
  if (rule.reads !== undefined) {
    const { reads } = rule;
    const isRead = (table: QualifiedName): boolean =>
      reads.some((pattern) => isNamed(pattern, table, rule, statement));
    if (statement.http !== undefined && !allOrAny(statement.reads, isRead, rule, statement)) return false;
    return rule.effects !== undefined || found.effect === 'read';
  }
  return rule.effects !== undefined || rule.http !== undefined;
}

/** What a request may be about, beside what it names, a rule that allows has to name too. */
function allOrAny<T>(
  values: readonly T[],
  isCovered: (value: T) => boolean,
  { verdict }: CompiledRule,
  { http }: StatementFacts,
): boolean {
  const isStrict = http !== undefined && verdict === 'allow';
  return isStrict ? values.length > 0 && values.every(isCovered) : values.some(isCovered);
}

/**
 * The functions that an effect comes from. What the text does not show has no place of its own in it,
 * so that each effect says whose it is.
 */
export function callsOf(
  { functions, effects }: StatementFacts,
  { from, by }: FoundEffect,
): readonly CalledFunction[] {
  if (by !== undefined) return [by];
  return functions.filter((called) => called.from === from && !effects.some((other) => other.by === called));
}

function rangeOf(found: FoundEffect): Range {
  return { what: describe(found), from: found.from, to: found.to };
}

export function describe({ effect, object }: FoundEffect): string {
  return object === undefined ? effect : `${effect} of ${object}`;
}

/** As FoundEffect has it. */
function nameOf({ schema, name }: QualifiedName): string {
  return schema === undefined ? name : `${schema}.${name}`;
}
