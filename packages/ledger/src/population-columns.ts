/** Which populations there are, which events they list, and their columns: spec/evidence.md, section 3. */

import { PACKAGE_MINOR } from './evidence.ts';

/** The populations, in the order of the specification. */
export const POPULATION_NAMES = [
  'sessions',
  'statements',
  'authentication',
  'administrative-changes',
  'approvals',
  'denied',
  'changes',
  'changes-unapproved',
  'breakglass',
  'breakglass-unreviewed',
  'masking-summary',
  'pii-flows',
  'masking-blocked',
  'reveals',
  'http-requests',
  'rerank-requests',
  'model-probes',
] as const;

export type PopulationName = (typeof POPULATION_NAMES)[number];

/** The minor version of the package from which on a population is there; any other was always there. */
const POPULATION_SINCE: Readonly<Partial<Record<PopulationName, number>>> = {
  'masking-summary': 1,
  'pii-flows': 1,
  'masking-blocked': 1,
  reveals: 2,
  'http-requests': 3,
  'rerank-requests': 3,
  'model-probes': 4,
};

/** The minor version from which on a population has rows of an event that others it had before. */
const ROWS_SINCE: Readonly<Partial<Record<PopulationName, Readonly<Record<string, number>>>>> = {
  changes: { 'http.intent': 3, 'model.identity': 4, 'model.canary': 4 },
  'changes-unapproved': { 'http.intent': 3, 'model.identity': 4, 'model.canary': 4 },
};

/** Whether packages of a minor version have rows of this event in a population. */
export function hasRowsOf(name: PopulationName, eventType: string, minor: number): boolean {
  return (ROWS_SINCE[name]?.[eventType] ?? 0) <= minor;
}

/** The populations of packages of a minor version. */
export function populationsOf(minor: number): readonly PopulationName[] {
  return POPULATION_NAMES.filter((name) => (POPULATION_SINCE[name] ?? 0) <= minor);
}

export interface PopulationShape {
  /** Events that have a row each. */
  readonly types: readonly string[];
  /** The event that completes a row. */
  readonly joinedBy?: string;
  /** Columns after the common ones, with the body field that each shows. */
  readonly own: Readonly<Record<string, string>>;
  /** Columns of the completing event, with the body field that each shows. */
  readonly joined: Readonly<Record<string, string>>;
  /** Columns for index and time of the completing event. */
  readonly joinedPrefix?: string;
  /** A row adds up many events, and has no columns but its own. */
  readonly isSum?: true;
}

export const COMMON_COLUMNS: readonly string[] = words(
  'leaf_index event_time_utc event_type log session_id session_seq actor_id actor_name actor_type idp_issuer src_ip target decision policy_id status body_state leaf_hash',
);

/** Of `changes`: of its session and intent, and computed from what let it (change-rows.ts). */
const CHANGE_COLUMNS = {
  // Of probes of models, those that are findings.
  types: words('statement.intent http.intent model.identity model.canary'),
  joinedBy: 'statement.outcome',
  joinedPrefix: 'outcome',
  own: {
    ...computed('principal database kinds'),
    ...same('effects tables method path operation rules reason'),
    ...computed('hold_ids approvers approvals approved_before_executed'),
  },
  // The last is of a request over HTTP.
  joined: { ...same('tags rows sqlstate'), ...computed('http_status') },
};

/** Of `breakglass`: of the use, and computed from what follows it (breakglass-rows.ts). */
const BREAK_GLASS_COLUMNS = {
  types: words('breakglass.used breakglass.reviewed'),
  own: {
    ...same('hold_id digest rule rule_version requester requester_groups reason until reviewers review_by'),
    ...computed(
      'asked_leaf_index taken_leaf_index statement_leaf_index notified verdict reviewer reviewer_id reviewer_groups comment review_leaf_index review_time_utc same_person seconds_to_review in_time',
    ),
  },
  joined: {},
};

/** What is added up over events, and where the first and the last of them are. */
const SUM_COLUMNS = 'first_leaf_index last_leaf_index first_time_utc last_time_utc';

