/**
 * A call of a reranking model and its answer, whatever the service's own words for them are.
 *
 * Made by `protocols/http/operations/`, which has one row a dialect. Nothing in here is invented: what the
 * service does not say is left out. Where text stands is said by pattern, so that masking finds it in the
 * bytes; a pattern is an RFC 6901 pointer in which a segment `*` stands for each item of an array and each
 * member of an object. The empty pattern is the whole content.
 */

/** RFC 6901, with `*` for each item or member. */
export type JsonPattern = string;

export type RerankOperation =
  /** A query and documents come in, an order comes out. */
  | 'rerank'
  /** Pairs, or one text against others, come in; a score for each comes out, in the order of the request. */
  | 'score'
  | 'pair-predict'
  /** A search, of which a model orders the hits. */
  | 'retrieve-rerank';

/** Where a service is told which document is meant. */
export type DocumentKey =
  /** A number: the place of the document in the request, from 0. */
  | 'index'
  /** A name that the request, or the store, gives the document. */
  | 'id'
  /** None: the place in the answer is the place in the request. */
  | 'position'
  /** None but the text itself. */
  | 'text';

export interface RerankDocuments {
  /** Pointer of the array; of a search, which brings none, undefined. */
  readonly array: JsonPattern | undefined;
  /** Items of the array; 1 where a single text stands in its place. */
  readonly count: number;
  /** Texts of the documents. */
  readonly texts: readonly JsonPattern[];
  /** Where names stand that the request gives them. */
  readonly ids: readonly JsonPattern[];
  /** Those names, in the order of the documents; empty where there are none, or more than limits allow. */
  readonly names: readonly string[];
}

export interface RerankCall {
  /** A name of the table of dialects. */
  readonly dialect: string;
  readonly operation: RerankOperation;
  /** As the request has it; undefined: the service has a default, or one model only. */
  readonly model: string | undefined;
  readonly modelFrom: 'body' | 'path' | 'none';
  readonly query: readonly JsonPattern[];
  readonly documents: RerankDocuments;
  /** How many results are asked for, as the bytes of the request have it. */
  readonly topN: string | undefined;
  /** Whether the answer repeats texts; `default`: the request does not say. */
  readonly returnsText: boolean | 'default';
  /** Text that tells the model how to judge: a change of it changes the ranking. */
  readonly instruction: readonly JsonPattern[];
  /** Fields of documents that count, where the request names them. */
  readonly rankFields: readonly string[];
  /** What else changes the ranking, or in whose turn it is made: names of members and their bytes. */
  readonly options: readonly (readonly [name: string, bytes: string])[];
  /** Members that name an address to which something is sent. */
  readonly egress: readonly JsonPattern[];
}

/** One line of an answer. */
export interface RankedDocument {
  /** Place in the answer, from 0. */
  readonly rank: number;
  /** Place in the request, from 0; undefined where the answer does not say, or says what does not exist. */
  readonly document: number | undefined;
  /** The name by which the service means it. */
  readonly id: string | undefined;
  /** The bytes of the score as received, with the quotes of one that came as a string; undefined: none came. */
  readonly score: string | undefined;
}

export interface RerankResult {
  readonly dialect: string;
  /** Pointer of the list of results; empty for an array without anything around it. */
  readonly list: JsonPattern;
  readonly key: DocumentKey;
  /** At most as many as limits allow. */
  readonly ranked: readonly RankedDocument[];
  /** Lines of the answer, those that were not read included. */
  readonly count: number;
  /** Whether the service promises the best first. */
  readonly sorted: boolean;
  /** Texts that the answer repeats, of documents and of queries. */
  readonly texts: readonly JsonPattern[];
  /** The model as the answer names it. */
  readonly model: string | undefined;
  /** What the service counts, as `tokens`, with the bytes of its number. */
  readonly usage: readonly (readonly [name: string, bytes: string])[];
  /** The service's own name for the call. */
  readonly requestId: string | undefined;
}
