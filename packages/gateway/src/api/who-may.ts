/**
 * Who may call which route: the one table. A route without a row here does not compile.
 *
 * `own` means that everybody sees and ends what is theirs, and that the named group also sees and
 * ends what is others'; the route asks {@link Caller} about it. `approvers` are those whom the rule of a
 * hold names, and reviewers those whom the rule names by which it was opened: whoever is identified may ask, and the hold says whether it is there for them.
 */

import type { Principal } from '../core/principal.ts';

export type WhoMay =
  | 'everyone'
  | 'identified'
  | 'administrators'
  | 'administrators and auditors'
  | 'own'
  | 'own, or administrators'
  | 'own, or administrators and auditors'
  | 'own, approvers, or administrators and auditors'
  | 'approvers';

/** Method and path of each route. */
export const WHO_MAY = {
  'GET /healthz': 'everyone',
  'GET /ledger/:node/checkpoint': 'everyone',
  'GET /ledger/:node/tile/*': 'everyone',
  'POST /v1/enrol': 'everyone',
  'POST /v1/login': 'everyone',
  'GET /v1/whoami': 'identified',
  'POST /v1/invitations': 'administrators',
  'POST /v1/tokens': 'own, or administrators',
  'GET /v1/tokens': 'own, or administrators',
  'DELETE /v1/tokens/:id': 'own, or administrators',
  'POST /v1/totp': 'own',
  'POST /v1/totp/confirm': 'own',
  'POST /v1/totp/remove': 'own, or administrators',
  'GET /v1/resources/:kind': 'administrators and auditors',
  'GET /v1/resources/:kind/:name': 'administrators and auditors',
  'POST /v1/resources/diff': 'administrators',
  'POST /v1/resources/apply': 'administrators',
  'DELETE /v1/resources/:kind/:name': 'administrators',
  'GET /v1/connections/:name': 'identified',
  'PUT /v1/connections/:name/password': 'administrators',
  'GET /v1/sessions': 'own, or administrators and auditors',
  'GET /v1/sessions/:id': 'own, or administrators and auditors',
  'GET /v1/sessions/:id/replay': 'own, or administrators and auditors',
  'DELETE /v1/sessions/:id': 'own, or administrators',
  'GET /v1/approvals': 'own, approvers, or administrators and auditors',
  'GET /v1/approvals/:id': 'own, approvers, or administrators and auditors',
  'POST /v1/approvals/:id/approve': 'approvers',
  'POST /v1/approvals/:id/deny': 'approvers',
  'POST /v1/approvals/:id/withdraw': 'own',
  'POST /v1/approvals/:id/break-glass': 'own',
  'POST /v1/approvals/:id/review': 'approvers',
  'POST /v1/policy/replay': 'administrators and auditors',
  'POST /v1/connections/:name/mask-preview': 'administrators and auditors',
  'POST /v1/connections/:name/mask-ddl': 'administrators and auditors',
  'GET /v1/models': 'administrators and auditors',
  'GET /v1/models/:name': 'administrators and auditors',
  'POST /v1/models/:name/probe': 'administrators and auditors',
  'GET /v1/ledger/status': 'identified',
  'GET /v1/ledger/proof/:index': 'identified',
  'POST /v1/sessions/:id/reveal': 'own, or administrators and auditors',
  'POST /v1/masking/reveal': 'identified',
  'POST /v1/ledger/shred': 'administrators',
  'POST /v1/evidence/export': 'administrators and auditors',
  'POST /v1/backup': 'administrators',
} as const;

export type RouteKey = keyof typeof WHO_MAY;

/** Somebody who was identified for this request, with what the table lets them do. */
export interface Caller {
  readonly principal: Principal;
  readonly tokenId: string;
  /** May also see and end what is others', where the row begins with `own`. */
  readonly mayOthers: boolean;
}

/** Groups of each row, beyond everybody. */
const GROUPS: Readonly<Record<WhoMay, readonly string[]>> = {
  everyone: [],
  identified: [],
  administrators: ['administrators'],
  'administrators and auditors': ['administrators', 'auditors'],
  own: [],
  'own, or administrators': ['administrators'],
  'own, or administrators and auditors': ['administrators', 'auditors'],
  'own, approvers, or administrators and auditors': ['administrators', 'auditors'],
  approvers: [],
};

/** The caller as a route sees them; undefined where the table does not let them in. */
export function callerOf(principal: Principal, tokenId: string, who: WhoMay): Caller | undefined {
  const mayOthers = GROUPS[who].some((group) => principal.groups.includes(group));
  const open = who === 'identified' || who === 'approvers' || who.startsWith('own');
  return open || mayOthers ? { principal, tokenId, mayOthers } : undefined;
}
