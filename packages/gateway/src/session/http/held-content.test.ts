/** A content that comes slowly, or not at all, is let go of, with what it held. */

import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HTTP_LIMITS as LIMITS } from '../../core/http-limits.ts';
import { ContentBudget } from './content-budget.ts';
import { holdContent } from './held-content.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('a content that stops in the middle is refused, and its memory is given back', async () => {
  const budget = new ContentBudget();
  const content = new Readable({ read: () => undefined });
  const holding = holdContent(content, budget.shareOf('ana', 'api')).then(
    () => 'held',
    (error: unknown) => String(error),
  );
  content.push(Buffer.alloc(1_000));
  await vi.advanceTimersByTimeAsync(LIMITS.stalledContentMs - 1);
  content.push(Buffer.alloc(1_000));
  await vi.advanceTimersByTimeAsync(LIMITS.stalledContentMs - 1);
  expect([budget.bytes, content.destroyed]).toEqual([2_000, false]);
  await vi.advanceTimersByTimeAsync(2);
  expect(await holding).toContain('nothing came for 30 s');
  expect([budget.bytes, budget.owners, content.destroyed]).toEqual([0, 0, true]);
});
