/** Members of a JSON body, read into what is expected of them. Untrusted: every one. */

import { Problem } from './problem.ts';

export type Body = Readonly<Record<string, unknown>>;

/** @throws Problem where the text is not a JSON object in UTF-8. */
export function bodyOf(bytes: Uint8Array): Body {
  const value = jsonOf(bytes);
  if (!isObject(value)) throw new Problem('invalid', 'Expected a JSON object.');
  return value;
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Problem('invalid', 'The body is not JSON in UTF-8.', undefined, { cause });
  }
}

export function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text that is not empty. */
export function textOf(body: Body, member: string): string {
  const value = body[member];
  if (value === undefined || value === null) throw new Problem('invalid', `"${member}" is missing.`, member);
  if (typeof value !== 'string') throw new Problem('invalid', `"${member}" is not a string.`, member);
  if (value.trim() === '') throw new Problem('invalid', `"${member}" is empty.`, member);
  return value;
}

export function optionalTextOf(body: Body, member: string): string | undefined {
  return isAbsent(body[member]) ? undefined : textOf(body, member);
}

/** A whole number from `min`. */
export function countOf(body: Body, member: string, min: number): number | undefined {
  const value = body[member];
  if (isAbsent(value)) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min) {
    throw new Problem('invalid', `"${member}" is not a whole number from ${min}.`, member);
  }
  return value;
}

export function flagOf(body: Body, member: string, otherwise: boolean): boolean {
  const value = body[member];
  if (isAbsent(value)) return otherwise;
  if (typeof value !== 'boolean') throw new Problem('invalid', `"${member}" is not true or false.`, member);
  return value;
}

/** At least one and at most `max` items. */
export function listOf(body: Body, member: string, max: number): readonly unknown[] {
  const value = body[member];
  if (isAbsent(value)) throw new Problem('invalid', `"${member}" is missing.`, member);
  if (!Array.isArray(value)) throw new Problem('invalid', `"${member}" is not a list.`, member);
  if (value.length === 0) throw new Problem('invalid', `"${member}" is empty.`, member);
  if (value.length > max) {
    const says = `"${member}" has ${value.length} items, and one call may have ${max}.`;
    throw new Problem('too-many', says, member);
  }
  return value;
}

export function optionalNamesOf(body: Body, member: string): readonly string[] | undefined {
  const value = body[member];
  if (isAbsent(value)) return undefined;
  if (!Array.isArray(value) || value.length === 0 || !value.every((name) => typeof name === 'string')) {
    throw new Problem('invalid', `"${member}" is not a list of names.`, member);
  }
  return value;
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}
