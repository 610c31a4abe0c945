/** Times of requests and answers. */

import { formatTimeUs } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';

/** Microseconds of a text that the schema `moment` lets through; REQUEST_INVALID for 30 February. */
export function parseMoment(text: string): number {
  const whole = text.length === 10 ? `${text}T00:00:00Z` : text;
  const [, seconds = '', fraction = ''] = /^(.{19})(?:\.([0-9]{1,6}))?Z$/.exec(whole) ?? [];
  const ms = Date.parse(`${seconds}Z`);
  // Date.parse rolls 30 February over: what does not come back as it was is no date.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== seconds) {
    throw new CountersignError('REQUEST_INVALID', { reason: 'expected a date and time that exist' });
  }
  return ms * 1000 + Number(fraction.padEnd(6, '0'));
}

/** A time that may be missing, under a key that is missing then. */
export function optionalTime<K extends string>(
  key: K,
  us: number | undefined | null,
): { readonly [key in K]?: string } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A computed key loses its literal type.
  return (us === undefined || us === null ? {} : { [key]: formatTimeUs(us) }) as {
    readonly [key in K]?: string;
  };
}
