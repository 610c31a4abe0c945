/**
 * Errors as answers: `{ code, message, hint }` with the status of core/errors.ts.
 *
 * What a parser or a validator says about a body may repeat a part of it, a password for one; so
 * only where something is wrong goes out, never what was there.
 */

import { LedgerError } from '@countersign/ledger/errors';
import { CountersignError, type ErrorProblem, toCountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { ErrorAnswer, ProblemRow } from './answers.ts';

/** Fastify's own codes that a caller can cause. */
const CALLER_ERRORS: ReadonlyMap<string, string> = new Map([
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'expected a body of type application/json'],
  ['FST_ERR_CTP_EMPTY_JSON_BODY', 'expected a JSON body, got none'],
  ['FST_ERR_CTP_INVALID_JSON_BODY', 'the body is not JSON'],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', 'the length of the body is not the one that was announced'],
  ['FST_ERR_BAD_URL', 'the path is not well-formed'],
]);

/** Any error of a request as one of ours. */
export function requestError(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown;
  if (thrown instanceof LedgerError && thrown.code === 'TILE_PATH') {
    return new CountersignError('NOT_FOUND', { what: 'tile of this path' }, { cause: thrown });
  }
  const code = textAt(thrown, 'code');
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const { bodyBytesMax: allowed } = LIMITS.api;
    return new CountersignError('LIMIT_EXCEEDED', { limit: 'api.bodyBytesMax', allowed, actual: 'more' });
  }
  const reason = CALLER_ERRORS.get(code) ?? validationReason(thrown) ?? parsingReason(thrown);
  return reason === undefined
    ? toCountersignError(thrown)
    : new CountersignError('REQUEST_INVALID', { reason });
}

/** What the client is told. */
export function errorAnswer(error: CountersignError): ErrorAnswer {
  const { hint } = error.row;
  const problems = error.problems.map(problemRow);
  return {
    code: error.code,
    message: error.message,
    ...(hint === undefined ? {} : { hint }),
    ...(problems.length === 0 ? {} : { problems }),
  };
}

function problemRow({ path = [], ...problem }: ErrorProblem): ProblemRow {
  return path.length === 0 ? problem : { ...problem, path: path.join('.') };
}

function validationReason(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('validation' in thrown)) return undefined;
  const { validation } = thrown;
  const first: unknown = Array.isArray(validation) ? validation[0] : undefined;
  const path = textAt(first, 'instancePath').slice(1).replaceAll('/', '.');
  const where = `${textAt(thrown, 'validationContext')}${path === '' ? '' : ` ${path}`}`;
  return `${where} ${textAt(first, 'message')}${unknownKey(first)}`;
}

function unknownKey(problem: unknown): string {
  if (typeof problem !== 'object' || problem === null || !('params' in problem)) return '';
  const key = textAt(problem.params, 'additionalProperty');
  return key === '' ? '' : ` ("${key.slice(0, 64)}")`;
}

/** A body that JSON.parse refuses: its message repeats the text. */
function parsingReason(thrown: unknown): string | undefined {
  const status = typeof thrown === 'object' && thrown !== null && 'statusCode' in thrown && thrown.statusCode;
  return status === 400 ? 'it cannot be read' : undefined;
}

function textAt(value: unknown, key: string): string {
  if (typeof value !== 'object' || value === null) return '';
  const found: unknown = Reflect.get(value, key);
  return typeof found === 'string' ? found : '';
}
