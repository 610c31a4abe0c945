/**
 * Conditions of rules on HTTP requests: methods, paths, members of the content, documents, models.
 *
 * Spec: spec/policy.md, "HTTP". Where a condition cannot be decided, because nobody could read the content, a rule
 * that blocks or holds applies, and one that allows does not.
 */

import type { HttpFacts, JsonScalar, QualifiedName } from '../core/effects.ts';
import { segmentsOf as pointerSegments } from '../core/json-pattern.ts';
import { matchTemplate, parseTemplate, type PathTemplate, segmentsOf } from '../core/path-template.ts';
import { matchesName, type NamePattern, parseRowBound, PatternProblem, type RowBound } from './patterns.ts';

/** A value that a member is compared with: `> 100`, a text with `*` at its end, a number, true, false, null. */
export type JsonWanted = string | number | boolean | null;

/** Of `json`: any one of these, or there and none of these. */
export type JsonCondition = JsonWanted | readonly JsonWanted[] | { readonly not: readonly JsonWanted[] };

/** Conditions as they are written. */
export interface HttpWhen {
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  readonly json?: Readonly<Record<string, JsonCondition>>;
  readonly documents?: string;
  readonly models?: readonly string[] | { readonly not: readonly string[] };
}

type Comparison = '>' | '>=' | '<' | '<=';

type Wanted =
  | { readonly kind: 'text'; readonly text: string; readonly isPrefix: boolean }
  | { readonly kind: 'compare'; readonly comparison: Comparison; readonly number: number }
  | { readonly kind: 'equal'; readonly number: number }
  | { readonly kind: 'true' | 'false' | 'null' };

/** Conditions as they are decided on. */
export interface HttpConditions {
  readonly methods: ReadonlySet<string> | undefined;
  readonly paths: readonly PathTemplate[] | undefined;
  readonly json: readonly {
    readonly pointer: string;
    readonly wanted: readonly Wanted[];
    readonly isNot: boolean;
  }[];
  readonly documents: RowBound | undefined;
  readonly models: { readonly wanted: readonly Wanted[]; readonly isNot: boolean } | undefined;
}

/** What applies where it is not known. */
type Strictness = 'stops' | 'allows';

const METHOD = /^[A-Z][A-Z-]{0,31}$/;
const COMPARED = /^(>=?|<=?)\s*(-?[0-9]{1,15}(?:\.[0-9]{1,9})?)$/;

/** Names of the conditions. */
export const HTTP_CONDITIONS = ['methods', 'paths', 'json', 'documents', 'models'] as const;

/** Undefined where none of them stands there; throws a PatternProblem that names the condition. */
export function compileHttp(when: HttpWhen): HttpConditions | undefined {
  const { methods, paths, json, documents, models } = when;
  if (HTTP_CONDITIONS.every((name) => when[name] === undefined)) return undefined;
  return {
    methods: methods === undefined ? undefined : new Set(methods.map(methodOf)),
    paths: paths?.map(templateOf),
    json: Object.entries(json ?? {}).map(([pointer, condition]) => jsonOf(pointer, condition)),
    documents: documents === undefined ? undefined : boundOf(documents),
    models: models === undefined ? undefined : modelsOf(models),
  };
}

/** Whether they hold for a request; none of them does for anything else. */
export function holdsOverHttp(
  conditions: HttpConditions,
  http: HttpFacts | undefined,
  strictness: Strictness,
): boolean {
  if (http === undefined) return false;
  const { methods, paths, json, documents, models } = conditions;
  return (
    (methods === undefined || isMethod(methods, http.method)) &&
    (paths === undefined || isPath(paths, http.path, strictness)) &&
    json.every((one) => isAt(one, http, strictness)) &&
    (documents === undefined || isBeyond(documents, http.documents, strictness)) &&
    (models === undefined || isModel(models, http.models, strictness))
  );
}

/**
 * Whether a rule's name may be what a request means. A name of several, as `logs-*` or `_all`, may be any of them:
 * for what stops it is, and for what allows it is none.
 */
export function mayBeNamed(pattern: NamePattern, found: QualifiedName, strictness: Strictness): boolean {
  if (!/[*?]|^_all$|^-/.test(found.name)) return matchesName(pattern, found);
  return strictness === 'stops' || (pattern.name === '*' && pattern.schema === undefined);
}

/** A HEAD is a GET of which the content is left out. */
function isMethod(methods: ReadonlySet<string>, method: string): boolean {
  return methods.has(method) || (method === 'HEAD' && methods.has('GET'));
}

/** What stops does so however a target may read letters; what allows means the path as it stands. */
function isPath(paths: readonly PathTemplate[], path: string, strictness: Strictness): boolean {
  const parts = segmentsOf(path);
  // Two servers may read such a path in two ways: whatever it means to the target, it may be this one.
  if (parts === undefined || parts.some((part) => /%2f|%5c|^\.{1,2}$/i.test(part)))
    return strictness === 'stops';
  if (paths.some((template) => matchTemplate(template, parts) !== undefined)) return true;
  if (strictness === 'allows') return false;
  const folded = parts.map(foldedSegment);
  return paths.some((template) => {
    const lower = parseTemplate(template.text.replaceAll(/\{[^}]*\}/g, '{x}').toLowerCase());
    return lower !== undefined && matchTemplate(lower, folded) !== undefined;
  });
}

