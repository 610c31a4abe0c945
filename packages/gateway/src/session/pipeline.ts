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
}

export const PIPELINE: readonly Step[] = [
  step(
    'authenticate',
    'the principal is known and the login is a durable leaf',
    'listeners/postgres-login.ts',
  ),
  step(
    'admit',
    'an Access resource lets the principal use the connection',
    'session/postgres/open-session.ts',
  ),
  step(
    'understand',
    'bytes are frames, and what runs something is an Operation',
    'session/postgres/client-side.ts',
  ),
  step('decide', 'rule, version and reason are known', 'session/postgres/inspection.ts'),
  step(
    'writeDecision',
    'the intent leaf is durable before the target hears a byte',
    'session/postgres/gate.ts',
  ),
  step('waitForApproval', 'other people approved exactly this', 'session/postgres/conductor.ts'),
  step('forward', 'the target has the bytes that came', 'session/postgres/gate.ts'),
  step('maskResult', 'no value passes that its labels forbid', 'session/postgres/masked/masked-stream.ts'),
  step('record', 'both directions are in the recording as delivered', 'session/postgres/target-side.ts'),
  step('writeOutcome', 'the outcome leaf refers to the intent', 'session/postgres/target-side.ts'),
];

function step(name: string, after: string, postgres: string): Step {
  return { step: name, after, postgres };
}
