/**
 * JSON as it was read: what stands where. Offsets are in bytes of the content that was read; `from` is the
 * first byte of a value and `to` is behind its last, quotes and brackets included.
 */

export interface JsonBounds {
  /** Objects and arrays within each other. */
  readonly depthMax: number;
  /** Values in all. */
  readonly nodesMax: number;
}

export type JsonNode = JsonObject | JsonArray | JsonScalar;

export interface JsonObject {
  readonly kind: 'object';
  readonly from: number;
  readonly to: number;
  /** In the order in which they came; no two have one key. */
  readonly members: readonly JsonMember[];
}

export interface JsonMember {
  /** With escapes undone; surrogates that have no other half stay as they are. */
  readonly key: string;
  readonly keyFrom: number;
  readonly keyTo: number;
  readonly value: JsonNode;
}

export interface JsonArray {
  readonly kind: 'array';
  readonly from: number;
  readonly to: number;
  readonly items: readonly JsonNode[];
}

export interface JsonScalar {
  readonly kind: 'string' | 'number' | 'true' | 'false' | 'null';
  readonly from: number;
  readonly to: number;
}

export type JsonRefusal =
  /** Not RFC 8259. */
  | 'syntax'
  /** A string that is not UTF-8. */
  | 'utf8'
  /** A name that stands twice in one object: who reads the first and who reads the last differ. */
  | 'duplicate-key'
  | 'too-deep'
  | 'too-many';

export type JsonResult =
  | {
      readonly kind: 'json';
      readonly root: JsonNode;
      /**
       * Whether an escape is half of a character (`\ud800`). Readers differ in what they make of it, so that two
       * names that are not the same here may be one to the target.
       */
      readonly hasLoneSurrogates: boolean;
    }
  | { readonly kind: 'refused'; readonly reason: JsonRefusal; readonly at: number };
