/**
 * SQL that changes names behind the protocol's back, and SQL that begins a COPY.
 *
 * PREPARE, DEALLOCATE and DISCARD share the names of Parse; DECLARE and CLOSE those of Bind. A text that
 * may have one makes the session forget what it knows of those names, so that a leaf never states a text
 * that is not the one that ran. Only one plain query is known to have none: whatever else contains one
 * of the words, in a literal or a comment too, is taken to have it. SQL that is built at run time is not
 * seen here; SECURITY.md says so.
 * Untrusted: every text, of up to 1 MiB, on the thread of all sessions: each function is linear in it.
 */

const latin1 = new TextDecoder('latin1');

const STATEMENT_WORDS = /prepare|deallocate|discard/i;
const PORTAL_WORDS = /declare|close|discard/i;
/** What begins a query that is no utility command. */
const PLAIN_QUERY = /^(?:select|insert|update|delete|with|values|table|merge)\b/i;
/** A table, not a query, is what is copied from: `COPY (` can only go out. */
const COPY_FROM_STDIN =
  /(?:^|;)\s*copy\s+(?:binary\s+)?(?:"[^"]*"|[\w$.\u0080-\u00ff])+\s*(?:\([^()]*\)\s*)?from\s+stdin\b/i;
const LINE_COMMENT = /--[^\n\r]*/g;

/** Which of the session's names a text may change. */
export interface NameEffects {
  readonly statements: boolean;
  readonly portals: boolean;
}

const NO_EFFECTS: NameEffects = { statements: false, portals: false };
export const ALL_EFFECTS: NameEffects = { statements: true, portals: true };

/** What a text in any client encoding may do to names; says rather too much than too little. */
export function nameEffects(textBytes: Uint8Array): NameEffects {
  const text = latin1.decode(textBytes);
  const statements = STATEMENT_WORDS.test(text);
  const portals = PORTAL_WORDS.test(text);
  if ((statements || portals) && isOnePlainQuery(text)) return NO_EFFECTS;
  return { statements, portals };
}

/** Whether the text has a COPY … FROM STDIN. */
export function copiesIn(textBytes: Uint8Array): boolean {
  const text = latin1.decode(textBytes);
  return /\bstdin\b/i.test(text) && COPY_FROM_STDIN.test(withoutComments(text));
}

/** Whether a text that is one statement is a COPY … FROM STDIN. */
export function isCopyIn(textBytes: Uint8Array): boolean {
  const text = latin1.decode(textBytes);
  const statement = text.slice(firstWordAt(text));
  return /^copy\b/i.test(statement) && COPY_FROM_STDIN.test(withoutComments(statement));
}

/** Whether a name means the same in every client encoding. */
export function isAscii(name: string): boolean {
  // oxlint-disable-next-line no-control-regex -- ASCII has control characters.
  return /^[\u0001-\u007f]*$/.test(name);
}

/** Without a semicolon there is one statement, and its first word tells what it is. */
function isOnePlainQuery(text: string): boolean {
  return !text.includes(';') && PLAIN_QUERY.test(text.slice(firstWordAt(text)));
}

/** Where PostgreSQL's lexer finds the first token: behind white space and comments, which nest. */
function firstWordAt(text: string): number {
  let at = 0;
  for (;;) {
    while (at < text.length && ' \t\n\r\f\v'.includes(text.charAt(at))) at += 1;
    if (text.startsWith('--', at)) {
      while (at < text.length && text.charAt(at) !== '\n' && text.charAt(at) !== '\r') at += 1;
    } else if (text.startsWith('/*', at)) {
      at = endOfComment(text, at);
    } else {
      return at;
    }
  }
}

function endOfComment(text: string, start: number): number {
  let depth = 0;
  let at = start;
  do {
    if (text.startsWith('/*', at)) {
      depth += 1;
      at += 2;
    } else if (text.startsWith('*/', at)) {
      depth -= 1;
      at += 2;
    } else {
      at += 1;
    }
  } while (depth > 0 && at < text.length);
  return at;
}

/** In one pass: a regular expression would search for the end of each comment that has none. */
function withoutComments(text: string): string {
  const pieces: string[] = [];
  let at = 0;
  for (;;) {
    const begin = text.indexOf('/*', at);
    const end = begin === -1 ? -1 : text.indexOf('*/', begin + 2);
    if (end === -1) break;
    pieces.push(text.slice(at, begin));
    at = end + 2;
  }
  pieces.push(text.slice(at));
  return pieces.join(' ').replace(LINE_COMMENT, ' ');
}
