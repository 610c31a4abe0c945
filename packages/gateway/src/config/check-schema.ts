/** Checks a value against a schema, and says in one sentence what is wrong first, and where. */

import type { TSchema } from 'typebox';
import { Settings } from 'typebox/system';
import { Errors } from 'typebox/value';

/** Of one value, before they are told apart: a list of cases may have thousands, of which each is shown. */
const PROBLEMS_MAX = 10_000;

type Problem = ReturnType<typeof Errors>[number];

/** Something that is wrong, and the keys that lead to it. */
export interface SchemaProblem {
  readonly path: readonly string[];
  readonly says: string;
}

/** Everything that is wrong with a value, each once. Values are never repeated. */
export function problemsOf(schema: TSchema, value: unknown): readonly SchemaProblem[] {
  const found = new Map<string, SchemaProblem>();
  for (const problem of allErrors(schema, value)) {
    // What an unknown key fails is said by the object that it is in.
    if (problem.keyword === 'boolean') continue;
    const union = isInUnion(problem) || problem.keyword === 'anyOf';
    if (!union && problem.keyword === 'additionalProperties') {
      for (const one of unknownKeys(problem)) found.set(one.says, one);
      continue;
    }
    const says = union ? describeUnion(problem, schema) : describe(problem);
    found.set(says, { path: placeOf(problem, union), says });
  }
  return [...found.values()];
}

/** Each at its own place. */
function unknownKeys(
  problem: Extract<Problem, { readonly keyword: 'additionalProperties' }>,
): readonly SchemaProblem[] {
  const keys = segmentsOf(problem.instancePath);
  return problem.params.additionalProperties.map((key) => ({
    path: [...keys, key],
    says: `${pathOf(keys)} has no key "${key}"`,
  }));
}

/** The library stops at eight of itself. */
function allErrors(schema: TSchema, value: unknown): readonly Problem[] {
  const { maxErrors } = Settings.Get();
  Settings.Set({ maxErrors: PROBLEMS_MAX });
  try {
    return Errors(schema, value);
  } finally {
    Settings.Set({ maxErrors });
  }
}

function placeOf(problem: Problem, union: boolean): readonly string[] {
  const keys = segmentsOf(problem.instancePath);
  return union ? keys.slice(0, unionDepth(problem)) : keys;
}

/**
 * What is wrong with a value, or nothing. Values are never repeated: a password may stand in the
 * wrong place.
 */
export function problemOf(schema: TSchema, value: unknown): string | undefined {
  const problems = Errors(schema, value);
  if (problems.length === 0) return undefined;
  // What an alternative of a union misses says less than that none of them fits; a key that is not
  // known explains the one that is missing.
  const outer = problems.filter((problem) => !isInUnion(problem) && problem.keyword !== 'boolean');
  const chosen =
    outer.find((problem) => problem.keyword === 'additionalProperties') ?? outer[0] ?? problems[0];
  if (chosen === undefined) return 'the document does not fit the schema';
  return isInUnion(chosen) || chosen.keyword === 'anyOf' ? describeUnion(chosen, schema) : describe(chosen);
}

function isInUnion(problem: Problem): boolean {
  return problem.schemaPath.includes('/anyOf/');
}

function describe(problem: Problem): string {
  const path = pathOf(segmentsOf(problem.instancePath));
  if (problem.keyword === 'additionalProperties') {
    return `${path} has no key "${problem.params.additionalProperties.join('", "')}"`;
  }
  if (problem.keyword === 'required') {
    return `${path} needs "${problem.params.requiredProperties.join('", "')}"`;
  }
  if (problem.keyword === 'enum') {
    return `${path} must be one of ${problem.params.allowedValues.map(String).join(', ')}`;
  }
  if (problem.keyword === 'pattern') return `${path} must match ${String(problem.params.pattern)}`;
  return `${path} ${problem.message}`;
}

/** Names the union that nothing fitted, from the path of the error in one of its alternatives. */
function describeUnion(problem: Problem, schema: TSchema): string {
  const [before = ''] = problem.schemaPath.split('/anyOf/', 1);
  const keys = segmentsOf(before);
  let node: unknown = schema;
  for (const key of keys) node = childOf(node, key);
  const path = pathOf(segmentsOf(problem.instancePath).slice(0, unionDepth(problem)));
  const alternatives = childOf(node, 'alternatives');
  return `${path} must be ${typeof alternatives === 'string' ? alternatives : 'one of its alternatives'}`;
}

/** How many keys lead to the outermost union of an error. */
function unionDepth({ schemaPath }: Problem): number {
  const [before = ''] = schemaPath.split('/anyOf/', 1);
  const keys = segmentsOf(before);
  return keys.filter((key, index) => key === 'items' || keys[index - 1] === 'properties').length;
}

function childOf(node: unknown, key: string): unknown {
  if (typeof node !== 'object' || node === null) return undefined;
  return Object.getOwnPropertyDescriptor(node, key)?.value;
}

/** The keys of a JSON pointer, with or without `#` before it. */
function segmentsOf(pointer: string): readonly string[] {
  return pointer.split('/').slice(1).map(unescape);
}

/** `listen.api.port`. */
function pathOf(keys: readonly string[]): string {
  return keys.length === 0 ? 'the document' : keys.join('.');
}

/** RFC 6901, section 4. */
function unescape(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}
