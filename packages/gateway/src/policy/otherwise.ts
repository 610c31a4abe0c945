/**
 * What becomes of a request over HTTP that nothing lets through: `otherwise` of its Connection.
 *
 * Spec: spec/policy.md, "HTTP". A service of which only some routes are known does more with a POST than a database
 * with a statement. Who runs it says who is asked about the rest; where nobody is said, or too few may agree, it is
 * blocked.
 */

import { type CompiledRule, checkTerms, type HoldTerms } from './rule.ts';

/** Who is asked; a client over HTTP has no transaction that it could ask inside of. */
export type OtherwiseTerms = Omit<HoldTerms, 'inTransaction'>;

/** What `otherwise` comes to for one principal. */
export type Otherwise =
  | { readonly kind: 'hold'; readonly rule: CompiledRule }
  /** It stays blocked; `why` says what would have somebody asked. */
  | { readonly kind: 'block'; readonly why: string };

/** No Rule can have such a name. */
export const CONNECTION_RULE = 'connection:';

/** The rule that a Connection stands for: it names nothing, and holds what nothing else lets through. */
export function otherwiseRule(connection: string, version: number, terms: OtherwiseTerms): CompiledRule {
  return {
    name: `${CONNECTION_RULE}${connection}`,
    version,
    description: undefined,
    effects: undefined,
    writes: undefined,
    reads: undefined,
    functions: undefined,
    kinds: undefined,
    address: undefined,
    client: undefined,
    hours: undefined,
    rows: undefined,
    anyRows: undefined,
    returned: undefined,
    estimated: undefined,
    mfa: undefined,
    http: undefined,
    verdict: 'hold',
    hold: { ...terms, inTransaction: 'refuse' },
  };
}

/** Throws a PatternProblem for a duration that is none. */
export function checkOtherwise(terms: OtherwiseTerms): void {
  checkTerms({ ...terms, inTransaction: 'refuse' }, 'otherwise.hold');
}
