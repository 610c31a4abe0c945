/** Holds: which there are, what they are about, and what people say to them. */

import { Type } from 'typebox';
import { Check } from 'typebox/value';
import type { BreakRefusal, ReviewRefusal } from '../approvals/break-glass.ts';
import { type HoldRecord, VERDICTS } from '../approvals/hold-record.ts';
import type { VoteRefusal } from '../approvals/votes.ts';
import { secondFactorUs } from '../core/authentication.ts';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { ApprovalAnswer, ApprovalsAnswer } from './answers.ts';
import { approvalPage } from './approval-page.ts';
import { findHold, holdDetail, listHolds } from './approval-view.ts';
import { actorOf } from './leaf-actor.ts';
import type { ApiPorts } from './ports.ts';
import { type Route, route, type RouteInput } from './route.ts';
import { anything, counts, decimal, id, list, object, reason, STRICT, texts } from './schemas.ts';
import type { Caller } from './who-may.ts';

const ID = Type.Object({ id: id('hld') }, STRICT);
const ROW = {
  ...texts(
    'id state rule requester protocol connection? database? askedAt expiresAt useUntil? review? reviewBy?',
  ),
  ...counts('ruleVersion count approved'),
};
const TEXTS = list(Type.String());
const DETAIL = object({
  ...ROW,
  ...texts('digest policy reason? session? address node statement? statementBase64? statementSha256?'),
  ...texts('endedBy? endReason? outcome?'),
  ...counts('mfaSeconds? leaf? statementBytes? exactRows? boundRows? estimatedRows?'),
  reasonRequired: Type.Boolean(),
  shredded: Type.Boolean(),
  statementTruncated: Type.Optional(Type.Boolean()),
  approvers: TEXTS,
  requesterGroups: TEXTS,
  effects: TEXTS,
  tables: TEXTS,
  affectedKeys: TEXTS,
  openers: TEXTS,
  breakGlass: Type.Optional(
    object({
      ...texts('rule reason? at until node reviewer? comment? reviewedAt? reviewNode?'),
      ...counts('ruleVersion leaf reviewLeaf?'),
      reviewers: TEXTS,
      reviewerGroups: Type.Optional(TEXTS),
    }),
  ),
  changes: Type.Optional(
    list(
      object({
        ...texts('action kind name'),
        ...counts('previousVersion'),
        diff: list(
          object({ path: Type.String(), from: Type.Optional(anything()), to: Type.Optional(anything()) }),
        ),
      }),
    ),
  ),
  votes: list(object({ ...texts('name decision comment? at node'), ...counts('leaf'), groups: TEXTS })),
});
const ANSWER = object({ approval: DETAIL });
const BODY = Type.Object({ reason: Type.Optional(reason()) }, STRICT);

const listAll = route({
  key: 'GET /v1/approvals',
  summary: 'Holds that the caller asked for, may decide on, or sees as an administrator or auditor',
  query: Type.Object(
    {
      state: Type.Optional(
        Type.Enum(['open', 'unreviewed', 'all'], {
          description:
            'Open ones, those that were opened by break-glass and that nobody has reviewed, or all; open where absent',
        }),
      ),
      before: Type.Optional(id('hld')),
      limit: Type.Optional(decimal('Rows of a page')),
    },
    STRICT,
  ),
  answer: object({ approvals: list(object(ROW)), next: Type.Optional(Type.String()) }),
  async handle(input): Promise<ApprovalsAnswer> {
    const { ports, query } = input;
    const { principal } = input.caller();
    return listHolds(ports.approvals, principal, {
      which: query.state ?? 'open',
      before: query.before,
      limit: pageRows(query.limit),
    });
  },
});

const show = route({
  key: 'GET /v1/approvals/:id',
  summary: 'What is held, why, and who said what; a leaf says that somebody else than who asked saw it',
  params: ID,
  answer: ANSWER,
  // People are told this address, and most of them open it.
  page: (params, server) => (Check(ID, params) ? approvalPage(params.id, server) : undefined),
  async handle(input): Promise<ApprovalAnswer> {
    const { ports, params } = input;
    const caller = input.caller();
    const record = await findHold(ports.approvals, params.id, caller.principal);
    if (record.principalId !== caller.principal.id) await writeView(ports, caller, record);
    return { approval: await holdDetail(ports.approvals, record) };
  },
});

