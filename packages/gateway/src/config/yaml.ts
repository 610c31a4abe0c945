/**
 * YAML 1.2 (https://yaml.org/spec/1.2.2/), as far as configuration and resources need it: bytes →
 * plain JSON values.
 *
 * Refused: a key that stands twice, a tag of one's own, merge keys, more aliases or more depth than
 * limits.ts allows, numbers that are no safe integers, keys that are no strings.
 * Untrusted: the whole text.
 */

import { LineCounter, parseAllDocuments } from 'yaml';
import { LIMITS } from '../core/limits.ts';

/** What a document can hold. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** The documents of a text, or what is wrong with it and where. */
export type YamlResult =
  | { readonly kind: 'documents'; readonly documents: readonly Plain[] }
  | { readonly kind: 'problem'; readonly problem: string };

/** Parses every document of a text; empty ones are left out. */
export function parseYaml(text: string): YamlResult {
  if (Buffer.byteLength(text) > LIMITS.resources.textBytesMax) {
    return problem(`the text has more than ${LIMITS.resources.textBytesMax} bytes`);
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
  const documents: Plain[] = [];
  for (const document of parsed) {
    // A warning is an unresolved tag: something that would not mean what it says.
    const [first] = [...document.errors, ...document.warnings];
    if (first !== undefined) {
      const { line, col } = lineCounter.linePos(first.pos[0]);
      return problem(`line ${line}, column ${col}: ${first.message}`);
    }
    if (documents.length >= LIMITS.resources.documentsMax) {
      return problem(`there are more than ${LIMITS.resources.documentsMax} documents`);
    }
    try {
      const value = toPlain(document.toJS({ maxAliasCount: LIMITS.resources.aliasesMax }), 0);
      // What follows a last `---`, or is all comment.
      if (value !== null) documents.push(value);
    } catch (error) {
      return problem(error instanceof Error ? error.message : 'it cannot be read');
    }
  }
  return { kind: 'documents', documents };
}

function problem(text: string): YamlResult {
  return { kind: 'problem', problem: text };
}

function toPlain(value: unknown, depth: number): Plain {
  if (depth > LIMITS.resources.depthMax) throw new Error(`deeper than ${LIMITS.resources.depthMax} levels`);
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new Error('a number is not an integer below 2^53');
    return value;
  }
  if (Array.isArray(value)) return value.map((item) => toPlain(item, depth + 1));
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item, depth + 1)]));
  }
  throw new Error(`a value of type ${typeof value} has no place here`);
}
