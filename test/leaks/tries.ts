/** Every try, with a title of its own. */

import { DEFINITIONS } from './tries/definitions.ts';
import { ENCODINGS } from './tries/encodings.ts';
import { ERRORS } from './tries/errors.ts';
import { FUNCTIONS } from './tries/functions.ts';
import { LAUNDERING } from './tries/laundering.ts';
import { MESSAGES } from './tries/messages.ts';
import { ORACLES } from './tries/oracles.ts';
import { PROJECTIONS } from './tries/projections.ts';
import { SESSIONS } from './tries/sessions.ts';
import type { Try } from './tries/try.ts';

export const TRIES: readonly Try[] = [
  ...named('projection', PROJECTIONS),
  ...named('encoding', ENCODINGS),
  ...named('error', ERRORS),
  ...named('message', MESSAGES),
  ...named('function', FUNCTIONS),
  ...named('laundering', LAUNDERING),
  ...named('definition', DEFINITIONS),
  ...named('oracle', ORACLES),
  ...named('session', SESSIONS),
];

function named(group: string, tries: readonly Try[]): readonly Try[] {
  return tries.map((one) => ({ ...one, title: `${group}: ${one.title}` }));
}

/** Those that a server of this version understands. */
export function triesFor(major: number): readonly Try[] {
  return TRIES.filter(({ since = 0 }) => since <= major);
}

export const SOAKS: boolean = process.env['COUNTERSIGN_SOAK'] === '1';

/** Every so many of them, one, beginning with the one at `from`; all of them in a soak. */
export function someTriesFor(major: number, every: number, from = 0): readonly Try[] {
  return triesFor(major).filter((_, at) => SOAKS || at % every === from);
}
