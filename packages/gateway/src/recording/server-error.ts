/** Errors and notices of a target, or of the gateway in the target's form, as a replay shows them. */

import { LIMITS } from '../core/limits.ts';
import { responseField } from '../protocols/postgres/decode.ts';
import type { ErrorOrNotice } from '../protocols/postgres/messages.ts';
import type { ReplayedError, ReplayedNotice } from './replayed-statement.ts';
import { textOf } from './value-text.ts';

/** An ErrorResponse. */
export function errorOf(message: ErrorOrNotice, fromGateway: boolean): ReplayedError {
  const detail = optional(message, 'D');
  const hint = optional(message, 'H');
  return {
    ...noticeOf(message),
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
    fromGateway,
  };
}

/** A NoticeResponse, and what an error has in common with it. */
export function noticeOf(message: ErrorOrNotice): ReplayedNotice {
  const severity = optional(message, 'V') ?? optional(message, 'S') ?? '';
  return { severity, sqlstate: optional(message, 'C') ?? '', message: optional(message, 'M') ?? '' };
}

function optional(message: ErrorOrNotice, code: string): string | undefined {
  const bytes = responseField(message, code);
  return bytes === undefined ? undefined : textOf(bytes.subarray(0, LIMITS.postgres.errorTextBytesMax));
}
