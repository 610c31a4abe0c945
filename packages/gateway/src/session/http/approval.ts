/**
 * A held request: ask, wait a little, take the grant once; or say to come back with the identical request.
 *
 * Spec: spec/http.md §7. What is approved is method, path, query, the fields that say what the content is, and
 * the digest of the content, for one principal on one connection under the policy that decided.
 */

import { createHash } from 'node:crypto';
import type { Hold, HoldDemand, HoldRequest, Settlement, Taken } from '../../approvals/holds-port.ts';
import { CountersignError } from '../../core/errors.ts';
import { HTTP_LIMITS as LIMITS } from '../../core/http-limits.ts';
import type { HttpRequestHead } from '../../core/http-message.ts';
import { openersOf } from '../../policy/break-glass.ts';
import type { Decision } from '../../policy/decide.ts';
import type { CompiledRule } from '../../policy/rule.ts';
import { valueOf, valuesOf } from '../../protocols/http/fields.ts';
import { demandOf } from '../hold-demand.ts';
import { toldCause } from '../told-causes.ts';
import type { HeldContent } from './held-content.ts';
import type { HttpSession } from './http-session.ts';

export interface ApprovalRequest {
  readonly head: HttpRequestHead;
  readonly content: HeldContent | undefined;
  /** What is forwarded, and shown, where Masks reach the request; what came is bound all the same. */
  readonly shown:
    | { readonly head: HttpRequestHead; readonly content: Pick<HeldContent, 'bytes' | 'sha256'> | undefined }
    | undefined;
  readonly decision: Decision;
  /** Digest of the policy that decided. */
  readonly policy: string;
  readonly effects: readonly string[];
  readonly objects: readonly string[];
  /** What somebody who has to agree should know. */
  readonly reasons: readonly string[];
  readonly intent: number;
  /** What follows is another protocol, which nobody looks into. */
  readonly upgrade: boolean;
}

export type Approval =
  | {
      readonly kind: 'taken';
      readonly done: (status: 'ok' | 'failed' | 'unknown', outcomeLeaf?: number) => Promise<void>;
    }
  | {
      readonly kind: 'refused';
      readonly error: CountersignError;
      readonly approval: { readonly id: string; readonly url: string };
    };

/**
 * Fields that an approval is not bound to: they change from try to try, or say nothing of what is done. Every other
 * one is bound, because nobody knows what a service reads in it: a database, a version, a way to merge.
 */
const UNBOUND_FIELDS: ReadonlySet<string> = new Set([
  // What is bound by itself, or belongs to the connection.
  'content-length',
  'host',
  'date',
  'expect',
  'te',
  'priority',
  // Which program asks, and in which form it wants to be answered.
  'user-agent',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'pragma',
  'dnt',
  'origin',
  'referer',
  'x-client-name',
  'x-client-version',
  'x-elastic-client-meta',
  // One try of many, for those who look for it in a log.
  'sec-websocket-key',
  'idempotency-key',
  'x-idempotency-key',
  'x-retry-count',
  'x-opaque-id',
  'request-id',
  'x-request-id',
  'x-client-request-id',
  'x-ms-client-request-id',
  'x-correlation-id',
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  'sentry-trace',
  'uber-trace-id',
  'x-amzn-trace-id',
  'x-cloud-trace-context',
]);
/** Beginnings of names of such fields, as SDKs send them. */
const UNBOUND_PREFIXES = [
  'x-stainless-',
  'x-fern-',
  'x-b3-',
  'x-datadog-',
  'amz-sdk-',
  'sec-fetch-',
  'sec-ch-',
];

/** Gone from what is shown, because that is decoded. */
const OF_WHAT_CAME = 'content-encoding';

interface Demanded {
  readonly rule: CompiledRule;
  readonly hold: Hold;
}

/**
 * Asks for each rule that holds. Where all have granted it, the grants are used.
 *
 * @param gone aborted when the client leaves, or the session ends: what was asked is then withdrawn
 */
