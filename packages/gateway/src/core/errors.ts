/** The one class that carries the errors of {@link ERRORS}. */

import { type ErrorRow, ERRORS } from './error-rows.ts';

/** A stable error code: a key of {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/** Values for the placeholders of a sentence; shown to people, so never secrets. */
export type ErrorDetails = Readonly<Record<string, string | number>>;

/** One of several things that are wrong with a text that somebody handed in; values of it are not repeated. */
export interface ErrorProblem {
  /** What was expected. */
  readonly says: string;
  /** From 1; absent where nobody knows where it stands. */
  readonly line?: number;
  /** Of the resource that it is about. */
  readonly kind?: string;
  readonly name?: string;
  /** The keys that lead to it. */
  readonly path?: readonly string[];
}

/** The order in which people read a text; what stands on no line of it comes last. */
export function byLine(a: Pick<ErrorProblem, 'line'>, b: Pick<ErrorProblem, 'line'>): number {
  const { MAX_SAFE_INTEGER: last } = Number;
  return (a.line ?? last) - (b.line ?? last);
}

/** The one error class; `code` says which row of {@link ERRORS} it is. */
export class CountersignError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  /** Everything that is wrong, where the message says the first of it; else empty. */
  readonly problems: readonly ErrorProblem[];

  constructor(
    code: ErrorCode,
    details: ErrorDetails = {},
    options: { readonly cause?: unknown; readonly problems?: readonly ErrorProblem[] } = {},
  ) {
    const { problems = [], ...rest } = options;
    super(sentence(ERRORS[code].says, details), rest);
    this.name = 'CountersignError';
    this.code = code;
    this.details = details;
    this.problems = problems;
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}

/** Any thrown value as a CountersignError; what is not ours becomes INTERNAL with its cause kept. */
export function toCountersignError(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown;
  return new CountersignError('INTERNAL', {}, { cause: thrown });
}

/** The message of any thrown value, for logs and for `{reason}`. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function sentence(template: string, details: ErrorDetails): string {
  return template.replace(/\{(\w+)\}/g, (placeholder, name: string) => {
    const value = details[name];
    return value === undefined ? placeholder : String(value);
  });
}
