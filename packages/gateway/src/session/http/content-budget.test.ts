/** What requests of one client may hold, and what is left to others. */

import { array, assert, constantFrom, integer, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../core/errors.ts';
import { HTTP_LIMITS } from '../../core/http-limits.ts';
import { HTTP_SHARE_LIMITS as SHARES } from '../../core/http-share-limits.ts';
import { ContentBudget, type ContentShare } from './content-budget.ts';

const MIB = 1_048_576;

/** The code of what a share answers; undefined where it gave. */
function taken(share: ContentShare, bytes: number): string | undefined {
  try {
    share.take(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof CountersignError) return error.code;
    throw error;
  }
}

/** As much as it gets, in pieces. */
function fill(share: ContentShare, piece = MIB): number {
  for (let bytes = 0; ; bytes += piece) if (taken(share, piece) !== undefined) return bytes;
}

describe('content that is held', () => {
  it('is half of all for one principal, over however many connections', () => {
    const budget = new ContentBudget();
    expect(fill(budget.shareOf('ana', 'one')) + fill(budget.shareOf('ana', 'two'))).toBe(128 * MIB);
    expect(taken(budget.shareOf('boss', 'one'), 32 * MIB)).toBeUndefined();
  });

  it('is 160 MiB for one connection, and leaves a large request to another', () => {
    const budget = new ContentBudget();
    for (const name of ['a', 'b']) fill(budget.shareOf(name, 'slow'), 8 * MIB);
    expect(budget.bytes).toBe(160 * MIB);
    expect(taken(budget.shareOf('c', 'slow'), 5 * MIB)).toBe('HTTP_CONTENT_SHARE');
    expect(taken(budget.shareOf('c', 'other'), 32 * MIB)).toBeUndefined();
  });

  it('of one connection is not taken by two so that a third with little is turned away', () => {
    const budget = new ContentBudget();
    for (const name of ['a', 'b']) fill(budget.shareOf(name, 'slow'));
    expect(taken(budget.shareOf('c', 'slow'), MIB)).toBeUndefined();
  });

  it('leaves something to whoever holds little, whatever others hold', () => {
    const budget = new ContentBudget();
    for (let at = 0; at < 10; at += 1) fill(budget.shareOf(`large ${at}`, `connection ${at}`));
    expect(budget.bytes).toBeLessThanOrEqual(
      HTTP_LIMITS.heldContentTotalBytesMax - SHARES.reservedBytes + 10 * SHARES.smallBytesMax,
    );
    expect(taken(budget.shareOf('little', 'one'), MIB)).toBeUndefined();
  });

  it('says of what could never be had that it is too large', () => {
    expect(taken(new ContentBudget().shareOf('ana', 'one'), 200 * MIB)).toBe('LIMIT_EXCEEDED');
  });

  it('is given back to the last byte, and nobody is remembered who holds nothing', () => {
    const step = record({
      who: constantFrom('a', 'b', 'c'),
      on: constantFrom('x', 'y'),
      bytes: integer({ min: 0, max: 150 * MIB }),
    });
    assert(
      property(array(step, { maxLength: 60 }), (steps) => {
        const budget = new ContentBudget();
        const held: { readonly share: ContentShare; readonly bytes: number }[] = [];
        for (const { who, on, bytes } of steps) {
          const share = budget.shareOf(who, on);
          const before = budget.bytes;
          const isTaken = taken(share, bytes) === undefined;
          expect(budget.bytes).toBe(before + (isTaken ? bytes : 0));
          expect(budget.bytes).toBeLessThanOrEqual(HTTP_LIMITS.heldContentTotalBytesMax);
          if (isTaken) held.push({ share, bytes });
        }
        for (const { share, bytes } of held) share.give(bytes);
        expect([budget.bytes, budget.owners]).toEqual([0, 0]);
      }),
    );
  });
});
