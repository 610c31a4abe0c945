/**
 * Every error that a caller can meet, in one table, and the one class that carries them.
 *
 * Callers match on `code`, never on text. `says` is a sentence for people; `{name}` stands for a
 * value given in `details`. No secrets and no values of rows are ever put into details.
 */

interface ErrorRow {
  /** One sentence: what was expected, what came. */
  readonly says: string;
  /** What the reader can do about it. */
  readonly hint?: string;
  readonly http: number;
  /** SQLSTATE, PostgreSQL 18, Appendix A. */
  readonly sqlstate: string;
  /** Exit status of the CLI. */
  readonly exit: number;
  readonly fixedBy: 'caller' | 'operator' | 'policy owner' | 'us';
}

/** Every stable error code with how each protocol says it. */
export const ERRORS = {
  ACCESS_DENIED: {
    says: 'No Access resource lets {principal} use connection "{connection}".',
    hint: 'Ask an administrator for an Access resource that names you or one of your groups.',
    http: 403,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'policy owner',
  },
  AUTHENTICATION_FAILED: {
    says: 'Authentication failed for "{user}".',
    hint: 'Use your Countersign name, and a token, password or one-time code that is still good; who has a second factor needs a new code of it, too. With a database client, the token is the password.',
    http: 401,
    sqlstate: '28P01',
    exit: 4,
    fixedBy: 'caller',
  },
  AUTHENTICATION_LOCKED: {
    says: 'Too many failed logins for "{user}"; try again after {seconds} s.',
    http: 429,
    sqlstate: '28000',
    exit: 4,
    fixedBy: 'caller',
  },
  CHANNEL_BINDING_FAILED: {
    says: 'SCRAM channel binding failed: {reason}.',
    hint: 'Somebody may stand between the two ends of this connection. Compare the certificates that both see.',
    http: 403,
    sqlstate: '28000',
    exit: 4,
    fixedBy: 'operator',
  },
  CONFIG_INVALID: {
    says: 'The configuration is not valid: {reason}.',
    http: 500,
    sqlstate: 'F0000',
    exit: 2,
    fixedBy: 'operator',
  },
  CONNECTION_UNKNOWN: {
    says: 'There is no connection "{connection}".',
    hint: 'The database name selects the connection: name, or name/database.',
    http: 404,
    sqlstate: '3D000',
    exit: 3,
    fixedBy: 'caller',
  },
  CONTENT_WITHHELD: {
    says: 'The content is withheld: it is to be masked, and cannot be read as {format} ({reason}).',
    hint: 'Ask for a format that is read: JSON, NDJSON, server-sent events, a form, CSV, or text; in UTF-8.',
    http: 502,
    sqlstate: '22023',
    exit: 5,
    fixedBy: 'operator',
  },
  GATEWAY_STATEMENT_FAILED: {
    says: 'The target does not take a statement of the gateway\'s own ("{what}"): {reason}.',
    http: 502,
    sqlstate: 'XX000',
    exit: 5,
    fixedBy: 'operator',
  },
  HOLD_DENIED: {
    says: 'Approval {id} was denied by {by}.',
    http: 403,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'policy owner',
  },
  HOLD_EXPIRED: {
    says: 'Approval {id} expired before enough people approved.',
    hint: 'Send the statement again to ask again.',
    http: 403,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'caller',
  },
  HOLD_NOT_USABLE: {
    says: 'Approval {id} cannot be used: {why}.',
    hint: 'Send the statement again to ask again.',
    http: 409,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'caller',
  },
  HOLD_WAITING: {
    says: 'Held by rule "{rule}" (version {version}): {what}. It waits for approval {id} until {until} UTC.',
    hint: 'Ctrl-C gives it up. Whoever may approve: countersign approvals show ID.',
    http: 423,
    sqlstate: '00000',
    exit: 3,
    fixedBy: 'policy owner',
  },
  HOLD_WITHDRAWN: {
    says: 'Approval {id} was withdrawn: {reason}.',
    http: 403,
    sqlstate: '57014',
    exit: 3,
    fixedBy: 'caller',
  },
  HTTP_CLIENT_LEFT: {
    says: 'The client left before its answer was complete.',
    http: 499,
    sqlstate: '57014',
    exit: 5,
    fixedBy: 'caller',
  },
  HTTP_CONTENT_REFUSED: {
    says: 'The content of the request cannot be read: {reason}.',
    hint: 'Policy looks at the content of requests on this connection. Send it whole, in one encoding, and without tricks.',
    http: 400,
    sqlstate: '22000',
    exit: 6,
    fixedBy: 'caller',
  },
  HTTP_MALFORMED: {
    says: 'The request is malformed: {reason}.',
    hint: 'Nothing was forwarded.',
    http: 400,
    sqlstate: '08P01',
    exit: 6,
    fixedBy: 'caller',
  },
  HTTP_MISDIRECTED: {
    says: 'The TLS connection was made for connection "{connection}", and the request is for another host.',
    hint: 'Open a connection of its own for each host name.',
    http: 421,
    sqlstate: '08P01',
    exit: 6,
    fixedBy: 'caller',
  },
  INTERNAL: {
    says: 'The gateway met an error of its own and refused to go on.',
    hint: 'Look at the gateway log for the cause.',
    http: 500,
    sqlstate: 'XX000',
    exit: 70,
    fixedBy: 'us',
  },
  LEDGER_HALTED: {
    says: 'The ledger cannot be written ({reason}), so nothing is forwarded.',
    hint: 'Run "countersign ledger doctor" on the gateway.',
    http: 503,
    sqlstate: '58030',
    exit: 5,
    fixedBy: 'operator',
  },
  LEDGER_INCONSISTENT: {
    says: 'The ledger on disk is not the one that was last signed: {reason}.',
    hint: 'Run "countersign ledger doctor"; nothing is signed until the rollback is recorded.',
    http: 503,
    sqlstate: '58030',
    exit: 5,
    fixedBy: 'operator',
  },
  LEDGER_LOCKED: {
    says: 'Another process holds the ledger in {directory}.',
    http: 503,
    sqlstate: '55006',
    exit: 5,
    fixedBy: 'operator',
  },
  LIMIT_EXCEEDED: {
    says: 'The limit {limit} was exceeded: at most {allowed}, got {actual}.',
    http: 413,
    sqlstate: '54000',
    exit: 6,
    fixedBy: 'caller',
  },
  MASKING_IMPOSSIBLE: {
    says: 'It cannot be masked: {what} ({reason}).',
    http: 403,
    sqlstate: '42501',
    exit: 4,
    fixedBy: 'caller',
  },
  MASK_NOT_APPLIED: {
    says: 'A Mask reaches you on connection "{connection}", and it cannot be applied to what this request returns.',
    hint: 'Nothing was forwarded. Take the connection out of the `on` of the Mask, or have an exception in its `unless`.',
    http: 403,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'policy owner',
  },
  NOT_FOUND: { says: 'There is no {what}.', http: 404, sqlstate: '42704', exit: 6, fixedBy: 'caller' },
  PERMISSION_DENIED: {
    says: '{principal} may not {action}.',
    http: 403,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'policy owner',
  },
  POLICY_BLOCKED: {
    says: 'Blocked by rule "{rule}" (version {version}): {what}.',
    hint: 'The target has not seen this statement. Ask whoever owns the rule, or change the statement.',
    http: 403,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'policy owner',
  },
  POLICY_HELD: {
    says: 'Held by rule "{rule}" (version {version}): {what}. Approval {id} is asked for.',
    hint: 'When it is approved, send exactly the same again: it passes once. See: countersign approvals show ID.',
    http: 423,
    sqlstate: '42501',
    exit: 7,
    fixedBy: 'policy owner',
  },
  POLICY_TEXT_MIXED: {
    says: 'A rule has to count or hold what this text does, and it begins or ends a transaction in its middle.',
    hint: 'Send BEGIN, COMMIT and ROLLBACK apart from what stands between them.',
    http: 403,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'caller',
  },
  POLICY_UNDONE: {
    says: 'Blocked by rule "{rule}" (version {version}): {what}. It ran, and is undone.',
    hint: 'The target has run it and rolled it back, with all of its transaction. Write less at a time, or ask whoever owns the rule.',
    http: 403,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'policy owner',
  },
  POLICY_WITHHELD: {
    says: 'Blocked by rule "{rule}" (version {version}): {what}. Those up to there were delivered.',
    hint: 'The rows beyond are withheld, and the statement has failed. Ask for fewer rows, or ask whoever owns the rule.',
    http: 403,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'policy owner',
  },
  PREPARED_TOO_MUCH: {
    says: 'Prepared statements and bound values of all sessions together may have {allowed} bytes, and have them.',
    hint: 'Close prepared statements that are not needed any more, or connect again; others may hold more than you.',
    http: 503,
    sqlstate: '53200',
    exit: 6,
    fixedBy: 'caller',
  },
  PROTOCOL_UNSUPPORTED: {
    // PostgreSQL's own words: drivers look for them.
    says: 'unsupported frontend protocol {asked}: server supports 3.0 to 3.2',
    http: 400,
    sqlstate: '0A000',
    exit: 6,
    fixedBy: 'caller',
  },
  PROTOCOL_VIOLATION: {
    says: 'The peer broke the protocol: {reason}.',
    http: 400,
    sqlstate: '08P01',
    exit: 6,
    fixedBy: 'caller',
  },
  RECORDING_FAILED: {
    says: 'The session recording cannot be written ({reason}), so the session ends.',
    http: 503,
    sqlstate: '58030',
    exit: 5,
    fixedBy: 'operator',
  },
  RECORDING_INVALID: {
    says: 'The recording of {session} does not verify: {reason}.',
    hint: 'Keep the files as they are; compare their SHA-256 with the recording.segment leaves.',
    http: 500,
    sqlstate: 'XX001',
    exit: 6,
    fixedBy: 'operator',
  },
  REPLICATION_INVALID: {
    // PostgreSQL's own words, as for every other start-up parameter.
    says: 'invalid value for parameter "replication": "{value}"',
    hint: 'Valid values are: "false", 0, "true", 1, "database".',
    http: 400,
    sqlstate: '22023',
    exit: 6,
    fixedBy: 'caller',
  },
  REPLICATION_REFUSED: {
    says: 'Replication connections are not carried.',
    hint: 'Connect to the target directly for replication, under another control.',
    http: 501,
    sqlstate: '0A000',
    exit: 6,
    fixedBy: 'caller',
  },
  REQUEST_INVALID: {
    says: 'The request is not valid: {reason}.',
    http: 400,
    sqlstate: '22023',
    exit: 2,
    fixedBy: 'caller',
  },
  RESOURCE_INVALID: {
    says: '{kind} "{name}" is not valid: {reason}.',
    http: 400,
    sqlstate: '22023',
    exit: 2,
    fixedBy: 'caller',
  },
  RESOURCE_NOT_ENFORCED: {
    says: '{what} is not enforced by this version, so it is refused.',
    hint: 'What nothing enforces is never accepted in silence.',
    http: 400,
    sqlstate: '0A000',
    exit: 2,
    fixedBy: 'caller',
  },
  REVEAL_HELD: {
    says: 'Mask "{mask}" (version {version}) lets its values be revealed when {count} of {approvers} agree, until {until} UTC. Approval {id} is asked for.',
    hint: 'When it is approved, send exactly the same again, with the same reason: it is revealed once. See: countersign approvals show ID.',
    http: 423,
    sqlstate: '42501',
    exit: 7,
    fixedBy: 'policy owner',
  },
  REVEAL_REFUSED: {
    says: 'Nobody may reveal this: {reason}.',
    hint: 'Who may is named by `reveal` of each Mask that hides it; without that, nobody does.',
    http: 403,
    sqlstate: '42501',
    exit: 3,
    fixedBy: 'policy owner',
  },
  ROWS_NOT_COUNTED: {
    says: 'The rows of this statement cannot be counted before COMMIT ({reason}), so it does not run.',
    http: 503,
    sqlstate: '58030',
    exit: 5,
    fixedBy: 'operator',
  },
  SERVER_REFUSED: {
    says: '{message}',
    http: 502,
    sqlstate: 'XX000',
    exit: 6,
    fixedBy: 'caller',
  },
  SERVER_ROLE_UNSAFE: {
    says: 'The role of connection "{connection}" does not hold the Masks of mode server-role: {reason}.',
    hint: 'An administrator of the target has to change its rights: "countersign mask ddl CONNECTION" prints what is needed.',
    http: 409,
    sqlstate: '42501',
    exit: 5,
    fixedBy: 'operator',
  },
  SERVER_UNREACHABLE: {
    says: 'The gateway at {server} cannot be reached ({reason}).',
    hint: 'Give its address with --server or COUNTERSIGN_SERVER, and see that it runs.',
    http: 502,
    sqlstate: '08001',
    exit: 5,
    fixedBy: 'caller',
  },
  SESSION_ENDED: {
    says: 'The session was ended: {reason}.',
    http: 401,
    sqlstate: '57P01',
    exit: 3,
    fixedBy: 'policy owner',
  },
  SHREDDED: {
    says: 'The content of session {session} was shredded; its proofs remain valid.',
    http: 410,
    sqlstate: '55000',
    exit: 6,
    fixedBy: 'operator',
  },
  SHUTTING_DOWN: {
    says: 'The gateway is shutting down.',
    http: 503,
    sqlstate: '57P01',
    exit: 5,
    fixedBy: 'operator',
  },
  SPOOL_FAILED: {
    says: 'A large message cannot be kept on disk ({reason}), so it is not forwarded.',
    http: 503,
    sqlstate: '58030',
    exit: 5,
    fixedBy: 'operator',
  },
  SQL_INVALID: {
    // PostgreSQL's own words, by its own parser.
    says: '{message}',
    http: 400,
    sqlstate: '42601',
    exit: 6,
    fixedBy: 'caller',
  },
  STARTUP_INVALID: {
    // PostgreSQL's own words.
    says: 'invalid startup packet layout: expected terminator as last byte',
    http: 400,
    sqlstate: '08P01',
    exit: 6,
    fixedBy: 'caller',
  },
  STATE_CONFLICT: {
    says: 'The state changed meanwhile: {reason}.',
    http: 409,
    sqlstate: '40001',
    exit: 6,
    fixedBy: 'caller',
  },
  STORE_FAILED: {
    says: 'The control store failed ({reason}).',
    http: 503,
    sqlstate: '58030',
    exit: 5,
    fixedBy: 'operator',
  },
  TLS_REQUIRED: {
    says: 'This listener takes TLS connections only.',
    hint: 'Connect with sslmode=require or stricter.',
    http: 403,
    sqlstate: '28000',
    exit: 3,
    fixedBy: 'caller',
  },
  TOKEN_REQUIRED: {
    says: 'This request needs a token.',
    hint: 'Send "Authorization: Bearer TOKEN"; "countersign login" gets one.',
    http: 401,
    sqlstate: '28000',
    exit: 4,
    fixedBy: 'caller',
  },
  TOO_MANY_CONNECTIONS: {
    says: 'The gateway already has {allowed} {what}.',
    http: 503,
    sqlstate: '53300',
    exit: 5,
    fixedBy: 'operator',
  },
  UPSTREAM_FAILED: {
    says: 'The target of connection "{connection}" cannot be reached ({reason}).',
    http: 502,
    sqlstate: '08001',
    exit: 5,
    fixedBy: 'operator',
  },
  USER_MISSING: {
    // PostgreSQL's own words.
    says: 'no PostgreSQL user name specified in startup packet',
    http: 400,
    sqlstate: '28000',
    exit: 6,
    fixedBy: 'caller',
  },
} as const;

/** A stable error code: a key of {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/** Values for the placeholders of a sentence; shown to people, so never secrets. */
export type ErrorDetails = Readonly<Record<string, string | number>>;

/** The one error class; `code` says which row of {@link ERRORS} it is. */
export class CountersignError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: { readonly cause?: unknown }) {
    super(sentence(ERRORS[code].says, details), options);
    this.name = 'CountersignError';
    this.code = code;
    this.details = details;
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}

/** Any thrown value as a CountersignError; what is not ours becomes INTERNAL with its cause kept. */
export function toCountersignError(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown;
  return new CountersignError('INTERNAL', {}, { cause: thrown });
}

/** The message of any thrown value, for logs and for `{reason}`. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function sentence(template: string, details: ErrorDetails): string {
  return template.replace(/\{(\w+)\}/g, (placeholder, name: string) => {
    const value = details[name];
    return value === undefined ? placeholder : String(value);
  });
}