const approve = route({
  key: 'POST /v1/approvals/:id/approve',
  summary: 'Approve exactly this, as one of those whom the rule names',
  params: ID,
  body: BODY,
  answer: ANSWER,
  handle: (input) => vote(input, input.params.id, 'approve', input.body.reason),
});

const deny = route({
  key: 'POST /v1/approvals/:id/deny',
  summary: 'Deny it, for good, as one of those whom the rule names',
  params: ID,
  body: BODY,
  answer: ANSWER,
  handle: (input) => vote(input, input.params.id, 'deny', input.body.reason),
});

const withdraw = route({
  key: 'POST /v1/approvals/:id/withdraw',
  summary: 'Give up what one asked for, also where it was granted and not used',
  params: ID,
  body: BODY,
  answer: ANSWER,
  async handle(input): Promise<ApprovalAnswer> {
    const { ports, params, body } = input;
    const { principal } = input.caller();
    const record = await findHold(ports.approvals, params.id, principal);
    const done = await ports.approvals.withdraw(record.id, principal.id, body.reason ?? 'by request');
    if (!done) throw conflict('it is over, or being used');
    return answerOf(ports, params.id, input.caller());
  },
});

const breakGlass = route({
  key: 'POST /v1/approvals/:id/break-glass',
  summary:
    'Open what one asked for, in an emergency, where a rule lets one; it is told at once and reviewed afterwards',
  params: ID,
  body: Type.Object({ reason: reason() }, STRICT),
  answer: ANSWER,
  async handle(input): Promise<ApprovalAnswer> {
    const { ports, params, body } = input;
    const caller = input.caller();
    const record = await findHold(ports.approvals, params.id, caller.principal);
    const answer = await ports.approvals.breakGlass(record.id, caller.principal.id, body.reason);
    if (answer.kind === 'refused') throw breakRefusal(answer.why, record, caller);
    return answerOf(ports, params.id, caller);
  },
});

const review = route({
  key: 'POST /v1/approvals/:id/review',
  summary: 'Say of what was opened by break-glass whether that was justified, as one of its reviewers, once',
  params: ID,
  body: Type.Object({ verdict: Type.Enum([...VERDICTS]), comment: reason() }, STRICT),
  answer: ANSWER,
  async handle(input): Promise<ApprovalAnswer> {
    const { ports, params, body } = input;
    const caller = input.caller();
    const record = await findHold(ports.approvals, params.id, caller.principal);
    const answer = await ports.approvals.review(record.id, caller.principal.id, body);
    if (answer.kind === 'refused') throw reviewRefusal(answer.why, record, caller);
    return answerOf(ports, params.id, caller);
  },
});

export const APPROVAL_ROUTES: readonly Route[] = [listAll, show, approve, deny, withdraw, breakGlass, review];

async function vote(
  input: Pick<RouteInput, 'ports' | 'caller'>,
  holdId: string,
  decision: 'approve' | 'deny',
  comment: string | undefined,
): Promise<ApprovalAnswer> {
  const { ports } = input;
  const caller = input.caller();
  const record = await findHold(ports.approvals, holdId, caller.principal);
  const { principal, tokenId } = caller;
  const authentication = await ports.identity.identity.authenticationOf(principal.id, tokenId);
  const mfaUs = secondFactorUs(authentication);
  const answer = await ports.approvals.vote(record.id, principal.id, { decision, comment, mfaUs });
  if (answer.kind === 'refused') throw refusal(answer.why, record, caller);
  return answerOf(ports, holdId, caller);
}

/** After a vote the caller may not see it any more: groups change. */
async function answerOf(ports: ApiPorts, holdId: string, { principal }: Caller): Promise<ApprovalAnswer> {
  const record = await findHold(ports.approvals, holdId, principal);
  return { approval: await holdDetail(ports.approvals, record) };
}

