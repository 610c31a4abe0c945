/**
 * What an error or notice of the server says again of a literal, hidden: `invalid input syntax for type integer: "…"`.
 *
 * Spec: spec/masking.md, section 16. PostgreSQL quotes what it was given without escaping quotes in it, so everything
 * from the first quote to the last goes. Untrusted: every byte.
 */

import { NO_HINTS } from '../masking/detect/scan-state.ts';
import { findIn } from './find-in.ts';

const HIDDEN = Buffer.from('[REDACTED]');
/** Data exceptions quote values; a syntax error quotes the token that it is near. */
const DATA_EXCEPTION = '22';
const SYNTAX_ERROR = '42601';
const DOUBLE_QUOTE = 34;

/** The text itself where nothing in it is hidden. */
export function hideMessage(sqlstate: string, text: Uint8Array): Uint8Array {
  const quoted = withoutQuoted(sqlstate, text);
  const found = findIn(quoted, NO_HINTS);
  return found.count === 0 ? quoted : HIDDEN;
}

function withoutQuoted(sqlstate: string, text: Uint8Array): Uint8Array {
  const from = text.indexOf(DOUBLE_QUOTE) + 1;
  const to = text.lastIndexOf(DOUBLE_QUOTE);
  if (from === 0 || to < from) return text;
  const isValue =
    sqlstate.startsWith(DATA_EXCEPTION) ||
    (sqlstate === SYNTAX_ERROR && /^(?:[eEbBxXnN]?'|[uU]&'|[0-9.$])/.test(firstBytes(text, from)));
  return isValue ? Buffer.concat([text.subarray(0, from), HIDDEN, text.subarray(to)]) : text;
}

function firstBytes(text: Uint8Array, from: number): string {
  return Buffer.from(text.subarray(from, from + 4)).toString('latin1');
}
