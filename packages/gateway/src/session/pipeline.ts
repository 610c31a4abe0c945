/**
 * The order in which an Operation passes the rooms, per protocol: the one table.
 *
 * A row is a step, a column a protocol. The file that a cell names holds the step, and a test reads
 * this table against those files, so that the order written here is the order that runs.
 * `—` is a step that this version does not have yet: `apply` refuses what would need it.
 */

interface Step {
  readonly step: string;
  /** What must be true when the step is over. */
  readonly after: string;
  readonly postgres: string;
  readonly http: string;
}

export const PIPELINE: readonly Step[] = [
  step(
    'authenticate',
    'the principal is known and the login is a durable leaf',
    'listeners/postgres-login.ts',
    'session/http/http-gate.ts',
  ),
  step(
    'admit',
    'an Access resource lets the principal use the connection',
    'session/postgres/open-session.ts',
    'session/http/open-http-session.ts',
  ),
  step(
    'understand',
    'bytes are frames, and what runs something is an Operation',
    'session/postgres/client-side.ts',
    'session/http/exchange.ts',
  ),
  step(
    'decide',
    'rule, version and reason are known',
    'session/postgres/inspection.ts',
    'session/http/decide-request.ts',
  ),
  step(
    'writeDecision',
    'the intent leaf is durable before the target hears a byte',
    'session/postgres/gate.ts',
    'session/http/exchange.ts',
  ),
  step(
    'waitForApproval',
    'other people approved exactly this',
    'session/postgres/conductor.ts',
    'session/http/approval.ts',
  ),
  step(
    'forward',
    'the target has the bytes that came',
    'session/postgres/gate.ts',
    'session/http/forwarding.ts',
  ),
  step(
    'maskResult',
    'no value passes that its labels forbid',
    'session/postgres/masked/masked-stream.ts',
    'session/http/masked-answer.ts',
  ),
  step(
    'record',
    'both directions are in the recording as delivered',
    'session/postgres/target-side.ts',
    'session/http/forwarding.ts',
  ),
  step(
    'writeOutcome',
    'the outcome leaf refers to the intent',
    'session/postgres/target-side.ts',
    'session/http/exchange.ts',
  ),
];

function step(name: string, after: string, postgres: string, http: string): Step {
  return { step: name, after, postgres, http };
}
