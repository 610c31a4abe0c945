/**
 * Whether the text means to the server what it means to the parser here: {@link StatementFacts} against
 * {@link ServerFacts}.
 *
 * A difference is no proof of an attack, but of a parser that is deceived: by a setting that changes how text is cut
 * into tokens, by an encoding, by a grammar of another version. The statement is refused as `parser_differential`.
 *
 * Not compared: what PostgreSQL 15 does not say (the kind of most utility statements, and what is in EXPLAIN and
 * CREATE TABLE AS), what rules make of a statement (the facts have it), and reads, whose names a WITH may hide.
 */

import type { QualifiedName, StatementFacts, WriteVerb, WrittenTable } from '../../core/effects.ts';
import type { RelationUse, ServerCommand, ServerFacts, ServerRelation } from './facts.ts';

export type CrossCheck =
  | { readonly kind: 'agrees' }
  /** The reason is for people. */
  | { readonly kind: 'differs'; readonly reason: string };

/** Names of relations by oid, as far as they are known. */
export type RelationNames = ReadonlyMap<number, QualifiedName>;

const AGREES: CrossCheck = { kind: 'agrees' };

const NO_NAMES: RelationNames = new Map();

/** Statements that become one query, and what the server calls it. */
const QUERY_VERBS: Readonly<Record<string, ServerCommand['verb']>> = {
  SelectStmt: 'select',
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
  MergeStmt: 'merge',
};

/** Utility statements whose query the server analyses behind them, with a tree of its own. */
const WITH_QUERY = new Set(['CopyStmt', 'PrepareStmt', 'ExecuteStmt', 'ExplainStmt', 'CreateTableAsStmt']);

/** Of these, the ones whose own changes the text tells too. */
const WITH_KNOWN_QUERY = new Set(['CopyStmt', 'PrepareStmt']);

/** What the words of the text are to the server; TRUNCATE and COPY FROM have no query. */
const CHANGES: Readonly<Record<WriteVerb, RelationUse | undefined>> = {
  insert: 'insert',
  update: 'update',
  delete: 'delete',
  merge: 'merge',
  truncate: undefined,
  'copy-in': undefined,
};

const CHANGING_USES = new Set<RelationUse>(['insert', 'update', 'delete', 'merge']);

/**
 * A whole text of several statements.
 *
 * @param answered the server's facts of each statement, in order; where the text broke off, of those before
 * @param finished whether every statement was answered
 */
export function crossCheckText(
  statements: readonly StatementFacts[],
  answered: readonly ServerFacts[],
  finished: boolean,
  names: RelationNames = NO_NAMES,
): CrossCheck {
  if (answered.length > statements.length || (finished && answered.length < statements.length)) {
    return differs(`the text has ${statements.length} statements, the server ran ${answered.length}`);
  }
  for (const [index, facts] of answered.entries()) {
    const statement = statements[index];
    const checked = statement === undefined ? AGREES : crossCheck(statement, facts, names);
    if (checked.kind === 'differs') return checked;
  }
  return AGREES;
}

/** One statement, with all trees that came for it. */
export function crossCheck(
  statement: StatementFacts,
  server: ServerFacts,
  names: RelationNames = NO_NAMES,
): CrossCheck {
  const kind = kindDifference(statement, server);
  if (kind !== undefined) return differs(kind);
  // What is left of a statement that rules replace is theirs.
  const originals = server.commands.filter(({ source }) => source === 'original');
  if (originals.length === 0 || !tellsChanges(statement, originals)) return AGREES;
  const verbs = verbDifference(statement, originals);
  if (verbs !== undefined) return differs(verbs);
  const tables = tableDifference(statement, server, names);
  return tables === undefined ? AGREES : differs(tables);
}

function differs(reason: string): CrossCheck {
  return { kind: 'differs', reason };
}

/** Number and kind of the queries that the statement itself has, and the kind of a utility statement. */
function kindDifference(statement: StatementFacts, { commands }: ServerFacts): string | undefined {
  const { node } = statement;
  const verb = isSelectInto(statement) ? undefined : QUERY_VERBS[node];
  const originals = commands.filter(({ source }) => source === 'original');
  if (verb !== undefined) {
    // Rules replace changes, never a SELECT.
    if (originals.length === 0 && verb !== 'select' && verb !== 'merge') return undefined;
    const [only] = originals;
    if (originals.length === 1 && only?.verb === verb) return undefined;
    return `the text is ${node}, the server ran ${wordsOf(originals)}`;
  }
  const [first, ...others] = commands;
  if (first?.verb !== 'utility') return `the text is ${node}, the server ran ${wordsOf(commands)}`;
  const wanted = isSelectInto(statement) ? 'CREATETABLEASSTMT' : node.toUpperCase();
  if (first.utility !== undefined && first.utility !== wanted) {
    return `the text is ${node}, the server ran ${first.utility}`;
  }
  const allowed = WITH_QUERY.has(node) && others.every((other) => other.verb !== 'utility');
  return others.length === 0 || allowed
    ? undefined
    : `the text is ${node}, the server ran ${wordsOf(commands)}`;
}

