/**
 * Which relations of a target have columns that Masks of the mode `server-role` hide, and what becomes of each column.
 *
 * As a session reads it (sql/mask-catalog), and through every view: a view shows what its owner may read, so that
 * whoever may read the view needs no right on the table. What a view compares counts as shown in all its columns.
 */

import { type ColumnLabel, columnLabel } from '../core/column-labels.ts';
import { CountersignError } from '../core/errors.ts';
import { SERVER_ROLE_LIMITS } from '../core/server-role-limits.ts';
import { builtInType } from '../masking/operators/built-in-types.ts';
import type { TypeDescription } from '../masking/operators/operator.ts';
import { type Choice, strictest } from '../masking/plan/precedence.ts';
import type { SessionMasks } from '../masking/plan/session-masks.ts';
import { LabelsReader } from '../sql/labels/labels-reader.ts';
import { closure, type MaskedLabels, type OutputsOf } from '../sql/mask-catalog/closure.ts';
import { VIEWS_CATALOG_SQL } from '../sql/mask-catalog/mask-catalog-sql.ts';
import { parseMaskCatalog } from '../sql/mask-catalog/mask-catalog.ts';
import { patternsParameter } from '../sql/mask-catalog/patterns.ts';
import { TYPES_SQL } from '../sql/mask-catalog/types-sql.ts';
import { parseTypes, withTypmod } from '../sql/mask-catalog/types.ts';
import { functionKnowledge } from '../sql/purity/built-in-functions.ts';
import { FIRST_USER_OID } from '../sql/server-tree/catalog-sql.ts';
import { COMPARED_SQL, RELATIONS_SQL } from './catalog-sql.ts';
import { RoleQueries, type TextRow } from './role-queries.ts';

export interface RelationColumn {
  readonly attnum: number;
  readonly name: string;
  readonly type: TypeDescription;
  /** As PostgreSQL writes it; of a domain the type that it is of. */
  readonly typeText: string;
  readonly isBuiltIn: boolean;
  /** What hides it; undefined where nothing does. */
  readonly hidden: Choice | undefined;
  /** A constraint compares it with masked values: whether a write to it succeeds tells of them. */
  readonly isCompared: boolean;
}

export interface MaskedRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly relkind: string;
  /** Policies choose its rows by who asks, and a view asks as its owner. */
  readonly hasRowSecurity: boolean;
  /** A view that reads with the rights of whoever asks. */
  readonly isInvoker: boolean;
  readonly columns: readonly RelationColumn[];
}

const TEXT: TypeDescription = { kind: 'base', name: 'text', typmod: -1 };

/** By schema and name. Relations without a masked column are among them where a constraint compares theirs with one. */
export async function maskedRelations(
  queries: RoleQueries,
  masks: SessionMasks,
): Promise<readonly MaskedRelation[]> {
  const labels = await readLabels(queries, masks);
  const masked = labels.columns.filter(
    ({ label, schema }) => isOfUsers(label) && !label.endsWith('.0') && schema !== 'pg_toast',
  );
  const byLabel = new Map(masked.map((column) => [column.label, column.masks]));
  const oids = [...new Set(masked.map(({ label }) => relationOf(label)))];
  const compared = comparedWith(await queries.rows('constraints', COMPARED_SQL, oids), labels);
  const all = [...new Set([...oids, ...[...compared].map(relationOf)])];
  if (all.length > SERVER_ROLE_LIMITS.relationsMax) throw tooMany('relationsMax', all.length);
  const rows = await queries.rows('columns', RELATIONS_SQL, all);
  if (rows.length > SERVER_ROLE_LIMITS.columnsMax) throw tooMany('columnsMax', rows.length);
  const types = await userTypes(queries, rows);
  const found = new Map<number, MaskedRelation & { columns: RelationColumn[] }>();
  for (const row of rows) {
    const [oid, schema = '', name = '', relkind = '', security, invoker, ...column] = row;
    const relation = found.get(Number(oid)) ?? {
      oid: Number(oid),
      schema: schema ?? '',
      name: name ?? '',
      relkind: relkind ?? '',
      hasRowSecurity: security === 't',
      isInvoker: invoker === 't',
      columns: [],
    };
    found.set(relation.oid, relation);
    relation.columns.push(columnOf(relation.oid, column, { byLabel, masks, compared, types }));
  }
  return [...found.values()].map(guarded);
}

interface Known {
  /** Patterns that reach a column. */
  readonly byLabel: ReadonlyMap<ColumnLabel, readonly string[]>;
  readonly masks: SessionMasks;
  readonly compared: ReadonlySet<ColumnLabel>;
  readonly types: ReadonlyMap<number, TypeDescription>;
}