export async function approve(
  session: HttpSession,
  request: ApprovalRequest,
  gone: AbortSignal,
): Promise<Approval> {
  const { holds } = session.ports;
  const demanded: Demanded[] = [];
  try {
    for (const rule of request.decision.holds) {
      // oxlint-disable-next-line no-await-in-loop -- Each asks other people, in the order of the rules.
      const hold = await holds.ask(requestOf(session, request, rule));
      demanded.push({ rule, hold });
    }
    const refusal = await waitForAll(session, demanded, request, gone);
    return refusal ?? (await takeAll(session, demanded, request.intent));
  } finally {
    for (const { hold } of demanded) hold.release();
  }
}

/** Undefined where every one is granted. */
async function waitForAll(
  session: HttpSession,
  demanded: readonly Demanded[],
  request: ApprovalRequest,
  gone: AbortSignal,
): Promise<Approval | undefined> {
  const open = demanded.filter(({ hold }) => hold.state !== 'granted');
  if (open.length === 0) return undefined;
  const { promise: late, resolve } = Promise.withResolvers<'late' | 'gone'>();
  const timer = setTimeout(() => resolve('late'), LIMITS.holdWaitMs);
  const leave = (): void => resolve('gone');
  gone.addEventListener('abort', leave, { once: true });
  if (gone.aborted) leave();
  try {
    for (const one of open) {
      // oxlint-disable-next-line no-await-in-loop -- Whoever has approved all but one has approved nothing.
      const end = await Promise.race([one.hold.settled, late]);
      if (end === 'gone') {
        await Promise.all(open.map(({ hold }) => hold.withdraw('its client left')));
        throw new CountersignError('HOLD_WITHDRAWN', { id: one.hold.id, reason: 'the client left' });
      }
      const error = end === 'late' ? heldError(one, request) : errorOfEnd(end, one);
      if (error !== undefined) return refused(session, one, error);
    }
    return undefined;
  } finally {
    clearTimeout(timer);
    gone.removeEventListener('abort', leave);
  }
}

/** Uses every grant, once; none is left half used where one cannot be. */
async function takeAll(
  session: HttpSession,
  demanded: readonly Demanded[],
  intent: number,
): Promise<Approval> {
  const taken: Taken[] = [];
  for (const one of demanded) {
    const { hold } = one;
    // oxlint-disable-next-line no-await-in-loop -- A grant that follows one that cannot be used stays unused.
    const got = await session.ports.holds.take(hold.id, hold.digest, session.id, intent);
    if (got.kind === 'refused') {
      await Promise.all(taken.map((other) => other.done('failed')));
      const error = new CountersignError('HOLD_NOT_USABLE', { id: hold.id, why: got.why });
      return refused(session, one, error);
    }
    taken.push(got);
  }
  return {
    kind: 'taken',
    done: async (status, outcomeLeaf) => {
      await Promise.all(taken.map((one) => one.done(status, { outcomeLeaf })));
    },
  };
}

function requestOf(session: HttpSession, request: ApprovalRequest, rule: CompiledRule): HoldRequest {
  const { principal, connection, address, id } = session;
  const { head, content, shown, decision, policy, effects, objects, reasons, intent, upgrade } = request;
  const cause = decision.causes.find((one) => one.rule === rule.name);
  const { kind, name, groups, issuer, subject } = principal;
  return {
    binding: {
      protocol: 'http',
      message: head.method,
      statement: shown === undefined ? shownText(head, content) : shownText(shown.head, shown.content),
      parameters:
        content === undefined ? [] : [{ spooled: { bytes: content.bytes.length, sha256: content.sha256 } }],
      principal: principal.id,
      connection,
      database: '',
      role: '',
      state: {
        ...(upgrade ? { upgrade: 'websocket' } : {}),
        ...(shown === undefined ? {} : { query_sha256: sha256Of(head.query) }),
      },
      policy,
      rule: { name: rule.name, version: rule.version },
      context: boundFields(head, shown?.head),
    },
    demand: {
      ...withReasons(demandOf(rule, cause), reasons),
      openers: openersOf(decision, rule).map((opener) => ({ name: opener.name, version: opener.version })),
    },
    requester: { id: principal.id, name, kind, groups, issuer, subject },
    sessionId: id,
    // The identical request may come over another connection, which may be another session.
    bindToSession: false,
    intentLeaf: intent,
    facts: { effects, tables: objects, affectedKeys: [] },
    address,
  };
}

