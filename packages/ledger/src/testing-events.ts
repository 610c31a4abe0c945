/** For tests: events of populations, as the fold of a package gets them. */

import { EVENTS } from './events.ts';
import type { Json } from './jcs.ts';
import type { Leaf } from './leaf.ts';
import type { PopulationEvent } from './populations.ts';

/** The time of the leaf with this index: so many seconds, below 100, behind a midnight. */
export function testingOnlyTime(n: number): string {
  return `2026-11-24T00:00:${String(n).padStart(2, '0')}.000000Z`;
}

/**
 * A leaf and the values of its body.
 *
 * @throws where the body of that type has no such field
 */
export function testingOnlyEvent(
  type: string,
  n: number,
  extra: Partial<Leaf> = {},
  values: Readonly<Record<string, Json>> | 'shredded' = {},
): PopulationEvent {
  const boot = 'bot_00000000000000000000000000';
  const leaf: Leaf = { v: 1, log: 'log', n, t: testingOnlyTime(n), boot, type, kind: 'user', ...extra };
  const hash = new Uint8Array(32);
  if (values === 'shredded') return { leaf, hash, values: {}, bodyState: 'shredded' };
  const known = EVENTS[type]?.body ?? [];
  const unknown = Object.keys(values).filter((field) => !known.includes(field));
  if (unknown.length > 0) throw new Error(`${type} has no ${unknown.join(', ')}`);
  return { leaf, hash, values, bodyState: 'disclosed' };
}
