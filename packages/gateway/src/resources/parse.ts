/**
 * Text or JSON → resources. The border: what is not known, or not enforced, is refused here.
 *
 * Untrusted: everything. Values are never repeated in messages.
 */

import { type Json, jcs } from '@countersign/ledger/jcs';
import { Default } from 'typebox/value';
import { problemOf, problemsOf, type SchemaProblem } from '../config/check-schema.ts';
import { parseYaml } from '../config/yaml.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { type Detector, detectorProblems } from '../masking/plan/detector.ts';
import { maskProblems, spoken } from '../masking/plan/compile-mask.ts';
import type { Mask } from '../masking/plan/mask.ts';
import { parseDurationMs, PatternProblem } from '../policy/patterns.ts';
import { checkGuard, isGuard } from '../policy/guard.ts';
import { compileRule } from '../policy/rule.ts';
import { type Connection, RESOURCE_KINDS, type ResourceDocument, type ResourceKind } from './documents.ts';
import { httpContradictionOf } from './http-connection.ts';
import { schemaFor, SCHEMAS } from './schemas.ts';

/** Every resource of a YAML text that this version enforces, in its order; the same one twice is refused. */
export function parseResources(text: string): readonly ResourceDocument[] {
  const result = parseYaml(text);
  if (result.kind === 'problem') {
    throw new CountersignError('REQUEST_INVALID', { reason: `the YAML cannot be read: ${result.problem}` });
  }
  return parseResourceList(result.documents);
}

/** Every resource of a list that came as JSON. */
function parseResourceList(values: readonly unknown[]): readonly ResourceDocument[] {
  if (values.length > LIMITS.resources.documentsMax) {
    throw new CountersignError('LIMIT_EXCEEDED', {
      limit: 'resources.documentsMax',
      allowed: LIMITS.resources.documentsMax,
      actual: values.length,
    });
  }
  const documents = values.map(parseResource);
  const seen = new Set<string>();
  for (const { kind, name } of documents) {
    const key = `${kind}/${name}`;
    if (seen.has(key)) throw invalid(kind, name, 'it stands there twice');
    seen.add(key);
  }
  return documents;
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
      if (problems.length > 0) return problems;
      const wrong = maskingProblems(kind, filled);
      if (wrong.length > 0) return wrong;
    }
    const reason = error.details['reason'];
    return [{ path: [], says: typeof reason === 'string' ? reason : error.message }];
  }
}

/** What is wrong with a Mask or Detector beyond what its schema says. */
function maskingProblems(kind: ResourceKind, filled: unknown): readonly SchemaProblem[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The schema of the kind says so.
  if (kind === 'Mask') return maskProblems(filled as Mask);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The schema of the kind says so.
  return kind === 'Detector' ? detectorProblems(filled as Detector) : [];
}

function contradictionIn(document: ResourceDocument): string | undefined {
  if (document.kind === 'Connection') return contradictionOf(document);
  if (document.kind === 'Mask') return contradictionOfMask(document);
  if (document.kind === 'Detector') return spoken(detectorProblems(document)) || undefined;
  if (document.kind !== 'Rule') return undefined;
  try {
    if (isGuard(document)) checkGuard(document);
    else compileRule(document, 0);
  } catch (error) {
    if (error instanceof PatternProblem) return error.message;
    throw error;
  }
  return undefined;
}

function contradictionOfMask(mask: Mask): string | undefined {
  const problems = spoken(maskProblems(mask));
  if (problems !== '' || mask.reveal === undefined) return problems || undefined;
  const { expiresMsMax, useWithinMsMax } = LIMITS.approvals;
  try {
    const ms = parseDurationMs(mask.reveal.expires);
    const allowed = Math.min(expiresMsMax, useWithinMsMax);
    return ms > allowed ? `reveal.expires: at most ${allowed / 3_600_000} hours` : undefined;
  } catch (error) {
    if (error instanceof PatternProblem) return `reveal.expires: ${error.message}`;
    throw error;
  }
}

/** Options that the target's `tls` makes meaningless. */
function contradictionOf(connection: Connection): string | undefined {
  if (connection.protocol === 'http') return httpContradictionOf(connection);
  const { target } = connection;
  if (target.tls !== 'disable') return undefined;
  if (target.channelBinding === 'require') return 'channelBinding: require needs TLS, and tls is disable';
  return target.tlsNegotiation === 'direct'
    ? 'tlsNegotiation: direct needs TLS, and tls is disable'
    : undefined;
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
