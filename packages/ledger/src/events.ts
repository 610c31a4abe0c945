/**
 * The event catalogue: which types a leaf may have, what each waits for, and the fields of its body.
 *
 * Spec: spec/events.md, which has the same table in words; a test holds the two together.
 * A type that is listed here and not yet written by any code is foreseen, so that a verifier
 * already knows it.
 */

/**
 * What the writer waits for before it answers: `durable` = on disk; `signed` = covered by a signed
 * checkpoint; `async` = nothing.
 */
export type WaitClass = 'durable' | 'signed' | 'async';

export interface EventType {
  readonly wait: WaitClass;
  /** Allowed values of `status`; absent where the type has none. */
  readonly status?: readonly string[];
  /** Fields of the body; every one is optional unless spec/events.md says otherwise. */
  readonly body: readonly string[];
}

function event(wait: WaitClass, body: string, status?: string): EventType {
  const fields = body === '' ? [] : body.split(' ');
  return status === undefined ? { wait, body: fields } : { wait, body: fields, status: status.split(' ') };
}

/** Every event type of version 1. */
export const EVENTS: Readonly<Record<string, EventType>> = {
  // The ledger about itself.
  'ledger.genesis': event('signed', 'spec origin vkey software node'),
  'ledger.boot': event('durable', 'software node platform previous_boot recovered_from config_digest'),
  'ledger.recovered': event('durable', 'segment bytes_cut records_kept reason'),
  'ledger.heartbeat': event('async', 'counts interval_s open_sessions'),
  'ledger.halt': event('durable', 'reason'),
  'ledger.shutdown': event('signed', 'reason counts'),
  'ledger.key.rotate': event('signed', 'from_vkey to_vkey reason requested_by'),
  'ledger.shred': event('signed', 'scope what reason requested_by approved_by approval', 'ok failed'),
  'ledger.rollback': event('signed', 'expected_size expected_root found_size found_root reason requested_by'),
  'ledger.gap': event('durable', 'from to reason'),
  'ledger.anchor': event('async', 'anchor_kind checkpoint_size receipt_sha256 receipt', 'ok failed'),
  'clock.step': event('durable', 'before after step_us source'),

  // Who came in.
  'auth.login': event(
    'durable',
    'name principal method amr authenticated_at idp issuer subject address port client tls token_id failure claims',
    'ok failed locked',
  ),
  'auth.lockout': event('durable', 'name address failures seconds'),
  'auth.logout': event('durable', 'name token_id reason'),
  'session.start': event(
    'durable',
    'name display_name principal groups issuer subject address port client tls token_id method amr authenticated_at connection protocol database target_user target_address target_version target_tls access claims parameters server_role_leaf',
  ),
  'session.end': event(
    'durable',
    'reason statements bytes_to_client bytes_to_target duration_us recording_segments recording_sha256 error',
    'ok failed ended interrupted',
  ),
  'session.refused': event('durable', 'name address port connection reason code'),

  // What they ran: SQL and anything else with a text.
  'statement.prepare': event('durable', 'sql sealed_literals masks statement_name parameter_types'),
  'statement.intent': event(
    'durable',
    'sql sealed_literals parameters parameter_types protocol_message statement_name portal row_limit function_oid malformed effects tables columns rules masks masks_exempt predicate_on_masked reason token_ranges state tags estimated_rows digest',
  ),
  'statement.outcome': event(
    'durable',
    'rows bytes tags command sqlstate message duration_us held_us target_us sha256 masked masked_more masked_whole masked_in_errors rows_withheld bytes_from_client sha256_from_client copy error',
    'ok error skipped cancelled blocked unknown',
  ),
  'statement.cancel': event('durable', 'address delivered', 'ok late refused'),
  'exec.intent': event('durable', 'command arguments environment tty user effects rules reason'),
  'exec.outcome': event(
    'durable',
    'exit_code signal bytes duration_us sha256 error',
    'ok error cancelled unknown',
  ),
  'file.intent': event('durable', 'operation path bytes effects rules reason'),
  'file.outcome': event('durable', 'bytes sha256 error', 'ok error cancelled unknown'),
  'http.intent': event(
    'durable',
    'method scheme authority path path_template query headers body_bytes body_sha256 body_form forwarded_bytes forwarded_sha256 masked masked_more dialect operation effects rules reason token_ranges',
  ),
  'http.outcome': event(
    'durable',
    'http_status headers body_bytes body_sha256 body_form bytes_from_client sha256_from_client forwarded_bytes forwarded_sha256 duration_us target_us held_us masked masked_more hosts_rewritten error',
    'ok error cancelled blocked unknown',
  ),
  'rerank.call': event(
    'durable',
    'call_id dialect operation endpoint model model_known_from model_effective model_identity query query_hash query_length queries queries_rest documents_count documents documents_rest top_n returns_text instruction instruction_hash rank_fields priority options egress rules masked lineage client unread',
  ),
  'rerank.result': event(
    'durable',
    'call_id results results_count results_rest sorted truncated usage latency_us http_status model_known_from model_effective model_identity upstream_request_id drift lineage unread error',
    'ok error cancelled unknown',
  ),
  'model.identity': event(
    'durable',
    'connection model identity model_identity source age_s previous approval why failure',
    'same changed unknown',
  ),
  'model.canary': event(
    'durable',
    'connection model order scores fingerprint tolerance source previous approval why failure',
    'same changed unknown',
  ),
  'model.notified': event('durable', 'notice receiver reviewers tries reason', 'ok failed'),

  // Who let them.
  'hold.asked': event(
    'signed',
    'hold_id digest rule rule_version approvers count expires_at use_within_s reason reason_required bound_to estimated_rows exact_rows requester requester_groups address database held_session changes',
  ),
  'approval.granted': event(
    'signed',
    'hold_id digest approver approver_groups comment scope until signature signature_kind delegated_by',
  ),
  'approval.denied': event(
    'signed',
    'hold_id digest approver approver_groups comment signature signature_kind',
  ),
  'approval.expired': event('signed', 'hold_id digest reason'),
  'approval.withdrawn': event('signed', 'hold_id digest reason withdrawn_by'),
  'hold.taken': event('signed', 'hold_id digest approvals votes held_session intent_leaf break_glass'),
  'hold.executed': event('durable', 'hold_id digest approvals rows outcome_leaf', 'ok failed unknown'),
  'breakglass.used': event(
    'signed',
    'hold_id digest rule rule_version requester requester_groups reason until reviewers review_by',
  ),
  'breakglass.notified': event('durable', 'hold_id digest notice receiver tries reason', 'ok failed'),
  'breakglass.reviewed': event(
    'signed',
    'hold_id digest reviewer reviewer_groups comment',
    'justified not_justified',
  ),

  // What was hidden, and shown again.
  'mask.report': event(
    'durable',
    'columns entities detector_version counts residual predicate_on_masked rules',
  ),
  'mask.key.rotate': event('signed', 'from_key to_key former_keys reason requested_by'),
  'mask.preview': event('signed', 'database name reason'),
  'mask.ddl': event('signed', 'database role undo reason'),
  'mask.role': event(
    'durable',
    'database target_user target_version masks masked_columns masking_views digest why problems',
    'ok failed',
  ),
  'mask.reveal': event('signed', 'rule column entity name reason approval hold_ids masks count'),
  'literal.reveal': event('signed', 'viewed_session leaf name reason approval hold_ids masks'),
  'mask.scan': event('signed', 'period detector_version delivered_bytes findings canaries'),

  // What was kept.
  'recording.segment': event(
    'durable',
    'number sha256 bytes blocks plain_bytes first_us last_us',
    'ok truncated',
  ),
  'recording.view': event('signed', 'viewed_session reason parts'),

  // Who may do what: people, resources, credentials, policy.
  'person.enrol': event('signed', 'name principal code_id address'),
  'person.password': event('signed', 'name principal changed_by'),
  'person.factor': event(
    'signed',
    'name principal factor_id factor_kind address changed_by reason',
    'enrolled removed',
  ),
  'resource.apply': event(
    'signed',
    'resource_kind name version previous_version from_digest to_digest diff changed_by approval hold_ids',
    'created updated',
  ),
  'resource.delete': event(
    'signed',
    'resource_kind name version from_digest diff changed_by approval hold_ids',
  ),
  'token.create': event(
    'signed',
    'token_id owner name access_key_id expires_at created_by scopes amr authenticated_at',
  ),
  'token.revoke': event('signed', 'token_id owner reason revoked_by'),
  'credential.change': event(
    'signed',
    'connection credential_kind reference changed_by reason approval hold_ids',
  ),
  'credential.use': event('async', 'connection credential_kind reference'),
  'policy.bundle': event('signed', 'digest previous_digest resources changed_by'),
  'access.review': event('signed', 'review_id subject grant reviewer comment', 'certified revoked'),

  // What was handed over, and how the gateway is kept.
  'evidence.export': event(
    'signed',
    'package_id from to sha256 bytes requested_by reason scope checkpoint_start checkpoint_end controls',
    'ok failed',
  ),
  'evidence.access': event('signed', 'package_id auditor address'),
  'backup.create': event('signed', 'backup_id sha256 bytes parts requested_by', 'ok failed'),
  'backup.restore': event('signed', 'backup_id sha256 size_restored requested_by', 'ok failed'),
  'store.migrate': event('signed', 'from_version to_version', 'ok failed'),
  'config.change': event('signed', 'from_digest to_digest diff'),
  'alert.raised': event('durable', 'alert rule subject detail'),
  'alert.handled': event('signed', 'alert handler comment'),
  'reconciliation.result': event(
    'signed',
    'connection source from to gateway_count target_count difference',
    'equal different unknown',
  ),
};
