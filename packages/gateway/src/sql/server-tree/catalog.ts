/**
 * The catalog behind the oids of a statement: rows of the statements in catalog-sql.ts → {@link Catalog}.
 *
 * Spec: PostgreSQL 15 to 18, "System Catalogs" (https://www.postgresql.org/docs/18/catalogs.html).
 * Refused: a row of another kind or another form, and more rows than limits.serverTree has.
 * Untrusted: names, which their owners chose.
 */

import type { QualifiedName } from '../../core/effects.ts';
import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { type CatalogRow, Fields, invalid, toArray, toOid } from './catalog-row.ts';
import { ROW_KINDS } from './catalog-sql.ts';

export interface CatalogRelation extends QualifiedName {
  readonly oid: number;
  /** `pg_class.relkind`. */
  readonly relkind: string;
  readonly isView: boolean;
  /** Of its own, of its partitions or of its heirs. */
  readonly hasTriggers: boolean;
  /** Other rules than the one that makes a view. */
  readonly hasRules: boolean;
  readonly hasRowSecurity: boolean;
  /** Of a partition. */
  readonly partitionRoot: number | undefined;
  /** Functions of users that a change of it may call: of triggers, constraints, defaults, indexes, policies. */
  readonly hiddenFunctions: readonly number[];
}

export type Volatility = 'immutable' | 'stable' | 'volatile';

export interface CatalogFunction extends QualifiedName {
  readonly oid: number;
  readonly isAggregate: boolean;
  readonly volatility: Volatility;
  readonly securityDefiner: boolean;
  readonly language: string;
  readonly trustedLanguage: boolean;
  /** Undefined where the owner is gone. */
  readonly owner: string | undefined;
  readonly ownerIsSuperuser: boolean;
  /** Somebody has said who may call it: of PostgreSQL's own, those that not everybody may. */
  readonly hasAcl: boolean;
  /** Types of its arguments, as people write them. */
  readonly argumentTypes: string;
  /** What an aggregate calls. */
  readonly components: readonly number[];
}

export interface CatalogOperator extends QualifiedName {
  readonly oid: number;
  readonly function: number;
}

export interface CatalogType extends QualifiedName {
  readonly oid: number;
  /** Functions that the checks of a domain call, also of one that the type is made of. */
  readonly checks: readonly number[];
}

export interface CatalogCast {
  readonly oid: number;
  readonly source: number;
  readonly target: number;
  /** 0 where no function is called. */
  readonly function: number;
  readonly implicit: boolean;
}

export interface Catalog {
  readonly relations: ReadonlyMap<number, CatalogRelation>;
  readonly functions: ReadonlyMap<number, CatalogFunction>;
  readonly operators: ReadonlyMap<number, CatalogOperator>;
  readonly types: ReadonlyMap<number, CatalogType>;
  readonly casts: readonly CatalogCast[];
}

/** By what a text can say: the name without its schema, because a search_path may lead to any. */
export interface CatalogNames {
  readonly functions: ReadonlyMap<string, readonly CatalogFunction[]>;
  readonly operators: ReadonlyMap<string, readonly CatalogOperator[]>;
}

const VOLATILITIES: ReadonlyMap<unknown, Volatility> = new Map([
  ['i', 'immutable'],
  ['s', 'stable'],
  ['v', 'volatile'],
]);

/** The answer to either statement. */
export function parseCatalog(rows: readonly CatalogRow[]): Catalog {
  const { catalogRowsMax } = LIMITS.serverTree;
  if (rows.length > catalogRowsMax) {
    throw new CountersignError('LIMIT_EXCEEDED', {
      limit: 'serverTree.catalogRowsMax',
      allowed: catalogRowsMax,
      actual: rows.length,
    });
  }
  const relations = new Map<number, CatalogRelation>();
  const functions = new Map<number, CatalogFunction>();
  const operators = new Map<number, CatalogOperator>();
  const types = new Map<number, CatalogType>();
  const casts: CatalogCast[] = [];
  for (const [kind, oidText, json] of rows) {
    const oid = toOid(Number(oidText ?? Number.NaN));
    const fields = new Fields(toArray(json));
    if (kind === ROW_KINDS.relation) relations.set(oid, toRelation(oid, fields));
    else if (kind === ROW_KINDS.function) functions.set(oid, toFunction(oid, fields));
    else if (kind === ROW_KINDS.operator) operators.set(oid, toOperator(oid, fields));
    else if (kind === ROW_KINDS.type) types.set(oid, toType(oid, fields));
    else if (kind === ROW_KINDS.cast) casts.push(toCast(oid, fields));
    else throw invalid(`a row of the kind ${kind}`);
  }
  return { relations, functions, operators, types, casts };
}

/** A snapshot by names. */
export function catalogNames({ functions, operators }: Catalog): CatalogNames {
  return {
    functions: Map.groupBy(functions.values(), ({ name }) => name),
    operators: Map.groupBy(operators.values(), ({ name }) => name),
  };
}

function toRelation(oid: number, fields: Fields): CatalogRelation {
  const schema = fields.text();
  const name = fields.text();
  const relkind = fields.text();
  return {
    oid,
    schema,
    name,
    relkind,
    isView: relkind === 'v',
    hasTriggers: fields.boolean(),
    hasRules: fields.boolean(),
    hasRowSecurity: fields.boolean(),
    partitionRoot: fields.maybeOid(),
    hiddenFunctions: fields.oids(),
  };
}

function toFunction(oid: number, fields: Fields): CatalogFunction {
  const schema = fields.text();
  const name = fields.text();
  const isAggregate = fields.text() === 'a';
  const volatility = VOLATILITIES.get(fields.text());
  if (volatility === undefined) throw invalid('a function of unknown volatility');
  return {
    oid,
    schema,
    name,
    isAggregate,
    volatility,
    securityDefiner: fields.boolean(),
    language: fields.text(),
    trustedLanguage: fields.boolean(),
    owner: fields.maybeText(),
    ownerIsSuperuser: fields.boolean(),
    hasAcl: fields.boolean(),
    argumentTypes: fields.text(),
    components: fields.oids(),
  };
}

function toOperator(oid: number, fields: Fields): CatalogOperator {
  return { oid, schema: fields.text(), name: fields.text(), function: fields.oid() };
}

function toType(oid: number, fields: Fields): CatalogType {
  return { oid, schema: fields.text(), name: fields.text(), checks: fields.oids() };
}

function toCast(oid: number, fields: Fields): CatalogCast {
  return {
    oid,
    source: fields.oid(),
    target: fields.oid(),
    function: fields.oid(),
    implicit: fields.text() === 'i',
  };
}
