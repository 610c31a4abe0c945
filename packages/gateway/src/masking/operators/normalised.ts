/**
 * The one way to write a value, so that the hashes of two ways are the same.
 *
 * Tokens are not normalised: what is had back is what was there.
 */

/** Numbers that people write with spaces, dots, dashes, brackets and a plus. */
const DIGITS: ReadonlySet<string> = new Set(['CREDIT_CARD', 'PHONE', 'US_SSN']);
/** Codes that people write in groups, in any case. */
const CODES: ReadonlySet<string> = new Set(['IBAN', 'MAC_ADDRESS']);

export function normalised(entity: string, text: string): string {
  const composed = text.normalize('NFC');
  if (entity === 'EMAIL') return composed.trim().toLowerCase();
  if (DIGITS.has(entity)) {
    const digits = composed.replace(/\D/g, '');
    // A text without digits is something else, and not the same as every other such text.
    return digits === '' ? composed : digits;
  }
  return CODES.has(entity) ? composed.replace(/[\s:.-]/g, '').toUpperCase() : composed;
}
