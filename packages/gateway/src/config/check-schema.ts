/** Checks a value against a schema, and says in one sentence what is wrong first, and where. */

import type { TSchema } from 'typebox';
import { Settings } from 'typebox/system';
import { Default, Errors } from 'typebox/value';

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
  return problemsAt({ schema, value, at: [] });
}

/** A value, what it is to be, and the keys that lead to it. */
interface Checked {
  readonly schema: TSchema;
  readonly value: unknown;
  readonly at: readonly string[];
}

function problemsAt(checked: Checked): readonly SchemaProblem[] {
  const found = new Map<string, SchemaProblem>();
  // An error of each alternative, and one of the union itself.
  const unions = new Set<string>();
  for (const problem of allErrors(checked.schema, checked.value)) {
    // What an unknown key fails is said by the object that it is in.
    if (problem.keyword === 'boolean') continue;
    for (const one of placed(problem, checked, unions)) found.set(one.says, one);
  }
  return [...found.values()];
}

function placed(problem: Problem, checked: Checked, unions: Set<string>): readonly SchemaProblem[] {
  if (isOfUnion(problem)) {
    const keys = unionKeys(problem);
    const union = JSON.stringify(keys);
    if (unions.has(union)) return [];
    unions.add(union);
    return unionProblems(problem, checked);
  }
  if (problem.keyword === 'additionalProperties') return unknownKeys(problem, checked.at);
  const path = [...checked.at, ...segmentsOf(problem.instancePath)];
  return [{ path, says: describe(problem, path) }];
}

/** Each at its own place. */
function unknownKeys(
  problem: Extract<Problem, { readonly keyword: 'additionalProperties' }>,
  at: readonly string[],
): readonly SchemaProblem[] {
  const keys = [...at, ...segmentsOf(problem.instancePath)];
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
  if (!isOfUnion(chosen)) return describe(chosen, segmentsOf(chosen.instancePath));
  return unionProblems(chosen, { schema, value, at: [] })[0]?.says;
}

function isOfUnion(problem: Problem): boolean {
  return isInUnion(problem) || problem.keyword === 'anyOf';
}

function isInUnion(problem: Problem): boolean {
  return problem.schemaPath.includes('/anyOf/');
}

function describe(problem: Problem, keys: readonly string[]): string {
  const path = pathOf(keys);
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

/**
 * What is wrong with the alternative that is meant, where its keys say which one; else that none of them fits. The
 * union is found by the path of the error in one of its alternatives.
 */
function unionProblems(problem: Problem, { schema, value, at }: Checked): readonly SchemaProblem[] {
  const [before = ''] = problem.schemaPath.split('/anyOf/', 1);
  const union = memberAt(schema, segmentsOf(before));
  const keys = unionKeys(problem);
  const inner = memberAt(value, keys);
  const path = [...at, ...keys];
  const meant = alternativeMeant(union, inner);
  // Defaults were filled in where an alternative fits, and none does.
  const within =
    meant === undefined
      ? []
      : problemsAt({ schema: meant, value: Default(meant, structuredClone(inner)), at: path });
  if (within.length > 0) return within;
  const alternatives = childOf(union, 'alternatives');
  const fits = typeof alternatives === 'string' ? alternatives : 'one of its alternatives';
  return [{ path, says: `${pathOf(path)} must be ${fits}` }];
}

/**
 * The only alternative all of whose required keys the value has, with the words that such a key must be; undefined
 * where there is not one.
 */
function alternativeMeant(union: unknown, value: unknown): TSchema | undefined {
  const alternatives: unknown = childOf(union, 'anyOf');
  if (typeof value !== 'object' || value === null || !Array.isArray(alternatives)) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The alternatives of a schema are schemas.
  const meant = (alternatives as readonly TSchema[]).filter((alternative) => {
    const required = childOf(alternative, 'required');
    return (
      Array.isArray(required) &&
      required.length > 0 &&
      required.every((key) => typeof key === 'string' && mayBe(alternative, value, key))
    );
  });
  return meant.length === 1 ? meant[0] : undefined;
}

function mayBe(alternative: TSchema, value: object, key: string): boolean {
  if (!Object.hasOwn(value, key)) return false;
  const word = childOf(childOf(childOf(alternative, 'properties'), key), 'const');
  return word === undefined || word === childOf(value, key);
}

function memberAt(value: unknown, keys: readonly string[]): unknown {
  return keys.reduce(childOf, value);
}

/** The keys that lead to the outermost union of an error. */
function unionKeys(problem: Problem): readonly string[] {
  return segmentsOf(problem.instancePath).slice(0, unionDepth(problem));
}

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
