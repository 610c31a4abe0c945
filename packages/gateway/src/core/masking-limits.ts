/** The part of limits.ts that masks need, with the same rules: a unit in each name, a reason beside it. */

export const MASKING_OPERATOR_LIMITS = {
  /** Keys that recognise and reveal: each makes finding a token by chance as much more likely. */
  keysMax: 16,
  /** A reversible token is as long again; what is longer than this gets one that cannot be had back. */
  tokenPlainBytesMax: 240,
  /** FF1 takes 0.4 ms for so many digits, and grows faster than they do. */
  permutedDigitsMax: 64,
  /** Characters that `partial` may leave at one end: more would be most of what people call a secret. */
  keptMax: 64,
  /** Decimals that `generalise` may leave; six of a degree are ten centimetres. */
  decimalsMax: 10,
  /** One step in ten ends a walk over Luhn's numbers; so many fail once in 10^45 values. */
  walkStepsMax: 1_000,
  /** Texts that look like tokens and are none, in one value: each costs 7 to 80 µs to tell. */
  forgedTokensMax: 1_000,
  /** Decimal digits of a number that is computed with: numeric can have 147,455. */
  decimalDigitsMax: 1_000,
  /** Levels of JSON. PostgreSQL's own parser goes as deep as its stack, some thousands. */
  jsonDepthMax: 512,
  /** Types within types: arrays of composites of ranges. */
  nestingMax: 32,
} as const;

/** Of what goes by in results. */
export const ROW_MASK_LIMITS = {
  /** Lines of counts in one leaf, 150 bytes each; beyond them a Mask has one line for the rest. */
  countsMax: 256,
  /** Masks that a session remembers, of 300 bytes each on average and 1 KB at most: 2 MB. */
  memoryValuesMax: 2_048,
  /** Longer values seldom repeat. */
  memoryValueBytesMax: 256,
  /** Columns and operators of one session whose masks are remembered; prepared statements use a few. */
  memoryScopesMax: 1_024,
} as const;

/** Of COPY TO STDOUT whose rows are looked into. */
export const COPY_OUT_LIMITS = {
  /** A row is held until its end has come, because what a field is shows only then. As large as a DataRow may be. */
  rowBytesMax: 67_108_864,
  /** The header of the binary format; what PostgreSQL sends has 19 bytes. */
  headerBytesMax: 4_096,
} as const;
