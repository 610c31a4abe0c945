/** The part of limits.ts that addresses in answers of a control plane need, with the same rules. */

export const INDEX_HOST_LIMITS = {
  /** An answer that names indexes, in bytes: a description has about 1 KB, and a project some hundreds of them. */
  answerBytesMax: 4_194_304,
} as const;
