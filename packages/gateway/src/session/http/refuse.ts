/** A request answered in the target's place: in the target's own form, with what SDKs need to give up at once. */

import type { CountersignError } from '../../core/errors.ts';
import { HTTP_LIMITS as LIMITS } from '../../core/http-limits.ts';
import type { HttpFields } from '../../core/http-message.ts';
import type { ClientAnswer } from './http-ports.ts';
import { refusalBody } from '../../protocols/http/operations/refusal.ts';

export interface Refusal {
  readonly status: number;
  readonly fields: HttpFields;
  readonly body: string;
}

/** What AWS calls these; a client whose clock is wrong corrects it at InvalidSignatureException. */
const AWS_ERRORS: Readonly<Record<string, string>> = {
  SIGNATURE_MALFORMED: 'IncompleteSignatureException',
  SIGNATURE_REFUSED: 'InvalidSignatureException',
  AUTHENTICATION_FAILED: 'InvalidSignatureException',
};

/** 409 and 425 make some SDKs try again; what is not approved is 423. */
const STATUS: Readonly<Record<string, number>> = { HOLD_NOT_USABLE: 423 };

/**
 * The answer of an error.
 *
 * @param status in the place of the error's own
 */
export function refusalOf(
  error: CountersignError,
  dialect: string,
  details: {
    readonly status?: number | undefined;
    readonly approval?: { readonly id: string; readonly url: string } | undefined;
    /** The client signs, and reads errors as AWS writes them. */
    readonly isSigned?: boolean;
  } = {},
): Refusal {
  const { approval, isSigned = false } = details;
  const own401 = isSigned && error.row.http === 401 ? 403 : error.row.http;
  const status = details.status ?? STATUS[error.code] ?? own401;
  const isWaiting = approval !== undefined && error.code === 'POLICY_HELD';
  const hint = isWaiting
    ? `${approval.url} has it; send the identical request again when it is approved.`
    : (error.row.hintHttp ?? error.row.hint);
  const aws = isSigned ? (AWS_ERRORS[error.code] ?? true) : undefined;
  const own = refusalBody(dialect, status, { message: error.message, hint, approval, aws });
  const { contentType, body } = own;
  const fields: [string, string][] = [
    ['content-type', contentType],
    ['content-length', String(Buffer.byteLength(body))],
    ['cache-control', 'no-store'],
    ['x-countersign-error', error.code],
  ];
  for (const [name, value] of own.fields) fields.push([name, value]);
  if (approval !== undefined) {
    fields.push(['x-countersign-approval', approval.id], ['x-countersign-approval-url', approval.url]);
  }
  if (status === 423) fields.push(['retry-after', String(LIMITS.retryAfterSeconds)]);
  if (status === 401) fields.push(['www-authenticate', 'Bearer realm="countersign"']);
  return { status, fields, body };
}

/** Sends it; a HEAD has no content. */
export function sendRefusal(answer: ClientAnswer, method: string, { status, fields, body }: Refusal): void {
  if (!answer.isOpen) {
    answer.destroy();
    return;
  }
  answer.head(status, fields, false);
  if (method === 'HEAD') answer.body.end();
  else answer.body.end(body);
}
