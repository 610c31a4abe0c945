/**
 * What can be wrong with a log, a proof or a note: one class, stable codes.
 *
 * Callers match on `code`, never on text.
 */

/** Every code with what it says. */
export const LEDGER_ERRORS = {
  JCS_VALUE: 'a value that RFC 8785 or this specification does not allow',
  JSON_SYNTAX: 'not one JSON value',
  LEAF_NOT_CANONICAL: 'a leaf that differs from its own canonical form',
  LEAF_FIELD: 'a leaf whose field is missing or malformed',
  BODY_MALFORMED: 'an opened body that is malformed',
  BODY_MISMATCH: 'a body that is not the one the leaf commits to',
  ENCODING: 'bytes that are not in the one accepted encoding',
  HASH_LENGTH: 'a hash that is not 32 bytes',
  PROOF_HASH_COUNT: 'a proof with too many or too few hashes',
  PROOF_RANGE: 'an index or size that no proof can be for',
  ROOT_MISMATCH: 'a computed root that is not the expected one',
  TILE_PATH: 'a tile path that is not in the one accepted form',
  BUNDLE: 'an entry bundle that is malformed',
  NOTE_MALFORMED: 'a signed note that is malformed',
  NOTE_UNVERIFIED: 'a note without a valid signature of a known key',
  NOTE_BAD_SIGNATURE: 'a note with a bad signature of a known key',
  VKEY_MALFORMED: 'a verifier key that is malformed',
  CHECKPOINT_MALFORMED: 'a checkpoint that is malformed',
  TLOG_PROOF_MALFORMED: 'a tlog-proof file that is malformed',
  COMPLETENESS: 'a range of leaves that is not complete',
} as const;

export type LedgerErrorCode = keyof typeof LEDGER_ERRORS;

/** The one error class of this package. */
export class LedgerError extends Error {
  readonly code: LedgerErrorCode;

  /** @param detail what was expected, what came */
  constructor(code: LedgerErrorCode, detail: string) {
    super(`${LEDGER_ERRORS[code]}: ${detail}`);
    this.name = 'LedgerError';
    this.code = code;
  }
}
