/**
 * Names and texts of a catalog as they stand in SQL that somebody will run as an administrator.
 *
 * Untrusted: all of them. Whoever makes a table gives it any name. The scripts set `standard_conforming_strings`, so
 * that a backslash is a backslash.
 */

/** What ends a line, and what makes a reader see something else than runs. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const UNSEEN_ALL = new RegExp(UNSEEN, 'gu');

/** `"a ""b"""`: always quoted, so that no name is a word of SQL. */
export function quotedName(name: string): string {
  return quoted(name, '"');
}

/** `'it''s'`. */
export function quotedText(text: string): string {
  return quoted(text, "'");
}

/** What nobody sees is written as its number: `U&"a\+00200E"`. */
function quoted(text: string, mark: '"' | "'"): string {
  const doubled = text.replaceAll(mark, mark + mark);
  if (!UNSEEN.test(text)) return mark + doubled + mark;
  const escaped = doubled.replaceAll('\\', '\\\\').replace(UNSEEN_ALL, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\+${code.toString(16).toUpperCase().padStart(6, '0')}`;
  });
  return `U&${mark}${escaped}${mark}`;
}

/** A relation in its schema. */
export function qualifiedName(schema: string, name: string): string {
  return `${quotedName(schema)}.${quotedName(name)}`;
}

/** The same as PostgreSQL's own functions read it from a text: `to_regclass`. */
export function plainQualifiedName(schema: string, name: string): string {
  return [schema, name].map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
}

/** Behind `-- `: a name with a line end in it must not go on as SQL. */
export function commentText(text: string): string {
  return text.replace(UNSEEN_ALL, '?');
}

/** `$countersign$ … $countersign$`, with a tag that is not in the body. */
export function dollarQuoted(body: string): string {
  for (let number = 0; ; number += 1) {
    const tag = `$countersign${number === 0 ? '' : number}$`;
    if (!body.includes(tag)) return `${tag}\n${body}\n${tag}`;
  }
}
