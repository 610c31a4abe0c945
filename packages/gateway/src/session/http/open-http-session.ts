/**
 * From a token or a signature to an HTTP session: login, admission, key, recording, leaf.
 *
 * Pipeline: admit. The first request of a session goes on only when `session.start` is durable.
 */

import { authenticationBody, secondFactorUs } from '../../core/authentication.ts';
import { CountersignError, toCountersignError } from '../../core/errors.ts';
import { makeId } from '../../core/ids.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import { PROTOCOL_3_2 } from '../../protocols/postgres/messages.ts';
import type { SessionRecording } from '../../recording/session-recording.ts';
import type { HttpCredential } from '../../upstream/http-credential.ts';
import type { HttpTarget } from '../../upstream/http-exchange.ts';
import { makeCancelKey } from '../live-sessions.ts';
import { HttpLeaves } from './http-leaves.ts';
import type { HttpAdmission, HttpLogin, HttpPeer, HttpPorts } from './http-ports.ts';
import { HttpSession } from './http-session.ts';

export interface OpeningSession {
  /** Throws AUTHENTICATION_FAILED; the login is a durable leaf when it returns. */
  readonly login: () => Promise<HttpLogin>;
  readonly method: 'bearer' | 'sigv4';
  readonly connection: string;
  readonly peer: HttpPeer;
}

/** Rejects where nobody comes in, or nothing lets its owner use the connection; both have their leaf then. */
export async function openHttpSession(
  ports: HttpPorts,
  { login, method, connection, peer }: OpeningSession,
): Promise<HttpSession> {
  const who = { ...(await login()), method };
  const actor = await ports.actorOf(who.principal);
  try {
    const caller = { address: peer.address, client: peer.client, tokenId: who.tokenId };
    const admission = await ports.admit(who.principal, connection, caller);
    return await open(ports, who, peer, admission, actor);
  } catch (thrown) {
    if (thrown instanceof SessionBegun) throw thrown.error;
    const error = toCountersignError(thrown);
    await ports.ledger.append({
      type: 'session.refused',
      kind: who.principal.kind,
      actor,
      keyId: who.principal.id,
      body: {
        name: who.principal.name,
        address: peer.address,
        port: peer.port,
        connection,
        reason: error.message,
        code: error.code,
      },
    });
    throw error;
  }
}

/** The session had begun, so that it has a `session.end` and needs no `session.refused`. */
class SessionBegun extends Error {
  readonly error: unknown;

  constructor(error: unknown) {
    super('the session had begun');
    this.error = error;
  }
}

interface Who extends HttpLogin, Pick<OpeningSession, 'method'> {}

async function open(
  ports: HttpPorts,
  who: Who,
  peer: HttpPeer,
  admission: HttpAdmission,
  actor: string,
): Promise<HttpSession> {
  const { sessions, randomBytes, keys, ledger, recorder, clock } = ports;
  const { principal, tokenId } = who;
  const id = makeId('session', Math.floor(clock.nowUs() / 1000), randomBytes(10));
  const place = sessions.takePlace();
  const leaves = new HttpLeaves({
    session: id,
    kind: principal.kind,
    actor,
    target: admission.connection,
    policy: admission.policy,
  });
  let recording: SessionRecording | undefined;
  let session: HttpSession | undefined;
  try {
    const target = await admission.openTarget();
    const key = await keys.create(id);
    ledger.openScope(id, key);
    recording = recorder.open(id, key);
    const start = await ledger.append(leaves.start(startBody(who, peer, admission, target)));
    session = new HttpSession({
      id,
      principal,
      tokenId,
      peer,
      admission,
      place,
      recording,
      leaves,
      ports,
      start,
    });
    await ports.index.started({
      id,
      principal,
      connection: admission.connection,
      database: '',
      address: peer.address,
      client: peer.client,
      mfaUs: secondFactorUs(admission.authentication),
      startedUs: start.timeUs,
      firstLeaf: start.index,
    });
    // Nobody is shown this key: nothing cancels over HTTP.
    sessions.add(place, session, makeCancelKey(undefined, PROTOCOL_3_2, randomBytes));
    // What was taken away before the session stood in the registry could not end it.
    if (await ports.stillGood(principal, tokenId, admission.connection)) return session;
    throw new CountersignError('SESSION_ENDED', { reason: 'its access has ended' });
  } catch (thrown) {
    if (session !== undefined) {
      const error = toCountersignError(thrown);
      session.end({ reason: error.message, error });
      await session.closed;
      throw new SessionBegun(error);
    }
    sessions.remove(place);
    await recording?.close().catch(() => undefined);
    ledger.closeScope(id);
    throw thrown;
  }
}

function startBody(
  { principal, tokenId, method }: Who,
  peer: HttpPeer,
  admission: HttpAdmission,
  { host, port, tls, credential }: HttpTarget,
): Readonly<Record<string, BodyValue>> {
  return {
    name: principal.name,
    display_name: principal.displayName,
    principal: principal.id,
    groups: [...principal.groups],
    issuer: principal.issuer,
    subject: principal.subject,
    address: peer.address,
    port: peer.port,
    client: peer.client.slice(0, 512).toWellFormed(),
    tls: peer.tls,
    token_id: tokenId,
    method,
    ...authenticationBody(admission.authentication),
    connection: admission.connection,
    protocol: 'http',
    target_user: targetUser(credential),
    target_address: `${host}:${port}`,
    target_tls: tls,
    access: admission.access,
  };
}

/** Who the gateway is to the target, where that has a name. */
function targetUser(credential: HttpCredential): string {
  if (credential.scheme === 'basic') return credential.user;
  return credential.scheme === 'sigv4' ? credential.accessKeyId : credential.scheme;
}
