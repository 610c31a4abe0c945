/**
 * What the catalog of the database says of the columns that Masks name, and of types that users made.
 *
 * Asked before the first statement, and again where this session may have changed it, where a tree leads to a
 * relation that it did not have, and after limits.serverTree.answerMaxAgeMs. Where it cannot be read, nothing is
 * known, and all results are masked whole.
 */

import { type ColumnLabel, columnLabel } from '../../../core/column-labels.ts';
import { CountersignError } from '../../../core/errors.ts';
import { builtInType } from '../../../masking/operators/built-in-types.ts';
import type { TypeDescription } from '../../../masking/operators/operator.ts';
import type { FunctionKnowledge } from '../../../sql/labels/function-knowledge.ts';
import { closure, type MaskedLabels, type OutputsOf } from '../../../sql/mask-catalog/closure.ts';
import { MASK_CATALOG_SQL } from '../../../sql/mask-catalog/mask-catalog-sql.ts';
import { parseMaskCatalog } from '../../../sql/mask-catalog/mask-catalog.ts';
import { type ColumnPattern, patternsParameter } from '../../../sql/mask-catalog/patterns.ts';
import { TYPES_SQL } from '../../../sql/mask-catalog/types-sql.ts';
import { parseTypes, type TypeData, withTypmod } from '../../../sql/mask-catalog/types.ts';
import { FIRST_USER_OID } from '../../../sql/server-tree/catalog-sql.ts';
import { isFresh } from '../armed/aged-map.ts';
import { type AskedIn, Inside } from '../armed/inside.ts';
import { type ExchangePorts, rowsOf } from '../exchange.ts';

const TEXT = 25;
const OID_LIST = 1028;
/** Of the five messages of a statement. */
const EXECUTE_INDEX = 2;

/**
 * Parameter: $1 `oid[]`, relations. Columns whose values are compared when a row is written, with those of others or
 * of other rows; 0 for an expression.
 */
const COMPARED_SQL = `select c.conrelid::pg_catalog.text, k.attnum::pg_catalog.text
  from pg_catalog.pg_constraint c cross join lateral pg_catalog.unnest(c.conkey) k (attnum)
  where c.conrelid operator(pg_catalog.=) any ($1)
    and (c.contype operator(pg_catalog.=) any ('{p,u,x,f}'::pg_catalog."char"[])
      or pg_catalog.array_length(c.conkey, 1) operator(pg_catalog.>) 1)
union select c.confrelid::pg_catalog.text, k.attnum::pg_catalog.text
  from pg_catalog.pg_constraint c cross join lateral pg_catalog.unnest(c.confkey) k (attnum)
  where c.confrelid operator(pg_catalog.=) any ($1)
union select i.indrelid::pg_catalog.text, k.attnum::pg_catalog.text
  from pg_catalog.pg_index i
  cross join lateral pg_catalog.unnest(i.indkey::pg_catalog.int2[]) k (attnum)
  where i.indrelid operator(pg_catalog.=) any ($1) and (i.indisunique or i.indisexclusion)`;

interface Read {
  readonly masked: MaskedLabels;
  readonly constrained: ReadonlySet<ColumnLabel>;
}

/** How definitions in the catalog are read. */
export interface CatalogReading {
  readonly functions: FunctionKnowledge;
  readonly outputsOf: OutputsOf;
  /** Functions that are known to make values only. */
  readonly declare: (oids: ReadonlySet<number>) => void;
}

/** Owned by one session. */
export class AskMasks {
  readonly #inside: Inside;
  readonly #nowUs: () => number;
  readonly #reading: CatalogReading;
  readonly #types = new Map<number, TypeData>();
  #known:
    | { readonly epoch: number; readonly atUs: number; readonly patterns: readonly ColumnPattern[] }
    | undefined;
  /** Undefined where it could not be read. */
  masked: MaskedLabels | undefined;
  constrained: ReadonlySet<ColumnLabel> = new Set();
  tables: ReadonlySet<string> = new Set();
  comparedTables: ReadonlySet<string> = new Set();
  schemas: ReadonlySet<string> = new Set();

  constructor(ports: ExchangePorts, name: string, nowUs: () => number, reading: CatalogReading) {
    this.#reading = reading;
    this.#inside = new Inside(ports, `${name} masks`);
    this.#nowUs = nowUs;
  }

