/** The part of limits.ts that labels of columns need, with the same rules: a unit in each name, a reason beside it. */

export const LABEL_LIMITS = {
  /**
   * Nodes looked at, and labels put into sets, for one statement, in one turn: a tree of the largest size has a million
   * values, most of them tokens; its nodes are visited once for what they name, and once or twice for what they show.
   */
  stepsMax: 2_000_000,
  /** Queries of one statement, each of which is asked for its uses; a view of views has some dozens. */
  queriesMax: 16_384,
} as const;
