/** What names of columns say of their values, whatever the values look like. */

import { contextOfNames } from '../masking/detect/context.ts';
import { CONTEXT, type ContextName } from '../masking/detect/lexicon.ts';

/** Not of a person: numbers of things, and of whoever runs the database. */
const HARMLESS: ReadonlySet<string> = new Set(['CALL', 'COMPANY', 'REFERENCE', 'USER_ID']);

const NAMES = Object.keys(CONTEXT).filter((name): name is ContextName => !HARMLESS.has(name));

/** Names of `CONTEXT`, in its order. */
export function looksLike(column: string): readonly ContextName[] {
  const bits = contextOfNames(column);
  return NAMES.filter((name) => (bits & CONTEXT[name]) !== 0);
}