function refusal(why: VoteRefusal, record: HoldRecord, { principal }: Caller): CountersignError {
  switch (why) {
    case 'not-found':
      return new CountersignError('NOT_FOUND', { what: `hold ${record.id}` });
    case 'own-request':
      return denied(principal.name, record, 'nobody decides on what they asked for themselves');
    case 'not-a-person':
      return denied(principal.name, record, 'only people decide');
    case 'not-an-approver':
      return denied(principal.name, record, `rule "${record.document.demand.rule.name}" does not name them`);
    case 'voted-already':
      return conflict('this person has approved it already');
    case 'too-many-votes': {
      const { votesMax: allowed } = LIMITS.approvals;
      return new CountersignError('LIMIT_EXCEEDED', {
        limit: 'approvals.votesMax',
        allowed,
        actual: allowed + 1,
      });
    }
    case 'reason-required':
      return new CountersignError('REQUEST_INVALID', {
        reason: `rule "${record.document.demand.rule.name}" asks for a reason`,
      });
    case 'second-factor-required':
      return denied(principal.name, record, secondFactorText(record));
    case 'closed':
      return conflict('it is over, or granted already');
    case 'shredded':
      return new CountersignError('SHREDDED', { session: record.scope });
    case 'busy':
      return conflict('another gateway is changing it; try again');
    default:
      return why satisfies never;
  }
}

function secondFactorText({ document }: HoldRecord): string {
  const { rule, mfaMs = 0 } = document.demand;
  return `rule "${rule.name}" asks for a login with a second factor of the last ${mfaMs / 1_000} s; log in with one, and approve with that login`;
}

function breakRefusal(why: BreakRefusal, record: HoldRecord, { principal }: Caller): CountersignError {
  switch (why) {
    case 'not-found':
      return new CountersignError('NOT_FOUND', { what: `hold ${record.id}` });
    case 'not-own':
      return denied(principal.name, record, 'only who asked for it opens it in an emergency');
    case 'not-a-person':
      return denied(principal.name, record, 'only people break the glass');
    case 'no-rule':
      return denied(principal.name, record, NO_RULE);
    case 'reason-required':
      return new CountersignError('REQUEST_INVALID', { reason: 'breaking the glass needs a reason' });
    case 'closed':
      return conflict('it is over, or granted already');
    case 'shredded':
      return new CountersignError('SHREDDED', { session: record.scope });
    case 'busy':
      return conflict('another gateway is changing it; try again');
    default:
      return why satisfies never;
  }
}

function reviewRefusal(why: ReviewRefusal, record: HoldRecord, { principal }: Caller): CountersignError {
  switch (why) {
    case 'not-found':
      return new CountersignError('NOT_FOUND', { what: `hold ${record.id}` });
    case 'own-request':
      return denied(principal.name, record, 'nobody reviews what they opened themselves');
    case 'not-a-person':
      return denied(principal.name, record, 'only people review');
    case 'not-an-approver':
      return denied(principal.name, record, `rule "${ruleOf(record)}" does not name them`);
    case 'reason-required':
      return new CountersignError('REQUEST_INVALID', { reason: 'a review needs a comment' });
    case 'not-broken':
      return conflict('it was not opened by break-glass');
    case 'not-over':
      return conflict('it can still be used, or is being used; review it when it is over');
    case 'reviewed-already':
      return conflict('it is reviewed already');
    case 'busy':
      return conflict('another gateway is changing it; try again');
    default:
      return why satisfies never;
  }
}

function ruleOf({ opening, document }: HoldRecord): string {
  return (opening?.rule ?? document.demand.rule).name;
}

const NO_RULE =
  'no rule with breakGlass covers them, this connection, everything that is held and this hour, with somebody else to review it';

function denied(principal: string, { id: holdId }: HoldRecord, why: string): CountersignError {
  return new CountersignError('PERMISSION_DENIED', { principal, action: `decide on hold ${holdId}: ${why}` });
}

function conflict(why: string): CountersignError {
  return new CountersignError('STATE_CONFLICT', { reason: why });
}

function pageRows(limit: string | undefined): number {
  const rows = limit === undefined ? LIMITS.api.pageRowsDefault : Number(limit);
  const { pageRowsMax: allowed } = LIMITS.api;
  if (rows < 1 || rows > allowed) {
    throw new CountersignError('LIMIT_EXCEEDED', { limit: 'api.pageRowsMax', allowed, actual: rows });
  }
  return rows;
}

async function writeView(ports: ApiPorts, { principal }: Caller, record: HoldRecord): Promise<void> {
  const { sessionId } = record;
  await ports.ledger.append({
    type: 'recording.view',
    ...(await actorOf(ports, principal)),
    target: record.document.connection,
    body: {
      ...(sessionId === undefined ? {} : { viewed_session: sessionId }),
      parts: [`hold ${record.id}`],
    },
  });
}
