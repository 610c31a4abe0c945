/**
 * What a statement does by its text, and what it does by the server's own account, together.
 *
 * Spec: spec/policy.md, "The server's own tree". Nothing of the text is taken away: a tree adds, so that it never
 * lowers a risk. What triggers, constraints and indexes call is not added: rows are counted whoever writes them.
 */

import type {
  CalledFunction,
  Effect,
  FoundEffect,
  QualifiedName,
  StatementFacts,
  WriteVerb,
  WrittenTable,
} from '../../core/effects.ts';
import { functionEffect } from '../functions.ts';
import { modelEffects } from '../model-functions.ts';
import type { Catalog } from './catalog.ts';
import { FIRST_USER_OID } from './catalog-sql.ts';
import type { RelationUse, ServerFacts, ServerRelation } from './facts.ts';
import { calledEffects, type FunctionRules } from './function-effects.ts';

export interface AnsweredTree {
  readonly facts: ServerFacts;
  readonly catalog: Catalog;
  /** It is not run: EXPLAIN without ANALYZE. */
  readonly isPlanned: boolean;
  /** Values may be converted to types that users made, by a cast that stands in no tree. */
  readonly convertsParameters: boolean;
}

const RULES: FunctionRules = {
  builtIn: (name) => {
    const effect = functionEffect(name);
    return effect === undefined ? [] : [effect];
  },
  trustedOwners: new Set(),
};

type Add = (effect: Effect, object: string | undefined, by?: CalledFunction) => void;

const CHANGES = new Set<RelationUse>(['insert', 'update', 'delete', 'merge']);
const WHILE_PLANNING: ReadonlySet<Effect> = new Set<Effect>(['function-unknown', 'unknown']);
const LASTING: ReadonlySet<Effect> = new Set<Effect>(['host', 'remote', 'admin']);

/**
 * @param resolved whether what the text names is told once more by the name that the server found: for rules that
 *   allow by name, which a name without a schema must not satisfy by itself
 */
export function withTree(statement: StatementFacts, tree: AnsweredTree, resolved: boolean): StatementFacts {
  const { facts, catalog, isPlanned } = tree;
  const found: FoundEffect[] = [];
  const { from, to } = statement;
  const add: Add = (effect, object, by) => {
    if (isPlanned && !WHILE_PLANNING.has(effect)) return;
    found.push({ effect, from, to, object, ...(by === undefined ? {} : { by }) });
  };
  const functions = hiddenCalls(statement, tree, resolved, add);
  const reads = hiddenReads(statement, tree);
  const writes = isPlanned ? [] : hiddenWrites(statement, tree, resolved, add);
  // Its rows are given out beside what the statement itself gives: no text shows that it reads.
  if (facts.commands.some(({ source, verb }) => source === 'rule' && verb === 'select'))
    add('read', 'what a rule selects');
  if (tree.convertsParameters) add('function-unknown', 'a cast to a type of a user');
  for (const reason of facts.unknown) add('unknown', reason);
  if (!facts.expanded && facts.unknown.length === 0) add('unknown', 'a query that is not expanded');
  // Of PostgreSQL's own the catalog is asked only where they are changed.
  if (facts.relations.some(({ oid }) => oid >= FIRST_USER_OID && !catalog.relations.has(oid)))
    add('unknown', 'a relation that is gone');
  const effects = found.filter(
    (one, at) =>
      !statement.effects.some((said) => said.effect === one.effect && said.object === one.object) &&
      found.findIndex((other) => other.effect === one.effect && other.object === one.object) === at,
  );
  if (effects.length + functions.length + reads.length + writes.length === 0) return statement;
  return {
    ...statement,
    effects: [...statement.effects, ...effects],
    functions: [...statement.functions, ...functions],
    reads: [...statement.reads, ...reads],
    writes: [...statement.writes, ...writes],
    undoable: statement.undoable && !effects.some(({ effect }) => LASTING.has(effect)),
  };
}

/** Whether code runs beside it that may change settings or definitions: of triggers, constraints, defaults. */
export function runsHiddenCode({ facts, catalog, isPlanned }: AnsweredTree): boolean {
  if (isPlanned) return false;
  return facts.relations.some(
    ({ oid, uses }) =>
      uses.some((use) => CHANGES.has(use)) && (catalog.relations.get(oid)?.hiddenFunctions.length ?? 1) > 0,
  );
}

/** Whether the server may run code of users while it only parses: the checks of a type that a literal has. */
export function runsWhileAnalyzed({ facts, catalog }: AnsweredTree): boolean {
  return facts.types.some((oid) => (catalog.types.get(oid)?.checks.length ?? 0) > 0);
}

