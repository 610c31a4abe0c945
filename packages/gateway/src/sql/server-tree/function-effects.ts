/**
 * What calling the functions of a statement may do, from the catalog's facts about them.
 *
 * What a function of a user does is not known; what it may do is bounded by its language, its rights, and by a
 * promise: `immutable` and `stable` are what its owner says. PostgreSQL holds a function in SQL to that, in so far as
 * such a function cannot write by itself, so that it is believed where the owner is trusted.
 */

import type { Effect, QualifiedName } from '../../core/effects.ts';
import type { Catalog, CatalogFunction } from './catalog.ts';
import { FIRST_USER_OID } from './catalog-sql.ts';
import type { ServerFacts } from './facts.ts';

export interface FunctionRules {
  /** Effects of PostgreSQL's own functions, by name. */
  readonly builtIn: (name: QualifiedName) => readonly Effect[];
  /** Roles whose word on what a function does is taken, beside superusers. */
  readonly trustedOwners: ReadonlySet<string>;
}

export interface FunctionEffects {
  readonly effects: readonly Effect[];
  /** It runs with the rights of its owner. */
  readonly securityDefiner: boolean;
}

/** A function of a statement with its effects; a name where the catalog has it. */
export interface CalledEffects extends FunctionEffects {
  readonly oid: number;
  readonly name: QualifiedName | undefined;
}

/**
 * What all functions of a statement may do: those that it calls, those behind its operators, converted types and
 * aggregates, and, where it changes a table, those of the table. One that the catalog does not have is unknown.
 */
export function calledEffects(
  facts: ServerFacts,
  catalog: Catalog,
  rules: FunctionRules,
): readonly CalledEffects[] {
  const waiting = [...facts.functions];
  for (const oid of facts.operators) {
    // PostgreSQL's own operators compute, and call its own functions.
    if (oid >= FIRST_USER_OID) waiting.push(catalog.operators.get(oid)?.function ?? 0);
  }
  for (const oid of facts.types) {
    if (oid >= FIRST_USER_OID) waiting.push(...(catalog.types.get(oid)?.checks ?? [0]));
  }
  for (const { oid, uses } of facts.relations) {
    const changes = uses.some((use) => use !== 'read' && use !== 'lock');
    if (changes) waiting.push(...(catalog.relations.get(oid)?.hiddenFunctions ?? [0]));
  }
  const seen = new Map<number, CalledEffects>();
  for (let oid = waiting.pop(); oid !== undefined; oid = waiting.pop()) {
    if (seen.has(oid)) continue;
    const called = catalog.functions.get(oid);
    const effects: FunctionEffects =
      called === undefined
        ? { effects: ['function-unknown'], securityDefiner: false }
        : functionEffects(called, rules);
    const name = called === undefined ? undefined : { schema: called.schema, name: called.name };
    seen.set(oid, { oid, name, ...effects });
    // PostgreSQL's own aggregates are known by their names; what they are made of, nobody calls.
    if (oid >= FIRST_USER_OID) waiting.push(...(called?.components ?? []));
  }
  return [...seen.values()];
}

/** Of modules that come with PostgreSQL, and not immutable: all that they do is make a value. */
const MAKES_VALUES =
  /^(?:uuid_generate_v\w+|gen_random_uuid|gen_random_bytes|gen_salt|unaccent|(?:strict_)?(?:word_)?similarity(?:_commutator)?_op)$/;

/**
 * Only a superuser makes a function in C. One that is immutable computes: so its owner says, and PostgreSQL takes
 * that word too, since it calls such a function while it plans, and keeps what it gave. The operators of extensions
 * (vectors, case-insensitive text, trigrams) are of this kind; those that reach out of the database never are.
 */
export function makesValues(called: CatalogFunction): boolean {
  const { language, name, volatility, ownerIsSuperuser, securityDefiner } = called;
  const isInC = language === 'c' || language === 'internal';
  if (!isInC || !ownerIsSuperuser || securityDefiner) return false;
  return volatility === 'immutable' || MAKES_VALUES.test(name);
}

/** What one function may do by itself. */
function functionEffects(called: CatalogFunction, rules: FunctionRules): FunctionEffects {
  const { securityDefiner } = called;
  if (called.oid < FIRST_USER_OID) return { effects: rules.builtIn(called), securityDefiner };
  // An aggregate has no language of its own; its components come with it.
  if (called.isAggregate) return { effects: [], securityDefiner };
  if (makesValues(called)) return { effects: [], securityDefiner };
  if (!called.trustedLanguage) return { effects: ['host'], securityDefiner };
  const trusted =
    called.ownerIsSuperuser || (called.owner !== undefined && rules.trustedOwners.has(called.owner));
  const harmless =
    called.language === 'sql' && called.volatility !== 'volatile' && !securityDefiner && trusted;
  return { effects: harmless ? [] : ['function-unknown'], securityDefiner };
}
