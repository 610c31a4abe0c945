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

export const MASKING_PLAN_LIMITS = {
  /** Columns that one reason names: a leaf is for people, and a query over a wide view has hundreds. */
  columnsNamedMax: 8,
  /** Findings of one statement that are kept: the first ones say why it is refused. */
  findingsMax: 64,
  /** Letters of an entity from which on one that is nearly known is a slip: shorter ones are alike by chance. */
  slipLengthMin: 4,
} as const;

/** Of what an installation adds to the detectors. */
export const DETECTOR_LIMITS = {
  /** Detectors of one installation: each is looked for at each place of each text. */
  detectorsMax: 256,
  /** Values of one of them; the request that brings it has at most 2 MiB. */
  valuesMax: 50_000,
  /** Values of all: compiled again after a change of any, in 0.3 s and 30 MB. */
  valuesOfAllMax: 200_000,
  /** Steps of a pattern at one place of a text: its states times its longest match. 30 µs where all of them are taken. */
  patternStepsMax: 65_536,
  /** Steps of all patterns at one place. */
  patternStepsOfAllMax: 262_144,
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

/** Of a session whose results are masked. */
export const MASKED_SESSION_LIMITS = {
  /** A row, or a line of COPY, is looked at whole: what is longer ends the session. */
  rowBytesMax: 67_108_864,
  /** What a session keeps for its next masked row: enough for an ordinary one, and little beside a session. */
  passedFirstBytes: 4_096,
  /** What a session keeps while a result comes: twice what is read at once, as masks may be longer than values. */
  passedKeptBytesMax: 524_288,
  /** Trees of one statement; a text that is rewritten into more is masked whole. */
  treesMax: 64,
  /** Bytes of the trees of one statement. */
  treeBytesMax: 16_777_216,
  /** Trees that are remembered by their bytes, so that a text that comes again is read once. */
  rememberedTreesMax: 256,
  /** A longer tree is read each time: it belongs to a statement that costs more than its reading. */
  rememberedTreeBytesMax: 65_536,
  /** Names of cursors and prepared statements; beyond, what comes under the others is masked whole. */
  namesMax: 4_096,
  /** Lines about masked columns in one outcome leaf. */
  statedMasksMax: 64,
} as const;

/** Of COPY TO STDOUT whose rows are looked into. */
export const COPY_OUT_LIMITS = {
  /** A row is held until its end has come, because what a field is shows only then. As large as a DataRow may be. */
  rowBytesMax: 67_108_864,
  /** The header of the binary format; what PostgreSQL sends has 19 bytes. */
  headerBytesMax: 4_096,
} as const;

export const MASK_CATALOG_LIMITS = {
  /** Columns that the masks of one connection name; each is looked for among all columns of a database. */
  patternsMax: 1_000,
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
