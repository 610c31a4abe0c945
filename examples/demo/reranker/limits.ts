/** What one call, one file and the whole service may take, each with its reason. */

export interface Limits {
  /** What a call's body may have. */
  readonly bodyBytesMax: number;
  /** TEI's own default (`--payload-limit`). */
  readonly teiBodyBytesMax: number;
  /** TEI's own default is 32; a search page that is reranked has 50 candidates. */
  readonly teiDocumentsMax: number;
  /** Characters of a query or a document in the form of Infinity, which says so in its schema. */
  readonly infinityTextLengthMax: number;
  /** Calls whose body is being read, TEI's `--max-concurrent-requests`; more are told to come again. */
  readonly callsMax: number;
  /** Versions of all models: a parameter file is small, and nobody keeps thousands. */
  readonly versionsMax: number;
  /** A body that does not arrive holds one of `callsMax`. */
  readonly requestTimeoutMs: number;
  /** What is being answered when the service ends may finish. */
  readonly closeTimeoutMs: number;
}

export const LIMITS: Limits = {
  bodyBytesMax: 32 * 1024 * 1024,
  teiBodyBytesMax: 2_000_000,
  teiDocumentsMax: 128,
  infinityTextLengthMax: 122_880,
  callsMax: 512,
  versionsMax: 256,
  requestTimeoutMs: 30_000,
  closeTimeoutMs: 5_000,
};

/** Documents of one call, as each service says for itself. */
export const DOCUMENTS_MAX = {
  cohere: 1_000,
  jina: 2_048,
  voyage: 1_000,
  mixedbread: 1_000,
  infinity: 2_048,
  pinecone: 1_000,
} as const;
