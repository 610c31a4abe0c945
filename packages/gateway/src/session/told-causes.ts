/** What a client is told of why it was stopped: the cause with the description of its rule, and what else there is. */

import type { Cause } from '../policy/decide.ts';

/** How many causes are told beside the first. */
const CAUSES_SHOWN_MAX = 8;

/** What the rule found, and why it is there: a description may be a sentence, and the one around it goes on. */
export function toldCause({ what, description }: Pick<Cause, 'what' | 'description'>): string {
  return description === undefined ? what : `${what} (${description.replace(/\.$/, '')})`;
}

/** `Also: RULE: what; RULE: what`; undefined where there is nothing else. */
export function toldOthers(others: readonly Cause[]): string | undefined {
  const shown = others.slice(0, CAUSES_SHOWN_MAX).map(({ rule, what }) => `${rule}: ${what}`);
  const more = others.length > shown.length ? [`and ${others.length - shown.length} more`] : [];
  return shown.length === 0 ? undefined : `Also: ${[...shown, ...more].join('; ')}`;
}