function columnOf(
  relation: number,
  row: TextRow,
  { byLabel, masks, compared, types }: Known,
): RelationColumn {
  const [attnum, name, typeOid, typmod, typeText] = row;
  const oid = Number(typeOid);
  const label = columnLabel(relation, Number(attnum));
  const ofUser = types.get(oid);
  const type = ofUser === undefined ? builtInType(oid, Number(typmod)) : withTypmod(ofUser, Number(typmod));
  const [first, ...more] = masks.of(byLabel.get(label) ?? []) ?? [];
  return {
    attnum: Number(attnum),
    name: name ?? '',
    type,
    typeText: typeText ?? 'text',
    isBuiltIn: oid < FIRST_USER_OID,
    hidden: first === undefined ? undefined : strictest([first, ...more], type.kind === 'base' ? type : TEXT),
    isCompared: compared.has(label),
  };
}

/** A generated column that is compared is written by writing what it is made of, which may be any masked column. */
function guarded(relation: MaskedRelation): MaskedRelation {
  const isAny = relation.columns.some(({ hidden, isCompared }) => hidden !== undefined && isCompared);
  if (!isAny) return relation;
  return {
    ...relation,
    columns: relation.columns.map((column) =>
      column.hidden === undefined ? column : { ...column, isCompared: true },
    ),
  };
}

async function readLabels(queries: RoleQueries, masks: SessionMasks): Promise<MaskedLabels> {
  const { patterns } = masks;
  const rows = await queries.rows('catalog of masks', VIEWS_CATALOG_SQL, patternsParameter(patterns));
  const catalog = parseMaskCatalog(rows);
  const functions = functionKnowledge(queries.versionNumber, catalog.informationFunctions);
  const reader = new LabelsReader();
  const outputsOf: OutputsOf = (roots) => {
    const { outputs, uses } = reader.read(roots, functions);
    const used = uses.flatMap(({ labels }) => [...labels]);
    const opaque = uses.find((use) => use.opaque !== undefined)?.opaque;
    return outputs?.map((output) => ({
      ...output,
      labels: new Set([
        ...output.labels,
        ...(output.identity === undefined ? [] : [output.identity]),
        ...used,
      ]),
      opaque: output.opaque ?? opaque,
    }));
  };
  const labels = closure(catalog, { patterns, functions, outputsOf });
  const system = [...catalog.subjects.values()].find(
    ({ oid, named }) => oid < FIRST_USER_OID && named.length > 0,
  );
  if (system === undefined) return labels;
  const what = `columns of ${system.schema}.${system.name} in mode server-role`;
  throw new CountersignError('MASKING_IMPOSSIBLE', {
    what,
    reason: 'tables of PostgreSQL itself have no other rights',
  });
}

/** Everything that a constraint or a unique index compares with a masked column, and that column. */
function comparedWith(rows: readonly TextRow[], labels: MaskedLabels): ReadonlySet<ColumnLabel> {
  const compared = new Set<ColumnLabel>();
  for (const group of Map.groupBy(rows, ([what]) => what).values()) {
    const members = group.flatMap(([, relation, attnum]): ColumnLabel[] =>
      Number(attnum) === 0 ? [] : [columnLabel(Number(relation), Number(attnum))],
    );
    if (members.length === 0) {
      // An expression over the whole row.
      const oid = Number(group[0]?.[1]);
      for (const { label } of labels.columns) if (relationOf(label) === oid) compared.add(label);
    } else if (members.some((label) => labels.of(label) !== undefined)) {
      for (const label of members) compared.add(label);
    }
  }
  return compared;
}

async function userTypes(
  queries: RoleQueries,
  rows: readonly TextRow[],
): Promise<ReadonlyMap<number, TypeDescription>> {
  const oids = new Set(rows.map((row) => Number(row[TYPE_INDEX])).filter((oid) => oid >= FIRST_USER_OID));
  return parseTypes(await queries.rows('types', TYPES_SQL, [...oids]));
}

/** Of the type in a row of RELATIONS_SQL. */
const TYPE_INDEX = 8;

function relationOf(label: ColumnLabel): number {
  return Number(label.slice(0, label.indexOf('.')));
}

/** Long values are kept beside a table, where nobody but a superuser reads. */
function isOfUsers(label: ColumnLabel): boolean {
  return relationOf(label) >= FIRST_USER_OID;
}

function tooMany(limit: keyof typeof SERVER_ROLE_LIMITS, actual: number): CountersignError {
  return new CountersignError('LIMIT_EXCEEDED', {
    limit: `serverRole.${limit}`,
    allowed: SERVER_ROLE_LIMITS[limit],
    actual,
  });
}
