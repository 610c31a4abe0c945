/**
 * Rules on how long ago the login behind a session had a second factor.
 *
 * Spec: spec/policy.md, "Second factor". What is not known to have been proved was not: a rule that stops where
 * there is none applies, and one that lets through where there is one does not. A time in the future, after a clock
 * that went back, is no proof either.
 */

import { SECOND_FACTOR_LIMITS } from '../core/second-factor-limits.ts';
import { parseDurationMs, PatternProblem } from './patterns.ts';

/** As it is written. */
export type MfaWhen = { readonly within: string } | { readonly notWithin: string };

/** Whether a second factor has to have been proved within this time, or has not to. */
export interface MfaBound {
  readonly isWanted: boolean;
  readonly text: string;
  readonly ageUs: number;
}

/** Throws a PatternProblem for a duration that is none, or too long to mean anything. */
export function parseMfa(mfa: MfaWhen): MfaBound {
  const isWanted = 'within' in mfa;
  const text = isWanted ? mfa.within : mfa.notWithin;
  const ms = parseDurationMs(text);
  const { ageMsMax } = SECOND_FACTOR_LIMITS;
  if (ms > ageMsMax) throw new PatternProblem(`expected at most ${ageMsMax / 86_400_000}d, not "${text}"`);
  return { isWanted, text, ageUs: ms * 1000 };
}

/**
 * Whether the condition holds; it does where there is none.
 *
 * @param mfaUs when a second factor was proved; undefined where none was
 */
export function isMfaMet(mfa: MfaBound | undefined, mfaUs: number | undefined, nowUs: number): boolean {
  if (mfa === undefined) return true;
  const isProved = mfaUs !== undefined && mfaUs <= nowUs && nowUs - mfaUs <= mfa.ageUs;
  return isProved === mfa.isWanted;
}

/** What is said of it in a cause: of the one that stops, also what to do. */
export function mfaSaid({ mfa }: { readonly mfa?: MfaBound | undefined }): string {
  if (mfa === undefined) return '';
  return mfa.isWanted
    ? `, with a second factor of the last ${mfa.text}`
    : `, without a second factor of the last ${mfa.text} (log in with one, and use a token of that login)`;
}
