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

export const MASK_CATALOG_LIMITS = {
  /** Columns that the masks of one connection name; each is looked for among all columns of a database. */
  patternsMax: 1_000,
  /** A name has 63 bytes, and may be written with quotes that are doubled. */
  patternCharactersMax: 400,
  /** Relations of a database: a tenant in each schema makes tens of thousands; known by 12 bytes each. */
  relationsMax: 200_000,
  /** Relations with a masked column, their partitions and heirs, and views below materialized ones: 1 KB each. */
  subjectsMax: 20_000,
  /** Columns of those that are named, and labels that come of them; 100 bytes each. */
  columnsMax: 200_000,
  /** Generated columns of a database, with masks or not. */
  generatedMax: 20_000,
  /** Definitions of views and generated columns together; one is 2 to 20 KB, and all are read in one turn. */
  treeBytesMax: 33_554_432,
  /** The answer, in base64, of which the trees are most. */
  answerBytesMax: 67_108_864,
  /** Types that results are made of, with those inside of them. */
  typesMax: 10_000,
  /** Labels of all enums among them. */
  enumLabelsMax: 100_000,
  /** Types within types, as the operators have it. */
  typeNestingMax: 32,
} as const;
