/**
 * From a client that is known to a session that runs: admission, key, recording, target, leaf, greeting.
 *
 * Pipeline: admit. The client gets AuthenticationOk only after `session.start` is durable.
 */

import type { Socket } from 'node:net';
import { authenticationBody, secondFactorUs } from '../../core/authentication.ts';
import { CountersignError, toCountersignError } from '../../core/errors.ts';
import { makeId, type SessionId } from '../../core/ids.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import type { Principal } from '../../core/principal.ts';
import { encodeBackend } from '../../protocols/postgres/encode.ts';
import type { StartupParameter } from '../../protocols/postgres/messages.ts';
import { asksForReplication, forwardedParameters, startupText } from '../../protocols/postgres/startup.ts';
import { CHANNEL } from '../../recording/segment-format.ts';
import type { SessionRecording } from '../../recording/session-recording.ts';
import {
  type GreetingFrame,
  loginToTarget,
  type ReadyTarget,
  TargetRefused,
} from '../../upstream/postgres-login.ts';
import type { PostgresTarget } from '../../upstream/postgres-target.ts';
import { type CancelKey, makeCancelKey } from '../live-sessions.ts';
import type { Admission, SessionPorts } from '../session-ports.ts';
import type { SessionMasks } from '../../masking/plan/session-masks.ts';
import { armedParameters } from './masked/arming.ts';
import { PostgresSession } from './session.ts';
import { SessionLeaves } from './session-leaves.ts';
import { SessionLiterals } from './hidden/session-literals.ts';
import { InlineBudget, textValue } from './operation-body.ts';

/** A client that has logged in. */
export interface KnownClient {
  readonly socket: Socket;
  /** Bytes that it has sent already. */
  readonly rest: Uint8Array;
  readonly principal: Principal;
  readonly tokenId: string;
  readonly name: string;
  readonly method: string;
  readonly tls: string;
  readonly protocolVersion: number;
  /** Start-up parameters. */
  readonly parameters: readonly StartupParameter[];
}

/** Runs a session; resolves when it is over, rejects where it could not begin. */
export async function runPostgresSession(client: KnownClient, ports: SessionPorts): Promise<void> {
  const { connection, database } = splitDatabase(databaseName(client));
  const actor = await ports.actorOf(client.principal);
  try {
    if (asksForReplication(client.parameters)) throw new CountersignError('REPLICATION_REFUSED');
    const caller = {
      address: client.socket.remoteAddress ?? '',
      client: startupText(client.parameters, 'application_name') ?? '',
      tokenId: client.tokenId,
    };
    const admission = await ports.admit(client.principal, connection, database, caller);
    const session = await open(client, ports, admission, actor);
    await session.run(client.rest);
  } catch (thrown) {
    if (thrown instanceof SessionBegun) throw thrown.error;
    const error = toCountersignError(thrown);
    await refused(client, ports, connection, actor, error);
    throw error;
  }
}

/** The user's name where none is given, as in PostgreSQL. */
function databaseName(client: KnownClient): string {
  const given = startupText(client.parameters, 'database') ?? '';
  return given === '' ? client.name : given;
}

/** `name` or `name/database`. */
function splitDatabase(dbname: string): {
  readonly connection: string;
  readonly database: string | undefined;
} {
  const slash = dbname.indexOf('/');
  if (slash < 0) return { connection: dbname, database: undefined };
  const database = dbname.slice(slash + 1);
  return { connection: dbname.slice(0, slash), database: database === '' ? undefined : database };
}

/** The session had begun, so that it has a `session.end` and needs no `session.refused`. */
class SessionBegun extends Error {
  readonly error: unknown;

  constructor(error: unknown) {
    super('the session had begun');
    this.error = error;
  }
}

async function open(
  client: KnownClient,
  ports: SessionPorts,
  admission: Admission,
  actor: string,
): Promise<PostgresSession> {
  const { sessions, randomBytes, keys, ledger, recorder, clock } = ports;
  const id = makeId('session', Math.floor(clock.nowUs() / 1000), randomBytes(10));
  const place = sessions.takePlace();
  let recording: SessionRecording | undefined;
  let ready: ReadyTarget | undefined;
  let begun = false;
  try {
    const target = await admission.openTarget();
    const forwarded = forwardedParameters(client.parameters);
    const given = admission.maskingKeys === undefined ? forwarded : armedParameters(forwarded);
    ready = await loginToTarget(target, given, randomBytes);
    const key = await keys.create(id);
    const literals = literalsOf(id, key, admission, randomBytes);
    ledger.openScope(id, key);
    recording = recorder.open(id, key);
    const { principal } = client;
    const context = {
      session: id,
      kind: principal.kind,
      actor,
      target: admission.connection,
      policy: admission.policy,
    };
    const leaves = new SessionLeaves(context, literals, () => admission.policyNow().masks.exempt);
    const start = await ledger.append(leaves.start(startBody(client, admission, target, ready)));
    begun = true;
    const session = new PostgresSession({
      id,
      client,
      admission,
      target,
      ready,
      place,
      recording,
      leaves,
      literals,
      ports,
      start,
    });
    await ports.index.started({
      id,
      principal,
      connection: admission.connection,
      database: admission.database,
      address: client.socket.remoteAddress ?? '',
      client: startupText(client.parameters, 'application_name') ?? '',
      mfaUs: secondFactorUs(admission.authentication),
      startedUs: start.timeUs,
      firstLeaf: start.index,
    });
    const cancelKey = makeCancelKey(ready.cancelProcessId, client.protocolVersion, randomBytes);
    sessions.add(place, session, cancelKey);
    // What was taken away before the session stood in the registry could not end it.
    if (!(await ports.stillGood(principal, client.tokenId, admission.connection))) {
      throw new CountersignError('SESSION_ENDED', { reason: 'its access has ended' });
    }
    greet(client.socket, ready, cancelKey, recording, clock.nowUs());
    return session;
  } catch (error) {
    sessions.remove(place);
    ready?.socket.destroy();
    await recording?.close().catch(() => undefined);
    if (!begun) {
      ledger.closeScope(id);
      throw error;
    }
    await endUnbegun(ports, id, admission, actor, client.principal, error);
    throw new SessionBegun(error);
  }
}

