/** The part of limits.ts that labels of columns need, with the same rules: a unit in each name, a reason beside it. */

export const LABEL_LIMITS = {
  /**
   * Nodes looked at, and labels put into sets, for one statement: a tree of the largest size has a million values,
   * and is walked once for what it names and about once for what it shows; 0.1 to 0.5 µs each, in one turn.
   */
  stepsMax: 4_000_000,
  /** Queries of one statement, each of which is asked for its uses; a view of views has some dozens. */
  queriesMax: 16_384,
} as const;
