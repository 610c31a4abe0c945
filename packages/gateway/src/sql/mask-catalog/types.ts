/**
 * What types are made of: rows of TYPES_SQL → plain data, by oid.
 *
 * A type that is not in the answer, that is deeper than limits.maskCatalog has, or has itself inside, which
 * PostgreSQL does not allow, is unknown there. Of the shape that `masking/operators` describes types in.
 */

import { asList, type CatalogRow, Fields, invalid, toArray, toOid } from '../server-tree/catalog-row.ts';
import { MASK_CATALOG_LIMITS } from '../../core/masking-limits.ts';
import { bounded } from './mask-catalog.ts';

export type TypeData =
  | { readonly kind: 'base'; readonly name: string; readonly typmod: number }
  | { readonly kind: 'array'; readonly element: TypeData; readonly delimiter: ',' | ';' }
  /** Without fields: an anonymous record. */
  | { readonly kind: 'composite'; readonly fields: readonly TypeData[] | undefined }
  | { readonly kind: 'range'; readonly subtype: TypeData }
  | { readonly kind: 'multirange'; readonly subtype: TypeData }
  | { readonly kind: 'enum'; readonly labels: readonly string[] }
  | { readonly kind: 'domain'; readonly base: TypeData }
  | { readonly kind: 'unknown' };

const UNKNOWN: TypeData = { kind: 'unknown' };
/** `record`. */
const RECORD = 2249;

interface TypeRow {
  readonly typtype: string;
  /** PostgreSQL's own type as which it is written. */
  readonly writtenAs: string | undefined;
  readonly element: number;
  readonly delimiter: string | undefined;
  readonly base: number;
  readonly typmod: number;
  readonly subtype: number;
  readonly labels: readonly string[];
  readonly fields: readonly { readonly type: number; readonly typmod: number }[];
}

/** The answer to TYPES_SQL. */
export function parseTypes(rows: readonly CatalogRow[]): ReadonlyMap<number, TypeData> {
  bounded('typesMax', rows.length);
  const found = new Map<number, TypeRow>();
  let labels = 0;
  for (const [kind, oidText, base64] of rows) {
    if (kind !== 'type') throw invalid(`a row of the kind ${kind}`);
    const row = toType(new Fields(toArray(Buffer.from(base64 ?? '', 'base64').toString('utf8'))));
    labels += row.labels.length;
    bounded('enumLabelsMax', labels);
    found.set(toOid(oidText), row);
  }
  const types = new Types(found);
  return new Map([...found.keys()].map((oid) => [oid, types.of(oid, 0)]));
}

/** The same type with the modifier that a column has: varchar(20), numeric(5,2)[]. */
export function withTypmod(type: TypeData, typmod: number): TypeData {
  if (typmod === -1) return type;
  if (type.kind === 'base') return { ...type, typmod };
  if (type.kind === 'array') return { ...type, element: withTypmod(type.element, typmod) };
  return type;
}

class Types {
  readonly #rows: ReadonlyMap<number, TypeRow>;
  readonly #made = new Map<number, TypeData>();
  /** What is being made, from the outside in. */
  readonly #open = new Set<number>();

  constructor(rows: ReadonlyMap<number, TypeRow>) {
    this.#rows = rows;
  }

  of(oid: number, depth: number): TypeData {
    const row = this.#rows.get(oid);
    const made = this.#made.get(oid);
    if (made !== undefined) return made;
    if (row === undefined || depth >= MASK_CATALOG_LIMITS.typeNestingMax || this.#open.has(oid))
      return UNKNOWN;
    this.#open.add(oid);
    const type =
      oid === RECORD ? { kind: 'composite' as const, fields: undefined } : this.#make(row, depth + 1);
    this.#open.delete(oid);
    this.#made.set(oid, type);
    return type;
  }

  #make(row: TypeRow, depth: number): TypeData {
    if (row.element !== 0) {
      const delimiter = row.delimiter === ';' ? ';' : ',';
      return { kind: 'array', element: this.of(row.element, depth), delimiter };
    }
    switch (row.typtype) {
      case 'b':
        return row.writtenAs === undefined ? UNKNOWN : { kind: 'base', name: row.writtenAs, typmod: -1 };
      case 'c': {
        const fields = row.fields.map(({ type, typmod }) => withTypmod(this.of(type, depth), typmod));
        return { kind: 'composite', fields };
      }
      case 'd':
        return { kind: 'domain', base: withTypmod(this.of(row.base, depth), row.typmod) };
      case 'e':
        return { kind: 'enum', labels: row.labels };
      case 'r':
        return { kind: 'range', subtype: this.of(row.subtype, depth) };
      case 'm':
        return { kind: 'multirange', subtype: this.of(row.subtype, depth) };
      default:
        return UNKNOWN;
    }
  }
}

function toType(fields: Fields): TypeRow {
  return {
    typtype: fields.text(),
    writtenAs: fields.maybeText(),
    element: fields.oid(),
    delimiter: fields.maybeText(),
    base: fields.oid(),
    typmod: fields.integer(),
    subtype: fields.oid(),
    labels: fields.list().map((label) => {
      if (typeof label !== 'string') throw invalid(`${typeof label} in the place of a label`);
      return label;
    }),
    fields: fields.list().map((field) => {
      const inner = new Fields(asList(field));
      return { type: inner.oid(), typmod: inner.integer() };
    }),
  };
}
