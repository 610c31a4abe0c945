/** Errors between an export's thread and the main thread, which cannot hand over an Error with its code. */

import { ERRORS } from '../core/error-rows.ts';
import { CountersignError, type ErrorCode, reasonOf, toCountersignError } from '../core/errors.ts';
import type { ExportError } from './export-messages.ts';

export function toExportError(thrown: unknown): ExportError {
  const { code, details, cause } = toCountersignError(thrown);
  return { code, details, reason: reasonOf(cause ?? thrown) };
}

export function fromExportError({ code, details, reason }: ExportError): CountersignError {
  return new CountersignError(isCode(code) ? code : 'INTERNAL', details, { cause: new Error(reason) });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
