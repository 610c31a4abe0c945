/**
 * The parameter file of a model: all that there is of a lexical model, as weights are of a neural one.
 *
 * A JSON object with exactly the members below. What identifies it is the SHA-256 of the file as it is, byte for
 * byte: another space is another file.
 */

import { createHash } from 'node:crypto';
import { Problem } from './problem.ts';

export interface Parameters {
  readonly format: 'lexical-reranker/1';
  readonly name: string;
  /** Three numbers: 1.4.0. */
  readonly version: string;
  /** BM25: how soon a word that comes again stops counting. */
  readonly k1: number;
  /** BM25: how much a long passage is held against it, 0 to 1. */
  readonly b: number;
  /** A word of the title counts as this many. */
  readonly titleWeight: number;
  readonly proximity: {
    readonly weight: number;
    /** In words. */
    readonly window: number;
  };
  /** The sum whose score is one half. */
  readonly pivot: number;
  /** What is read of a passage, in words. */
  readonly wordsMax: number;
}

/** A parameter file has ten numbers and two names. */
export const PARAMETER_BYTES_MAX = 16_384;

/** Becomes a part of a file's name and of a path, so it has neither dots alone nor slashes. */
const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
const VERSION = /^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$/;

const NUMBERS: Readonly<Record<string, readonly [min: number, max: number, whole?: 'whole']>> = {
  k1: [0, 10],
  b: [0, 1],
  titleWeight: [0, 100],
  pivot: [0.001, 1_000],
  wordsMax: [16, 65_536, 'whole'],
};
const PROXIMITY: typeof NUMBERS = { weight: [0, 100], window: [1, 64, 'whole'] };

/** @throws Problem that says which member was not as expected. */
export function parseParameters(bytes: Uint8Array): Parameters {
  const file = objectOf(parseJson(bytes), 'The parameter file');
  const { format, name, version, proximity, ...numbers } = file;
  if (format !== 'lexical-reranker/1') throw invalid('format', '"lexical-reranker/1"');
  if (typeof name !== 'string' || !NAME.test(name))
    throw invalid('name', 'small letters, digits and hyphens');
  if (typeof version !== 'string' || !VERSION.test(version)) throw invalid('version', 'three numbers: 1.4.0');
  const near = numbersOf(objectOf(proximity, '"proximity"'), PROXIMITY, 'proximity.');
  const rest = numbersOf(numbers, NUMBERS, '');
  return {
    format,
    name,
    version,
    k1: rest['k1'] ?? 0,
    b: rest['b'] ?? 0,
    titleWeight: rest['titleWeight'] ?? 0,
    proximity: { weight: near['weight'] ?? 0, window: near['window'] ?? 1 },
    pivot: rest['pivot'] ?? 1,
    wordsMax: rest['wordsMax'] ?? 0,
  };
}

/** `sha256:` and 64 hexadecimal digits. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Problem('invalid', 'The parameter file is not JSON in UTF-8.', undefined, { cause });
  }
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Problem('invalid', `${what} is not an object.`);
  }
  return Object.fromEntries(Object.entries(value));
}

function numbersOf(
  from: Record<string, unknown>,
  expected: typeof NUMBERS,
  prefix: string,
): Readonly<Record<string, number>> {
  for (const member of Object.keys(from)) {
    if (!Object.hasOwn(expected, member)) throw invalid(`${prefix}${member}`, 'no such member');
  }
  return Object.fromEntries(
    Object.entries(expected).map(([member, [min, max, whole]]) => {
      const value = from[member];
      const fits =
        typeof value === 'number' &&
        value >= min &&
        value <= max &&
        (whole === undefined || Number.isInteger(value));
      if (!fits) throw invalid(`${prefix}${member}`, `a ${whole ?? ''} number from ${min} to ${max}`);
      return [member, value];
    }),
  );
}

function invalid(member: string, expected: string): Problem {
  return new Problem('invalid', `"${member}" of the parameter file: expected ${expected}.`, member);
}
