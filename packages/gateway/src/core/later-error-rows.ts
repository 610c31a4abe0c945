/** The end of the table of error-rows.ts, from SIGNATURE_MALFORMED on: one file would be too long. */

export const LATER_ERRORS = {
  SIGNATURE_MALFORMED: {
    says: 'The signature of the request cannot be read: {reason}.',
    hint: 'Nothing was forwarded. Sign with AWS Signature Version 4 (AWS4-HMAC-SHA256).',
    http: 400,
    sqlstate: '08P01',
    exit: 6,
    fixedBy: 'caller',
  },
  SIGNATURE_REFUSED: {
    says: 'The signature of the request is not taken: {reason}.',
    hint: 'Nothing was forwarded.',
    http: 403,
    sqlstate: '28000',
    exit: 4,
    fixedBy: 'caller',
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
