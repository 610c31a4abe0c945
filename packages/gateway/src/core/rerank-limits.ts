/** The part of limits.ts that records of rerank calls need, with the same rules: a unit in each name, a reason beside it. */

export const RERANK_LIMITS = {
  /** Documents that a leaf lists; the most that a service takes is 2,048. The rest is counted, and hashed as one. */
  documentsListedMax: 2_048,
  /** Results that a leaf lists: as many as documents. */
  resultsListedMax: 2_048,
  /** Queries that a leaf lists: nearly all calls have one, and scores of pairs have as many as texts. */
  queriesListedMax: 256,
  /** Characters of a masked query that a leaf shows: services take some thousand tokens. */
  queryCharactersMax: 16_384,
  /** Texts of one document that are hashed one by one, to find the rows that they come from. */
  documentTextsMax: 16,
  /** Bytes of a document's own name; 2,048 of them stay below what one body may have. */
  nameBytesMax: 256,
  /** Bytes of a score: a number of 64 bits needs 24, and a text that stands for one not much more. */
  scoreBytesMax: 64,
  /** Bytes of a name of a model, a field or a call; services' own are below 100. */
  wordBytesMax: 512,
  /** Things that a service counts; the most that any is known to count is seven. */
  usageMax: 32,
  /** Bytes of an answer that are kept to be read; 1,000 documents of 4 KB that are repeated are half of it. */
  answerBytesMax: 8_388_608,
  /** Of all answers together: a quarter of what requests may take. */
  answersTotalBytesMax: 67_108_864,
  /** Of one principal: half of them, so that nobody who reads slowly takes the orders of all others out of the log. */
  answersOfPrincipalBytesMax: 33_554_432,
  /** Bytes of a text that is remembered as retrieved: what is shorter is an id, a word or a number, and says nothing. */
  retrievedBytesMin: 16,
  /** Longer ones are no candidates of a reranker: 64 KiB are 16,000 tokens. */
  retrievedBytesMax: 65_536,
  /** Texts of one statement or answer: 1,000 candidates with eight columns. Each costs some µs of the thread of sessions. */
  retrievedOfOneMax: 8_192,
  /** Texts that are remembered of one principal: two of the largest retrievals. */
  retrievedOfPrincipalMax: 16_384,
  /** Of all principals: about 200 bytes each, 26 MB. Those who have retrieved nothing for longest lose theirs first. */
  retrievedMax: 131_072,
  /** What was retrieved longer ago is not what is ranked now: pipelines rank within seconds, people within minutes. */
  retrievedMs: 900_000,
} as const;