function wordsOf(commands: readonly ServerCommand[]): string {
  if (commands.length === 0) return 'nothing';
  return commands.map(({ verb, utility }) => utility ?? verb ?? 'something unknown').join(' and ');
}

/** `SELECT … INTO` is a SelectStmt in the text, and CREATE TABLE AS to the server. */
function isSelectInto({ node, effects }: StatementFacts): boolean {
  return node === 'SelectStmt' && effects.some(({ effect }) => effect === 'create');
}

/** Whether both sides say what is changed. */
function tellsChanges(statement: StatementFacts, originals: readonly ServerCommand[]): boolean {
  if (QUERY_VERBS[statement.node] !== undefined && !isSelectInto(statement)) return true;
  return WITH_KNOWN_QUERY.has(statement.node) && originals.length > 1;
}

function verbDifference(statement: StatementFacts, originals: readonly ServerCommand[]): string | undefined {
  const ran = new Set(originals.flatMap(({ writes }) => writes.map(({ verb }) => verb)));
  const written = statement.writes.filter(({ verb }) => CHANGES[verb] !== undefined);
  // MERGE with nothing but DO NOTHING writes nothing.
  const said = new Set([
    ...written.map(({ verb }) => CHANGES[verb]),
    ...statement.effects.map(({ effect }) => effect),
  ]);
  const hidden = [...ran].filter((verb) => !said.has(verb));
  if (hidden.length > 0) return `the text has no ${hidden.join(' and ')}, which the server ran`;
  const missing = written.find((table) => {
    const use = CHANGES[table.verb];
    return ![...ran].some((verb) => verb === use) && !isOnConflict(table, written);
  });
  return missing && `the text has ${missing.verb}, which the server did not run`;
}

/** An UPDATE of what is inserted into may be its ON CONFLICT, which is no query of its own. */
function isOnConflict(table: WrittenTable, written: readonly WrittenTable[]): boolean {
  return (
    table.verb === 'update' && written.some((other) => other.verb === 'insert' && isSameName(other, table))
  );
}

function isSameName(a: QualifiedName, b: QualifiedName): boolean {
  return a.name === b.name && a.schema === b.schema;
}

/** Names of tables that are changed; only where every one of the server's is known. */
function tableDifference(
  statement: StatementFacts,
  server: ServerFacts,
  names: RelationNames,
): string | undefined {
  const changed = server.relations.filter(({ uses }) => uses.some((use) => CHANGING_USES.has(use)));
  if (changed.some(({ oid }) => !names.has(oid))) return undefined;
  const said = statement.writes.filter(({ verb }) => CHANGES[verb] !== undefined);
  const missing = said.find((table) => !changed.some((relation) => isWritten(table, relation, names)));
  if (missing !== undefined) return `the server does not change ${nameText(missing)}`;
  // Behind a view, and by a rule, tables are changed that no text names.
  const direct = server.commands.every(({ source }) => source === 'original');
  if (!direct || changed.some(({ relkind }) => relkind === 'v')) return undefined;
  const hidden = changed.find(
    (relation) => !doesNothing(relation) && !said.some((table) => isNamed(table, relation, names)),
  );
  const name = hidden === undefined ? undefined : names.get(hidden.oid);
  return name && `the server changes ${nameText(name)}, which the text does not name`;
}

/** What is merged into, without an INSERT, UPDATE or DELETE. */
function doesNothing({ uses }: ServerRelation): boolean {
  return uses.every((use) => use === 'merge' || !CHANGING_USES.has(use));
}

function isWritten(table: WrittenTable, relation: ServerRelation, names: RelationNames): boolean {
  const use = CHANGES[table.verb];
  return use !== undefined && usesOf(relation).has(use) && isNamed(table, relation, names);
}

/** A view that can be updated has the rights that its MERGE needs, but is not what is merged into. */
function usesOf({ uses, relkind }: ServerRelation): ReadonlySet<RelationUse> {
  return new Set(relkind === 'v' ? [...uses, 'merge'] : uses);
}

function isNamed(table: QualifiedName, { oid }: ServerRelation, names: RelationNames): boolean {
  const known = names.get(oid);
  if (known === undefined || known.name !== table.name) return false;
  if (table.schema === undefined || known.schema === table.schema) return true;
  // Each session has a schema of its own behind that name.
  return table.schema === 'pg_temp' && known.schema !== undefined && /^pg_temp_\d+$/.test(known.schema);
}

function nameText({ schema, name }: QualifiedName): string {
  return schema === undefined ? name : `${schema}.${name}`;
}
