/** What somebody sends who wants to see what is masked, in the words of the tables beside this file. */

import { bind, type BindOptions, describe, execute, parse, SYNC } from '../../differential/frames.ts';
import { makeSecrets, SEED } from '../canaries.ts';
import type { Seen, SessionScript, Step } from '../session-script.ts';

export interface Try {
  readonly title: string;
  /** What shows a secret; for an oracle, what asks whether a guess is right. */
  readonly script: (guess: Guess) => SessionScript;
  /** Reads one bit of what came: right guesses have to be told from wrong ones by nothing. */
  readonly bit?: (seen: Seen) => boolean;
  /** The first version that has what it uses. */
  readonly since?: number;
}

/** Something about the first customer that is so, or is not. */
export interface Guess {
  /** True of the row `c` of customers with id 1, or of none. */
  readonly holds: string;
  readonly email: string;
  readonly letter: string;
}

const [FIRST] = makeSecrets(SEED);
const EMAIL = FIRST?.email ?? '';

export const RIGHT: Guess = guessOf(EMAIL);
/** Nobody has it. */
export const WRONG: Guess = guessOf(`${EMAIL[0] === 'q' ? 'z' : 'q'}${EMAIL.slice(1)}`);

function guessOf(email: string): Guess {
  const letter = email.slice(0, 1);
  return { email, letter, holds: `(c.id = 1 and substr(c.email, 1, 1) = '${letter}')` };
}

/** Steps that show a secret. */
export function shows(title: string, ...steps: readonly Step[]): Try {
  return { title, script: () => ({ steps }) };
}

export function showsSince(since: number, title: string, ...steps: readonly Step[]): Try {
  return { ...shows(title, ...steps), since };
}

/** The same with parameters of the StartupMessage. */
export function showsStarted(
  title: string,
  startup: Readonly<Record<string, string>>,
  ...steps: readonly Step[]
): Try {
  return { title, script: () => ({ steps, startup }) };
}

/** Steps whose answer depends on a guess. */
export function tells(
  title: string,
  steps: (guess: Guess) => readonly Step[],
  bit: (seen: Seen) => boolean,
): Try {
  return { title, script: (guess) => ({ steps: steps(guess) }), bit };
}

/** A statement in the extended protocol. */
export function extended(text: string, options: BindOptions = {}): Step {
  return { send: [parse('', text), bind('', '', options), describe('P'), execute(), SYNC] };
}

/** With all results in binary. */
export function binary(text: string, options: BindOptions = {}): Step {
  return extended(text, { ...options, results: [1] });
}

/** Bits of what was seen. */
export const hasRow = ({ rows }: Seen): boolean => rows.length > 0;
export const isSlow = ({ elapsedMs }: Seen): boolean => elapsedMs > 900;

/** The last row's first value is this. */
export function ends(value: string): (seen: Seen) => boolean {
  return ({ rows }) => rows.at(-1)?.[0] === value;
}

export function fails(code: string): (seen: Seen) => boolean {
  return ({ errors }) => errors.includes(code);
}

export function tagged(tag: string): (seen: Seen) => boolean {
  return ({ tags }) => tags.includes(tag);
}
