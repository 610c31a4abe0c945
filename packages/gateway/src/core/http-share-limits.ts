/** The part of limits.ts that says what one client of the HTTP gate may take of what all share, with the same rules. */

export const HTTP_SHARE_LIMITS = {
  /** Held content of one principal, in bytes: half of all, so that one alone never has everything. */
  principalBytesMax: 134_217_728,
  /**
   * Of one connection, by principals who hold much: below what they may have together on all, so that a target that
   * is slow leaves 32 MiB to large requests to others.
   */
  connectionBytesMax: 167_772_160,
  /** Of all, kept for principals who hold little: a few thousand ordinary calls pass beside whatever is large. */
  reservedBytes: 67_108_864,
  /** What is little: a call with a thousand documents of 4 KB each. */
  smallBytesMax: 4_194_304,
} as const;