  get typesKnown(): number {
    return this.#types.size;
  }

  describe(oid: number, typmod: number): TypeDescription {
    const type = this.#types.get(oid);
    return type === undefined ? builtInType(oid, typmod) : withTypmod(type, typmod);
  }

  /** Asks where what is known is of other patterns, of before a change, or old. */
  async refresh(where: AskedIn, patterns: readonly ColumnPattern[], epoch: number): Promise<void> {
    const known = this.#known;
    const isSame = known !== undefined && known.patterns === patterns;
    if (isSame && isFresh(known, { epoch, atUs: this.#nowUs() })) return;
    await this.ask(where, patterns, epoch);
  }

  async ask(where: AskedIn, patterns: readonly ColumnPattern[], epoch: number): Promise<void> {
    const read = await this.#read(where, patterns);
    this.#known = { epoch, atUs: this.#nowUs(), patterns };
    this.masked = read?.masked;
    this.constrained = read?.constrained ?? new Set();
    const columns = read?.masked.columns ?? [];
    this.tables = new Set(columns.map(({ table }) => table));
    this.schemas = new Set(columns.map(({ schema }) => schema));
    const compared = columns.filter(({ label }) => this.constrained.has(label));
    this.comparedTables = new Set(compared.map(({ table }) => table));
  }

  /** What trees have shown as the types of results, and users have made. */
  async learnTypes(where: AskedIn, oids: readonly number[]): Promise<void> {
    const unknown = [...new Set(oids)].filter((oid) => oid >= FIRST_USER_OID && !this.#types.has(oid));
    if (unknown.length === 0) return;
    const rows = await this.#rows(where, TYPES_SQL, listOf(unknown), OID_LIST);
    const types = rows === undefined ? new Map<number, TypeData>() : parsed(() => parseTypes(rows));
    for (const oid of unknown) this.#types.set(oid, types?.get(oid) ?? { kind: 'unknown' });
  }

  async #read(where: AskedIn, patterns: readonly ColumnPattern[]): Promise<Read | undefined> {
    const rows = await this.#rows(where, MASK_CATALOG_SQL, patternsParameter(patterns), TEXT);
    const catalog = rows === undefined ? undefined : parsed(() => parseMaskCatalog(rows));
    if (catalog === undefined) return undefined;
    const { functions, outputsOf, declare } = this.#reading;
    declare(catalog.informationFunctions);
    const masked = parsed(() => closure(catalog, { patterns, functions, outputsOf }));
    if (masked === undefined) return undefined;
    const relations = [...new Set(masked.columns.map(({ label }) => relationOf(label)))];
    const compared = await this.#rows(where, COMPARED_SQL, listOf(relations), OID_LIST);
    if (compared === undefined) return undefined;
    return { masked, constrained: constrainedBy(compared, masked) };
  }

  async #rows(
    where: AskedIn,
    text: string,
    value: string,
    typeOid: number,
  ): Promise<readonly (readonly (string | null)[])[] | undefined> {
    const asking = this.#inside.statement(text, [Buffer.from(value)], typeOid);
    const heard = await this.#inside.run(where, [asking]);
    if (heard.kind !== 'heard' || asking.keepers.some(({ tooMuch }) => tooMuch)) return undefined;
    const answer = heard.answers[0]?.[EXECUTE_INDEX];
    return answer === undefined ? undefined : rowsOf(answer).map((row) => row.map((one) => one ?? null));
  }
}

/** Undefined where it is not what PostgreSQL would say, or more than is read. */
function parsed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CountersignError) return undefined;
    throw error;
  }
}

/** Every column of a table that has an expression in a unique index is taken to be in it. */
function constrainedBy(
  rows: readonly (readonly (string | null)[])[],
  { columns }: MaskedLabels,
): ReadonlySet<ColumnLabel> {
  const constrained = new Set<ColumnLabel>();
  for (const [oid, attnum] of rows) {
    const relation = Number(oid);
    if (Number(attnum) !== 0) constrained.add(columnLabel(relation, Number(attnum)));
    else for (const { label } of columns) if (relationOf(label) === relation) constrained.add(label);
  }
  return constrained;
}

function relationOf(label: ColumnLabel): number {
  return Number(label.slice(0, label.indexOf('.')));
}

function listOf(oids: readonly number[]): string {
  return `{${oids.join()}}`;
}
