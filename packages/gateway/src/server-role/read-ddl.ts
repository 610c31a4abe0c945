/** What a script for an administrator of the target is made of, asked of the target with the connection's credential. */

import { CountersignError } from '../core/errors.ts';
import { SERVER_ROLE_LIMITS } from '../core/server-role-limits.ts';
import type { MaskRef } from '../masking/plan/mask.ts';
import type { SessionMasks } from '../masking/plan/session-masks.ts';
import type { PostgresTarget } from '../upstream/postgres-target.ts';
import {
  grantedSql,
  mayDoSql,
  problemsSql,
  PUBLIC_SQL,
  roleSql,
  SCHEMAS_SQL,
  VIEWS_SQL,
  WHO_SQL,
} from './catalog-sql.ts';
import {
  type ColumnRights,
  type DdlFacts,
  maskingDdl,
  relationsOf,
  type RelationUse,
  undoDdl,
} from './ddl.ts';
import { type FormerRights, parseFormerRights, type RelationRights } from './former-rights.ts';
import { type MaskedRelation, maskedRelations } from './masked-relations.ts';
import { hasMaskingView, maskingSchema } from './masking-views.ts';
import { RoleQueries } from './role-queries.ts';

export interface MaskDdl {
  readonly connection: string;
  readonly database: string;
  readonly role: string;
  readonly serverVersion: string;
  readonly masks: readonly MaskRef[];
  /** That are hidden from the role. */
  readonly columns: number;
  readonly views: number;
  /** What the script leaves to its reader. */
  readonly problems: readonly string[];
  readonly sql: string;
}

export interface MaskDdlOptions {
  /** That of the credential where none is given. */
  readonly role: string | undefined;
  readonly undo: boolean;
}

export async function readMaskDdl(
  target: PostgresTarget,
  reaching: SessionMasks,
  { role: asked, undo }: MaskDdlOptions,
  randomBytes: (length: number) => Uint8Array,
): Promise<MaskDdl> {
  const masks = reaching.by('target');
  using queries = await RoleQueries.open(target, randomBytes);
  // Before anything is set for this transaction.
  const [who] = await queries.texts('who', [WHO_SQL]);
  const [user = '', database = '', searchPath = ''] = (who ?? []).map((text) => text ?? '');
  const role = asked ?? user;
  checkRole(role);
  await queries.begin('read only');
  const [found] = await queries.texts('role', [roleSql(role)]);
  const isThere = found?.[0] === 't';
  const former = await formerRights(queries, role);
  const relations = await withoutMaskingViews(queries, await maskedRelations(queries, masks), role);
  const oids = relations.map(({ oid }) => oid);
  const setting = found?.[1] ?? null;
  const ownSearchPath = setting === null ? null : setting.slice(setting.indexOf('=') + 1);
  const facts: DdlFacts = {
    connection: target.connection,
    database,
    role,
    isOther: role !== user,
    masks: masks.columns.map(({ mask, version }) => `${mask} (version ${version})`),
    relations,
    uses: await usesOf(queries, isThere ? role : user, oids),
    granted: await grantedTo(queries, role, oids),
    former,
    searchPath: role === user ? searchPath : (ownSearchPath ?? searchPath),
    ownSearchPath,
    problems: await leftProblems(queries, isThere ? role : undefined, relations),
  };
  await queries.rollback();
  const chosen = relationsOf(facts);
  return {
    connection: target.connection,
    database,
    role,
    serverVersion: queries.serverVersion,
    masks: masks.columns.map(({ mask, version }) => ({ mask, version })),
    columns: chosen.reduce(
      (sum, { columns }) => sum + columns.filter(({ hidden }) => hidden !== undefined).length,
      0,
    ),
    views: chosen.filter(hasMaskingView).length,
    problems: facts.problems,
    sql: undo ? undoDdl(facts) : maskingDdl(facts),
  };
}

