/**
 * The vocabulary of masks: what is done (an operator, which is data), to what (a type and how its values
 * travel), and what comes of it.
 *
 * Spec: spec/masking-operators.md.
 */

import type { MaskingKeyRing } from './key-ring.ts';

/** What becomes of a value. `spec/masking-operators.md`, section 1, says what each does to which type. */
export type Operator =
  | { readonly kind: 'redact' }
  | { readonly kind: 'mask' }
  | Partial
  | { readonly kind: 'hash' }
  | { readonly kind: 'token' }
  | FormatPreserving
  | Generalise
  | { readonly kind: 'nullify' }
  | { readonly kind: 'fake' }
  | { readonly kind: 'drop' };

/** Letters and digits that stay at both ends of a text; left out, what is usual for the entity. */
export interface Partial {
  readonly kind: 'partial';
  readonly keepFirst?: number;
  readonly keepLast?: number;
}

export interface FormatPreserving {
  readonly kind: 'fpe';
  /** A card that passes Luhn's check becomes one that does, for clients that look: about ten times the work. */
  readonly luhn?: boolean;
}

export interface Generalise {
  readonly kind: 'generalise';
  /** Numbers become a multiple of this whole number, towards zero; 10 where left out. */
  readonly width?: number;
  /** Numbers above it become it: HIPAA's "90 or older". */
  readonly ceiling?: number;
  /** Numbers and coordinates keep so many decimals, towards zero, instead of a width. */
  readonly decimals?: number;
  /** Dates and timestamps become the first moment of it; `month` where left out. */
  readonly unit?: 'month' | 'quarter' | 'year';
}

/**
 * A type as PostgreSQL's catalog has it. Whoever asks the catalog makes these; `built-in-types.ts` knows
 * those that every database has.
 */
export type TypeDescription =
  | BaseType
  | { readonly kind: 'array'; readonly element: TypeDescription; readonly delimiter: ',' | ';' }
  /** Without fields: an anonymous record, whose types only its binary form tells. */
  | { readonly kind: 'composite'; readonly fields: readonly TypeDescription[] | undefined }
  | { readonly kind: 'range'; readonly subtype: TypeDescription }
  | { readonly kind: 'multirange'; readonly subtype: TypeDescription }
  | EnumType
  /** `constant`: a text that its CHECK accepts, in the place of the base type's. */
  | { readonly kind: 'domain'; readonly base: TypeDescription; readonly constant?: string }
  | UnknownType;

export interface BaseType {
  readonly kind: 'base';
  /** `pg_type.typname`: `int4`, `bpchar`, `char` for "char". */
  readonly name: string;
  /** `pg_attribute.atttypmod`; -1 for none. */
  readonly typmod: number;
}

export interface EnumType {
  readonly kind: 'enum';
  /** In the order of the catalog; empty where they are not known. */
  readonly labels: readonly string[];
}

export interface UnknownType {
  readonly kind: 'unknown';
}

/** A type without types inside. */
export type LeafType = BaseType | EnumType | UnknownType | ConstantDomain;

/** A domain whose constant is known: its values are masked by it, and not by the base type. */
export interface ConstantDomain {
  readonly kind: 'constant';
  readonly base: BaseType;
  readonly constant: string;
}

/** How values of one column travel: the format of Bind, and what the server last reported. */
export interface Wire {
  readonly format: 'text' | 'binary';
  /** `client_encoding`, as the server spells it. */
  readonly clientEncoding: string;
  /** `DateStyle`: `ISO, MDY`. */
  readonly dateStyle: string;
  readonly intervalStyle: string;
}

/** What a mask needs beside the value. */
export interface MaskRequest {
  readonly operator: Operator;
  /** What the value is, in capitals: `EMAIL`. Tokens of one value for two entities are not the same. */
  readonly entity: string;
  readonly type: TypeDescription;
  readonly wire: Wire;
  readonly keys: MaskingKeyRing;
}

/** What came of one value. */
export interface Masked {
  /** Null is SQL's NULL. */
  readonly value: Uint8Array | null;
  /** Whether the value can be had back with the keys. */
  readonly reversible: boolean;
}
