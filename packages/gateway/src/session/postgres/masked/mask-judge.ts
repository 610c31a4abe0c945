/**
 * Which statements a Mask stops before they run: what would tell of a masked value without showing it.
 *
 * Spec: spec/masking.md, "Strict". What a statement shows is masked when it comes; what it does with a value
 * beside showing it, and code that nobody can follow, has to be stopped before.
 */

import type { StatementLabels } from '../../../core/column-labels.ts';
import type { Effect, ReadText, StatementFacts } from '../../../core/effects.ts';
import type { ColumnLabel } from '../../../core/column-labels.ts';
import type { MaskedLookup } from '../../../masking/plan/masked-lookup.ts';
import type { SessionMasks } from '../../../masking/plan/session-masks.ts';
import { maskVerdict } from '../../../masking/plan/verdict.ts';
import { whyNoCopy } from './copy-result.ts';
import { stored } from '../../../sql/labels/utility-labels.ts';
import type { Cause } from '../../../policy/decide.ts';
import type { RecordedUse } from '../inspection.ts';

/** What the server said of one statement before it runs. */
export interface AskedStatement {
  /** Undefined where it was not asked, or did not tell. */
  readonly labels: StatementLabels | undefined;
  /** There is something in it that only the server can tell. */
  readonly hasQuery: boolean;
  /** Functions of users that may write, by name. */
  readonly calls: readonly string[];
  /** Code of users runs beside it: of triggers, constraints, defaults. */
  readonly runsHidden: boolean;
  /** Why it would write a masked value back. */
  readonly writesBack: string | undefined;
  /** Words of a definition, as PostgreSQL folds them; undefined where they cannot be told. */
  readonly words: ReadonlySet<string> | undefined;
}

export interface MaskedNow {
  readonly masks: SessionMasks;
  readonly masked: MaskedLookup | undefined;
  /** Columns whose values a constraint compares. */
  readonly constrained: ReadonlySet<ColumnLabel>;
  /** Names of tables that have masked columns, and of those of which a constraint compares one. */
  readonly tables: ReadonlySet<string>;
  readonly comparedTables: ReadonlySet<string>;
  /** Names of schemas that have them: Masks may name columns by these. */
  readonly schemas: ReadonlySet<string>;
}

/** What a Mask finds: it stops the statement, or is written down. */
export interface Judged {
  readonly causes: readonly Cause[];
  readonly recorded: readonly RecordedUse[];
}

/** Code that nobody can follow: it may read what is masked, and show or keep it elsewhere. */
const OUT_OF_SIGHT: Readonly<Partial<Record<Effect, string>>> = {
  code: 'it runs code of its own (DO)',
  call: 'it calls a procedure',
  host: 'it reaches the host of the database',
  remote: 'it reaches another server',
  'large-object': 'large objects are not followed',
  unknown: 'nobody can tell what it does',
};

/** They make code, or views of what is written later, that nobody will follow. */
const MAKES_CODE: ReadonlySet<string> = new Set([
  'AlterFunctionStmt',
  'AlterEventTrigStmt',
  'AlterExtensionStmt',
  'AlterFdwStmt',
  'AlterForeignServerStmt',
  'AlterOpFamilyStmt',
  'AlterPolicyStmt',
  'AlterPublicationStmt',
  'AlterSubscriptionStmt',
  'CreateCastStmt',
  'CreateConversionStmt',
  'CreateEventTrigStmt',
  'CreateExtensionStmt',
  'CreateFdwStmt',
  'CreateForeignServerStmt',
  'CreateFunctionStmt',
  'CreateOpClassStmt',
  'CreateOpFamilyStmt',
  'CreatePLangStmt',
  'CreatePolicyStmt',
  'CreatePublicationStmt',
  'CreateSubscriptionStmt',
  'CreateTransformStmt',
  'CreateTrigStmt',
  'DefineStmt',
  'RuleStmt',
]);

/** They change a table, or make one that gets its rows from another. */
const DEFINES: ReadonlySet<string> = new Set([
  'AlterTableStmt',
  'AlterObjectSchemaStmt',
  'AlterOwnerStmt',
  'ClusterStmt',
  'CreateForeignTableStmt',
  'CreateStatsStmt',
  'CreateStmt',
  'CreateTableAsStmt',
  'ImportForeignSchemaStmt',
  'IndexStmt',
  'RenameStmt',
  'ViewStmt',
]);

export function isDefinition({ node }: StatementFacts): boolean {
  return DEFINES.has(node);
}

