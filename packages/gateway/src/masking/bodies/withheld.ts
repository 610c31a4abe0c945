/** The one error of this folder: a content that is to be masked is not of the form that it says it has. */

import { CountersignError } from '../../core/errors.ts';

/** @param at the byte of the content from which on it is not understood; it names no value */
export function withheld(format: string, reason: string, at?: number): CountersignError {
  const where = at === undefined ? '' : `, at byte ${at}`;
  return new CountersignError('CONTENT_WITHHELD', { format, reason: `${reason}${where}` });
}

/** Whether an error is {@link withheld}. */
export function isWithheld(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'CONTENT_WITHHELD';
}
