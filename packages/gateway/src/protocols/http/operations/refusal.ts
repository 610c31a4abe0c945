/**
 * What a client is told that was stopped, in the form that errors of the service have.
 *
 * SDKs show the text of an error only where they find it, and look in different places: so that each content has the
 * service's own members, and beside them those that most clients look for.
 */

import type { HttpFields } from '../../../core/http-message.ts';
import { dialectOf } from './dialects.ts';
import type { ErrorForm } from './route.ts';

export interface RefusalText {
  /** Which rule, and why. */
  readonly message: string;
  /** What to do next. */
  readonly hint: string | undefined;
  /** Of what waits for somebody: its id, and where they decide. */
  readonly approval?: { readonly id: string; readonly url: string | undefined } | undefined;
  /** For a client of AWS, whatever the dialect: the type of the error, or `true` for the one of the status. */
  readonly aws?: string | true | undefined;
}

export interface RefusalBody {
  readonly contentType: string;
  readonly body: string;
  /** Fields that clients of the service read beside the content. */
  readonly fields: HttpFields;
}

type Members = Readonly<Record<string, unknown>>;

/** `approval_required`, `access_denied`: what programs compare. */
function codeOf(status: number): string {
  if (status === 423) return 'approval_required';
  if (status === 400 || status === 413 || status === 422) return 'invalid_request';
  if (status === 401) return 'unauthorized';
  return status >= 500 ? 'unavailable' : 'access_denied';
}

const NATIVE: Readonly<Record<ErrorForm, (status: number, text: string) => Members>> = {
  universal: () => ({}),
  message: () => ({}),
  detail: () => ({}),
  openai: (status, text) => ({
    error: { message: text, type: codeOf(status), param: null, code: String(status) },
  }),
  tei: (_, text) => ({ error: text, error_type: 'Validation' }),
  pinecone: (status, text) => ({
    status,
    error: { code: status === 401 ? 'UNAUTHENTICATED' : 'FORBIDDEN', message: text, details: null },
  }),
  elasticsearch(status, reason) {
    const cause = { type: 'security_exception', reason };
    return { error: { ...cause, root_cause: [cause] }, status };
  },
  aws: (_, text) => ({ message: text, Message: text }),
  google: (status, text) => ({
    error: { code: status, message: text, status: status === 401 ? 'UNAUTHENTICATED' : 'PERMISSION_DENIED' },
  }),
  qdrant: (_, text) => ({ status: { error: text }, result: null, time: 0 }),
  weaviate: (_, text) => ({ error: [{ message: text }], errors: [{ message: text }] }),
  milvus: (status, text) => ({ code: status, message: text }),
  databricks: (_, text) => ({ error_code: 'PERMISSION_DENIED', message: text }),
  deepinfra: (_, text) => ({ detail: { error: text } }),
  vespa: (status, text) => ({
    root: {
      id: 'toplevel',
      relevance: 1,
      errors: [{ code: status, summary: codeOf(status), message: text }],
    },
  }),
};

/** @param dialect of the connection, or of what was read; what nobody knows gets what most clients read */
export function refusalBody(dialect: string | undefined, status: number, refusal: RefusalText): RefusalBody {
  const { message, hint, approval } = refusal;
  const text = hint === undefined ? message : `${message} ${hint}`;
  const code = codeOf(status);
  const native = dialect === undefined ? undefined : dialectOf(dialect)?.error;
  const form = refusal.aws === undefined ? (native ?? 'universal') : 'aws';
  const members: Members = {
    message: text,
    detail: text,
    status,
    error: { code, type: code, message: text },
    ...NATIVE[form](status, text),
    ...(approval === undefined ? {} : { approval }),
  };
  return {
    contentType: 'application/json',
    body: JSON.stringify(members),
    fields: form === 'aws' ? [['x-amzn-errortype', awsTypeOf(status, refusal.aws)]] : [],
  };
}

/** SDKs make a class of it, and try again what AWS says is over in a moment. */
function awsTypeOf(status: number, said: string | true | undefined): string {
  if (typeof said === 'string') return said;
  if (status === 400 || status === 413 || status === 422) return 'ValidationException';
  if (status === 429) return 'ThrottlingException';
  if (status === 502 || status === 503) return 'ServiceUnavailableException';
  return status >= 500 ? 'InternalServerException' : 'AccessDeniedException';
}
