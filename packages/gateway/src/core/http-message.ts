/**
 * One HTTP request or answer as the rooms share it: RFC 9110.
 */

/** Field lines in order; names in small letters. */
export type HttpFields = readonly (readonly [name: string, value: string])[];

/** What stands in front of a request's content, behind normalisation: what is matched is what is forwarded. */
export interface HttpRequestHead {
  /** The method as it came, RFC 9110 §9. */
  readonly method: string;
  /** Begins with `/`; the connection's own prefix is gone, no empty, dot or percent-encoded-unreserved segments. */
  readonly path: string;
  /** Without its `?`; empty where there is none. */
  readonly query: string;
  /** Without hop-by-hop fields and without the client's credentials. */
  readonly fields: HttpFields;
}
