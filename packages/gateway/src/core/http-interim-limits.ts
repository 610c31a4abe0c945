/** The part of limits.ts about what a target says before its answer, with the same rules. */

export const HTTP_INTERIM_LIMITS = {
  /** Answers 1xx in front of one answer: a 102 every 20 s (RFC 2518, section 10.1) is 180 of them in an hour. */
  answersMax: 256,
} as const;
