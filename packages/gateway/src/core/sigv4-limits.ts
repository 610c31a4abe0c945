/** The part of limits.ts that requests signed with AWS Signature Version 4 need, with the same rules. */

export const SIGV4_LIMITS = {
  /** How far the date of a signature may be from the gateway's clock, either way: what AWS allows its clients. */
  skewMsMax: 900_000,
  /** A presigned URL ends up in logs and histories. An hour is what AWS's command line gives; AWS allows seven days. */
  presignedSecondsMax: 3_600,
  /**
   * Content that has to be read before a signature can be checked, of all requests of a key at once: one that is as
   * long as any that is held. Bedrock's InvokeModel takes 25 MB.
   */
  unprovenKeyBytesMax: 33_554_432,
  /** The same of all keys together: whoever knows ids of keys, and no secret, holds no more than this. */
  unprovenTotalBytesMax: 67_108_864,
  /** Content that nobody looks at waits in memory up to this while it is hashed, and beyond on disk, encrypted. */
  memoryBytesMax: 1_048_576,
} as const;
