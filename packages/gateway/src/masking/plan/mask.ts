/**
 * The resource Mask, as it is after parsing: whose values are hidden, from whom, and what becomes of them.
 *
 * Spec: spec/masking.md, section 8. Whom it concerns and on which connections (`on`, `who`, `unless`) is
 * matched as for a Rule, in resources/view.ts.
 */

/** What may still be done with a masked column beside showing it. */
export type MaskMode = 'strict' | 'permissive' | 'server-role';

export const MASK_MODES: readonly MaskMode[] = ['strict', 'permissive', 'server-role'];

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
  /** Name of an operator, or one with its options. */
  readonly as: string | { readonly kind: string; readonly [option: string]: unknown };
  /** What the values of the columns or fields are; `COLUMN` or `FIELD` where left out. */
  readonly entity?: string;
  /** Of the columns; `strict` where left out. */
  readonly mode?: MaskMode;
}

/** Whether the protocol of a connection has what the Mask names: columns are of databases, fields of HTTP. */
export function isOfProtocol(
  { columns, fields }: Pick<Mask, 'columns' | 'fields'>,
  { protocol }: { readonly protocol: string },
): boolean {
  if (columns !== undefined) return protocol !== 'http';
  return fields === undefined || protocol === 'http';
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