function withReasons(demand: HoldDemand, reasons: readonly string[]): HoldDemand {
  const all = [demand.reason, ...reasons].filter((reason) => reason !== undefined && reason !== '');
  return { ...demand, reason: all.join('; ').slice(0, LIMITS.leafFieldBytesMax).toWellFormed() };
}

/** The query is shown masked, and is bound as it came. */
function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A field that is shown masked is bound by what came, and tells nothing of it. */
function boundFields(
  head: HttpRequestHead,
  shown: HttpRequestHead | undefined,
): Readonly<Record<string, string>> {
  const came = boundValues(head);
  if (shown === undefined) return came;
  const masked = boundValues(shown);
  return Object.fromEntries(
    Object.entries(came).map(([name, value]) => [
      name,
      masked[name] === value || name === OF_WHAT_CAME ? value : `sha256:${sha256Of(value)}`,
    ]),
  );
}

function boundValues({ fields }: HttpRequestHead): Readonly<Record<string, string>> {
  const names = new Set(fields.map(([name]) => name).filter(isBound));
  return Object.fromEntries(
    [...names].map((name) => {
      // All of them: a second line would change what the first one says.
      const values = valuesOf(fields, name);
      return [name, values.length === 1 ? (values[0] ?? '') : JSON.stringify(values)];
    }),
  );
}

function isBound(name: string): boolean {
  return !UNBOUND_FIELDS.has(name) && !UNBOUND_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** What approvers read, and what is bound: the request line, what the content is, and its beginning. */
function shownText(
  { method, path, query, fields }: HttpRequestHead,
  content: Pick<HeldContent, 'bytes' | 'sha256'> | undefined,
): Uint8Array {
  const target = query === '' ? path : `${path}?${query}`;
  const type = valueOf(fields, 'content-type');
  const head = Buffer.from(`${method} ${target}\n${type === undefined ? '' : `content-type: ${type}\n`}\n`);
  if (content === undefined) return head;
  const { bytes } = content;
  const isPlain = valueOf(fields, 'content-encoding') === undefined;
  const shown = isPlain ? bytes.subarray(0, LIMITS.shownContentBytesMax) : new Uint8Array(0);
  const cut =
    shown.length === bytes.length ? '' : `\n… ${bytes.length} bytes in all, SHA-256 ${content.sha256}`;
  return Buffer.concat([head, shown, Buffer.from(cut)]);
}

function heldError({ hold, rule }: Demanded, { decision }: ApprovalRequest): CountersignError {
  const cause = decision.causes.find((one) => one.rule === rule.name);
  return new CountersignError('POLICY_HELD', {
    rule: rule.name,
    version: rule.version,
    what: cause === undefined ? '' : toldCause(cause),
    id: hold.id,
  });
}

function errorOfEnd(end: Settlement, { hold: { id } }: Demanded): CountersignError | undefined {
  switch (end.state) {
    case 'granted':
      return undefined;
    case 'denied':
      return new CountersignError('HOLD_DENIED', { id, by: end.by });
    case 'expired':
      return new CountersignError('HOLD_EXPIRED', { id });
    case 'withdrawn':
      return new CountersignError('HOLD_WITHDRAWN', { id, reason: end.reason ?? '' });
    case 'used':
      return new CountersignError('HOLD_NOT_USABLE', { id, why: 'used' });
    default:
      return end satisfies never;
  }
}

function refused({ ports }: HttpSession, { hold }: Demanded, error: CountersignError): Approval {
  return { kind: 'refused', error, approval: { id: hold.id, url: ports.holdUrl(hold.id) } };
}
