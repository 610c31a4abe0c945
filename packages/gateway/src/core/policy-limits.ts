/** The part of limits.ts that policy needs, with the same rules: a unit in each name, a reason beside it. */

export const POLICY_LIMITS = {
  /** Things that are wrong with one text of resources and are said one by one: more than anybody mends at once, and half a megabyte. */
  problemsMax: 500,
} as const;
