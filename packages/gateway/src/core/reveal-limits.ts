/** The part of limits.ts that hidden literals and reveals need, with the same rules: a unit in each name, a reason beside it. */

export const REVEAL_LIMITS = {
  /** Texts of one session that are kept with what stands for them: programs repeat a few hundred statements. */
  hiddenTextsMax: 256,
  /** A longer text is looked at each time: so many of these are 2 MiB. */
  hiddenTextBytesMax: 4_096,
  /** Names of a text that say what its literals may be; a text with more has said it by then. */
  contextNamesMax: 512,
  /**
   * Clear literals longer than this are compressed before they are sealed: JSON may make six bytes of one, and the
   * sealed form stands in the body beside the hidden one, which has ledger.bodyBytesMax for both.
   */
  plainClearBytesMax: 4_096,
  /** Opened literals: what a body can hold of them, ledger.inlineBytesMax with six bytes for each, and names. */
  clearBytesMax: 4_194_304,
  /** A masked value that somebody wants back: a token of 240 bytes is 600 characters. */
  maskedValueCharactersMax: 4_096,
  /** Who asks says why; approvers read it. */
  reasonCharactersMax: 500,
} as const;
