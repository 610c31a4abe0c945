/**
 * Whether the role of a connection holds what Masks of the mode `server-role` rest on: that it cannot read a masked
 * column, in whatever way, and that the masking views are those of the Masks.
 *
 * Spec: spec/masking.md, section 20.2. It is looked at with the credential of the connection, on a connection of its
 * own: rights are of a role and a database, and nothing that a session does gives it others.
 */

import { createHash } from 'node:crypto';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { SERVER_ROLE_LIMITS } from '../core/server-role-limits.ts';
import type { MaskRef } from '../masking/plan/mask.ts';
import type { SessionMasks } from '../masking/plan/session-masks.ts';
import type { PostgresTarget } from '../upstream/postgres-target.ts';
import { problemsSql, VIEWS_SQL, WHO_SQL } from './catalog-sql.ts';
import { type MaskedRelation, maskedRelations } from './masked-relations.ts';
import { maskingQuery, maskingSchema } from './masking-views.ts';
import { RoleQueries, type TextRow } from './role-queries.ts';

export interface ServerRoleReport {
  readonly user: string;
  readonly database: string;
  readonly serverVersion: string;
  readonly masks: readonly MaskRef[];
  /** That nobody but an exception may read. */
  readonly maskedColumns: number;
  readonly maskingViews: number;
  /** Hex SHA-256 of what was found: role, Masks, columns with what hides them, definitions of the views. */
  readonly digest: string;
  /** Empty where everything holds. */
  readonly problems: readonly string[];
}

/** What the server makes of the text of a view; owned by who verifies again and again. */
export type KeptDefinitions = Map<string, string>;

export interface VerifyPorts {
  readonly randomBytes: (length: number) => Uint8Array;
  readonly definitions: KeptDefinitions;
}

interface FoundView {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly definition: string;
  readonly options: string;
  readonly columns: readonly (readonly [attnum: number, name: string])[];
  readonly hasCode: boolean;
  readonly relation: MaskedRelation | undefined;
}

/** Rejects where the target cannot be asked: then nobody knows. */
export async function verifyServerRole(
  target: PostgresTarget,
  reaching: SessionMasks,
  { randomBytes, definitions }: VerifyPorts,
): Promise<ServerRoleReport> {
  const masks = reaching.by('target');
  using queries = await RoleQueries.open(target, randomBytes);
  await queries.begin('read only');
  const [who] = await queries.texts('who', [WHO_SQL]);
  const [user = '', database = ''] = (who ?? []).map((text) => text ?? '');
  const relations = await maskedRelations(queries, masks);
  const schemas = [...new Set(relations.map(({ schema }) => maskingSchema(user, schema)))];
  const found = await queries.rows('masking views', VIEWS_SQL, JSON.stringify(schemas));
  const views = found
    .map((row) => viewOf(row, user, relations))
    .filter(({ relation }) => relation !== undefined);
  const parameter = JSON.stringify({ columns: wantedRights(relations, views), schemas });
  const rows = await queries.rows('rights', problemsSql(undefined), parameter);
  await queries.rollback();
  const key = `${target.connection} ${target.host}:${target.port} ${database} ${queries.serverVersion}`;
  const problems = [
    ...rows.map(([kind, what]) => `${kind}: ${what}`),
    ...(await viewProblems(queries, views, { key, kept: definitions })),
  ].slice(0, SERVER_ROLE_LIMITS.problemsMax);
  return {
    user,
    database,
    serverVersion: queries.serverVersion,
    masks: masks.columns.map(({ mask, version }) => ({ mask, version })),
    maskedColumns: hiddenColumns(relations, views).length,
    maskingViews: views.length,
    digest: digestOf({ user, database, relations: hiddenColumns(relations, views), views, masks }),
    problems,
  };
}

/** Throws where it does not hold. */
export function checkReport({ problems }: ServerRoleReport, connection: string): void {
  if (problems.length === 0) return;
  throw new CountersignError('SERVER_ROLE_UNSAFE', {
    connection,
    reason: statedProblems(problems).join('; '),
  });
}

/** The first few, and how many more there are. */
export function statedProblems(problems: readonly string[]): readonly string[] {
  const { problemsStatedMax } = SERVER_ROLE_LIMITS;
  const left = problems.length - problemsStatedMax;
  return [...problems.slice(0, problemsStatedMax), ...(left > 0 ? [`and ${left} more`] : [])];
}

function viewOf(row: TextRow, user: string, relations: readonly MaskedRelation[]): FoundView {
  const [oid, schema = '', name = '', definition, options, columns, hasCode] = row;
  const relation = relations.find((one) => one.name === name && maskingSchema(user, one.schema) === schema);
  return {
    oid: Number(oid),
    schema: schema ?? '',
    name: name ?? '',
    definition: definition ?? '',
    options: options ?? '',
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This is the parse function of VIEWS_SQL.
    columns: JSON.parse(columns ?? '[]') as FoundView['columns'],
    hasCode: hasCode === 't',
    relation,
  };
}

