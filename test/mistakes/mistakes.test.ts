import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { MISTAKES } from './index.ts';

const ROOT = new URL('../../', import.meta.url);

describe('each class of mistake', () => {
  it.each(MISTAKES)('$class: has its tests, or says why there is nothing to test yet', async (mistake) => {
    expect(mistake.tests.length > 0 || (mistake.notYet ?? '') !== '').toBe(true);
    const missing: string[] = [];
    for (const [file, title] of mistake.tests) {
      // oxlint-disable-next-line no-await-in-loop -- A few files.
      const text = await readFile(new URL(file, ROOT), 'utf8');
      // A title may be broken over two lines by the formatter, but never within its quotes.
      if (!text.includes(title)) missing.push(`${file}: ${title}`);
    }
    expect(missing).toEqual([]);
  });
});
