/**
 * The script with which an administrator of the target gives a role what Masks of the mode `server-role` need, and the
 * one that takes it back. The gateway never runs either.
 *
 * Spec: spec/masking.md, section 20.1. The same database and Masks give the same text; run twice it does what it does
 * once. It touches the rights of one role, its search_path, and schemas of its own: what others have (PUBLIC, roles
 * that it is a member of, functions) is named in comments and left to whoever reads them.
 */

import type { FormerRights, RelationRights } from './former-rights.ts';
import { formerRightsComment } from './former-rights.ts';
import type { MaskedRelation, RelationColumn } from './masked-relations.ts';
import { hasMaskingView, maskingQuery, maskingSchema } from './masking-views.ts';
import {
  commentText,
  dollarQuoted,
  plainQualifiedName,
  qualifiedName,
  quotedName,
  quotedText,
} from './quoted.ts';
import { maskedSearchPath, parseSearchPath, searchPathText } from './search-path.ts';

/** What a role may do with a column, by whatever way. */
export interface ColumnRights {
  readonly select: boolean;
  readonly insert: boolean;
  readonly update: boolean;
}

export interface RelationUse {
  /** By attnum. */
  readonly columns: ReadonlyMap<number, ColumnRights>;
  readonly delete: boolean;
  /** It may use the schema. */
  readonly usage: boolean;
}

export interface DdlFacts {
  readonly connection: string;
  readonly database: string;
  readonly role: string;
  /** Another one than that of the connection's credential: made where it is not there. */
  readonly isOther: boolean;
  /** `customers (version 3)`. */
  readonly masks: readonly string[];
  readonly relations: readonly MaskedRelation[];
  /** By oid. */
  readonly uses: ReadonlyMap<number, RelationUse>;
  /** What is granted to the role itself, by oid. */
  readonly granted: ReadonlyMap<number, RelationRights>;
  /** By source schema. */
  readonly former: ReadonlyMap<string, FormerRights>;
  /** As sessions of the role have it. */
  readonly searchPath: string;
  /** As it is set for the role in this database; null where it is not. */
  readonly ownSearchPath: string | null;
  /** What stands against the mode and is not in the script. */
  readonly problems: readonly string[];
}

const NO_RIGHTS: ColumnRights = { select: false, insert: false, update: false };
const WRITABLE: ReadonlySet<string> = new Set(['r', 'p']);

/** Relations that the script is about: those that the role may use, or might before. */
export function relationsOf({ relations, uses, former }: DdlFacts): readonly MaskedRelation[] {
  return relations.filter(({ oid, schema, name }) => {
    const columns = [...(uses.get(oid)?.columns.values() ?? [])];
    const isUsed = columns.some(({ select, insert, update }) => select || insert || update);
    return isUsed || former.get(schema)?.tables[name] !== undefined;
  });
}

export function maskingDdl(facts: DdlFacts): string {
  const { role, database, former } = facts;
  const relations = relationsOf(facts);
  if (relations.length === 0 && former.size === 0) {
    return script([
      ...head(facts, 'Nothing to do'),
      '-- No Mask in mode server-role reaches what the role may use.',
    ]);
  }
  const schemas = [...new Set([...relations.map(({ schema }) => schema), ...former.keys()])].toSorted();
  return script([
    ...head(facts, 'Masking views and rights on columns'),
    ...(facts.isOther ? makeRole(role) : []),
    ...schemas.flatMap((schema) => schemaLines(facts, schema, relations)),
    ...relations.flatMap((relation) => relationLines(facts, relation)),
    ...searchPathLines(facts, relations),
    `-- Sessions of ${commentText(quotedName(role))} in ${commentText(quotedName(database))} see the views first from their next login on.`,
  ]);
}

export function undoDdl(facts: DdlFacts): string {
  const { role, database, former } = facts;
  const lines = [...former]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([schema, { tables }]) => [
      ...Object.keys(tables)
        .toSorted()
        .flatMap((name) => givenBack(role, schema, name, tables[name] ?? {})),
      `DROP SCHEMA IF EXISTS ${quotedName(maskingSchema(role, schema))};`,
    ]);
  const [first] = [...former.values()];
  const path = first?.path ?? null;
  const names = path === null ? undefined : parseSearchPath(path);
  const place = `ALTER ROLE ${quotedName(role)} IN DATABASE ${quotedName(database)}`;
  return script([
    ...head(facts, 'Back to the rights of before'),
    ...(first === undefined
      ? ['-- Nothing was written down in this database: there is nothing to take back.']
      : lines),
    ...(first === undefined
      ? []
      : [
          names === undefined
            ? `${place} RESET search_path;`
            : `${place} SET search_path TO ${searchPathText(names)};`,
        ]),
  ]);
}