export const POPULATIONS: Readonly<Record<PopulationName, PopulationShape>> = {
  sessions: {
    types: ['session.start'],
    joinedBy: 'session.end',
    joinedPrefix: 'end',
    own: same(
      'display_name principal groups method amr authenticated_at token_id client tls protocol database access target_user target_address target_version target_tls',
    ),
    joined: {
      end_reason: 'reason',
      ...same('statements bytes_to_client bytes_to_target duration_us recording_segments recording_sha256'),
    },
  },
  statements: {
    types: ['statement.intent'],
    joinedBy: 'statement.outcome',
    joinedPrefix: 'outcome',
    own: same('protocol_message statement_name sql parameters'),
    joined: { ...same('tags rows bytes sqlstate message duration_us held_us'), result_sha256: 'sha256' },
  },
  authentication: {
    types: words('auth.login auth.lockout auth.logout session.refused'),
    own: same(
      'principal method amr authenticated_at subject port client tls token_id connection failure reason failures seconds',
    ),
    joined: {},
  },
  'administrative-changes': {
    types: words(
      'resource.apply resource.delete person.enrol person.password person.factor token.create token.revoke credential.change policy.bundle access.review ledger.key.rotate ledger.shred ledger.rollback backup.create backup.restore store.migrate config.change evidence.export evidence.access recording.view',
    ),
    // object_kind, object and details are computed; they stand here for their place among the columns.
    own: { object_kind: '', object: '', ...same('version from_digest to_digest reason'), details: '' },
    joined: {},
  },
  approvals: {
    types: words(
      'hold.asked approval.granted approval.denied approval.expired approval.withdrawn breakglass.used hold.taken hold.executed',
    ),
    own: {
      ...same(
        'hold_id digest rule rule_version approvers count expires_at use_within_s reason reason_required bound_to estimated_rows exact_rows requester requester_groups database held_session changes',
      ),
      // Computed from what answers the request: approval-rows.ts.
      ...computed(
        'asked_leaf votes approved break_glass granted_at until same_person outcome outcome_leaf_index outcome_time_utc outcome_reason rows',
      ),
    },
    joined: {},
  },
  // Every other event whose decision is `block` is one of them too.
  denied: {
    types: words('approval.denied approval.expired'),
    own: {
      ...same('hold_id digest approver comment reason'),
      ...computed('rule requester'),
      // Of what was blocked.
      ...computed('rules effects sql method path'),
    },
    joined: {},
  },
  changes: CHANGE_COLUMNS,
  breakglass: BREAK_GLASS_COLUMNS,
  'breakglass-unreviewed': BREAK_GLASS_COLUMNS,
  // Both are added up of outcomes and intents: masking-rows.ts.
  'masking-summary': {
    types: [],
    own: computed(
      `what target mask mask_version column entity operator statements values columns ${SUM_COLUMNS}`,
    ),
    joined: {},
    isSum: true,
  },
  'pii-flows': {
    types: [],
    own: computed(
      `flow actor_id actor_name actor_type target mask column entity use statements values ${SUM_COLUMNS}`,
    ),
    joined: {},
    isSum: true,
  },
  // Of events whose decision is `block`, those that a Mask blocked.
  'masking-blocked': {
    types: [],
    own: computed('rules masks effects tables sql reason method path'),
    joined: {},
  },
  // What let each be shown is computed from the use of its grants: reveal-rows.ts.
  reveals: {
    types: words('literal.reveal mask.reveal'),
    own: {
      ...same('viewed_session'),
      revealed_leaf: 'leaf',
      ...same('rule column entity count masks hold_ids approval reason'),
      ...computed('approvers approved_before_shown same_person'),
    },
    joined: {},
  },
  'http-requests': {
    types: ['http.intent'],
    joinedBy: 'http.outcome',
    joinedPrefix: 'outcome',
    own: {
      ...same(
        'method scheme authority path path_template query dialect operation effects rules reason headers',
      ),
      request_bytes: 'body_bytes',
      request_sha256: 'body_sha256',
    },
    joined: {
      ...same('http_status bytes_from_client sha256_from_client'),
      answer_bytes: 'body_bytes',
      answer_sha256: 'body_sha256',
      ...same('duration_us target_us held_us error'),
    },
  },
  // What was answered, and what let it, is joined from two other leaves: rerank-rows.ts.
  'rerank-requests': {
    types: ['rerank.call'],
    own: {
      ...computed('principal client intent_leaf_index'),
      ...same('dialect operation endpoint model query_hash query_length query'),
      ...computed('queries_count'),
      ...same('documents_count'),
      ...computed('documents'),
      ...same('top_n returns_text instruction_hash rank_fields options egress'),
      ...computed('lineage_of lineage_matched lineage_leaves request_sha256'),
      ...computed('rules hold_ids approvers approvals approved_before_executed'),
      ...computed('result_leaf_index model_effective'),
      ...same('model_known_from'),
      ...computed('results_count order sorted usage upstream_request_id'),
      ...same('unread'),
      ...computed('error outcome_leaf_index outcome_time_utc http_status duration_us target_us held_us'),
      ...computed('answer_sha256'),
    },
    joined: {},
  },
  // Whether it is a finding follows from the probes before it and from what let it: model-rows.ts.
  'model-probes': {
    types: words('model.identity model.canary'),
    own: {
      ...same('model source identity model_identity order scores fingerprint tolerance previous approval'),
      ...computed('finding'),
      ...same('why failure'),
    },
    joined: {},
  },
  'changes-unapproved': { ...CHANGE_COLUMNS, own: { ...CHANGE_COLUMNS.own, ...computed('why') } },
};

/** The minor version of the package from which on a population has a column; any other was always there. */
const SINCE: Readonly<Partial<Record<PopulationName, Readonly<Record<string, number>>>>> = {
  approvals: { asked_leaf: 1 },
  changes: { method: 3, path: 3, operation: 3, http_status: 3 },
  'changes-unapproved': { method: 3, path: 3, operation: 3, http_status: 3 },
  authentication: { amr: 1, authenticated_at: 1 },
  sessions: { amr: 1, authenticated_at: 1 },
};

/**
 * All columns of a population, in order.
 *
 * @param minor version of the package
 */
export function columnsOf(name: PopulationName, minor: number = PACKAGE_MINOR): readonly string[] {
  const { own, joined, joinedPrefix, isSum } = POPULATIONS[name];
  if (isSum === true) return Object.keys(own);
  const place = joinedPrefix === undefined ? [] : [`${joinedPrefix}_leaf_index`, `${joinedPrefix}_time_utc`];
  const all = [...COMMON_COLUMNS, ...Object.keys(own), ...place, ...Object.keys(joined)];
  return all.filter((column) => (SINCE[name]?.[column] ?? 0) <= minor);
}

/** Columns that are no field of the event's own body. */
function computed(names: string): Readonly<Record<string, string>> {
  return Object.fromEntries(words(names).map((name) => [name, '']));
}

function same(names: string): Readonly<Record<string, string>> {
  return Object.fromEntries(words(names).map((name) => [name, name]));
}

function words(text: string): readonly string[] {
  return text.split(' ');
}
