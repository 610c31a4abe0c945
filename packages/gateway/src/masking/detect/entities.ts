/**
 * What a detector is: data. The tables of numbers, codes and secrets are made of these rows, and what
 * the scanner asks for is generated from them when the module is loaded.
 *
 * Spec: spec/masking.md §2.
 */

/**
 * When a value that has the shape is masked.
 * - `always`: the value says itself what it is.
 * - `text`: always within a text; the only content of a column needs context or statistics, because one
 *   column of ids is as long and has as many values that pass.
 * - `context`: only where a name, a word nearby or the statistics of the column agree.
 */
export type When = 'always' | 'text' | 'context';

/** A number that is written with digits alone, or with separators between groups of them. */
export interface NumberDetector {
  readonly entity: string;
  /** How many digits. */
  readonly digits: readonly number[];
  /** Digits without separators. */
  readonly bare: When;
  /** Groupings of the country, as `3-2-4` or `3 2 4`. */
  readonly written?: readonly string[];
  /** Digits written in such a grouping. */
  readonly whenWritten?: When;
  /** Bits of `CONTEXT`: one of these makes it certain enough. */
  readonly context: number;
  /** Share of random numbers of this length that are valid; measured by a test. */
  readonly chance: number;
  /** Nothing but structure: numbers that begin with a date have it, too, so that many prove no more than one. */
  readonly hasNoCheck?: true;
  valid(digits: Uint8Array, count: number): boolean;
}

/** A value of letters and digits. */
export interface CodeDetector {
  readonly entity: string;
  /** `a` a letter, `9` a digit, `x` either, anything else itself. */
  readonly shapes: readonly string[];
  /** Alone, in one piece. */
  readonly when: When;
  /** Groupings by length, as `2-2-2-2-1`; any of space, hyphen and dot, the same throughout. */
  readonly written?: readonly string[];
  readonly whenWritten?: When;
  readonly context: number;
  /** In upper case, digits as characters, without separators. */
  valid(code: Uint8Array, count: number): boolean;
}

/** Entities that are found by code of their own and not by a row of a table. */
const OTHERS = [
  'CREDIT_CARD',
  'IBAN',
  'EMAIL',
  'PHONE',
  'IPV4',
  'IPV6',
  'MAC_ADDRESS',
  'URL_CREDENTIALS',
  'SECRET',
  'JWT',
  'PRIVATE_KEY',
  'CRYPTO_ADDRESS',
  'TRACK_DATA',
  'DATE_OF_BIRTH',
  'GEO',
  'NATIONAL_ID',
  'MRZ',
  'CVV',
  'CUSTOM',
] as const;

const NAMES: string[] = [...OTHERS];
const IDS = new Map<string, number>(NAMES.map((name, id) => [name, id]));

/** The number of an entity; made where a table first names it. */
export function entityId(name: string): number {
  const known = IDS.get(name);
  if (known !== undefined) return known;
  IDS.set(name, NAMES.length);
  return NAMES.push(name) - 1;
}

/** The name of an entity, as policy and records spell it. */
export function entityName(id: number): string {
  return NAMES[id] ?? 'CUSTOM';
}

/** Every entity, in the order of their numbers. */
export function entityNames(): readonly string[] {
  return NAMES;
}
