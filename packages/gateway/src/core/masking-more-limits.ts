/** The part of limits.ts for masked values that come back, with the same rules: a unit in each name, a reason beside it. */

export const COPY_IN_LIMITS = {
  /** A field is looked at whole up to here, and in pieces beyond: longer than any mask, and little beside a session. */
  fieldBytesMax: 65_536,
  /**
   * What two pieces have in common, so that a mask which one of them cuts is whole in the other. The longest has 845
   * characters, and stands for four times as many where a bytea writes each in octal.
   */
  overlapBytes: 4_096,
} as const;
