import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../core/limits.ts';
import { AgedMap } from './aged-map.ts';

describe('what the server said', () => {
  it('holds until names may have changed, and no longer than it may', () => {
    let nowUs = 0;
    const map = new AgedMap<string>(() => nowUs, 2);
    map.set('a', 1, 'said');
    nowUs = LIMITS.serverTree.answerMaxAgeMs * 1000;
    expect(map.get('a', 1)).toBe('said');
    nowUs += 1;
    expect(map.get('a', 1)).toBeUndefined();
    map.set('a', 1, 'said');
    expect(map.get('a', 2)).toBeUndefined();
    expect(map.get('a', 1)).toBeUndefined();
  });

  it('is bounded', () => {
    const map = new AgedMap<number>(() => 0, 2);
    for (const [at, key] of ['a', 'b', 'a', 'c'].entries()) map.set(key, 1, at);
    expect(['a', 'b', 'c'].map((key) => map.get(key, 1))).toEqual([2, undefined, 3]);
  });
});