function foldedSegment(part: string): string {
  try {
    return decodeURIComponent(part).toLowerCase();
  } catch (error) {
    if (error instanceof URIError) return part.toLowerCase();
    throw error;
  }
}

function isAt(
  { pointer, wanted, isNot }: HttpConditions['json'][number],
  http: HttpFacts,
  strictness: Strictness,
): boolean {
  const values = http.valuesAt(pointer);
  if (values === undefined) return strictness === 'stops';
  const matches = (value: JsonScalar): boolean => wanted.some((one) => isWanted(one, value));
  if (isNot) {
    return strictness === 'stops'
      ? values.some((value) => !matches(value))
      : values.length > 0 && values.every((value) => !matches(value));
  }
  // Of several values a rule that stops means any, and one that allows all.
  return strictness === 'stops' ? values.some(matches) : values.length > 0 && values.every(matches);
}

function isBeyond(bound: RowBound, documents: HttpFacts['documents'], strictness: Strictness): boolean {
  if (documents === 'unknown') return strictness === 'stops';
  return documents !== undefined && documents > bound.allowed;
}

function isModel(
  { wanted, isNot }: NonNullable<HttpConditions['models']>,
  models: HttpFacts['models'],
  strictness: Strictness,
): boolean {
  if (models === 'unknown') return strictness === 'stops';
  // A request that names none gets the service's own, of which nothing here knows the name.
  if (models === undefined || models.length === 0) return false;
  const matches = (model: string): boolean =>
    wanted.some((one) => isWanted(one, { kind: 'string', text: model }));
  if (isNot) return strictness === 'stops' ? !models.every(matches) : !models.some(matches);
  return strictness === 'stops' ? models.some(matches) : models.every(matches);
}

function isWanted(wanted: Wanted, value: JsonScalar): boolean {
  switch (wanted.kind) {
    case 'text':
      // `*` alone: whatever it is, it is there.
      if (wanted.isPrefix && wanted.text === '') return true;
      return (
        (value.kind === 'string' || value.kind === 'number') &&
        (wanted.isPrefix ? value.text.startsWith(wanted.text) : value.text === wanted.text)
      );
    case 'compare':
      return 'text' in value && isCompared(wanted.comparison, numberOf(value.text), wanted.number);
    case 'equal':
      return value.kind === 'number' && Number(value.text) === wanted.number;
    case 'true':
    case 'false':
    case 'null':
      return value.kind === wanted.kind;
    default:
      return wanted satisfies never;
  }
}

/** A number that came as a string is one too: services take both. */
function numberOf(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}

function isCompared(comparison: Comparison, found: number, wanted: number): boolean {
  if (comparison === '>') return found > wanted;
  if (comparison === '>=') return found >= wanted;
  return comparison === '<' ? found < wanted : found <= wanted;
}

function methodOf(text: string): string {
  if (METHOD.test(text)) return text;
  throw new PatternProblem(`when.methods: expected a method as POST, not "${text}"`);
}

function templateOf(text: string): PathTemplate {
  const template = parseTemplate(text);
  if (template !== undefined) return template;
  throw new PatternProblem(
    `when.paths: expected a path as /collections/{name}/points or /v1/*, with {name} for one segment and * for any rest, not "${text}"`,
  );
}

function boundOf(text: string): RowBound {
  try {
    return parseRowBound(text);
  } catch (error) {
    if (error instanceof PatternProblem) throw new PatternProblem(`when.documents: ${error.message}`);
    throw error;
  }
}

function jsonOf(pointer: string, condition: JsonCondition): HttpConditions['json'][number] {
  if (pointerSegments(pointer) === undefined) {
    throw new PatternProblem(
      `when.json: expected a pointer as /documents/*/text, with * for each item, not "${pointer}"`,
    );
  }
  const { values, isNot } = valuesOf(condition);
  if (values.length === 0) throw new PatternProblem(`when.json: ${pointer} is compared with nothing`);
  return { pointer, wanted: values.map(wantedOf), isNot };
}

function valuesOf(condition: JsonCondition): {
  readonly values: readonly JsonWanted[];
  readonly isNot: boolean;
} {
  if (typeof condition !== 'object' || condition === null) return { values: [condition], isNot: false };
  return 'not' in condition ? { values: condition.not, isNot: true } : { values: condition, isNot: false };
}

function modelsOf(models: NonNullable<HttpWhen['models']>): NonNullable<HttpConditions['models']> {
  const isNot = 'not' in models;
  const names = isNot ? models.not : models;
  return { wanted: names.map(textWanted), isNot };
}

function wantedOf(value: JsonWanted): Wanted {
  if (typeof value === 'number') return { kind: 'equal', number: value };
  if (typeof value === 'boolean') return { kind: value ? 'true' : 'false' };
  if (value === null) return { kind: 'null' };
  const found = COMPARED.exec(value);
  const comparison = (['>', '>=', '<', '<='] as const).find((one) => one === found?.[1]);
  if (comparison !== undefined) return { kind: 'compare', comparison, number: Number(found?.[2]) };
  if (/^[<>]/.test(value)) {
    throw new PatternProblem(`when.json: expected a comparison as "> 100" or "<= 0.5", not "${value}"`);
  }
  return textWanted(value);
}

function textWanted(text: string): Wanted {
  return text.endsWith('*')
    ? { kind: 'text', text: text.slice(0, -1), isPrefix: true }
    : { kind: 'text', text, isPrefix: false };
}
