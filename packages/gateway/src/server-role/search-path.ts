/** The setting `search_path` with masking schemas in front of those that they stand for. */

import { maskingSchema } from './masking-views.ts';
import { quotedText } from './quoted.ts';

const ELEMENT = /\s*(?:"((?:[^"]|"")*)"|([^\s",]+))\s*(,|$)/y;

/** Names of a list as PostgreSQL writes it: `"$user", public`; undefined where it has another form. */
export function parseSearchPath(text: string): readonly string[] | undefined {
  const names: string[] = [];
  if (text.trim() === '') return names;
  ELEMENT.lastIndex = 0;
  for (;;) {
    const found = ELEMENT.exec(text);
    if (found === null) return undefined;
    const [, quoted, bare = '', end] = found;
    names.push(quoted === undefined ? bare.toLowerCase() : quoted.replaceAll('""', '"'));
    if (end !== ',') return ELEMENT.lastIndex >= text.length ? names : undefined;
  }
}

/**
 * Each schema that has masking views behind the schema of these.
 *
 * @param former schemas that had masking views before
 */
export function maskedSearchPath(
  path: readonly string[],
  role: string,
  schemas: readonly string[],
  former: Iterable<string> = [],
): readonly string[] {
  const masking = new Set([...schemas, ...former].map((schema) => maskingSchema(role, schema)));
  return path
    .filter((name) => !masking.has(name))
    .flatMap((name) => {
      const schema = name === '$user' ? role : name;
      return schemas.includes(schema) ? [maskingSchema(role, schema), name] : [name];
    });
}

/** As it stands behind `SET search_path TO`: texts may be empty, and names may not. */
export function searchPathText(names: readonly string[]): string {
  return names.length === 0 ? "''" : names.map(quotedText).join(', ');
}
