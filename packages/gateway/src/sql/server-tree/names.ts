/**
 * Every name and every operator that a text could mean something by: for a statement that cannot be analysed yet,
 * because what stands before it in its text has not run.
 *
 * Which schema a name leads to is not asked: it is compared with what users have made in any of them. Words that are
 * no names are among them, so that no grammar has a say. Untrusted: every byte.
 */

import { LIMITS } from '../../core/limits.ts';
import { TokenCursor } from '../tokens.ts';

export interface NamesInText {
  /** As PostgreSQL folds them. */
  readonly words: ReadonlySet<string>;
  readonly operators: ReadonlySet<string>;
}

/** `NAMEDATALEN` − 1: of a longer name the server takes as much. */
const NAME_BYTES_MAX = 63;
const OPERATOR = /^[-+*/<>=~!@#%^&|`?]$/;
/** What the grammar makes of LIKE, IN, BETWEEN, CASE, USING and their like. */
const BEHIND_WORDS = '= <> < > <= >= ~~ ~~* !~~ !~~* ~ !~ ~* !~*'.split(' ');

/** Undefined where a name is written in a way that is not followed here, or where there are too many. */
export function namesInText(bytes: Uint8Array): NamesInText | undefined {
  const { namesMax, operatorCharactersMax } = LIMITS.serverTree;
  const words = new Set<string>();
  const operators = new Set<string>(BEHIND_WORDS);
  const cursor = new TokenCursor(bytes);
  let run = '';
  let end = -1;
  while (cursor.next()) {
    const { kind, from, to } = cursor;
    if (kind === 'unicode-name') return undefined;
    if (kind === 'word' || kind === 'quoted-name') {
      const name = nameOf(bytes, cursor);
      if (Buffer.byteLength(name) > NAME_BYTES_MAX) return undefined;
      words.add(name);
    }
    const text = kind === 'other' && to === from + 1 ? String.fromCharCode(bytes[from] ?? 0) : '';
    if (OPERATOR.test(text)) {
      run = from === end ? run + text : text;
      end = to;
      // The scanner gives back signs at the end of an operator: any part of what stands together may be one.
      for (let at = 0; at < run.length; at += 1) operators.add(run.slice(at));
      if (run.length > operatorCharactersMax) return undefined;
    }
    if (words.size + operators.size > namesMax) return undefined;
  }
  return { words, operators };
}

/** PostgreSQL folds ASCII letters only, where a character has several bytes. */
function nameOf(bytes: Uint8Array, { kind, from, to }: TokenCursor): string {
  const text = Buffer.from(bytes.subarray(from, to)).toString('utf8');
  if (kind === 'quoted-name') return text.slice(1, -1).replaceAll('""', '"');
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}
