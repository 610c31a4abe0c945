/**
 * Rows of what is asked of a catalog: a kind, an oid, and an array in JSON whose members are read one by one.
 *
 * Refused: a member that is something else than is expected in its place, and a row that ends too early.
 */

import { CountersignError } from '../../core/errors.ts';

/** A row as text, as the simple protocol gives it: kind, oid, JSON. */
export type CatalogRow = readonly (string | null)[];

/** The members of a row's array, one after the other. */
export class Fields {
  readonly #values: readonly unknown[];
  #index = 0;

  constructor(values: readonly unknown[]) {
    this.#values = values;
  }

  text(): string {
    const value = this.#next();
    if (typeof value !== 'string') throw invalid(`${typeof value} in the place of a text`);
    return value;
  }

  maybeText(): string | undefined {
    const value = this.#next();
    if (value === null) return undefined;
    if (typeof value !== 'string') throw invalid(`${typeof value} in the place of a text`);
    return value;
  }

  boolean(): boolean {
    const value = this.#next();
    if (typeof value !== 'boolean') throw invalid(`${typeof value} in the place of a boolean`);
    return value;
  }

  /** 0 is none. PostgreSQL writes oids in JSON as text. */
  oid(): number {
    return toOid(this.#next());
  }

  integer(): number {
    return toInteger(this.#next());
  }

  /** Of any length, each to be read on its own. */
  list(): readonly unknown[] {
    return asList(this.#next());
  }

  maybeOid(): number | undefined {
    const value = this.#next();
    return value === null ? undefined : toOid(value);
  }

  /** Without those that are none. */
  oids(): readonly number[] {
    const value = this.#next();
    if (!Array.isArray(value)) throw invalid(`${typeof value} in the place of a list`);
    return [...new Set(value.map(toOid))].filter((oid) => oid !== 0);
  }

  #next(): unknown {
    if (this.#index >= this.#values.length) throw invalid('a row that ends too early');
    this.#index += 1;
    return this.#values[this.#index - 1];
  }
}

export function toArray(json: string | null | undefined): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(json ?? '');
  } catch (cause) {
    throw invalid('a row that is not JSON', cause);
  }
  if (!Array.isArray(value)) throw invalid('a row without a list');
  return value;
}

export function toOid(value: unknown): number {
  const oid = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof oid !== 'number' || !Number.isInteger(oid) || oid < 0 || oid > 0xffff_ffff) {
    throw invalid('something else in the place of an oid');
  }
  return oid;
}

export function toInteger(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw invalid('something else in the place of a number');
  }
  return value;
}

export function asList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${typeof value} in the place of a list`);
  return value;
}

/** The target's own catalog does not answer as PostgreSQL's does. */
export function invalid(what: string, cause?: unknown): CountersignError {
  return new CountersignError('PROTOCOL_VIOLATION', { reason: `its catalog has ${what}` }, { cause });
}
