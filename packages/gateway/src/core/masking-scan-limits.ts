/** The part of limits.ts that the second scan needs, with the same rules: a unit in each name, a reason beside it. */

export const MASKING_SCAN_LIMITS = {
  /**
   * Bytes of recordings that one export reads: a minute or two, while somebody waits for the package. A bound of time
   * would make two packages of the same period differ.
   */
  recordedBytesMax: 4_294_967_296,
  /** Statements of open sessions whose texts are remembered by their hash, 32 bytes each; findings of others have no leaf. */
  intentsMax: 1_000_000,
  /** Findings of one session that have a row each; whoever names columns by `as` makes as many as they like. */
  findingsMax: 10_000,
  /** Names of columns whose context is remembered. */
  namesMax: 10_000,
  /** Intents of a session that are looked at for the one that a recorded statement is about, as a replay does. */
  windowMax: 64,
} as const;
