/**
 * From a client that is known to a session that runs: admission, key, recording, target, leaf, greeting.
 *
 * Pipeline: admit. The client gets AuthenticationOk only after `session.start` is durable.
 */

import type { Socket } from 'node:net';
import { CountersignError, toCountersignError } from '../../core/errors.ts';
import { makeId, type SessionId } from '../../core/ids.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import type { Principal } from '../../core/principal.ts';
import { encodeBackend } from '../../protocols/postgres/encode.ts';
import { CHANNEL } from '../../recording/segment-format.ts';
import type { SessionRecording } from '../../recording/session-recording.ts';
import { loginToTarget, type ReadyTarget, TargetRefused } from '../../upstream/postgres-login.ts';
import type { PostgresTarget } from '../../upstream/postgres-target.ts';
import type { CancelKey } from '../live-sessions.ts';
import type { Admission, SessionPorts } from '../session-ports.ts';
import { PostgresSession } from './session.ts';
import { SessionLeaves } from './session-leaves.ts';

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
  /** Start-up parameters. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Start-up parameters that are the gateway's to set; all others reach the target. */
const OWN_PARAMETERS: ReadonlySet<string> = new Set(['user', 'database', 'replication']);

/** Runs a session; resolves when it is over, rejects where it could not begin. */
export async function runPostgresSession(client: KnownClient, ports: SessionPorts): Promise<void> {
  const { connection, database } = splitDatabase(client.parameters.get('database') ?? client.name);
  const actor = await ports.actorOf(client.principal);
  try {
    const admission = await ports.admit(client.principal, connection, database);
    const session = await open(client, ports, admission, actor);
    await session.run(client.rest);
  } catch (thrown) {
    if (thrown instanceof SessionBegun) throw thrown.error;
    const error = toCountersignError(thrown);
    await refused(client, ports, connection, actor, error);
    throw error;
  }
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
  const cancelKey = sessions.makeCancelKey(randomBytes);
  let recording: SessionRecording | undefined;
  let ready: ReadyTarget | undefined;
  let begun = false;
  try {
    const target = await admission.openTarget();
    ready = await loginToTarget(target, forwardedParameters(client.parameters), randomBytes);
    const key = await keys.create(id);
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
    const leaves = new SessionLeaves(context);
    const start = await ledger.append(leaves.start(startBody(client, admission, target, ready)));
    begun = true;
    const session = new PostgresSession({
      id,
      client,
      admission,
      target,
      ready,
      cancelKey,
      recording,
      leaves,
      ports,
      start,
    });
    await ports.index.started({
      id,
      principal,
      connection: admission.connection,
      database: admission.database,
      address: client.socket.remoteAddress ?? '',
      client: client.parameters.get('application_name') ?? '',
      startedUs: start.timeUs,
      firstLeaf: start.index,
    });
    sessions.add(session, cancelKey);
    // What was taken away before the session stood in the registry could not end it.
    if (!(await ports.stillGood(principal, client.tokenId, admission.connection))) {
      throw new CountersignError('SESSION_ENDED', { reason: 'its access has ended' });
    }
    greet(client.socket, ready, cancelKey, recording, clock.nowUs());
    return session;
  } catch (error) {
    sessions.remove(cancelKey);
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

function greet(
  socket: Socket,
  ready: ReadyTarget,
  key: CancelKey,
  recording: SessionRecording,
  nowUs: number,
): void {
  const messages = [
    encodeBackend({ kind: 'AuthenticationOk' }),
    ...[...ready.parameters].map(([name, valueBytes]) =>
      encodeBackend({ kind: 'ParameterStatus', name, valueBytes }),
    ),
    ...ready.notices,
    encodeBackend({ kind: 'BackendKeyData', processId: key.processId, secretKey: key.secret }),
    encodeBackend({ kind: 'ReadyForQuery', status: 'I' }),
  ];
  // The cancel key is a secret of the client's: the recording has the parameters and nothing else.
  for (const message of messages.slice(1, -2)) recording.record(CHANNEL.gatewayToClient, message, nowUs);
  socket.write(Buffer.concat(messages));
}

function forwardedParameters(parameters: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...parameters].filter(([name]) => !OWN_PARAMETERS.has(name)));
}

function startBody(
  client: KnownClient,
  admission: Admission,
  target: PostgresTarget,
  ready: ReadyTarget,
): Readonly<Record<string, BodyValue>> {
  const { principal, socket, parameters } = client;
  const version = ready.parameters.get('server_version');
  return {
    name: client.name,
    display_name: principal.displayName,
    principal: principal.id,
    groups: [...principal.groups],
    issuer: principal.issuer,
    subject: principal.subject,
    address: socket.remoteAddress ?? '',
    port: socket.remotePort ?? 0,
    client: parameters.get('application_name') ?? '',
    tls: client.tls,
    token_id: client.tokenId,
    method: client.method,
    connection: admission.connection,
    protocol: 'postgres',
    database: admission.database,
    target_user: target.user,
    target_address: `${target.host}:${target.port}`,
    target_version: version === undefined ? '' : Buffer.from(version).toString('utf8'),
    target_tls: target.tls,
    access: admission.access,
    parameters: Object.fromEntries([...parameters].filter(([name]) => !OWN_PARAMETERS.has(name))),
  };
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
  if (error instanceof TargetRefused && socket.writable) socket.end(error.frame);
}