/** @param asked one for each statement; undefined where the server was not asked about the text */
export function judgeMasks(
  read: ReadText,
  asked: readonly AskedStatement[] | undefined,
  now: MaskedNow,
  clientEncoding: string,
): Judged {
  // What shows or keeps a value elsewhere stops in whatever mode: it would be there as it is.
  const [first] = now.masks.columns.toSorted(
    (one, other) => Number(isPermissive(one)) - Number(isPermissive(other)),
  );
  if (first === undefined) return { causes: [], recorded: [] };
  const causes: Cause[] = [];
  const recorded: RecordedUse[] = [];
  const stop = (statement: StatementFacts | undefined, what: string): void => {
    causes.push(causeOf(first, what, statement));
  };
  if (read.kind !== 'read') {
    stop(undefined, 'nobody could read it');
    return { causes, recorded };
  }
  for (const [at, statement] of read.statements.entries()) {
    const said = asked?.[at];
    const [any] = now.masks.columns;
    if (said?.writesBack !== undefined && any !== undefined)
      causes.push(causeOf(any, said.writesBack, statement));
    for (const what of outOfSight(statement, said, now)) stop(statement, what);
    const noCopy = whyNoCopy(statement, clientEncoding);
    if (noCopy !== undefined) stop(statement, noCopy);
    if (said?.labels === undefined) {
      if (said === undefined || said.hasQuery) stop(statement, 'nobody can tell which columns it is about');
      continue;
    }
    if (now.masked === undefined) {
      stop(statement, 'nobody can tell which columns are masked');
      continue;
    }
    const { constrained } = now;
    // Its parameters are the client's own for the statement that it runs.
    if (
      statement.node === 'ExecuteStmt' &&
      (said.labels.outputs ?? []).some(({ opaque }) => opaque !== undefined)
    )
      stop(statement, 'what a function gives that nobody knows is a parameter');
    const explains = statement.node === 'ExplainStmt';
    const labels = makesTable(statement) ? stored(said.labels) : said.labels;
    const verdict = maskVerdict(labels, now.masked, now.masks, { constrained, explains });
    for (const finding of verdict.blocked) causes.push(causeOf(finding, finding.what, statement));
    for (const { mask, version, column, kind } of verdict.recorded) {
      recorded.push({ mask, version, column, use: kind });
    }
  }
  return { causes, recorded };
}

function isPermissive({ mode }: SessionMasks['columns'][number]): boolean {
  return mode === 'permissive';
}

function* outOfSight(
  statement: StatementFacts,
  said: AskedStatement | undefined,
  { tables, comparedTables, schemas }: MaskedNow,
): Generator<string> {
  for (const { verb, name } of statement.writes) {
    if (verb === 'copy-in' && comparedTables.has(name))
      yield `a constraint compares what it writes into ${name}`;
    // No tree has the condition of a COPY FROM.
    if (verb === 'copy-in' && statement.functions.length > 0) yield 'it copies by what a function gives';
  }
  if (writesCatalog(statement, said)) yield "it changes PostgreSQL's own tables, by which columns are masked";
  for (const { effect } of statement.effects) {
    const what = OUT_OF_SIGHT[effect];
    if (what !== undefined) yield what;
  }
  if (keepsUnknown(statement, said)) yield 'what a function gives that nobody knows is kept, or told, by it';
  for (const name of said?.calls ?? []) yield `it calls ${name}, which may write what it reads`;
  if (statement.prepared?.verb === 'execute' && statement.node !== 'ExecuteStmt')
    yield 'nobody can tell what it executes';
  if (MAKES_CODE.has(statement.node)) yield 'it makes code or rights that nobody would follow';
  if (!DEFINES.has(statement.node)) return;
  if (said?.words === undefined) {
    yield 'nobody can tell what it defines';
    return;
  }
  for (const word of said.words) {
    if (tables.has(word)) yield `it changes or copies from ${word}`;
    if (statement.node === 'RenameStmt' && said.words.has('schema') && schemas.has(word))
      yield `it may rename schema ${word}`;
  }
}

/** OIDs below are of PostgreSQL's own tables; `0` is of what is not there yet. */
const FIRST_NORMAL_OID = 16_384;

function writesCatalog({ writes }: StatementFacts, said: AskedStatement | undefined): boolean {
  const isNamed = writes.some(
    ({ schema, name }) => schema === 'pg_catalog' || (schema === undefined && name.startsWith('pg_')),
  );
  if (isNamed) return true;
  return (said?.labels?.writes ?? []).some(({ target }) => {
    const relation = Number(target.slice(0, target.indexOf('.')));
    return relation > 0 && relation < FIRST_NORMAL_OID;
  });
}

/**
 * Whether functions that nobody knows run in it, of which no tree says where their values go: in defaults, checks and
 * conversions of definitions, and in what an EXECUTE is given. A view calls them when it is read.
 */
function keepsUnknown({ node, effects }: StatementFacts, said: AskedStatement | undefined): boolean {
  if (said?.labels !== undefined || node === 'ViewStmt') return false;
  return effects.some(({ effect }) => effect === 'function-unknown');
}

function makesTable({ node, effects }: StatementFacts): boolean {
  return (
    node === 'CreateTableAsStmt' ||
    (node === 'SelectStmt' && effects.some(({ effect }) => effect === 'create'))
  );
}

export function causeOf(
  { mask, version }: { readonly mask: string; readonly version: number },
  what: string,
  statement: StatementFacts | undefined,
): Cause {
  const { from = 0, to = 0 } = statement ?? {};
  return { rule: mask, version, verdict: 'block', description: undefined, what, from, to };
}
