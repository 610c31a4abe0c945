/**
 * Where something stands in JSON: an RFC 6901 pointer, in which a whole segment `*` stands for each item of an
 * array and each member of an object. The empty pattern is the whole content.
 */

/** Any item or member. */
export const ANY = '*';

/** The segments with their escapes undone; undefined for what is no pointer. */
export function segmentsOf(pattern: string): readonly string[] | undefined {
  if (pattern === '') return [];
  // RFC 6901, section 3: `~` stands before 0 or 1 only.
  if (!pattern.startsWith('/') || /~(?![01])/.test(pattern)) return undefined;
  return pattern
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The index that a segment means: no sign, no leading zero; undefined for any other. */
export function indexOfSegment(segment: string): number | undefined {
  return /^(?:0|[1-9]\d{0,14})$/.test(segment) ? Number(segment) : undefined;
}
