/**
 * What policy says about one request, and what its intent says of it.
 *
 * Pipeline: decide. Fails closed: what cannot be read is decided on as uninspectable, and a Mask that nothing
 * applies to content yet stops the request.
 */

import { CountersignError } from '../../core/errors.ts';
import type { HttpFields, HttpRequestHead } from '../../core/http-message.ts';
import { HTTP_LIMITS } from '../../core/http-limits.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Decision } from '../../policy/decide.ts';
import { toldCause, toldOthers } from '../told-causes.ts';
import type { HeldContent } from './held-content.ts';
import type { HttpAdmission } from './http-ports.ts';
import type { HttpReading } from '../../protocols/http/operations/read-request.ts';
import type { UnderstoodRequest } from './reading.ts';

export interface JudgedRequest {
  readonly decision: Decision;
  /** Undefined where it could not be read. */
  readonly reading: HttpReading | undefined;
  /** Digest of the policy bundle. */
  readonly policy: string;
}

/** Fields that a leaf shows; the recording has all of them. */
const SHOWN_FIELDS: ReadonlySet<string> = new Set([
  'accept',
  'content-encoding',
  'content-length',
  'content-type',
  // Of Milvus; no name of an object has it.
  'db-name',
  'user-agent',
  'x-request-id',
]);
/** Of one rule, in one sentence. */
const CAUSES_JOINED_MAX = 8;
const SHOWN_PREFIXES = ['x-fern-', 'x-stainless-', 'x-elastic-client-'];

/** What policy says now. */
export function judge(
  admission: HttpAdmission,
  { reading, text }: UnderstoodRequest,
  nowUs: number,
): JudgedRequest {
  const { policy, digest } = admission.policyNow();
  if (policy === undefined) {
    throw new CountersignError('INTERNAL', {}, { cause: 'an HTTP connection without a policy' });
  }
  return { decision: policy.decide(text, nowUs), reading, policy: digest };
}

/**
 * The body of the intent.
 *
 * @param content as it came
 * @param say what is shown of a text that names of the request stand in
 */
export function intentBody(
  head: HttpRequestHead,
  authority: string,
  scheme: 'http' | 'https',
  judged: JudgedRequest,
  content: HeldContent | undefined,
  say: (text: string) => string = (text) => text,
): Record<string, BodyValue> {
  const { decision, reading } = judged;
  const causes = decision.causes.slice(0, LIMITS.policy.causesMax);
  return {
    method: head.method,
    scheme,
    authority,
    path: head.path,
    ...(head.query === '' ? {} : { query: head.query }),
    headers: shownFields(head.fields),
    ...(content === undefined
      ? {}
      : { body_bytes: content.bytes.length, body_sha256: content.sha256, body_form: 'held' }),
    ...(reading === undefined ? { effects: ['unknown'] } : readingBody(reading, say)),
    ...(decision.kind === 'allow'
      ? {}
      : {
          rules: causes.map(({ rule, version, verdict }) => ({ rule, version, verdict })),
          reason: causes.map(({ what }) => what).join('; '),
        }),
  };
}

function readingBody(
  { dialect, template, effects, objects }: HttpReading,
  say: (text: string) => string,
): Record<string, BodyValue> {
  const named = say(objects.map(({ kind, name }) => `${kind} ${name}`).join(', '));
  return {
    effects: [...effects],
    ...(dialect === undefined ? {} : { dialect }),
    ...(template === undefined ? {} : { path_template: template }),
    ...(named === '' ? {} : { operation: named.slice(0, HTTP_LIMITS.leafFieldBytesMax).toWellFormed() }),
  };
}

/** Name → value, of those that say what client it was and what it sent. */
export function shownFields(fields: HttpFields): BodyValue {
  const shown: Record<string, string> = {};
  let left: number = HTTP_LIMITS.leafFieldBytesMax;
  for (const [name, value] of fields) {
    if (!SHOWN_FIELDS.has(name) && !SHOWN_PREFIXES.some((prefix) => name.startsWith(prefix))) continue;
    left -= name.length + value.length;
    if (left < 0) break;
    shown[name] = value.toWellFormed();
  }
  return shown;
}

/** The error that says why a request is blocked: all that the first rule found, and what others did. */
export function blockedError({ causes }: Pick<Decision, 'causes'>): CountersignError {
  const [first] = causes;
  const { rule = '', version = 0, description } = first ?? {};
  const found = causes.filter((cause) => cause.rule === rule).slice(0, CAUSES_JOINED_MAX);
  const what = toldCause({ what: found.map((cause) => cause.what).join('; '), description });
  const also = toldOthers(causes.filter((cause) => cause.rule !== rule));
  return new CountersignError('POLICY_BLOCKED', {
    rule,
    version,
    what: also === undefined ? what : `${what}. ${also}`,
  });
}