/** Of each column that the role must not read, or must not write. */
function wantedRights(
  relations: readonly MaskedRelation[],
  views: readonly FoundView[],
): readonly (readonly [number, number, string])[] {
  const masking = new Set(views.map(({ oid }) => oid));
  const own = relations
    .filter(({ oid, isInvoker }) => !isInvoker && !masking.has(oid))
    .flatMap((relation) => {
      const isView = relation.relkind === 'v' && relation.columns.some(({ hidden }) => hidden !== undefined);
      return relation.columns.map(({ attnum, hidden, isCompared }) => {
        const letters = `${hidden === undefined ? '' : 'R'}${isCompared || isView ? 'W' : ''}`;
        return [relation.oid, attnum, letters] as const;
      });
    });
  const through = views.flatMap(({ oid, columns, relation }) => {
    const compared = new Set(
      relation?.columns.filter(({ isCompared }) => isCompared).map(({ name }) => name),
    );
    return columns.flatMap(([attnum, name]) => (compared.has(name) ? [[oid, attnum, 'W'] as const] : []));
  });
  return [...own, ...through].filter(([, , letters]) => letters !== '');
}

/** Those of masking views show what hides them. */
function hiddenColumns(
  relations: readonly MaskedRelation[],
  views: readonly FoundView[],
): readonly (readonly string[])[] {
  const masking = new Set(views.map(({ oid }) => oid));
  return relations
    .filter(({ oid }) => !masking.has(oid))
    .flatMap(({ schema, name, columns }) =>
      columns.flatMap(({ name: column, hidden }) =>
        hidden === undefined ? [] : [[schema, name, column, JSON.stringify(hidden.operator), hidden.entity]],
      ),
    );
}

interface Kept {
  /** Of the server and the database. */
  readonly key: string;
  readonly kept: KeptDefinitions;
}

async function viewProblems(
  queries: RoleQueries,
  views: readonly FoundView[],
  { key, kept }: Kept,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const unknown: { readonly view: FoundView; readonly query: string }[] = [];
  const differs = (view: FoundView): void => {
    problems.push(`view: ${view.schema}.${view.name} is not the one of the Masks; see countersign mask ddl`);
  };
  for (const view of views) {
    const names = view.columns.map(([, name]) => name);
    const query = view.relation === undefined ? undefined : maskingQuery(view.relation, names);
    // It would choose its rows as its owner.
    const isOfOwner = view.relation?.hasRowSecurity === true;
    if (query === undefined || view.options !== 'security_barrier=true' || view.hasCode || isOfOwner)
      differs(view);
    else if (kept.get(`${key} ${query}`) !== view.definition) unknown.push({ view, query });
  }
  if (unknown.length === 0) return problems;
  const written = await writtenByServer(
    queries,
    unknown.map(({ query }) => query),
  );
  if (typeof written === 'string') return [...problems, written];
  for (const [index, { view, query }] of unknown.entries()) {
    const definition = written[index];
    if (definition === undefined || definition !== view.definition) differs(view);
    else remember(kept, `${key} ${query}`, definition);
  }
  return problems;
}

function remember(kept: KeptDefinitions, key: string, definition: string): void {
  if (kept.size >= SERVER_ROLE_LIMITS.keptViewsMax) kept.clear();
  kept.set(key, definition);
}

/**
 * The queries as the server itself writes them: of temporary views that are rolled back. Making one needs no right on
 * the columns. A text where it cannot be told.
 */
async function writtenByServer(
  queries: RoleQueries,
  texts: readonly string[],
): Promise<readonly (string | undefined)[] | string> {
  try {
    await queries.begin('read write');
    const rows = await queries.texts(
      'definitions of views',
      texts.flatMap((text, index) => [
        `create temporary view cs_${index} as ${text}`,
        `select pg_catalog.pg_get_viewdef('pg_temp.cs_${index}'::pg_catalog.regclass)`,
      ]),
    );
    await queries.rollback();
    return rows.map(([definition]) => definition ?? undefined);
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== 'GATEWAY_STATEMENT_FAILED') throw error;
    await queries.rollback();
    return `view: the masking views could not be compared, which needs the right TEMPORARY on the database, USAGE on the schemas of the tables, and a server that can be written (${reasonOf(error)})`;
  }
}

function digestOf(found: {
  readonly user: string;
  readonly database: string;
  readonly relations: readonly (readonly string[])[];
  readonly views: readonly FoundView[];
  readonly masks: SessionMasks;
}): string {
  const { user, database, relations, views, masks } = found;
  const text = JSON.stringify([
    user,
    database,
    masks.columns.map(({ mask, version }) => [mask, version]),
    relations,
    views.map(({ schema, name, definition }) => [schema, name, definition]),
  ]);
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
