/**
 * Ids of holds as people read and type them: by their beginning, where that is of one hold only.
 *
 * An id begins with its time, and ids are listed newest first: those with one beginning stand together, so that one
 * page of the list tells whether there is another one.
 */

import type { ApprovalsAnswer } from '../api/answers.ts';
import { CountersignError } from '../core/errors.ts';
import { type HoldId, parseId } from '../core/ids.ts';
import type { Client } from './client.ts';

const ID_CHARACTERS = 'hld_'.length + 26;
/** `hld_`, the ten characters of the time, and two by chance. */
const SHORT_CHARACTERS = 'hld_'.length + 12;
/** Above every id with the same beginning; the list begins behind it. */
const LAST = 'z';

/** How ids are shown together: each so long that no other of them begins as it does. */
export function shortIds(ids: readonly string[]): readonly string[] {
  let length = SHORT_CHARACTERS;
  while (length < ID_CHARACTERS && new Set(ids.map((id) => id.slice(0, length))).size < new Set(ids).size)
    length += 1;
  return ids.map((id) => id.slice(0, length));
}

/** The hold that a text names, whole or by its beginning, among those that the caller may see. */
export async function holdIdOf(client: Pick<Client, 'json'>, text: string): Promise<HoldId> {
  if (text.length < SHORT_CHARACTERS || text.length >= ID_CHARACTERS) return parseId('hold', text);
  let before: string = parseId('hold', text.padEnd(ID_CHARACTERS, LAST));
  const found: string[] = [];
  for (;;) {
    const query = { state: 'all', before, limit: '2' };
    // oxlint-disable-next-line no-await-in-loop -- Where a page begins is known after the one before.
    const { approvals, next } = await client.json<ApprovalsAnswer>('GET', '/v1/approvals', { query });
    found.push(...approvals.map(({ id }) => id).filter((id) => id.startsWith(text)));
    if (found.length > 1 || next === undefined || !next.startsWith(text)) break;
    before = next;
  }
  const [one, other] = found;
  if (one === undefined) throw new CountersignError('NOT_FOUND', { what: `hold ${text}…` });
  if (other === undefined) return parseId('hold', one);
  const reason = `more than one hold begins with ${text}: give the whole id`;
  throw new CountersignError('REQUEST_INVALID', { reason });
}
