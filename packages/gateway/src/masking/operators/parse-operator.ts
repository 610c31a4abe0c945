/**
 * Operators and entities from where people write them.
 *
 * Refused: keys that an operator does not have, and numbers with which it would show what it should hide or
 * has no meaning.
 */

import { CountersignError } from '../../core/errors.ts';
import { MASKING_OPERATOR_LIMITS } from '../../core/masking-limits.ts';
import type { Operator } from './operator.ts';

/** Whether a value may stand under a key. */
type Allowed = (value: unknown) => boolean;

const NUMBER_MAX = Number.MAX_SAFE_INTEGER;

/** Operators, and what may stand beside `kind`. */
const OPERATORS: Readonly<Record<Operator['kind'], Readonly<Record<string, Allowed>>>> = {
  redact: {},
  mask: {},
  partial: {
    keepFirst: whole(0, MASKING_OPERATOR_LIMITS.keptMax),
    keepLast: whole(0, MASKING_OPERATOR_LIMITS.keptMax),
  },
  hash: {},
  token: {},
  fpe: { luhn: (value) => typeof value === 'boolean' },
  generalise: {
    // A width of 1 would leave whole numbers as they are.
    width: whole(2, NUMBER_MAX),
    ceiling: whole(0, NUMBER_MAX),
    decimals: whole(0, MASKING_OPERATOR_LIMITS.decimalsMax),
    unit: (value) => value === 'month' || value === 'quarter' || value === 'year',
  },
  nullify: {},
  fake: {},
  drop: {},
};

/** Every operator by its name. */
export const OPERATOR_KINDS: readonly string[] = Object.keys(OPERATORS);

/** The operator that the Mask of this name says, or RESOURCE_INVALID. */
export function parseOperator(value: unknown, name: string): Operator {
  if (isOperator(value)) return value;
  const reason = 'expected an operator, and options that it has within their bounds';
  throw new CountersignError('RESOURCE_INVALID', { kind: 'Mask', name, reason });
}

/** Whether a text is a name of an entity: it stands in tokens and between brackets, and is hashed. */
export function isEntity(entity: string): boolean {
  return /^[A-Z][A-Z0-9_]{0,39}$/.test(entity);
}

/** Throws for what is no name of an entity. */
export function checkEntity(entity: string): void {
  if (isEntity(entity)) return;
  throw new CountersignError('INTERNAL', {}, { cause: new Error('an entity has a name in capitals') });
}

function isOperator(value: unknown): value is Operator {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  const { kind, ...options } = value;
  const allowed = Object.entries(OPERATORS).find(([name]) => name === kind)?.[1];
  return (
    allowed !== undefined &&
    Object.entries(options).every(
      ([key, option]) => Object.hasOwn(allowed, key) && allowed[key]?.(option) === true,
    )
  );
}

function whole(min: number, max: number): Allowed {
  return (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max;
}
