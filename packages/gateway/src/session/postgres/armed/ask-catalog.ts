/**
 * What the target's catalog says about the oids of trees, asked once for as long as it can be taken to hold.
 *
 * PostgreSQL's own functions stay what they are while a server runs. What users made may be changed by any session,
 * and nobody tells this one: what was heard of it is good until this session may have changed it, and never longer
 * than limits.serverTree.answerMaxAgeMs.
 */

import { CountersignError } from '../../../core/errors.ts';
import { LIMITS } from '../../../core/limits.ts';
import { type Catalog, type CatalogFunction, parseCatalog } from '../../../sql/server-tree/catalog.ts';
import { CATALOG_OF_OIDS_SQL, FIRST_USER_OID } from '../../../sql/server-tree/catalog-sql.ts';
import type { ServerFacts } from '../../../sql/server-tree/facts.ts';
import { type KeptAnswer, rowsOf } from '../exchange.ts';
import { AgedMap } from './aged-map.ts';
import type { AskedIn, Heard, Inside } from './inside.ts';

/** `oid[]`. */
const OID_LIST = 1028;
/** Of the five messages of a statement. */
const EXECUTE_INDEX = 2;

interface Wanted {
  readonly relations: readonly number[];
  readonly functions: readonly number[];
  readonly operators: readonly number[];
  readonly types: readonly number[];
}

export type CatalogAnswer =
  /** Undefined where it cannot be read. */
  { readonly kind: 'catalog'; readonly catalog: Catalog | undefined } | Exclude<Heard, { kind: 'heard' }>;

const NOTHING: Catalog = {
  relations: new Map(),
  functions: new Map(),
  operators: new Map(),
  types: new Map(),
  casts: [],
};

/** Owned by one session. */
export class AskCatalog {
  readonly #inside: Inside;
  /** PostgreSQL's own, once they were asked for. */
  readonly #builtIn = new Map<number, CatalogFunction>();
  readonly #known: AgedMap<Catalog>;

  constructor(inside: Inside, nowUs: () => number) {
    this.#inside = inside;
    this.#known = new AgedMap(nowUs, LIMITS.serverTree.cachedCatalogsMax);
  }

  /** About everything that is in these facts. */
  async of(
    where: AskedIn,
    texts: readonly ({ readonly facts: ServerFacts } | undefined)[],
    { epoch, isUtf8 }: { readonly epoch: number; readonly isUtf8: boolean },
  ): Promise<CatalogAnswer> {
    const facts = texts.flatMap((one) => (one === undefined ? [] : [one.facts]));
    const wanted = this.#wanted(facts);
    const lists = [wanted.relations, wanted.functions, wanted.operators, wanted.types];
    if (lists.every((oids) => oids.length === 0))
      return { kind: 'catalog', catalog: this.#with(NOTHING, facts) };
    const key = lists.map((oids) => oids.join()).join(' ');
    let catalog = this.#known.get(key, epoch);
    if (catalog === undefined) {
      const values = lists.map((oids) => Buffer.from(`{${oids.join()}}`));
      const asking = this.#inside.statement(CATALOG_OF_OIDS_SQL, values, OID_LIST);
      const heard = await this.#inside.run(where, [asking]);
      if (heard.kind !== 'heard') return heard;
      const rows = heard.answers[0]?.[EXECUTE_INDEX];
      const isCut = asking.keepers.some(({ tooMuch }) => tooMuch);
      catalog = rows === undefined || isCut ? undefined : readCatalog(rows, isUtf8);
      if (catalog === undefined) return { kind: 'catalog', catalog };
      this.#known.set(key, epoch, catalog);
      for (const [oid, called] of catalog.functions) {
        if (oid < FIRST_USER_OID && this.#builtIn.size < LIMITS.serverTree.builtInFunctionsMax) {
          this.#builtIn.set(oid, called);
        }
      }
    }
    return { kind: 'catalog', catalog: this.#with(catalog, facts) };
  }

  #wanted(facts: readonly ServerFacts[]): Wanted {
    const all = (list: (one: ServerFacts) => readonly number[]): readonly number[] =>
      [...new Set(facts.flatMap(list))].toSorted((a, b) => a - b);
    return {
      relations: all(({ relations }) =>
        relations.flatMap(({ oid, uses }) => {
          const isChanged = uses.some((use) => use !== 'read' && use !== 'lock');
          return isOfUsers(oid) || isChanged ? [oid] : [];
        }),
      ),
      functions: all(({ functions }) => functions).filter((oid) => isOfUsers(oid) || !this.#builtIn.has(oid)),
      operators: all(({ operators }) => operators).filter(isOfUsers),
      types: all(({ types }) => types).filter(isOfUsers),
    };
  }

  /** With those of PostgreSQL's own functions that were not asked for again. */
  #with(catalog: Catalog, facts: readonly ServerFacts[]): Catalog {
    const functions = new Map(catalog.functions);
    for (const oid of facts.flatMap((one) => one.functions)) {
      const called = this.#builtIn.get(oid);
      if (called !== undefined) functions.set(oid, called);
    }
    return { ...catalog, functions };
  }
}

function isOfUsers(oid: number): boolean {
  return oid >= FIRST_USER_OID;
}

/** Undefined where the statement is as unknown as without a tree. */
function readCatalog(answer: KeptAnswer, isUtf8: boolean): Catalog | undefined {
  const rows = rowsOf(answer).map((row) => row.map((value) => value ?? null));
  // In another encoding a name is another name, which rules would not know.
  if (!isUtf8 && rows.flat().some((value) => value !== null && !isAscii(value))) return undefined;
  try {
    return parseCatalog(rows);
  } catch (error) {
    // A catalog that is not PostgreSQL's.
    if (error instanceof CountersignError) return undefined;
    throw error;
  }
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}
