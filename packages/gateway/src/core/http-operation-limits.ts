/** The part of limits.ts that reading HTTP requests needs, with the same rules: a unit in each name, a reason beside it. */

export const HTTP_OPERATION_LIMITS = {
  /** Segments of a path: the longest template has eleven, and each is compared with every template. */
  segmentsMax: 64,
  /** Lines of an NDJSON body that are read, two an action: stores advise some thousands, and each costs 2 µs. */
  bulkLinesMax: 200_000,
  /** Actions of one action line; it has one member, and more is no action of any store. */
  bulkLineBytesMax: 65_536,
  /** Names that one request is about: a comma list, the lines of a batch. Beyond them it may be about any. */
  namesMax: 256,
  /** Documents whose own names are kept, to tell which one a result means; services take 1,000 to 2,048. */
  documentNamesMax: 4_096,
  /** Lines of an answer that are read, and documents that one record lists; beyond them it says how many there are. */
  rankedMax: 4_096,
  /** Values that a pattern with `*` finds in one body: a body of 32 MiB has a million texts at most. */
  foundMax: 1_000_000,
  /** Patterns whose segments are remembered; the tables have some hundreds, and rules and Masks a few. */
  knownPatternsMax: 2_048,
  /** Characters of a GraphQL text that are read: queries that people write have some thousands. */
  graphqlCharactersMax: 65_536,
  /** Bytes of an option that is kept as it came, such as the settings of a task. */
  optionBytesMax: 1_024,
} as const;