function checkRole(role: string): void {
  const { nameBytesMax: allowed } = SERVER_ROLE_LIMITS;
  const actual = Buffer.byteLength(role);
  if (actual > allowed)
    throw new CountersignError('LIMIT_EXCEEDED', { limit: 'serverRole.nameBytesMax', allowed, actual });
  if (role === '' || role.includes('\0') || role === 'public') {
    throw new CountersignError('REQUEST_INVALID', { reason: 'expected the name of a role' });
  }
}

/** Of each schema for which the role has a masking schema. */
async function formerRights(queries: RoleQueries, role: string): Promise<ReadonlyMap<string, FormerRights>> {
  const rows = await queries.texts('schemas', [SCHEMAS_SQL]);
  const comments = new Map(rows.map(([name, comment]) => [name ?? '', comment ?? '']));
  const found = new Map<string, FormerRights>();
  for (const schema of comments.keys()) {
    const rights = parseFormerRights(comments.get(maskingSchema(role, schema)) ?? '');
    if (rights !== undefined) found.set(schema, rights);
  }
  return found;
}

/** They show masked columns, too, but what they show is what this is about. */
async function withoutMaskingViews(
  queries: RoleQueries,
  relations: readonly MaskedRelation[],
  role: string,
): Promise<readonly MaskedRelation[]> {
  const schemas = new Set(relations.map(({ schema }) => maskingSchema(role, schema)));
  const rows = await queries.rows('masking views', VIEWS_SQL, JSON.stringify([...schemas]));
  const views = new Set(rows.map(([oid]) => Number(oid)));
  return relations.filter(({ oid }) => !views.has(oid));
}

async function usesOf(
  queries: RoleQueries,
  role: string,
  oids: readonly number[],
): Promise<ReadonlyMap<number, RelationUse>> {
  const uses = new Map<number, RelationUse & { readonly columns: Map<number, ColumnRights> }>();
  for (const row of await queries.rows('rights', mayDoSql(role), oids)) {
    const [oid, attnum, select, insert, update, remove, usage] = row;
    const use = uses.get(Number(oid)) ?? { columns: new Map(), delete: remove === 't', usage: usage === 't' };
    uses.set(Number(oid), use);
    use.columns.set(Number(attnum), {
      select: select === 't',
      insert: insert === 't',
      update: update === 't',
    });
  }
  return uses;
}

async function grantedTo(
  queries: RoleQueries,
  role: string,
  oids: readonly number[],
): Promise<ReadonlyMap<number, RelationRights>> {
  const granted = new Map<number, Record<string, string[]>>();
  for (const [oid, , column, right] of await queries.rows('grants', grantedSql(role), oids)) {
    // A column may be named as what every object has: `constructor`.
    const rights: Record<string, string[]> = granted.get(Number(oid)) ?? Object.create(null);
    granted.set(Number(oid), rights);
    rights[column ?? ''] = [...(rights[column ?? ''] ?? []), right ?? ''];
  }
  return granted;
}

async function leftProblems(
  queries: RoleQueries,
  role: string | undefined,
  relations: readonly MaskedRelation[],
): Promise<readonly string[]> {
  const columns = relations
    .filter(({ isInvoker }) => !isInvoker)
    .flatMap(({ oid, columns: all }) =>
      all.flatMap(({ attnum, hidden, isCompared }) => {
        const letters = `${hidden === undefined ? '' : 'R'}${isCompared ? 'W' : ''}`;
        return letters === '' ? [] : [[oid, attnum, letters] as const];
      }),
    );
  const parameter = JSON.stringify({ columns, schemas: [] });
  const everybody = await queries.rows('rights of PUBLIC', PUBLIC_SQL, parameter);
  const own = role === undefined ? [] : await queries.rows('rights', problemsSql(role), parameter);
  return [...own.map(([kind, what]) => `${kind}: ${what}`), ...everybody.map(([what]) => `public: ${what}`)];
}
