/**
 * The resource Mask, as it is after parsing: whose values are hidden, from whom, and what becomes of them.
 *
 * Spec: spec/masking.md, section 8. Whom it concerns and on which connections (`on`, `who`, `unless`) is
 * matched as for a Rule, in resources/view.ts.
 */

/** What may still be done with a masked column beside showing it. */
export type MaskMode = 'strict' | 'permissive' | 'server-role';

/** Of what is detected in requests: texts of a reranking call go under pseudonyms, which keep its order. */
export type RequestMode = 'rerank-safe';

export const MASK_MODES: readonly (MaskMode | RequestMode)[] = [
  'strict',
  'permissive',
  'server-role',
  'rerank-safe',
];

/** Which way something goes over HTTP: to the target, or back from it. */
export type MaskDirection = 'request' | 'response';

export const MASK_DIRECTIONS: readonly MaskDirection[] = ['request', 'response'];

/** Of a Mask that does not say: what comes back. */
export const USUAL_DIRECTIONS: readonly MaskDirection[] = ['response'];

export interface Mask {
  readonly kind: 'Mask';
  readonly name: string;
  /** Why it is there. */
  readonly description?: string;
  /** `NAME` of a connection or `label:KEY=VALUE`; empty: every one. */
  readonly on: readonly string[];
  /** As in a Rule; empty: everybody. */
  readonly who: readonly string[];
  /** Whom it does not concern. */
  readonly unless: readonly string[];
  /** `table.column` or `schema.table.column`; `*` as a whole part stands for any. */
  readonly columns?: readonly string[];
  /** Of contents of HTTP: JSON pointers with `*`, `**` and `*#`. */
  readonly fields?: readonly string[];
  /** Entities, or words for several. */
  readonly detect?: readonly string[];
  /** Of contents of HTTP; {@link USUAL_DIRECTIONS} where left out. */
  readonly direction?: readonly MaskDirection[];
  /** Name of an operator, or one with its options. */
  readonly as: string | { readonly kind: string; readonly [option: string]: unknown };
  /** What the values of the columns or fields are; `COLUMN` or `FIELD` where left out. */
  readonly entity?: string;
  /** Of the columns, `strict` where left out; or of what is detected in requests. */
  readonly mode?: MaskMode | RequestMode;
  /** Who has to agree before what it hides is shown to somebody; left out: nobody may be shown it. */
  readonly reveal?: MaskReveal;
}

export interface MaskReveal {
  /** `NAME` of a person, or `group:NAME`; never who asks. */
  readonly approvers: readonly string[];
  /** How many of them. */
  readonly count: number;
  /** How long they have, and how long it can be used then: `15m`. */
  readonly expires: string;
}

/**
 * Whether the protocol of a connection has what the Mask names: columns are of databases, fields and requests of
 * HTTP.
 */
export function isOfProtocol(
  { columns, fields, direction = USUAL_DIRECTIONS }: Pick<Mask, 'columns' | 'fields' | 'direction'>,
  { protocol }: { readonly protocol: string },
): boolean {
  if (columns !== undefined) return protocol !== 'http';
  return protocol === 'http' || (fields === undefined && direction.includes('response'));
}

/** What is wrong with a Mask, and where in it. */
export interface MaskProblem {
  readonly path: readonly string[];
  readonly says: string;
}

/** A Mask at a version: what leaves say. */
export interface MaskRef {
  readonly mask: string;
  readonly version: number;
}
