/** Which text of a recording is that of a leaf, where literals are hidden. */

import { hideText } from './hide-text.ts';

/**
 * The text of an intent as the recording of its session has it: where Masks reached the session, every literal is
 * hidden there, and in the leaf only those that may tell something.
 *
 * @param masks of the intent's body; undefined where none reached the session
 */
export function recordedText(sql: string, masks: unknown): string {
  if (masks === undefined) return sql;
  const { bytes, isChanged } = hideText(Buffer.from(sql, 'utf8'), 'all');
  return isChanged ? Buffer.from(bytes).toString('utf8') : sql;
}
