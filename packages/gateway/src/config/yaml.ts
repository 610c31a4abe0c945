/**
 * YAML 1.2 (https://yaml.org/spec/1.2.2/), as far as configuration and resources need it: bytes →
 * plain JSON values.
 *
 * Refused: a key that stands twice, a tag of one's own, merge keys, more aliases or more depth than
 * limits.ts allows, numbers that are no safe integers, keys that are no strings.
 * Untrusted: the whole text.
 */

import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import { LIMITS } from '../core/limits.ts';

/** What a document can hold. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** The documents of a text, or what is wrong with it and where. */
export type YamlResult =
  | { readonly kind: 'documents'; readonly documents: readonly Plain[] }
  | { readonly kind: 'problem'; readonly problem: string };

/** A document whose parts can be found again. */
export interface LocatedDocument {
  readonly value: Plain;
  /** The line, from 1, of a key or an item; of what it would be in, where it is not there. */
  readonly lineOf: (path: readonly string[]) => number;
}

export type LocatedYaml =
  | { readonly kind: 'documents'; readonly documents: readonly LocatedDocument[] }
  | {
      readonly kind: 'problem';
      /** The first of them. */
      readonly problem: string;
      readonly line: number;
      /** Everything, in the order of the text. */
      readonly problems: readonly YamlProblem[];
      /** Those that can be read. */
      readonly documents: readonly LocatedDocument[];
    };

/** Why a document cannot be read, and on which line, from 1. */
export interface YamlProblem {
  readonly problem: string;
  readonly line: number;
}

/** Parses every document of a text; empty ones are left out. */
export function parseYaml(text: string): YamlResult {
  const located = parseLocatedYaml(text);
  if (located.kind === 'problem') return { kind: 'problem', problem: located.problem };
  return { kind: 'documents', documents: located.documents.map(({ value }) => value) };
}

/** The same, for whoever says on which line something is wrong. */
export function parseLocatedYaml(text: string): LocatedYaml {
  if (Buffer.byteLength(text) > LIMITS.resources.textBytesMax) {
    return result(
      [],
      [{ problem: `the text has more than ${LIMITS.resources.textBytesMax} bytes`, line: 1 }],
    );
  }
  const lineCounter = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter,
    prettyErrors: false,
    uniqueKeys: true,
    merge: false,
    schema: 'core',
    customTags: null,
    stringKeys: true,
    logLevel: 'error',
  });
  const documents: LocatedDocument[] = [];
  const problems: YamlProblem[] = [];
  for (const document of parsed) {
    // A warning is an unresolved tag: something that would not mean what it says.
    const wrong = [...document.errors, ...document.warnings];
    for (const { pos, message } of wrong) {
      const { line, col } = lineCounter.linePos(pos[0]);
      problems.push({ problem: `line ${line}, column ${col}: ${message}`, line });
    }
    if (wrong.length > 0) continue;
    const lineOf = (path: readonly string[]): number =>
      lineCounter.linePos(document.contents === null ? document.range[0] : offsetOf(document, path)).line;
    if (documents.length >= LIMITS.resources.documentsMax) {
      problems.push({
        problem: `there are more than ${LIMITS.resources.documentsMax} documents`,
        line: lineOf([]),
      });
      break;
    }
    const path: string[] = [];
    try {
      const value = toPlain(document.toJS({ maxAliasCount: LIMITS.resources.aliasesMax }), path);
      // What follows a last `---`, or is all comment.
      if (value === null) continue;
      documents.push({ value, lineOf });
    } catch (error) {
      problems.push({
        problem: error instanceof Error ? error.message : 'it cannot be read',
        line: lineOf(path),
      });
    }
  }
  return result(documents, problems);
}

function result(documents: readonly LocatedDocument[], problems: readonly YamlProblem[]): LocatedYaml {
  const [first] = problems;
  return first === undefined
    ? { kind: 'documents', documents }
    : { kind: 'problem', ...first, problems, documents };
}

/** Where a key or an item begins. */
function offsetOf(document: Document.Parsed, path: readonly string[]): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part);
      if (pair === undefined) break;
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      if (!isNode(node)) break;
      offset = node.range?.[0] ?? offset;
    } else {
      break;
    }
  }
  return offset;
}

/** The value, or throws; the path then leads to what is wrong. */
function toPlain(value: unknown, path: string[]): Plain {
  if (path.length > LIMITS.resources.depthMax) {
    throw new Error(`deeper than ${LIMITS.resources.depthMax} levels`);
  }
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new Error('a number is not an integer below 2^53');
    return value;
  }
  if (Array.isArray(value)) return value.map((item, index) => plainAt(String(index), item, path));
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainAt(key, item, path)]));
  }
  throw new Error(`a value of type ${typeof value} has no place here`);
}

function plainAt(key: string, value: unknown, path: string[]): Plain {
  path.push(key);
  const plain = toPlain(value, path);
  path.pop();
  return plain;
}
