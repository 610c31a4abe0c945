/**
 * Text or JSON → resources. The border: what is not known, or not enforced, is refused here.
 *
 * Untrusted: everything. Values are never repeated in messages.
 */

import { type Json, jcs } from '@countersign/ledger/jcs';
import { Default } from 'typebox/value';
import { problemOf, problemsOf, type SchemaProblem } from '../config/check-schema.ts';
import { type LocatedDocument, parseLocatedYaml, type YamlProblem } from '../config/yaml.ts';
import { byLine, CountersignError, type ErrorProblem, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { POLICY_LIMITS } from '../core/policy-limits.ts';
import { detectorProblems } from '../masking/plan/detector.ts';
import { maskProblems, spoken } from '../masking/plan/compile-mask.ts';
import type { Mask } from '../masking/plan/mask.ts';
import { parseDurationMs, PatternProblem } from '../policy/patterns.ts';
import { ruleProblems, valueProblems } from '../policy/rule-problems.ts';
import type { Rule } from '../policy/rule.ts';
import { type Connection, RESOURCE_KINDS, type ResourceDocument, type ResourceKind } from './documents.ts';
import { httpContradictionsOf } from './http-connection.ts';
import { probeProblems } from './model-probes.ts';
import { schemaFor, SCHEMAS } from './schemas.ts';

/** The resources of a text, and where each of them stands. */
export interface LocatedResources {
  readonly documents: readonly ResourceDocument[];
  /** The line, from 1, of a part of a resource; undefined for one that the text does not have. */
  readonly lineOf: (kind: string, name: string, path: readonly string[]) => number | undefined;
}

/** Every resource of a YAML text that this version enforces, in its order; the same one twice is refused. */
export function parseResources(text: string): readonly ResourceDocument[] {
  return locateResources(text).documents;
}

/**
 * The same, for whoever says on which line something is wrong.
 *
 * Throws one error that has everything that is wrong with the text in its `problems`.
 */
export function locateResources(text: string): LocatedResources {
  const result = parseLocatedYaml(text);
  const problems = result.kind === 'problem' ? result.problems.map(yamlProblem) : [];
  const documents: ResourceDocument[] = [];
  const places = new Map<string, LocatedDocument>();
  for (const located of result.documents) {
    if (problems.length > POLICY_LIMITS.problemsMax) break;
    const wrong = placedProblems(located);
    problems.push(...wrong);
    if (wrong.length > 0) continue;
    const document = parseResource(located.value);
    const { kind, name } = document;
    const before = places.get(`${kind}/${name}`);
    if (before === undefined) {
      places.set(`${kind}/${name}`, located);
      documents.push(document);
    } else {
      const says = `it stands there twice, first on line ${before.lineOf([])}`;
      problems.push({ kind, name, path: [], line: located.lineOf([]), says });
    }
  }
  if (problems.length > 0) throw malformed(problems);
  return { documents, lineOf: (kind, name, path) => places.get(`${kind}/${name}`)?.lineOf(path) };
}

function yamlProblem({ line, problem }: YamlProblem): ErrorProblem {
  return { line, says: `the YAML cannot be read: ${problem}` };
}

function placedProblems(located: LocatedDocument): readonly ErrorProblem[] {
  const { value } = located;
  const named = isObject(value)
    ? { kind: textAt(value, 'kind'), name: textAt(value, 'name') }
    : { kind: '', name: '' };
  return resourceProblems(value).map(({ path, says }) => ({
    ...named,
    path,
    line: located.lineOf(path),
    says,
  }));
}

/** The first by its code, and how many there are beside it. */
function malformed(found: readonly ErrorProblem[]): CountersignError {
  const problems = found.toSorted(byLine).slice(0, POLICY_LIMITS.problemsMax);
  const [first] = problems;
  if (first === undefined) return new CountersignError('INTERNAL');
  const more = problems.length - 1;
  const least = found.length > problems.length ? 'at least ' : '';
  const rest = more === 0 ? '' : `; ${least}${more} more ${more === 1 ? 'thing is' : 'things are'} wrong`;
  const { kind, name = '', line, says } = first;
  const reason = `${says} (line ${line ?? 1})${rest}`;
  if (kind === undefined) return new CountersignError('REQUEST_INVALID', { reason }, { problems });
  const known = isKind(kind) ? kind : 'Document';
  return new CountersignError('RESOURCE_INVALID', { kind: known, name, reason }, { problems });
}

/** One resource with its defaults. */
export function parseResource(value: unknown): ResourceDocument {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('Document', '', 'expected a mapping with "kind" and "name"');
  }
  const kind = textAt(value, 'kind');
  const name = textAt(value, 'name');
  if (!isKind(kind)) {
    throw invalid('Document', name, `expected a kind of ${RESOURCE_KINDS.join(', ')}`);
  }
  // Default writes into the value that it is given.
  const copy = withDisplayName(structuredClone(value), name);
  const schema = schemaFor(kind, copy);
  const filled = Default(schema, copy);
  const problem = problemOf(schema, filled);
  if (problem !== undefined) throw invalid(kind, name, problem);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This is the parse function.
  const document = filled as ResourceDocument;
  const contradiction = contradictionIn(document);
  if (contradiction !== undefined) throw invalid(kind, name, contradiction);
  try {
    canonical(document);
  } catch (error) {
    throw invalid(kind, name, `it has no canonical form: ${reasonOf(error)}`, error);
  }
  return document;
}