/** Undefined where no Mask reaches the session: it is recorded as it is. */
function literalsOf(
  session: SessionId,
  scopeKey: Uint8Array,
  admission: Admission,
  randomBytes: SessionPorts['randomBytes'],
): SessionLiterals | undefined {
  if (admission.maskingKeys === undefined) return undefined;
  const masksNow = (): SessionMasks => admission.policyNow().masks;
  return new SessionLiterals({ session, scopeKey, randomBytes, masksNow });
}

/** `session.start` is in the log, and nothing was forwarded: the session ends where it began. */
async function endUnbegun(
  ports: SessionPorts,
  id: SessionId,
  admission: Admission,
  actor: string,
  principal: Principal,
  thrown: unknown,
): Promise<void> {
  const leaves = new SessionLeaves({
    session: id,
    kind: principal.kind,
    actor,
    target: admission.connection,
    policy: admission.policy,
  });
  await ports.ledger.append(leaves.end('failed', { reason: toCountersignError(thrown).code, statements: 0 }));
  ports.ledger.closeScope(id);
}

/** What the target said, in its order and as it came, but for the cancel key. */
function greet(
  socket: Socket,
  ready: ReadyTarget,
  key: CancelKey,
  recording: SessionRecording,
  nowUs: number,
): void {
  // The cancel key is a secret of the client's: it is not recorded.
  for (const { isCancelKey, bytes } of ready.greeting) {
    if (!isCancelKey) recording.record(CHANNEL.gatewayToClient, bytes, nowUs);
  }
  const hasKey = ready.greeting.some(({ isCancelKey }) => isCancelKey);
  const messages = [
    encodeBackend({ kind: 'AuthenticationOk' }),
    ...greetingWith(ready.greeting, key),
    ...(hasKey ? [] : [encodeCancelKey(key)]),
    ready.readyForQuery,
  ];
  socket.write(Buffer.concat(messages));
}

function greetingWith(greeting: readonly GreetingFrame[], key: CancelKey): Uint8Array[] {
  return greeting.map(({ isCancelKey, bytes }) => (isCancelKey ? encodeCancelKey(key) : bytes));
}

function encodeCancelKey({ processId, secret }: CancelKey): Uint8Array {
  return encodeBackend({ kind: 'BackendKeyData', processId, secretKey: secret });
}

function startBody(
  client: KnownClient,
  admission: Admission,
  target: PostgresTarget,
  ready: ReadyTarget,
): Readonly<Record<string, BodyValue>> {
  const { principal, socket, parameters } = client;
  return {
    name: client.name,
    display_name: principal.displayName,
    principal: principal.id,
    groups: [...principal.groups],
    issuer: principal.issuer,
    subject: principal.subject,
    address: socket.remoteAddress ?? '',
    port: socket.remotePort ?? 0,
    client: startupText(parameters, 'application_name') ?? '',
    tls: client.tls,
    token_id: client.tokenId,
    method: client.method,
    ...authenticationBody(admission.authentication),
    connection: admission.connection,
    protocol: 'postgres',
    database: admission.database,
    target_user: target.user,
    target_address: `${target.host}:${target.port}`,
    target_version: ready.serverVersion,
    target_tls: target.tls,
    access: admission.access,
    parameters: forwardedBody(parameters),
    ...(admission.serverRole.leaf === undefined ? {} : { server_role_leaf: admission.serverRole.leaf }),
  };
}

/** Name → value; a name that was given more than once has the list of its values, in order. */
function forwardedBody(parameters: readonly StartupParameter[]): Record<string, BodyValue> {
  const budget = new InlineBudget();
  const values = new Map<string, BodyValue[]>();
  for (const [name, value] of forwardedParameters(parameters)) {
    const text = Buffer.from(name).toString('utf8');
    values.set(text, [...(values.get(text) ?? []), textValue(value, budget)]);
  }
  return Object.fromEntries(
    [...values].map(([name, [only, ...more]]) => [
      name,
      more.length === 0 ? (only ?? '') : [only ?? '', ...more],
    ]),
  );
}

/** Says in the log who was turned away, and why. */
async function refused(
  client: KnownClient,
  ports: SessionPorts,
  connection: string,
  actor: string,
  error: CountersignError,
): Promise<void> {
  const { principal, socket } = client;
  await ports.ledger.append({
    type: 'session.refused',
    kind: principal.kind,
    actor,
    keyId: principal.id,
    body: {
      name: client.name,
      address: socket.remoteAddress ?? '',
      port: socket.remotePort ?? 0,
      connection,
      reason: error.message,
      code: error.code,
    },
  });
  if (error instanceof TargetRefused && socket.writable) socket.end(refusal(client, ports, error));
}

/** What the target said up to its error. A key among it is of no session, and is made so that none has it. */
function refusal(client: KnownClient, ports: SessionPorts, { greeting, frame }: TargetRefused): Uint8Array {
  if (greeting === undefined) return frame;
  const key = makeCancelKey(undefined, client.protocolVersion, ports.randomBytes);
  return Buffer.concat([encodeBackend({ kind: 'AuthenticationOk' }), ...greetingWith(greeting, key), frame]);
}
