/** The part of limits.ts that looking ahead at masks needs, with the same rules: a unit in each name, a reason beside it. */

export const MASK_PREVIEW_LIMITS = {
  /** At once in one gateway: each reads a catalog and samples, and sessions want the processor too. */
  atOnceMax: 2,
  /** All of it, from the login on; somebody waits for it. */
  totalMs: 90_000,
  /** Of these for samples: what is not sampled by then is counted and left out. */
  samplingMs: 45_000,
  /** One statement. The catalog of a large database takes a second or two; a table without rows may be gigabytes. */
  statementMs: 15_000,
  /** One statement that samples. */
  sampleStatementMs: 3_000,
  /** Somebody may be changing a table: then it is left out. */
  lockMs: 500,
  /** Columns of a database that are looked at by name, of 200 bytes each. */
  columnsMax: 50_000,
  /** Columns of which values are read: 200 each, which take the scanner 10 ms at worst. */
  sampledColumnsMax: 2_000,
  /** Rows of a table. A thing that one value in fifty is shows in 200 with 98 %. */
  sampleRowsMax: 200,
  /** Columns that one statement reads: so many values of the length below are 26 MB. */
  columnsPerStatementMax: 16,
  /** As stored; longer ones are documents, and reading them is the work of a session and not of a look. */
  valueBytesMax: 8_192,
  /** Of a larger table so many pages are picked, and not its first ones: those are its oldest rows. */
  samplePagesMax: 64,
  /** One answer, as of the catalog of a session. */
  answerBytesMax: 67_108_864,
  /** Lines of each list in an answer, of 200 bytes; what is beyond is counted. */
  listedMax: 10_000,
} as const;
