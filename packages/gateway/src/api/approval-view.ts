/** Holds as the API answers them. */

import type { Approvals } from '../approvals/approvals.ts';
import { type HoldContent, type HoldRecord, isBeingAsked, stateAt } from '../approvals/hold-record.ts';
import type { WhichHolds } from '../approvals/hold-store.ts';
import { maySee } from '../approvals/visibility.ts';
import { formatTimeUs } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Principal } from '../core/principal.ts';
import type {
  ApprovalDetail,
  ApprovalRow,
  ApprovalsAnswer,
  BreakGlassRow,
  HeldChangeRow,
} from './answers.ts';
import { optionalTime } from './moments.ts';

const SCANNED_AT_ONCE = 200;

/** A hold that somebody may see; others do not exist for them. */
export async function findHold(approvals: Approvals, id: string, viewer: Principal): Promise<HoldRecord> {
  const record = await approvals.find(parseId('hold', id));
  if (record === undefined || !maySee(viewer, record)) {
    throw new CountersignError('NOT_FOUND', { what: `hold ${id}` });
  }
  return record;
}

/** One page of what somebody may see, newest first. */
export async function listHolds(
  approvals: Approvals,
  viewer: Principal,
  filter: { readonly which: WhichHolds; readonly before: string | undefined; readonly limit: number },
): Promise<ApprovalsAnswer> {
  const { which, limit } = filter;
  const nowUs = approvals.nowUs();
  const found: HoldRecord[] = [];
  let { before } = filter;
  let isMore = true;
  let scanned = 0;
  while (isMore && found.length < limit && scanned < LIMITS.approvals.scannedMax) {
    // oxlint-disable-next-line no-await-in-loop -- Where a page begins is known after the one before.
    const page = await approvals.page(before, which, SCANNED_AT_ONCE);
    isMore = page.length === SCANNED_AT_ONCE;
    for (const record of page) {
      if (found.length === limit) {
        isMore = true;
        break;
      }
      before = record.id;
      scanned += 1;
      const isOver = which === 'open' && stateAt(record, nowUs) !== record.state;
      if (!isOver && !isBeingAsked(record) && maySee(viewer, record)) found.push(record);
    }
  }
  const rows = await Promise.all(found.map((record) => holdRow(approvals, record)));
  return { approvals: rows, ...(isMore && before !== undefined ? { next: before } : {}) };
}

/** What people see who decide. */
export async function holdDetail(approvals: Approvals, record: HoldRecord): Promise<ApprovalDetail> {
  const { document } = record;
  const { demand, requester, boundTo } = document;
  const content = await approvals.texts.content(record);
  const votes = await approvals.texts.votes(record);
  const endReason = await approvals.texts.reason(record);
  const boundRows = boundTo['rows'];
  return {
    ...(await holdRow(approvals, record)),
    digest: record.digest,
    policy: document.bundle,
    approvers: demand.approvers,
    reasonRequired: demand.requireReason,
    ...(demand.mfaMs === undefined ? {} : { mfaSeconds: demand.mfaMs / 1_000 }),
    ...optional('reason', demand.reason),
    requesterGroups: requester.groups,
    ...optional('session', record.sessionId),
    address: document.address,
    node: record.node,
    ...optional('leaf', record.askedLeaf),
    shredded: content === undefined,
    ...(content === undefined ? { effects: [], tables: [], affectedKeys: [] } : contentOf(content)),
    ...(typeof boundRows === 'number' ? { boundRows } : {}),
    ...optional('changes', content === undefined ? undefined : heldChanges(record, content)),
    votes: votes.map(({ name, groups, decision, comment, votedUs, node, leaf }) => ({
      name,
      groups,
      decision,
      ...optional('comment', comment),
      at: formatTimeUs(votedUs),
      node,
      leaf,
    })),
    openers: (demand.openers ?? []).map(({ name }) => name),
    ...optional('breakGlass', await breakGlassRow(approvals, record)),
    ...optional('endedBy', record.endedBy),
    ...optional('endReason', endReason),
    ...optional('outcome', record.outcome),
  };
}

async function holdRow(approvals: Approvals, record: HoldRecord): Promise<ApprovalRow> {
  const { demand, requester, connection, database, boundTo } = record.document;
  const votes = await approvals.texts.votes(record);
  return {
    id: record.id,
    state: stateAt(record, approvals.nowUs()),
    rule: demand.rule.name,
    ruleVersion: demand.rule.version,
    requester: requester.name,
    protocol: String(boundTo['protocol'] ?? ''),
    ...optional('connection', connection),
    ...optional('database', database),
    askedAt: formatTimeUs(record.askedUs),
    expiresAt: formatTimeUs(record.expiresUs),
    ...optionalTime('useUntil', record.useUntilUs),
    count: demand.count,
    approved: votes.filter(({ decision }) => decision === 'approve').length,
    ...reviewOf(record),
  };
}

function reviewOf({ opening, review }: HoldRecord): Pick<ApprovalRow, 'review' | 'reviewBy'> {
  if (opening === undefined) return {};
  return { review: review?.verdict ?? 'unreviewed', reviewBy: formatTimeUs(opening.reviewByUs) };
}

async function breakGlassRow(approvals: Approvals, record: HoldRecord): Promise<BreakGlassRow | undefined> {
  const { opening, review } = record;
  if (opening === undefined) return undefined;
  const { rule, reviewers, openedUs, useUntilUs, node, leaf } = opening;
  const opened = {
    rule: rule.name,
    ruleVersion: rule.version,
    ...optional('reason', await approvals.texts.opening(record)),
    reviewers,
    at: formatTimeUs(openedUs),
    until: formatTimeUs(useUntilUs),
    node,
    leaf,
  };
  if (review === undefined) return opened;
  return {
    ...opened,
    reviewer: review.reviewer.name,
    reviewerGroups: review.reviewer.groups,
    ...optional('comment', await approvals.texts.review(record)),
    reviewedAt: formatTimeUs(review.reviewedUs),
    reviewNode: review.node,
    reviewLeaf: review.leaf,
  };
}

/** Undefined where it is no change of resources. */
function heldChanges(
  { document }: HoldRecord,
  { statement }: HoldContent,
): readonly HeldChangeRow[] | undefined {
  if (document.resources === undefined || typeof statement !== 'string') return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- resources/change-set.ts wrote it, and it was sealed.
  const changes = JSON.parse(statement) as readonly (HeldChangeRow & { readonly previous_version: number })[];
  return changes.map(({ action, kind, name, diff, previous_version: previousVersion }) => {
    return { action, kind, name, previousVersion, diff };
  });
}

function contentOf(
  content: HoldContent,
): Pick<ApprovalDetail, 'effects' | 'tables' | 'affectedKeys'> & Partial<ApprovalDetail> {
  const { statement, effects, tables, affectedKeys, exactRows, estimatedRows } = content;
  return {
    ...(typeof statement === 'string' ? { statement } : { statementBase64: statement.base64 }),
    statementBytes: content.statementBytes,
    statementSha256: content.statementSha256,
    statementTruncated: content.truncated,
    effects,
    tables,
    affectedKeys,
    ...optional('exactRows', exactRows),
    ...optional('estimatedRows', estimatedRows),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A computed key loses its literal type.
  return (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V };
}
