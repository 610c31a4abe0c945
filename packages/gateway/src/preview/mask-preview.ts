/**
 * What Masks would hide on a connection, and what a look at samples finds beside it.
 *
 * The gateway logs in with the credential of the connection, as for a session, asks the catalog as a session does,
 * and reads a few rows of columns that no Mask on columns reaches, all in one transaction that only reads and is
 * never committed. Names of columns and counts come out of it, and no value.
 *
 * Spec: spec/masking.md, section 15.
 */

import type { ColumnLabel } from '../core/column-labels.ts';
import { CountersignError } from '../core/errors.ts';
import { MASK_PREVIEW_LIMITS } from '../core/masking-preview-limits.ts';
import { builtInType } from '../masking/operators/built-in-types.ts';
import type { TypeDescription } from '../masking/operators/operator.ts';
import type { SessionMasks } from '../masking/plan/session-masks.ts';
import { LabelsReader } from '../sql/labels/labels-reader.ts';
import { closure, type MaskedLabels } from '../sql/mask-catalog/closure.ts';
import { MASK_CATALOG_SQL } from '../sql/mask-catalog/mask-catalog-sql.ts';
import { type MaskCatalog, parseMaskCatalog } from '../sql/mask-catalog/mask-catalog.ts';
import { patternsParameter } from '../sql/mask-catalog/patterns.ts';
import { TYPES_SQL } from '../sql/mask-catalog/types-sql.ts';
import { parseTypes, type TypeData, withTypmod } from '../sql/mask-catalog/types.ts';
import { functionKnowledge } from '../sql/purity/built-in-functions.ts';
import { FIRST_USER_OID } from '../sql/server-tree/catalog-sql.ts';
import type { PostgresTarget } from '../upstream/postgres-target.ts';
import { ALL_COLUMNS_SQL, type TableColumn, tableColumns } from './all-columns.ts';
import { type FoundEntity, FoundValues } from './found-values.ts';
import {
  type MaskedColumnRow,
  maskedColumns,
  type UnreachableRow,
  unreachableRows,
} from './masked-columns.ts';
import { chooseColumns, type NotSampled, sampleColumns } from './sampling.ts';
import { looksLike } from './suspicious-names.ts';
import { type TargetAnswer, TargetQueries, type TargetRow } from './target-queries.ts';

/** A column that no Mask on columns reaches, and why somebody should look at it. */
export interface UncoveredColumn {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly type: string;
  /** Values that were looked at. */
  readonly sampled: number;
  readonly found: readonly FoundEntity[];
  /** What its name says: `EMAIL`, `BIRTH`. */
  readonly looksLike: readonly string[];
}

export interface DetectingRow {
  readonly mask: string;
  readonly version: number;
  readonly operator: string;
  readonly entities: readonly string[];
}

export interface MaskPreview {
  readonly connection: string;
  readonly database: string;
  readonly serverVersion: string;
  readonly masked: readonly MaskedColumnRow[];
  readonly detecting: readonly DetectingRow[];
  readonly unreachable: readonly UnreachableRow[];
  readonly uncovered: readonly UncoveredColumn[];
  /** Lines that the lists above would have beyond maskPreview.listedMax. */
  readonly more: number;
  readonly columns: {
    /** Of tables and materialized views, without partitions. */
    readonly all: number;
    readonly sampled: number;
    readonly notSampled: Readonly<Partial<Record<NotSampled, number>>>;
  };
}

export interface PreviewPorts {
  readonly monotonicUs: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
}

export async function previewMasks(
  target: PostgresTarget,
  reaching: SessionMasks,
  { monotonicUs, randomBytes }: PreviewPorts,
): Promise<MaskPreview> {
  const { totalMs, samplingMs, listedMax } = MASK_PREVIEW_LIMITS;
  const masks = reaching.by('gateway', 'target');
  using queries = await TargetQueries.open(target, { totalMs, randomBytes });
  await begin(queries);
  const read = await readCatalog(queries, masks);
  const columns = tableColumns(await rowsOf('columns of tables', queries.texts(ALL_COLUMNS_SQL)));
  const types = new Types(await userTypes(queries, columns));
  const byLabel = new Map(columns.map((column) => [column.label, column]));
  const masked = maskedColumns(read.labels, read.catalog, masks, (label) => types.find(byLabel.get(label)));
  const open = columns.filter(({ label }) => read.labels.of(label) === undefined);
  const chosen = chooseColumns(open, (column) => types.of(column));

  const foundValues = new FoundValues(masks);
  const found = new Map<ColumnLabel, { readonly sampled: number; readonly found: readonly FoundEntity[] }>();
  const endUs = monotonicUs() + samplingMs * 1000;
  const left = await sampleColumns(
    queries,
    chosen.columns,
    () => monotonicUs() < endUs,
    ({ column, values }) => {
      const entities = foundValues.of(column, types.of(column), values);
      found.set(column.label, { sampled: values.length, found: entities });
    },
  );
  await rowsOf('rollback', queries.texts('rollback'));

  const uncovered = open.flatMap((column): readonly UncoveredColumn[] => {
    const { sampled, found: entities } = found.get(column.label) ?? { sampled: 0, found: [] };
    const names = types.isTruth(column) ? [] : looksLike(column.column);
    if (entities.length === 0 && names.length === 0) return [];
    const { schema, table, column: name, type } = column;
    return [{ schema, table, column: name, type, sampled, found: entities, looksLike: names }];
  });
  const unreachable = unreachableRows(read.labels, masks);
  const lists = [masked, uncovered, unreachable];
  return {
    connection: target.connection,
    database: target.database,
    serverVersion: queries.serverVersion,
    masked: masked.slice(0, listedMax),
    detecting: masks.detecting.map(({ mask, version, operator, entities }) => ({
      mask,
      version,
      operator: operator.kind,
      entities: [...entities].toSorted(),
    })),
    unreachable: unreachable.slice(0, listedMax),
    uncovered: uncovered.slice(0, listedMax),
    more: lists.reduce((sum, { length }) => sum + Math.max(0, length - listedMax), 0),
    columns: { all: columns.length, sampled: found.size, notSampled: counted([...chosen.left, ...left]) },
  };
}

