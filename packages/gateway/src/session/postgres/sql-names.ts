/**
 * SQL that changes names behind the protocol's back, and SQL that begins a COPY: told by its first words.
 *
 * PREPARE, DEALLOCATE and DISCARD share the names of Parse; DECLARE and CLOSE those of Bind. A text that
 * may have one makes the session forget what it knows of those names, so that a leaf never states a text
 * that is not the one that ran. SQL that is built at run time is not seen here; SECURITY.md says so.
 */

const latin1 = new TextDecoder('latin1');

const WORDS = /\b(?:prepare|deallocate|discard|declare|close)\b/i;
const STATEMENTS = /(?:^|;)\s*(?:prepare|deallocate|discard)\b/i;
const PORTALS = /(?:^|;)\s*(?:declare|close|discard)\b/i;
/** A table, not a query, is what is copied from: `COPY (` can only go out. */
const COPY_FROM_STDIN =
  /(?:^|;)\s*copy\s+(?:binary\s+)?(?:"[^"]*"|[\w$.\u0080-\u00ff])+\s*(?:\([^()]*\))?\s*from\s+stdin\b/i;
const LINE_COMMENT = /--[^\n]*/g;
const BLOCK_COMMENT = /\/\*[\s\S]*?\*\//g;

/** Which of the session's names a text may change. */
export interface NameEffects {
  readonly statements: boolean;
  readonly portals: boolean;
}

const NONE: NameEffects = { statements: false, portals: false };

/** What a text in any client encoding may do to names; says rather too much than too little. */
export function nameEffects(textBytes: Uint8Array): NameEffects {
  const text = latin1.decode(textBytes);
  if (!WORDS.test(text)) return NONE;
  const readings = readingsOf(text);
  return {
    statements: readings.some((reading) => STATEMENTS.test(reading)),
    portals: readings.some((reading) => PORTALS.test(reading)),
  };
}

/** Whether the text has a COPY … FROM STDIN. */
export function copiesIn(textBytes: Uint8Array): boolean {
  const text = latin1.decode(textBytes);
  return /\bstdin\b/i.test(text) && COPY_FROM_STDIN.test(withoutComments(text));
}

/** A comment mark may stand in a literal, and a literal in a comment: each reading is tried. */
function readingsOf(text: string): readonly string[] {
  return [text, text.replace(LINE_COMMENT, ' '), text.replace(BLOCK_COMMENT, ' '), withoutComments(text)];
}

function withoutComments(text: string): string {
  return text.replace(BLOCK_COMMENT, ' ').replace(LINE_COMMENT, ' ');
}
