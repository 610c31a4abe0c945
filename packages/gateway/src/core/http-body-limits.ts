/** The part of limits.ts that contents of HTTP need, with the same rules: a unit in each name, a reason beside it. */

/** Of a content of which policy reads the members. */
export const JSON_LIMITS = {
  /** Objects and arrays within each other; Elasticsearch takes 30 in a query, and nobody writes hundreds by hand. */
  depthMax: 512,
  /** Values of one content, 50 to 100 bytes each; a thousand vectors of 1,536 numbers are 1.5 million. */
  nodesMax: 2_000_000,
} as const;

/** Of a content that is masked as it goes by. */
export const BODY_MASK_LIMITS = {
  /** As above: what is deeper is not JSON that anybody asked for, and is withheld. */
  depthMax: 512,
  /**
   * A string, a field, an event: held until its end has come, because what it is shows only then. Longer ones are
   * files in base 64.
   */
  pieceBytesMax: 16_777_216,
  /** A number is looked at again with each piece of it that comes; PostgreSQL's longest has 147,455 digits, and nobody sends it. */
  numberBytesMax: 4_096,
  /** Names of members that were masked, of one content, so that two never become one: 100 bytes each. */
  maskedNamesMax: 10_000,
  /** Columns of a CSV, each with a path of its own. */
  csvColumnsMax: 16_384,
  /** Segments of one field of a Mask; each level of a content is compared with each. */
  fieldSegmentsMax: 32,
  /** What a field of a Mask may be written with, as any pattern of a resource. */
  fieldCharactersMax: 200,
  /** Places in contents that are remembered by what leads there; beyond, they are worked out each time. */
  placesMax: 4_096,
} as const;

/** Of a request whose content is masked before it is forwarded. */
export const MASKED_REQUEST_LIMITS = {
  /** Bytes that are masked before other sessions have their turn: 5 ms of a core, by looks. */
  turnBytes: 262_144,
} as const;

/** Of a content that comes encoded (gzip, deflate, br, zstd) and is decoded to be read or masked. */
export const DECODING_LIMITS = {
  /** Decoded bytes for each encoded one: JSON and text have 5 to 20, and gzip makes up to 1,032 of zeros. */
  ratioMax: 100,
  /** Decoded bytes that need no ratio: a small answer may well be all one letter. */
  freeBytesMax: 1_048_576,
  /** Decoded bytes of one content. They are not kept, but a core has 4 s of work with so many. */
  decodedBytesMax: 1_073_741_824,
} as const;

/** Of texts that are sent to a model under other names. */
export const PSEUDONYM_LIMITS = {
  /** Different words of one request that are replaced, and spellings of them: 20 MB, and half a second of a core. */
  wordsMax: 50_000,
  /** What one takes in four maps, of each of which it has an entry of two strings. */
  bytesPerWord: 400,
  /** One text of a query or document: Infinity takes 122,880 characters. It is looked through in one turn. */
  textBytesMax: 1_048_576,
  /** What a text becomes with other words in it: as much as is held of a whole content. */
  changedCharactersMax: 33_554_432,
} as const;
