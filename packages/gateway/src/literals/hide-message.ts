/**
 * What an error or notice of the server says again of a literal, hidden: `invalid input syntax for type integer: "…"`.
 *
 * Spec: spec/masking.md, section 16. PostgreSQL quotes what it was given without escaping quotes in it, so everything
 * from the first quote to the last goes. In other languages it quotes with other signs (`»…«`): then all of it goes.
 * Untrusted: every byte.
 */

import type { CompiledRules } from '../masking/detect/custom-rules.ts';
import { NO_HINTS } from '../masking/detect/scan-state.ts';
import { findIn } from './find-in.ts';

const HIDDEN = Buffer.from('[REDACTED]');
/** Data exceptions quote values; a syntax error quotes the token that it is near, or a text that is no SQL itself. */
const DATA_EXCEPTION = '22';
const SYNTAX_ERROR = '42601';
/** A word or an operator of the statement, and nothing behind it. Of what is not closed all of the rest is quoted. */
const PLAIN_TOKEN = /^[^"]* at or near "(?![eEbBxXnN]?'|[uU]&'|[0-9.$]|\/\*|--)[^"]*"$/;
const DOUBLE_QUOTE = 34;

/**
 * The text itself where nothing in it is hidden.
 *
 * @param rules what Detectors find beside the scanner's own
 */
export function hideMessage(sqlstate: string, text: Uint8Array, rules?: CompiledRules): Uint8Array {
  const quoted = withoutQuoted(sqlstate, text);
  const found = findIn(quoted, NO_HINTS, rules);
  return found.count === 0 ? quoted : HIDDEN;
}

function withoutQuoted(sqlstate: string, text: Uint8Array): Uint8Array {
  const isSyntax = sqlstate === SYNTAX_ERROR;
  if (!isSyntax && !sqlstate.startsWith(DATA_EXCEPTION)) return text;
  const from = text.indexOf(DOUBLE_QUOTE) + 1;
  const to = text.lastIndexOf(DOUBLE_QUOTE);
  const isQuoted = from > 0 && to >= from;
  const around = isQuoted ? [text.subarray(0, from), text.subarray(to)] : [text];
  if (around.some((part) => part.some((byte) => byte > 127))) return HIDDEN;
  if (!isQuoted || (isSyntax && PLAIN_TOKEN.test(Buffer.from(text).toString('latin1')))) return text;
  return Buffer.concat([text.subarray(0, from), HIDDEN, text.subarray(to)]);
}
