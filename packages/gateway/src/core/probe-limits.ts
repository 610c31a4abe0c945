/** The part of limits.ts that looks at models need, with the same rules: a unit in each name, a reason beside it. */

export const PROBE_LIMITS = {
  /** Between two looks at a connection, unless it says otherwise: a swap is seen within the hour, and 24 calls a day cost little. */
  everyMs: 3_600_000,
  /** The least: each look is a call of a model that somebody may pay for. */
  everyMsMin: 60_000,
  /** The most: a look that comes less than once a day evidences no day. */
  everyMsMax: 86_400_000,
  /** How often it is looked which connections are due: the shortest interval is sixty times as long. */
  tickMs: 1_000,
  /** Looks at once, each at another connection: they share sockets and the thread of sessions with clients. */
  atOnceMax: 4,
  /** Asked for by people and waiting for the look that runs at the same connection. */
  waitingMax: 4,
  /** One request, from its first byte to the last of its answer: a cold model needs seconds for ten texts. */
  requestMs: 30_000,
  /** Bytes of an answer: ten scores are 1 KB, a list of a thousand models 300 KB. */
  answerBytesMax: 1_048_576,
  /** Levels of an answer; services nest four. */
  answerDepthMax: 32,
  /** Values of an answer: a list of a thousand models with twenty members each, and as much again. */
  answerValuesMax: 50_000,
  /** Models of one answer that make up an identity; a server has a few, a hosted service names the one that is asked for. */
  modelsMax: 64,
  /** Characters of one member of an identity: digests have 64, names and paths below 200. */
  memberCharactersMax: 512,
  /** Of a whole identity, which stands in a leaf of each look: one model has below 2,000, and 64 of a server 10,000. */
  identityCharactersMax: 32_768,
  /** Bytes of a score: as in rerank-limits.ts. */
  scoreBytesMax: 64,
  /** Characters of a failure as a leaf has it. */
  failureCharactersMax: 300,
  /** Difference of two scores that is noise, where a connection says nothing: two roundings to half precision, which has 11 bits. */
  tolerance: 0.001,
  /** The most that a connection may say: as in spec/events.md, where a larger one counts for this. */
  toleranceMax: 0.05,
  /** Findings of one connection and kind that `models show` has; packages have all. */
  findingsKeptMax: 20,
  /** Leaves at the end of the log that are looked through at start, for one whose place a crash kept from the store. */
  recoveredLeavesMax: 10_000,
  /** Grants that were used since the look before, of all connections: more than people give between two looks. */
  grantsMax: 1_000,
  /** Names and groups that are told. */
  reviewersMax: 16,
} as const;
