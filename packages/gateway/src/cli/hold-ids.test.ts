/** A beginning of an id is that of one hold, or of none. */

import { describe, expect, it } from 'vitest';
import type { ApprovalsAnswer } from '../api/answers.ts';
import { holdIdOf, shortIds } from './hold-ids.ts';

const TIME = 'hld_01m8erg00k';
const A = `${TIME}pgkw5x1nt077ncnr`;
const B = `${TIME}pgkw5x1nt077ncns`;
const C = `${TIME}qqkw5x1nt077ncnr`;
const OLDER = `hld_01m8erfh1ehfnkahqrxz1e2wb6`;

/** Lists these as the API does: newest first, behind `before`, those that somebody may not see left out. */
function listing(ids: readonly string[], hidden: readonly string[] = []): Parameters<typeof holdIdOf>[0] {
  const all = [...ids].toSorted().toReversed();
  const page = (before: string, limit: number): unknown => {
    const scanned = all.filter((id) => id < before).slice(0, limit);
    const approvals = scanned.filter((id) => !hidden.includes(id)).map((id) => ({ id }));
    const last = scanned.at(-1);
    return { approvals, ...(last === undefined || last === all.at(-1) ? {} : { next: last }) };
  };
  return {
    json: async <T>(_method: string, _path: string, options?: { query?: Record<string, unknown> }) => {
      const { before, limit } = options?.query ?? {};
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The answer of a fake.
      return page(String(before), Number(limit)) as T & ApprovalsAnswer;
    },
  };
}

describe('ids of holds', () => {
  it('are shown as long as is needed to tell them apart', () => {
    expect(shortIds([A, OLDER])).toEqual([A.slice(0, 16), OLDER.slice(0, 16)]);
    expect(shortIds([A, C]).map((id) => id.length)).toEqual([16, 16]);
    expect(shortIds([A, B])).toEqual([A, B]);
    expect(shortIds([A, A])).toEqual([A.slice(0, 16), A.slice(0, 16)]);
    expect(shortIds([])).toEqual([]);
  });

  it('are found by what is shown', async () => {
    for (const ids of [[A], [A, OLDER], [A, C, OLDER], [A, B, C, OLDER]]) {
      const short = shortIds(ids);
      for (const [at, id] of ids.entries()) {
        // oxlint-disable-next-line no-await-in-loop -- One after the other.
        expect(await holdIdOf(listing(ids), short[at] ?? '')).toBe(id);
      }
    }
  });

  it.each([
    ['two that begin so', [A, B], [], A.slice(0, 20), 'more than one hold begins with'],
    ['two that begin so, with others between', [A, B, C], [C], A.slice(0, 20), 'more than one hold'],
    ['none that begins so', [OLDER, C], [], A.slice(0, 20), 'hold hld_01m8erg00kpgkw5x'],
    ['one that begins so and may not be seen', [A, OLDER], [A], A.slice(0, 20), 'hold hld_'],
    ['what is too short', [A], [], A.slice(0, 15), 'expected an id of the form'],
    ['no id', [A], [], 'hld_01M8ERG00KPG', 'expected an id of the form'],
    ['another kind of id', [A], [], 'ses_01m8erg00kpg', 'expected an id of the form'],
    ['more than an id', [A], [], `${A}x`, 'expected an id of the form'],
  ])('refuses %s', async (_, ids, hidden, text, says) => {
    await expect(holdIdOf(listing(ids, hidden), text)).rejects.toThrow(says);
  });

  it('takes one that hides behind pages of what may not be seen', async () => {
    const hidden = Array.from('0123456789abc', (end) => `${A.slice(0, 20)}z00000000${end}`);
    expect(await holdIdOf(listing([...hidden, A, OLDER], hidden), A.slice(0, 20))).toBe(A);
  });
});