/** Functions of users that it calls, itself or by an operator, and that may write; without those of its tables. */
export function writingCalls({ facts, catalog }: AnsweredTree): readonly string[] {
  return calledEffects({ ...facts, relations: [] }, catalog, RULES).flatMap(({ oid, name, effects }) => {
    const isUnknown = effects.includes('function-unknown') || effects.includes('host');
    if (oid < FIRST_USER_OID || !isUnknown) return [];
    const { volatility = 'volatile' } = catalog.functions.get(oid) ?? {};
    if (volatility !== 'volatile') return [];
    return [name === undefined ? 'a function that nobody knows' : nameText(name)];
  });
}

function hiddenCalls(
  statement: StatementFacts,
  { facts, catalog }: AnsweredTree,
  resolved: boolean,
  add: Add,
): readonly CalledFunction[] {
  const { from, to } = statement;
  const calls: CalledFunction[] = [];
  const isExpanded = facts.relations.some(({ relkind }) => relkind === 'v');
  const inserts = statement.writes.some(({ verb }) => verb !== 'delete' && verb !== 'update');
  for (const { oid, name, effects: does } of calledEffects({ ...facts, relations: [] }, catalog, RULES)) {
    // A function that its owner calls harmless sends rows to a model all the same.
    const effects = [...does, ...(name === undefined || oid < FIRST_USER_OID ? [] : modelEffects(name))];
    if (effects.length === 0) continue;
    const isOwn = oid > 0 && oid < FIRST_USER_OID;
    const said = name !== undefined && statement.functions.some((called) => isSaid(called, name));
    // What the text calls by the name of PostgreSQL's own is judged there, with its arguments.
    if (said && (isOwn ? !isExpanded : !resolved && isUnknownSaid(statement, name))) continue;
    // A column's own sequence.
    if (isOwn && inserts && effects.every((effect) => effect === 'sequence')) continue;
    const object = name === undefined ? 'a function that nobody knows' : nameText(name);
    const call = name === undefined ? undefined : { ...name, from, to };
    for (const effect of effects) add(effect, object, call);
    if (call !== undefined) calls.push(call);
  }
  return calls;
}

function isUnknownSaid({ effects }: StatementFacts, { name }: QualifiedName): boolean {
  return effects.some(({ effect, object }) => effect === 'function-unknown' && object === name);
}

/** The system's own tables, which its views read, are left out. */
function hiddenReads(statement: StatementFacts, { facts, catalog }: AnsweredTree): readonly QualifiedName[] {
  return facts.relations.flatMap(({ oid, uses }) => {
    const relation = catalog.relations.get(oid);
    if (relation === undefined || oid < FIRST_USER_OID || !uses.includes('read')) return [];
    const { schema, name } = relation;
    return statement.reads.some((read) => isSaid(read, relation)) ? [] : [{ schema, name }];
  });
}

function hiddenWrites(
  statement: StatementFacts,
  { facts, catalog }: AnsweredTree,
  resolved: boolean,
  add: Add,
): readonly WrittenTable[] {
  return facts.relations.flatMap((relation) => {
    const named = catalog.relations.get(relation.oid);
    const name =
      named === undefined ? { schema: undefined, name: '?' } : { schema: named.schema, name: named.name };
    return relation.uses.flatMap((use): readonly WrittenTable[] => {
      if (use !== 'insert' && use !== 'update' && use !== 'delete' && use !== 'merge') return [];
      const said = statement.writes.filter((table) => isSaid(table, name) && verbOf(table.verb, use));
      const isExact = said.some(({ schema }) => schema !== undefined);
      if (said.length > 0 && (isExact || !resolved)) return [];
      add(use, nameText(name));
      const isOfRule = facts.commands.some(
        ({ source, writes }) =>
          source === 'rule' && writes.some((write) => write.relation === relation.oid && write.verb === use),
      );
      // Nobody has looked at the condition that a rule has; a view hands on that there is none.
      if ((use === 'update' || use === 'delete') && (isOfRule || isUnqualified(statement, use))) {
        add(`${use}-unqualified`, nameText(name));
      }
      return [{ ...name, verb: use, columns: columnsOf(relation, use) }];
    });
  });
}

function isUnqualified({ effects }: StatementFacts, use: 'update' | 'delete'): boolean {
  return effects.some(({ effect }) => effect === `${use}-unqualified`);
}

/** What MERGE does is said as `merge`, and COPY FROM inserts. */
function verbOf(said: WriteVerb, use: RelationUse): boolean {
  return said === use || said === 'merge' || (said === 'copy-in' && use === 'insert');
}

function columnsOf({ columns }: ServerRelation, use: RelationUse): readonly string[] | 'all' {
  const named = columns.filter(({ verb }) => verb === use).map(({ name }) => name);
  return named.length === 0 || named.includes('') ? 'all' : named;
}

/** A name without a schema may be any of that name. */
function isSaid(said: QualifiedName, found: QualifiedName): boolean {
  return said.name === found.name && (said.schema === undefined || said.schema === found.schema);
}

function nameText({ schema, name }: QualifiedName): string {
  return schema === undefined ? name : `${schema}.${name}`;
}
