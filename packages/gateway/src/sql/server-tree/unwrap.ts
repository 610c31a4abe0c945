/**
 * Undoes the line breaks that PostgreSQL puts into a tree, where they could be taken for something else.
 *
 * Spec: PostgreSQL 15 to 18, src/backend/nodes/print.c, `format_node_dump`: lines of at most 78 bytes. A break
 * takes the place of the last space of those 78 bytes. Where the second to the last of them are no space, it
 * is put between bytes, and nothing says so: a name of 63 parentheses (126 bytes, since each has a backslash)
 * is cut in two, and behind the cut a parenthesis may stand without its backslash.
 * Refused: a break whose place in the original cannot be told.
 * Untrusted: every byte. Whoever chooses names and literals chooses where lines break.
 */

const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COLON = 0x3a;

/** A break between bytes has so many bytes before it that are neither a space nor the end of a line. */
const UNBROKEN_BYTES = 77;
/**
 * The same where not all are ASCII: PostgreSQL counts bytes in the server's encoding, and three of them may be
 * one in the client's.
 */
const UNBROKEN_BYTES_CONVERTED = 25;

/**
 * The text with every break between bytes taken out; the breaks that are left stand for a space.
 * Undefined where that cannot be told.
 *
 * @param text one character for each byte
 */
export function unwrapped(text: string): string | undefined {
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) {
    if (mayBeBetweenBytes(text, at)) return rejoined(text);
  }
  return text;
}

function mayBeBetweenBytes(text: string, at: number): boolean {
  // Nearly always a few bytes away.
  if (text.lastIndexOf(' ', at - 1) >= at - UNBROKEN_BYTES_CONVERTED) return false;
  let unbroken = 0;
  let ascii = true;
  for (let i = at - 1; i >= 0 && unbroken < UNBROKEN_BYTES; i -= 1, unbroken += 1) {
    const code = text.charCodeAt(i);
    if (code === 0x20 || (code === NEWLINE && !isEscaped(text, i))) break;
    if (code > 0x7f) ascii = false;
  }
  return unbroken >= (ascii ? UNBROKEN_BYTES : UNBROKEN_BYTES_CONVERTED);
}

/** Whether a backslash stands before a byte that is not one of a pair itself. */
function isEscaped(text: string, at: number): boolean {
  let from = at;
  while (text.charCodeAt(from - 1) === BACKSLASH) from -= 1;
  return (at - from) % 2 === 1;
}

/**
 * Reads token by token, so as to know where the break stands; rare enough to be slow.
 *
 * Only what somebody chose is as long as a line: a string in quotes, or a field's value, behind which there is the
 * colon of the next field. So a break in such a token that has neither quotes before it nor a colon behind it is
 * between bytes.
 */
function rejoined(text: string): string | undefined {
  const parts: string[] = [];
  let from = 0;
  let token = -1;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) {
      if (token === -1) token = at;
      at += 1;
      // An escaped line end, an escaped space that became a break, or a break behind a backslash.
      if (text.charCodeAt(at) === NEWLINE && mayBeBetweenBytes(text, at)) return undefined;
    } else if (code === NEWLINE && token !== -1 && mayBeBetweenBytes(text, at)) {
      const next = text.charCodeAt(at + 1);
      if (isDelimiter(next)) token = -1;
      else if (isWhole(text, token, at) || next === COLON) return undefined;
      else {
        parts.push(text.slice(from, at));
        from = at + 1;
      }
    } else if (isDelimiter(code)) {
      token = -1;
    } else if (token === -1) {
      token = at;
    }
  }
  parts.push(text.slice(from));
  return parts.join('');
}

/** Whether a token that is a string could end here: then the next one may be a token of its own. */
function isWhole(text: string, token: number, end: number): boolean {
  return text.charCodeAt(token) === QUOTE && end - 1 > token && text.charCodeAt(end - 1) === QUOTE;
}

/** What ends a token, as in `pg_strtok`; NaN is the end of the text. */
function isDelimiter(code: number): boolean {
  switch (code) {
    case 0x20:
    case NEWLINE:
    case 0x09:
    case 0x28:
    case 0x29:
    case 0x7b:
    case 0x7d:
      return true;
    default:
      return Number.isNaN(code);
  }
}