/** Everything that is wrong with one resource, and where in it; empty where parseResource takes it. */
export function resourceProblems(value: unknown): readonly SchemaProblem[] {
  try {
    parseResource(value);
    return [];
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    const kind = typeof value === 'object' && value !== null ? textAt(value, 'kind') : '';
    if (error.code === 'RESOURCE_INVALID' && isKind(kind)) {
      const copy = withDisplayName(structuredClone(value ?? {}), textAt(value ?? {}, 'name'));
      const schema = schemaFor(kind, copy);
      const filled = Default(schema, copy);
      const problems = problemsOf(schema, filled);
      if (problems.length > 0) return kind === 'Rule' ? withValues(problems, filled) : problems;
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The schema of the kind says so.
      const wrong = contradictionsIn(filled as ResourceDocument);
      if (wrong.length > 0) return wrong;
    }
    const reason = error.details['reason'];
    const path = isObject(value) && !isKind(kind) ? ['kind'] : [];
    return [{ path, says: typeof reason === 'string' ? reason : error.message }];
  }
}

/** A rule of which a part does not fit its schema: the conditions that do are read too. */
function withValues(problems: readonly SchemaProblem[], filled: unknown): readonly SchemaProblem[] {
  if (!isObject(filled)) return problems;
  const when: unknown = Object.getOwnPropertyDescriptor(filled, 'when')?.value;
  if (!isObject(when) || Array.isArray(when)) return problems;
  const unfit = new Set(problems.flatMap(({ path: [first, key] }) => (first === 'when' ? [key] : [])));
  const fitting = Object.fromEntries(Object.entries(when).filter(([key]) => !unfit.has(key)));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion, unicorn/no-thenable -- What did not fit is left out.
  const rule = { ...filled, when: fitting, then: 'block' } as Rule;
  return [...problems, ...valueProblems(rule)];
}

/** What the schema of its kind does not say. */
function contradictionsIn(document: ResourceDocument): readonly SchemaProblem[] {
  switch (document.kind) {
    case 'Connection':
      return [
        ...contradictionsOf(document).map((says) => ({ path: [], says })),
        ...probeProblems(
          document.probes,
          document.protocol === 'http' ? document.credential.scheme : undefined,
        ),
      ];
    case 'Mask':
      return [...maskProblems(document), ...revealProblems(document)];
    case 'Detector':
      return detectorProblems(document);
    case 'Rule':
      return ruleProblems(document);
    case 'Person':
    case 'Group':
    case 'ServiceAccount':
    case 'Access':
      return [];
    default:
      return document satisfies never;
  }
}

function contradictionIn(document: ResourceDocument): string | undefined {
  const problems = contradictionsIn(document);
  return document.kind === 'Mask' || document.kind === 'Detector'
    ? spoken(problems) || undefined
    : problems.map(({ path, says }) => saidOf(path, says))[0];
}

/** With its place where it does not say that itself. */
function saidOf(path: readonly string[], says: string): string {
  const [first = ''] = path;
  return first === '' || says.includes(`${first}.`) || says.startsWith(first)
    ? says
    : `${path.join('.')}: ${says}`;
}

function revealProblems({ reveal }: Mask): readonly SchemaProblem[] {
  if (reveal === undefined) return [];
  const { expiresMsMax, useWithinMsMax } = LIMITS.approvals;
  const path = ['reveal', 'expires'];
  try {
    const ms = parseDurationMs(reveal.expires);
    const allowed = Math.min(expiresMsMax, useWithinMsMax);
    return ms > allowed ? [{ path, says: `at most ${allowed / 3_600_000} hours` }] : [];
  } catch (error) {
    if (error instanceof PatternProblem) return [{ path, says: error.message }];
    throw error;
  }
}

/** Options that the target's `tls` makes meaningless. */
function contradictionsOf(connection: Connection): readonly string[] {
  if (connection.protocol === 'http') return httpContradictionsOf(connection);
  const { tls, channelBinding, tlsNegotiation } = connection.target;
  if (tls !== 'disable') return [];
  return [
    ...(channelBinding === 'require' ? ['channelBinding: require needs TLS, and tls is disable'] : []),
    ...(tlsNegotiation === 'direct' ? ['tlsNegotiation: direct needs TLS, and tls is disable'] : []),
  ];
}

/** The resource in the one form that is kept, hashed and compared. */
export function canonical(document: ResourceDocument): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Every resource is made from JSON.
  return jcs(document as unknown as Json);
}

/** The kind with this spelling, or REQUEST_INVALID. */
export function parseKind(text: string): ResourceKind {
  if (isKind(text)) return text;
  throw new CountersignError('REQUEST_INVALID', {
    reason: `expected a kind of ${RESOURCE_KINDS.join(', ')}`,
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isKind(text: string): text is ResourceKind {
  return Object.hasOwn(SCHEMAS, text);
}

/** A service account is shown under its name where it has no other. */
function withDisplayName(value: object, name: string): object {
  return textAt(value, 'kind') === 'ServiceAccount' && !('displayName' in value)
    ? { ...value, displayName: name }
    : value;
}

/** The text of a key, short enough for a message. */
function textAt(value: object, key: string): string {
  const found: unknown = Object.getOwnPropertyDescriptor(value, key)?.value;
  return typeof found === 'string' ? found.slice(0, 64) : '';
}

function invalid(kind: string, name: string, reason: string, cause?: unknown): CountersignError {
  return new CountersignError('RESOURCE_INVALID', { kind, name, reason }, { cause });
}