function script(lines: readonly string[]): string {
  return [...lines, 'COMMIT;', ''].join('\n');
}

function head(facts: DdlFacts, what: string): readonly string[] {
  const { connection, database, role, masks, problems } = facts;
  const check = `BEGIN
  IF pg_catalog.current_database() <> ${quotedText(database)} THEN
    RAISE EXCEPTION 'this script is for another database';
  END IF;
END`;
  return [
    `-- ${what}, for role ${commentText(quotedName(role))} in database ${commentText(quotedName(database))}.`,
    `-- Made by: countersign mask ddl ${commentText(connection)}`,
    `-- Masks in mode server-role: ${masks.length === 0 ? 'none' : commentText(masks.join(', '))}`,
    ...(problems.length === 0
      ? []
      : [
          '--',
          '-- NOT in this script, because it is not of this role alone. Sessions are refused as long as it is so:',
          ...problems.map((problem) => `-- ! ${commentText(problem)}`),
        ]),
    '-- Read it; then run it with psql -v ON_ERROR_STOP=1 as a superuser, or as who owns these relations.',
    'BEGIN;',
    "SET LOCAL search_path = '';",
    'SET LOCAL standard_conforming_strings = on;',
    "SET LOCAL client_encoding = 'UTF8';",
    `DO ${dollarQuoted(check)};`,
    '',
  ];
}

function makeRole(role: string): readonly string[] {
  const body = `BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = ${quotedText(role)}) THEN
    CREATE ROLE ${quotedName(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
  END IF;
END`;
  return ['-- Its password is yours to set.', `DO ${dollarQuoted(body)};`, ''];
}

/** What was granted before the first script is not overwritten by what the script has granted. */
function schemaLines(
  facts: DdlFacts,
  schema: string,
  relations: readonly MaskedRelation[],
): readonly string[] {
  const { role, granted, ownSearchPath } = facts;
  const former = facts.former.get(schema);
  const here = relations.filter((relation) => relation.schema === schema);
  const kept = new Set(here.map(({ name }) => name));
  const gone = Object.entries(former?.tables ?? {}).filter(([name]) => !kept.has(name));
  const masking = quotedName(maskingSchema(role, schema));
  const tables = Object.fromEntries(
    here.map(({ oid, name }) => [name, former?.tables[name] ?? granted.get(oid) ?? {}]),
  );
  // Of the first script in this database, whichever schema it was about.
  const [any] = [...facts.former.values()];
  const path = former?.path ?? (any === undefined ? ownSearchPath : any.path);
  return [
    `CREATE SCHEMA IF NOT EXISTS ${masking};`,
    `REVOKE ALL ON SCHEMA ${masking} FROM PUBLIC, ${quotedName(role)};`,
    `GRANT USAGE ON SCHEMA ${masking} TO ${quotedName(role)};`,
    ...gone.flatMap(([name, rights]) => givenBack(role, schema, name, rights)),
    `COMMENT ON SCHEMA ${masking} IS ${quotedText(formerRightsComment({ path, tables }))};`,
    '',
  ];
}

/** No Mask reaches it any more, or nothing is to. */
function givenBack(role: string, schema: string, name: string, rights: RelationRights): readonly string[] {
  const relation = qualifiedName(schema, name);
  const grants = Object.entries(rights).flatMap(([column, list]) =>
    list.map(
      (right) =>
        `  GRANT ${right}${column === '' ? '' : ` (${quotedName(column)})`} ON ${relation} TO ${quotedName(role)};`,
    ),
  );
  const body = [
    'BEGIN',
    `  IF pg_catalog.to_regclass(${quotedText(plainQualifiedName(schema, name))}) IS NULL THEN RETURN; END IF;`,
    `  REVOKE ALL PRIVILEGES ON ${relation} FROM ${quotedName(role)};`,
    ...grants,
    'END',
  ].join('\n');
  return [
    `DROP VIEW IF EXISTS ${qualifiedName(maskingSchema(role, schema), name)};`,
    `DO ${dollarQuoted(body)};`,
  ];
}

