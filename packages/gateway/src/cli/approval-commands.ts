/** Commands about holds: what waits for whom, what it is, and what one says to it. */

import type { ApprovalAnswer, ApprovalDetail, ApprovalsAnswer, HeldChangeRow } from '../api/answers.ts';
import { CountersignError } from '../core/errors.ts';
import { safeText } from '../recording/table-text.ts';
import { listLines, reviewText, whereOf } from './approval-list.ts';
import { clientOf } from './client.ts';
import { CLIENT_OPTIONS, type Command } from './command.ts';
import { holdIdOf } from './hold-ids.ts';
import { columns, counted, diffLine, facts, shortTime } from './output.ts';

const REASON = {
  reason: { type: 'string', value: 'TEXT', says: 'Why; it stands in the leaf' },
} as const;

const list: Command = {
  path: 'approvals list',
  summary: 'Holds that wait for you, or that you asked for, newest first',
  positionals: [],
  options: {
    all: { type: 'boolean', says: 'Also those that are over' },
    state: { type: 'string', value: 'STATE', says: 'open, unreviewed (opened by break-glass) or all' },
    before: { type: 'string', value: 'ID', says: 'The page that follows this hold' },
    limit: { type: 'string', value: 'ROWS', says: 'Rows of the page' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const query = {
      state: input.flag('all') ? 'all' : (input.option('state') ?? 'open'),
      before: input.option('before'),
      limit: input.option('limit'),
    };
    const answer = await client.json<ApprovalsAnswer>('GET', '/v1/approvals', { query });
    const more = answer.next === undefined ? [] : ['', `More: --before ${answer.next}`];
    await input.show(answer, [...listLines(answer.approvals), ...more]);
    return undefined;
  },
};

const show: Command = {
  path: 'approvals show',
  summary: 'What is held, why, for whom, and who said what',
  positionals: ['ID'],
  options: CLIENT_OPTIONS,
  async run(input) {
    const client = await clientOf(input);
    const path = `/v1/approvals/${await holdIdOf(client, input.positional(0))}`;
    const answer = await client.json<ApprovalAnswer>('GET', path);
    await input.show(answer, holdLines(answer.approval));
    return undefined;
  },
};

const approve = decision('approve', 'Approve exactly this, once');
const deny = decision('deny', 'Deny it, for good');
const withdraw = decision('withdraw', 'Give up what you asked for');

const breakGlass: Command = {
  path: 'approvals break-glass',
  summary: 'Open what you asked for, in an emergency; it is told at once and reviewed afterwards',
  positionals: ['ID'],
  options: { ...REASON, ...CLIENT_OPTIONS },
  async run(input) {
    const client = await clientOf(input);
    const holdId = await holdIdOf(client, input.positional(0));
    const body = { reason: needed(input.option('reason'), '--reason') };
    const path = `/v1/approvals/${holdId}/break-glass`;
    const answer = await client.json<ApprovalAnswer>('POST', path, { body });
    const { state, breakGlass: opened, useUntil = '' } = answer.approval;
    const reviewers = opened?.reviewers.join(', ') ?? '';
    await input.show(answer, [
      `${holdId}: ${state} by break-glass, to be used once, until ${shortTime(useUntil)}`,
      `It is in the log and told. ${reviewers} will review it.`,
    ]);
    return undefined;
  },
};

const review: Command = {
  path: 'approvals review',
  summary: 'Say of what was opened by break-glass whether that was justified',
  positionals: ['ID'],
  options: {
    verdict: { type: 'string', value: 'VERDICT', says: 'justified or not-justified' },
    comment: { type: 'string', value: 'TEXT', says: 'What you found; it stands in the leaf' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const holdId = await holdIdOf(client, input.positional(0));
    const verdict = needed(input.option('verdict'), '--verdict');
    const comment = needed(input.option('comment'), '--comment');
    const answer = await client.json<ApprovalAnswer>('POST', `/v1/approvals/${holdId}/review`, {
      body: { verdict, comment },
    });
    await input.show(answer, [`${holdId}: ${answer.approval.review ?? ''}`]);
    return undefined;
  },
};

export const APPROVAL_COMMANDS: readonly Command[] = [
  list,
  show,
  approve,
  deny,
  withdraw,
  breakGlass,
  review,
];

function needed(value: string | undefined, option: string): string {
  if (value !== undefined) return value;
  throw new CountersignError('REQUEST_INVALID', { reason: `it needs ${option}` });
}

function decision(what: 'approve' | 'deny' | 'withdraw', summary: string): Command {
  return {
    path: `approvals ${what}`,
    summary,
    positionals: ['ID'],
    options: { ...REASON, ...CLIENT_OPTIONS },
    async run(input) {
      const client = await clientOf(input);
      const holdId = await holdIdOf(client, input.positional(0));
      const reason = input.option('reason');
      const body = reason === undefined ? {} : { reason };
      const answer = await client.json<ApprovalAnswer>('POST', `/v1/approvals/${holdId}/${what}`, { body });
      const { state, approved, count } = answer.approval;
      await input.show(answer, [`${holdId}: ${state}, ${approved} of ${count} approved`]);
      return undefined;
    },
  };
}

function holdLines(hold: ApprovalDetail): string[] {
  const pairs: (readonly [string, string])[] = [
    ['hold', hold.id],
    ['state', stateText(hold)],
    ['rule', `${hold.rule} v${hold.ruleVersion}${hold.reason === undefined ? '' : `: ${hold.reason}`}`],
    ['asked by', `${hold.requester}${groupsText(hold.requesterGroups)} from ${hold.address}`],
    ['asked', shortTime(hold.askedAt)],
    ['until', shortTime(hold.useUntil ?? hold.expiresAt)],
    ['where', hold.session === undefined ? whereOf(hold) : `${whereOf(hold)}, session ${hold.session}`],
    ['approvers', `${hold.approved} of ${hold.count} out of ${hold.approvers.join(', ')}`],
    ...(hold.reasonRequired ? [['reason', 'is required'] as const] : []),
    ...mfaPairs(hold),
    ...(hold.changes === undefined ? [['does', [...hold.effects, ...hold.tables].join(', ')] as const] : []),
    ...rowsPairs(hold),
    ...hold.affectedKeys.map((key): readonly [string, string] => ['row', key]),
    ['digest', hold.digest],
    ...breakGlassPairs(hold),
  ];
  return [...facts(pairs), '', ...statementLines(hold), ...voteLines(hold)];
}

function mfaPairs({ mfaSeconds }: ApprovalDetail): (readonly [string, string])[] {
  if (mfaSeconds === undefined) return [];
  return [
    ['login', `of an approver has a second factor of the last ${counted(mfaSeconds, 'second', 'seconds')}`],
  ];
}

function breakGlassPairs(hold: ApprovalDetail): (readonly [string, string])[] {
  const { breakGlass: opened, openers, state } = hold;
  if (opened === undefined) {
    return state === 'asked' && openers.length > 0 ? [['break-glass', `by rule ${openers.join(', ')}`]] : [];
  }
  const { rule, ruleVersion, at, reason, reviewers, reviewer, comment, node, leaf } = opened;
  const unread = 'shredded';
  return [
    ['break-glass', `by rule ${rule} v${ruleVersion} at ${shortTime(at)}, leaf ${node}/${leaf}`],
    ['because', safeText(reason ?? unread)],
    reviewer === undefined
      ? ['review', `${reviewText(hold)}, out of ${reviewers.join(', ')}`]
      : ['review', `${reviewText(hold)}, by ${reviewer}: ${safeText(comment ?? unread)}`],
  ];
}

function stateText({ state, endedBy, endReason, outcome }: ApprovalDetail): string {
  const by = endedBy === undefined ? '' : ` by ${endedBy}`;
  const why = endReason === undefined ? '' : `: ${endReason}`;
  return `${state}${by}${why}${outcome === undefined ? '' : ` (${outcome})`}`;
}

/** What was counted, what is covered, and what is a guess, each by its name. */
function rowsPairs({ exactRows, boundRows, estimatedRows }: ApprovalDetail): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  if (exactRows !== undefined) pairs.push(['rows', `${counted(exactRows, 'row', 'rows')}, counted`]);
  if (boundRows !== undefined) pairs.push(['covers', counted(boundRows, 'row', 'rows')]);
  if (estimatedRows !== undefined)
    pairs.push(['estimate', `${counted(estimatedRows, 'row', 'rows')}, guessed by the target`]);
  return pairs;
}

function statementLines(hold: ApprovalDetail): string[] {
  if (hold.shredded) return ['It was shredded; nobody can read or approve this any more.'];
  if (hold.changes !== undefined) return hold.changes.flatMap(heldChangeLines);
  const text = hold.statement ?? `base64 ${hold.statementBase64 ?? ''}`;
  const cut =
    hold.statementTruncated === true
      ? [`… cut: ${hold.statementBytes ?? 0} bytes in all, SHA-256 ${hold.statementSha256 ?? ''}`]
      : [];
  return [...text.split('\n').map((line) => safeText(line)), ...cut];
}

/** As `apply` prints it. */
function heldChangeLines({ kind, name, action, previousVersion, diff }: HeldChangeRow): string[] {
  const made = previousVersion === 0 ? '' : `, on version ${previousVersion}`;
  return [`${safeText(`${kind}/${name}`)} ${action}${made}`, ...diff.map(diffLine)];
}

function voteLines({ votes }: ApprovalDetail): string[] {
  if (votes.length === 0) return [];
  const rows = votes.map(({ name, groups, decision: said, comment, at, node, leaf }) => [
    name,
    groups.join(' '),
    said,
    shortTime(at),
    `${node}/${leaf}`,
    comment ?? '',
  ]);
  return ['', ...columns(['WHO', 'GROUPS', 'SAID', 'AT', 'LEAF', 'WHY'], rows)];
}

function groupsText(groups: readonly string[]): string {
  return groups.length === 0 ? '' : ` (${groups.join(', ')})`;
}
