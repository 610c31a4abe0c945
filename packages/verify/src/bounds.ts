/** Every bound of the verifier, with its reason. A package is untrusted to its last byte. */

export const BOUNDS = {
  /** A log of 100 million leaves has 800,000 tiles and bundles. */
  entriesMax: 1_000_000,
  /** So many entries with names of 200 bytes. */
  centralDirectoryBytesMax: 268_435_456,
  nameBytesMax: 1_024,
  /** Deflate cannot do better than 1,032 to 1 (zlib, "Technical Details"). */
  deflateRatioMax: 1_032,
  /** What is read at once of the zip. */
  chunkBytes: 1_048_576,
  /** Notes, checkpoints and JSON files of a package are a few kilobytes. */
  smallFileBytesMax: 1_048_576,
  /** 256 entries of 65,535 bytes with their lengths. */
  bundleBytesMax: 16_777_472,
  tileBytesMax: 8_192,
  /** A body has up to 4 MiB; canonical JSON may make six characters of one. */
  lineBytesMax: 33_554_432,
  /** Sessions that are open when a range begins; the exporter has the same bound. */
  openSessionsMax: 20_000,
  /** Changes before a range of what is a Mask, or may be one: each is in memory. */
  resourceChangesMax: 100_000,
  /** Intents that a lineage is looked for in: what is remembered for 15 minutes (spec/events.md), at 70 Operations a second. */
  lineageIntentsMax: 65_536,
  /** How many of a kind a note names, one by one: it is one line. */
  namedMax: 8,
  /** Rotations of one log; the exporter has the same bound. */
  rotationsMax: 10_000,
  /** Leaves are written every 60 s; more than two missing heartbeats are a gap (ledger.md, section 7). */
  gapSeconds: 180,
} as const;