function relationLines(facts: DdlFacts, relation: MaskedRelation): readonly string[] {
  const { role, uses } = facts;
  const { oid, schema, name, columns, relkind } = relation;
  const use = uses.get(oid);
  const rightsOf = ({ attnum }: RelationColumn): ColumnRights => use?.columns.get(attnum) ?? NO_RIGHTS;
  const isHiding = columns.some(({ hidden }) => hidden !== undefined);
  const table = qualifiedName(schema, name);
  const to = `TO ${quotedName(role)}`;
  const isWritable = WRITABLE.has(relkind);
  const writable = (right: 'insert' | 'update', from = columns): readonly string[] =>
    isWritable ? namesOf(from.filter((column) => !column.isCompared && rightsOf(column)[right])) : [];
  const readable = namesOf(
    columns.filter((column) => column.hidden === undefined && rightsOf(column).select),
  );
  const own = [
    `REVOKE ${isHiding ? 'ALL PRIVILEGES' : 'INSERT, UPDATE, REFERENCES'} ON ${table} FROM ${quotedName(role)};`,
    ...(isHiding ? grant('SELECT', readable, table, to) : []),
    ...grant('INSERT', writable('insert'), table, to),
    ...grant('UPDATE', writable('update'), table, to),
    ...(isHiding && use?.delete === true ? [`GRANT DELETE ON ${table} ${to};`] : []),
  ];
  const shown = columns.filter((column) => column.hidden !== undefined || rightsOf(column).select);
  const plain = shown.filter(({ hidden }) => hidden === undefined);
  const query = maskingQuery(relation, namesOf(shown));
  const masking = maskingSchema(role, schema);
  const view = qualifiedName(masking, name);
  const isShown = hasMaskingView(relation) && use?.usage === true && query !== undefined;
  const made = isShown
    ? [
        `CREATE VIEW ${view} WITH (security_barrier = true) AS`,
        `  ${query};`,
        `REVOKE ALL PRIVILEGES ON ${view} FROM PUBLIC, ${quotedName(role)};`,
        `GRANT SELECT ON ${view} ${to};`,
        ...grant('INSERT', writable('insert', plain), view, to),
        ...grant('UPDATE', writable('update', plain), view, to),
        ...(isWritable && use.delete ? [`GRANT DELETE ON ${view} ${to};`] : []),
      ]
    : [];
  const dropped = isHiding ? [`DROP VIEW IF EXISTS ${view};`] : [];
  return [...remarks(relation, isShown), ...dropped, ...own, ...made, ''];
}

function remarks(relation: MaskedRelation, isShown: boolean): readonly string[] {
  const { schema, name, columns } = relation;
  const hidden = columns.flatMap(({ name: column, hidden: by }) =>
    by === undefined ? [] : [`${column} (${by.operator.kind}, Mask ${by.mask})`],
  );
  const table = `${schema}.${name}`;
  const lines =
    hidden.length === 0
      ? [`${table} compares a column with masked values, so that writing it would tell of them`]
      : [`${table} hides ${hidden.join(', ')}`];
  if (relation.hasRowSecurity)
    lines.push('It has row security, which would choose the rows of a view by its owner: there is no view');
  else if (hidden.length > 0 && !isShown)
    lines.push(
      'There is no view: the role may not use its schema, or it reads with the rights of whoever asks',
    );
  return lines.map((line) => `-- ${commentText(line)}`);
}

function grant(right: string, columns: readonly string[], table: string, to: string): readonly string[] {
  return columns.length === 0
    ? []
    : [`GRANT ${right} (${columns.map(quotedName).join(', ')}) ON ${table} ${to};`];
}

function namesOf(columns: readonly RelationColumn[]): readonly string[] {
  return columns.map(({ name }) => name);
}

function searchPathLines(facts: DdlFacts, relations: readonly MaskedRelation[]): readonly string[] {
  const { role, database, searchPath } = facts;
  const path = parseSearchPath(searchPath);
  if (path === undefined) return ['-- The search_path of the role could not be read: set it yourself.'];
  const schemas = [...new Set(relations.filter(hasMaskingView).map(({ schema }) => schema))];
  const names = searchPathText(maskedSearchPath(path, role, schemas, facts.former.keys()));
  return [`ALTER ROLE ${quotedName(role)} IN DATABASE ${quotedName(database)} SET search_path TO ${names};`];
}
