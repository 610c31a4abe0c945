/** The part of limits.ts that second factors need, with the same rules: a unit in each name, a reason beside it. */

export const SECOND_FACTOR_LIMITS = {
  /** RFC 4226, section 4, R6: the length of HMAC-SHA-1, which is recommended. */
  secretBytes: 20,
  /** What authenticator apps show. */
  codeDigits: 6,
  /** RFC 6238, section 5.2: the recommended step, which every app has. */
  stepMs: 30_000,
  /** RFC 6238, section 5.2: one step for the delay of the network, and for a clock that is slow or fast. */
  stepsOfDrift: 1,
  /** Somebody scans the secret and types a code; what lies about longer is a secret on a screen. */
  pendingMs: 900_000,
  /** Wrong codes in a row, beside a right password, before each further one has to wait. */
  codeFailuresMax: 10,
  /** So long. With ten before, a guesser has a hundred codes of a million in a day, three of which are good at a time. */
  codeLockMs: 900_000,
  /** NIST SP 800-63B, section 5.2.2: after so many wrong codes in a row none is taken; the factor has to be removed. */
  codeFailuresInARowMax: 100,
  /** A token says how its maker logged in where that is not longer ago: the life of a login's own token. */
  carriedMsMax: 43_200_000,
  /** The longest age that a rule may take for enough: beyond it a login says little about who has the token now. */
  ageMsMax: 2_592_000_000,
} as const;
