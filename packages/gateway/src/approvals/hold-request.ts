/** A request as the wire gives it → the row and the content that approvers see; refused where it is beyond the limits. */

import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { CountersignError } from '../core/errors.ts';
import type { HoldId, PrincipalId, SessionId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { HoldsTable } from '../store/schema.ts';
import { bind } from './binding.ts';
import type { HoldContent, HoldDocument } from './hold-record.ts';
import type { HoldDemand, HoldFacts, HoldRequest } from './holds-port.ts';
import type { PolicyAbout } from './options.ts';

/** A request that is within the limits. */
export interface CheckedRequest {
  readonly request: HoldRequest;
  readonly policy: string;
  readonly digest: string;
  readonly openKey: string;
  readonly document: HoldDocument;
  readonly content: HoldContent;
}

/** @param policy digest of what decides about it, of the whole policy that it names */
export function checkRequest(request: HoldRequest, policy: string): CheckedRequest {
  const { binding, demand, requester, facts } = request;
  checkDemand(demand);
  if (binding.principal !== requester.id) throw invalid('it is bound to somebody else than who asks');
  const { digest, boundTo } = bind({ ...binding, policy });
  const { name, kind, groups, issuer, subject } = requester;
  return {
    request,
    policy,
    digest,
    openKey: `${requester.id} ${digest}`,
    document: {
      requester: { name, kind, groups: [...groups], issuer, subject },
      demand,
      boundTo,
      ...('changes' in binding
        ? { resources: binding.resources }
        : { connection: binding.connection, database: binding.database }),
      address: request.address,
      bundle: binding.policy,
      ...(request.intentLeaf === undefined ? {} : { intentLeaf: request.intentLeaf }),
    },
    content: contentOf('changes' in binding ? binding.changes : binding.statement, facts),
  };
}

/** Whose key seals what is sealed of it. */
export function scopeOf({ sessionId, requester }: HoldRequest): SessionId | PrincipalId {
  return sessionId ?? requester.id;
}

/** Which part of the policy it stands and falls with. */
export function aboutOf({ binding, requester }: HoldRequest): PolicyAbout {
  return 'changes' in binding
    ? { resources: binding.resources }
    : { requester: requester.name, connection: binding.connection };
}

/** The row of a new hold, whose first leaf is not written yet. */
export function newRow(
  { request, policy, digest, openKey, document }: CheckedRequest,
  made: {
    readonly id: HoldId;
    readonly node: string;
    readonly sealed: Uint8Array;
    readonly nowUs: number;
    readonly leaf: number;
  },
): HoldsTable {
  const { id, node, sealed, nowUs, leaf } = made;
  return {
    id,
    version: 1,
    state: 'asked',
    digest,
    open_key: openKey,
    principal_id: request.requester.id,
    session_id: scopeOf(request),
    bound_session: request.bindToSession ? (request.sessionId ?? null) : null,
    node,
    policy,
    document: JSON.stringify(document),
    sealed,
    asked_us: nowUs,
    expires_us: nowUs + request.demand.expiresMs * 1_000,
    use_until_us: null,
    changed_us: nowUs,
    asked_leaf: null,
    taken_node: null,
    taken_leaf: null,
    outcome: null,
    ended_by: null,
    sealed_reason: null,
    pending: JSON.stringify({ kind: 'ask' }),
    pending_node: node,
    pending_leaf: leaf,
    pending_us: nowUs,
    opening: null,
    sealed_opening: null,
    review: null,
    sealed_review: null,
    review_by_us: null,
    notice_due_us: null,
    overdue_told_us: null,
  };
}

function checkDemand({ approvers, count, expiresMs, useWithinMs }: HoldDemand): void {
  const { approversMax, countMax, expiresMsMax, useWithinMsMax } = LIMITS.approvals;
  between('approvals.approversMax', 1, approversMax, approvers.length);
  between('approvals.countMax', 1, countMax, count);
  between('approvals.expiresMsMax', 1, expiresMsMax, expiresMs);
  between('approvals.useWithinMsMax', 1, useWithinMsMax, useWithinMs);
}

/** Names and groups that can approve nothing are a mistake of a rule, and none is read as everybody. */
function between(limit: string, allowedMin: number, allowed: number, actual: number): void {
  if (!Number.isSafeInteger(actual) || actual < allowedMin) {
    throw invalid(`${limit} must be a whole number from ${allowedMin}`);
  }
  if (actual > allowed) throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual });
}

/** What is longer than a person reads is cut; its length and SHA-256 stay. */
function contentOf(statement: Uint8Array, facts: HoldFacts): HoldContent {
  const { statementBytesMax, affectedKeysMax, affectedKeyCharactersMax } = LIMITS.approvals;
  const { effects, tables, affectedKeys, exactRows, estimatedRows, shown = statement } = facts;
  return {
    statement: textOf(shown, statementBytesMax),
    statementBytes: statement.length,
    statementSha256: createHash('sha256').update(statement).digest('hex'),
    truncated: shown.length > statementBytesMax,
    effects: factsOf(effects),
    tables: factsOf(tables),
    affectedKeys: affectedKeys
      .slice(0, affectedKeysMax)
      .map((key) => key.slice(0, affectedKeyCharactersMax).toWellFormed()),
    ...(exactRows === undefined ? {} : { exactRows }),
    ...(estimatedRows === undefined ? {} : { estimatedRows }),
  };
}

function factsOf(texts: readonly string[]): readonly string[] {
  const { factsMax, factCharactersMax } = LIMITS.approvals;
  return texts.slice(0, factsMax).map((text) => text.slice(0, factCharactersMax).toWellFormed());
}

/** Cut before a character that would be cut in two. */
function textOf(bytes: Uint8Array, bytesMax: number): HoldContent['statement'] {
  if (!isUtf8(bytes)) return { base64: Buffer.from(bytes.subarray(0, bytesMax)).toString('base64') };
  let end = Math.min(bytes.length, bytesMax);
  while (end > 0 && end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return Buffer.from(bytes.subarray(0, end)).toString('utf8');
}

function invalid(reason: string): CountersignError {
  return new CountersignError('REQUEST_INVALID', { reason });
}
