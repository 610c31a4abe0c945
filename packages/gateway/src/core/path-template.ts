/**
 * Templates of paths: `/collections/{collection}/points`, as OpenAPI writes them.
 *
 * ```
 * template = 1*( "/" segment ) | "/"
 * segment  = literal | literal? "{" name "}" literal? | "*"       "*": as the last segment only
 * ```
 * A `{name}` stands for one segment that is not empty, or for a part of one; `*` for any rest, of one segment at
 * least. A trailing `/` of a path makes no difference. Segments are compared as they stand: what is
 * percent-encoded is another text, save in the values that are given out.
 */

import { HTTP_OPERATION_LIMITS } from './http-operation-limits.ts';

interface Segment {
  readonly before: string;
  /** Undefined for a literal. */
  readonly name: string | undefined;
  readonly after: string;
}

export interface PathTemplate {
  readonly text: string;
  readonly segments: readonly Segment[];
  /** It ends in `*`. */
  readonly isOpen: boolean;
}

/** What `{name}` stood for, decoded; in the order of the template. */
export type PathValues = readonly (readonly [name: string, value: string])[];

const SEGMENT = /^([^{}*/]*)(?:\{([a-z][a-zA-Z0-9_]*)\}([^{}*/]*))?$/;

/** Undefined where it is no template. */
export function parseTemplate(text: string): PathTemplate | undefined {
  if (!text.startsWith('/') || text.length > 1_024) return undefined;
  const parts = text === '/' ? [] : text.slice(1).split('/');
  const isOpen = parts.at(-1) === '*';
  const segments: Segment[] = [];
  for (const part of isOpen ? parts.slice(0, -1) : parts) {
    const found = SEGMENT.exec(part);
    if (found === null || part === '') return undefined;
    segments.push({ before: found[1] ?? '', name: found[2], after: found[3] ?? '' });
  }
  return segments.length > HTTP_OPERATION_LIMITS.segmentsMax ? undefined : { text, segments, isOpen };
}

/** The segments of a path; undefined where it has an empty one, or too many, and so matches nothing. */
export function segmentsOf(path: string): readonly string[] | undefined {
  if (!path.startsWith('/')) return undefined;
  const end = path.length > 1 && path.endsWith('/') ? path.length - 1 : path.length;
  const parts = end === 1 ? [] : path.slice(1, end).split('/', HTTP_OPERATION_LIMITS.segmentsMax + 1);
  return parts.length > HTTP_OPERATION_LIMITS.segmentsMax || parts.includes('') ? undefined : parts;
}

/** What the names of a template stand for in a path; undefined where it does not match. */
export function matchTemplate(
  { segments, isOpen }: PathTemplate,
  parts: readonly string[],
): PathValues | undefined {
  if (isOpen ? parts.length <= segments.length : parts.length !== segments.length) return undefined;
  // Most templates are of another path, and its words say so.
  if (segments.some(({ name, before }, at) => name === undefined && parts[at] !== before)) return undefined;
  const values: (readonly [string, string])[] = [];
  for (const [at, { before, name, after }] of segments.entries()) {
    if (name === undefined) continue;
    const part = parts[at] ?? '';
    if (part.length <= before.length + after.length) return undefined;
    if (!part.startsWith(before) || !part.endsWith(after)) return undefined;
    values.push([name, decoded(part.slice(before.length, part.length - after.length))]);
  }
  return values;
}

/** As it stands where it is no percent-encoding of UTF-8. */
function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