/** Nothing is written, nothing of users is found by its name alone, and nothing takes long. */
async function begin(queries: TargetQueries): Promise<void> {
  const { statementMs, lockMs } = MASK_PREVIEW_LIMITS;
  const settings: readonly (readonly [name: string, value: string])[] = [
    ['search_path', "''"],
    ['client_encoding', "'UTF8'"],
    ['statement_timeout', String(statementMs)],
    ['lock_timeout', String(lockMs)],
    ['row_security', 'off'],
    ['max_parallel_workers_per_gather', '0'],
    ['jit', 'off'],
    ['datestyle', "'ISO, MDY'"],
    ['intervalstyle', "'postgres'"],
    ['bytea_output', "'hex'"],
  ];
  const set = settings.map(([name, value]) => `set local ${name} = ${value}`);
  await rowsOf('begin', queries.texts('begin transaction read only', ...set));
}

interface ReadCatalog {
  readonly catalog: MaskCatalog;
  readonly labels: MaskedLabels;
}

/** As a session reads it, and before samples have their own time limit. */
async function readCatalog(queries: TargetQueries, { patterns }: SessionMasks): Promise<ReadCatalog> {
  const rows = await rowsOf(
    'catalog of masks',
    queries.statement(MASK_CATALOG_SQL, 'text', patternsParameter(patterns)),
  );
  const catalog = parseMaskCatalog(rows.map(textsOf));
  const functions = functionKnowledge(versionNumber(queries.serverVersion), catalog.informationFunctions);
  const reader = new LabelsReader();
  const outputsOf = (
    roots: Parameters<LabelsReader['read']>[0],
  ): ReturnType<LabelsReader['read']>['outputs'] => reader.read(roots, functions).outputs;
  return { catalog, labels: closure(catalog, { patterns, functions, outputsOf }) };
}

async function userTypes(
  queries: TargetQueries,
  columns: readonly TableColumn[],
): Promise<ReadonlyMap<number, TypeData>> {
  const oids = new Set(columns.map(({ typeOid }) => typeOid).filter((oid) => oid >= FIRST_USER_OID));
  const rows = await rowsOf('types', queries.statement(TYPES_SQL, 'oids', `{${[...oids].join(',')}}`));
  const { sampleStatementMs } = MASK_PREVIEW_LIMITS;
  await rowsOf('a setting', queries.texts(`set local statement_timeout = ${sampleStatementMs}`));
  return parseTypes(rows.map(textsOf));
}

class Types {
  readonly #ofUsers: ReadonlyMap<number, TypeData>;

  constructor(ofUsers: ReadonlyMap<number, TypeData>) {
    this.#ofUsers = ofUsers;
  }

  of({ typeOid, typmod }: TableColumn): TypeDescription {
    const type = this.#ofUsers.get(typeOid);
    return type === undefined ? builtInType(typeOid, typmod) : withTypmod(type, typmod);
  }

  find(column: TableColumn | undefined): TypeDescription | undefined {
    return column === undefined ? undefined : this.of(column);
  }

  /** Whether something is so: `has_email`. */
  isTruth(column: TableColumn): boolean {
    const type = this.of(column);
    return type.kind === 'base' && type.name === 'bool';
  }
}

async function rowsOf(what: string, asked: Promise<TargetAnswer>): Promise<readonly TargetRow[]> {
  const answer = await asked;
  if (answer.kind === 'rows') return answer.rows;
  const reason = `the target answered with SQLSTATE ${answer.sqlstate}`;
  throw new CountersignError('GATEWAY_STATEMENT_FAILED', { what: `mask preview: ${what}`, reason });
}

function textsOf(row: TargetRow): readonly (string | null)[] {
  return row.map((value) => (value === null ? null : Buffer.from(value).toString('utf8')));
}

function counted(
  left: readonly (readonly [NotSampled, TableColumn])[],
): Readonly<Partial<Record<NotSampled, number>>> {
  const counts: Partial<Record<NotSampled, number>> = {};
  for (const [reason] of left) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

/** `18.1 (Debian 18.1-1)` → 180001; 0 where it is no version of PostgreSQL. */
function versionNumber(text: string): number {
  const [, major = '', minor = '0'] = /^(\d+)\.?(\d+)?/.exec(text) ?? [];
  return major === '' ? 0 : Number(major) * 10_000 + Number(minor);
}
