/**
 * What a catalog says of masks: rows of MASK_CATALOG_SQL → {@link MaskCatalog}.
 *
 * Refused: a row of another kind or form, and more than limits.maskCatalog has.
 * Untrusted: names and definitions, which their owners chose.
 */

import { CountersignError } from '../../core/errors.ts';
import { MASK_CATALOG_LIMITS } from '../../core/masking-limits.ts';
import {
  asList,
  type CatalogRow,
  Fields,
  invalid,
  toArray,
  toInteger,
  toOid,
} from '../server-tree/catalog-row.ts';
import { MASK_ROW_KINDS } from './mask-catalog-sql.ts';

/** A table of a family with a masked or generated column, a materialized view, or a view below one. */
export interface SubjectRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** `pg_class.relkind`. */
  readonly relkind: string;
  /** Where long values of it are; 0 is nowhere. */
  readonly toast: number;
  /** Those whose names may be masked, by attnum: of a table not all of them. */
  readonly columns: ReadonlyMap<number, string>;
  /** Which pattern names which column, by the pattern's number from 0. */
  readonly named: readonly { readonly pattern: number; readonly attnum: number }[];
  readonly parents: readonly number[];
  /** Columns that show values of other tables, as those of pg_statistic. */
  readonly showing: readonly number[];
}

/** What a column, or all columns of a view, are made of: the server's own tree. */
export interface Definition {
  readonly relation: number;
  /** Of a generated column; 0 for a view. */
  readonly attnum: number;
  readonly tree: Uint8Array;
}

/** How far a relation was there when the catalog was asked. */
interface KnownRelation {
  readonly attnumMax: number;
  readonly isView: boolean;
}

export interface MaskCatalog {
  /** All relations of users. */
  readonly known: ReadonlyMap<number, KnownRelation>;
  readonly subjects: ReadonlyMap<number, SubjectRelation>;
  readonly definitions: readonly Definition[];
  /** Functions of information_schema, which PostgreSQL brings under oids that differ. */
  readonly informationFunctions: ReadonlySet<number>;
}

/** The answer. */
export function parseMaskCatalog(rows: readonly CatalogRow[]): MaskCatalog {
  const reading = new Reading();
  for (const one of rows) reading.row(one);
  return reading.catalog;
}

class Reading {
  readonly #known = new Map<number, KnownRelation>();
  readonly #subjects = new Map<number, SubjectRelation>();
  readonly #definitions: Definition[] = [];
  readonly #functions = new Set<number>();
  #columns = 0;
  #named = 0;
  #generated = 0;
  #treeBytes = 0;

  get catalog(): MaskCatalog {
    return {
      known: this.#known,
      subjects: this.#subjects,
      definitions: this.#definitions,
      informationFunctions: this.#functions,
    };
  }

  row([kind, oidText, base64]: CatalogRow): void {
    const oid = toOid(oidText);
    const fields = new Fields(toArray(Buffer.from(base64 ?? '', 'base64').toString('utf8')));
    if (kind === MASK_ROW_KINDS.known) this.#relations(fields.text());
    else if (kind === MASK_ROW_KINDS.relation) this.#subject(oid, fields);
    else if (kind === MASK_ROW_KINDS.tree) this.#definition(oid, fields);
    else if (kind === MASK_ROW_KINDS.function) this.#functions.add(oid);
    else throw invalid(`a row of the kind ${kind}`);
  }

  /** `16385.3.r 16390.7.v` */
  #relations(text: string): void {
    for (const one of text === '' ? [] : text.split(' ')) {
      const [oid, attnumMax, relkind] = one.split('.');
      this.#known.set(toOid(oid), { attnumMax: toOid(attnumMax), isView: relkind === 'v' });
      bounded('relationsMax', this.#known.size);
    }
  }

  #subject(oid: number, fields: Fields): void {
    const schema = fields.text();
    const name = fields.text();
    const relkind = fields.text();
    const toast = fields.oid();
    const columns = new Map(fields.list().map(toColumn));
    const named = fields.list().map(toNamed);
    this.#columns += columns.size;
    this.#named += named.length;
    const parents = fields.oids();
    const showing = fields.list().map(toInteger);
    this.#subjects.set(oid, { oid, schema, name, relkind, toast, columns, named, parents, showing });
    bounded('subjectsMax', this.#subjects.size);
    bounded('columnsMax', Math.max(this.#columns, this.#named));
  }

  #definition(relation: number, fields: Fields): void {
    const attnum = fields.integer();
    const tree = Buffer.from(fields.text());
    this.#treeBytes += tree.length;
    bounded('treeBytesMax', this.#treeBytes);
    this.#definitions.push({ relation, attnum, tree });
    if (attnum !== 0) this.#generated += 1;
    bounded('generatedMax', this.#generated);
  }
}

function toColumn(value: unknown): readonly [attnum: number, name: string] {
  const fields = new Fields(asList(value));
  return [fields.integer(), fields.text()];
}

function toNamed(value: unknown): { readonly pattern: number; readonly attnum: number } {
  const fields = new Fields(asList(value));
  return { pattern: fields.integer() - 1, attnum: fields.integer() };
}

/** The statement gives one more than is allowed, so that too much is never less than it was. */
export function bounded(limit: keyof typeof MASK_CATALOG_LIMITS, actual: number): void {
  const allowed = MASK_CATALOG_LIMITS[limit];
  if (actual > allowed) {
    throw new CountersignError('LIMIT_EXCEEDED', { limit: `maskCatalog.${limit}`, allowed, actual });
  }
}
