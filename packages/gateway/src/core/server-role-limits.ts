/** The part of limits.ts that Masks of the mode `server-role` need, with the same rules: a unit in each name, a reason beside it. */

export const SERVER_ROLE_LIMITS = {
  /** Between two looks at the rights of a role that sessions use: a login and a look at a catalog, some 50 ms. */
  everyMs: 5_000,
  /**
   * After the last look that found all in order nothing passes any more. Two looks may fail on the way: a target that
   * is busy for a moment ends no session.
   */
  ageMaxMs: 15_000,
  /** One look, from the login on: somebody waits for a session. */
  totalMs: 10_000,
  /** One statement of it: the catalog of a large database takes a second or two. */
  statementMs: 5_000,
  /** Somebody may be changing a table: then it is looked at the next time. */
  lockMs: 500,
  /** Relations with masked columns, each of which may have a masking view: a tenant in each schema makes thousands. */
  relationsMax: 5_000,
  /** Columns of those, whose rights are asked for each role that the session can be. */
  columnsMax: 100_000,
  /** Problems of a role that are told: whoever reads fifty knows what is wrong. */
  problemsMax: 50,
  /** Of these in a leaf and in an error: as many as a line of a client holds. */
  problemsStatedMax: 5,
  /** Views whose text, as the server writes it, is remembered: of 1 KB each. */
  keptViewsMax: 10_000,
  /** What was said of the rights of a role before, in the comment of a schema; 200 bytes a relation. */
  commentBytesMax: 1_048_576,
  /** PostgreSQL's own limit for a name, in bytes. */
  nameBytesMax: 63,
} as const;
