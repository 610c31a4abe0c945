/**
 * Where in a content of HTTP values stand, as Masks write it.
 *
 * Spec: spec/masking.md, section 16; RFC 6901 for everything but the stars.
 *   field   = 1*("/" segment)
 *   segment = "*"    ; any item or member
 *           / "**"   ; any number of levels, none too
 *           / name   ; with ~1 for / and ~0 for ~; of an array, an index
 *   The last segment may be "*#": not the values but the names of the members.
 * Of a form or a CSV the first segment is the name of the field or column, and there are no levels below.
 * A value that is an object or an array is everything in it.
 */

import { BODY_MASK_LIMITS } from '../../core/http-body-limits.ts';
import { ANY, segmentsOf } from '../../core/json-pattern.ts';

/** Any number of levels. */
export const ANY_LEVELS = '**';
const NAMES = '*#';

export interface FieldPattern {
  /** As it was written. */
  readonly text: string;
  readonly segments: readonly string[];
  /** It means the names of the members of what the segments lead to, and not their values. */
  readonly isOfNames: boolean;
}

export const FIELD_PATTERN_FORM =
  'a JSON pointer as "/results/*/document/text", with * for any item or member, ** for any levels, and *# at its end for the names of members';

/** Undefined where the text has another form. */
export function parseFieldPattern(text: string): FieldPattern | undefined {
  if (text === '' || text.length > BODY_MASK_LIMITS.fieldCharactersMax) return undefined;
  const segments = segmentsOf(text);
  if (segments === undefined || segments.length > BODY_MASK_LIMITS.fieldSegmentsMax) return undefined;
  // A star within a name is more likely a slip than a name with a star.
  if (segments.slice(0, -1).some(isSlip)) return undefined;
  const last = segments.at(-1) ?? '';
  if (last === NAMES) return { text, segments: segments.slice(0, -1), isOfNames: true };
  return isSlip(last) ? undefined : { text, segments, isOfNames: false };
}

function isSlip(segment: string): boolean {
  return segment.includes('*') && segment !== ANY && segment !== ANY_LEVELS;
}
