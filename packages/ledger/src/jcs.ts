/**
 * The JSON Canonicalization Scheme: RFC 8785 (https://www.rfc-editor.org/rfc/rfc8785).
 *
 * Keys sort by UTF-16 code units; strings and numbers are written as ECMAScript writes them.
 * Refused: what I-JSON (RFC 7493) refuses: lone surrogates, NaN, infinities; and `undefined`.
 */

import { LedgerError } from './errors.ts';

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A deeper value is refused, so that hostile input cannot exhaust the stack. */
export const DEPTH_MAX = 128;

const PLAIN = /^[\u0020\u0021\u0023-\u005b\u005d-\u007e]*$/;

/** The canonical text of a value. */
export function jcs(value: Json): string {
  return write(value, 0);
}

/** The one JSON value in an untrusted text; JSON_SYNTAX where it is not one. */
export function parseJson(text: string): Json {
  try {
    // JSON.parse gives nothing but JSON values.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This is the parse function.
    return JSON.parse(text) as Json;
  } catch {
    throw new LedgerError('JSON_SYNTAX', `${text.length} characters that do not parse`);
  }
}

/**
 * Whether a text is the canonical one of the value that was parsed out of it.
 *
 * What the platform writes is canonical where keys are sorted, numbers finite and texts well-formed; so
 * nearly always its answer is enough, and several times as fast.
 */
export function isCanonical(text: string, value: Json): boolean {
  // An escaped surrogate may be a lone one, which the platform writes and RFC 8785 refuses.
  if (!text.includes('\\ud') && isSorted(value, 0) && JSON.stringify(value) === text) return true;
  return jcs(value) === text;
}

/** Whether the keys of all objects stand in order already. */
function isSorted(value: Json, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth >= DEPTH_MAX) return false;
  if (isArray(value)) return value.every((member) => isSorted(member, depth + 1));
  let before: string | undefined;
  for (const key in value) {
    if (!Object.hasOwn(value, key) || (before !== undefined && before >= key)) return false;
    before = key;
    const member = value[key];
    if (typeof member === 'object' && member !== null && !isSorted(member, depth + 1)) return false;
  }
  return true;
}

/** Narrows a JSON value to an object. */
export function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function write(value: Json, depth: number): string {
  if (typeof value === 'string') return writeString(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new LedgerError('JCS_VALUE', 'expected a finite number');
    return JSON.stringify(value);
  }
  if (value === null || typeof value === 'boolean') return String(value);
  // Callers are typed; what comes from plain JavaScript is checked all the same.
  if (typeof value !== 'object')
    throw new LedgerError('JCS_VALUE', `expected a JSON value, got ${typeof value}`);
  if (depth >= DEPTH_MAX) throw new LedgerError('JCS_VALUE', `deeper than ${DEPTH_MAX}`);
  return isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1);
}

function writeArray(values: readonly Json[], depth: number): string {
  let text = '[';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === undefined) throw new LedgerError('JCS_VALUE', 'expected no holes in an array');
    text += i === 0 ? write(value, depth) : `,${write(value, depth)}`;
  }
  return `${text}]`;
}

function writeObject(value: { readonly [key: string]: Json }, depth: number): string {
  // The default order of toSorted() is by UTF-16 code units, which is what RFC 8785, section 3.2.3, asks for.
  const keys = Object.keys(value).toSorted();
  let text = '{';
  for (const key of keys) {
    const member = value[key];
    if (member === undefined) throw new LedgerError('JCS_VALUE', 'expected no undefined member');
    if (text.length > 1) text += ',';
    text += `${writeString(key)}:${write(member, depth)}`;
  }
  return `${text}}`;
}

function writeString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new LedgerError('JCS_VALUE', 'expected no lone surrogate');
  return JSON.stringify(text);
}

function isArray(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
