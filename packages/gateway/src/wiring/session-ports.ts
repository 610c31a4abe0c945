/** What a session needs of the other rooms. */

import type { HoldsPort } from '../approvals/holds-port.ts';
import type { Config } from '../config/config.ts';
import { secondFactorUs } from '../core/authentication.ts';
import { CountersignError } from '../core/errors.ts';
import { contentHash } from '../keys/content-hash.ts';
import type { LiveSessions } from '../session/live-sessions.ts';
import { RetrievedTexts } from '../session/retrieved-texts.ts';
import type { Admission, SessionIndex, SessionPorts } from '../session/session-ports.ts';
import { resolveCredential, resolveTrustedCertificates } from '../upstream/credential.ts';
import type { PostgresTarget } from '../upstream/postgres-target.ts';
import type { PolicyNow } from '../session/postgres/inspection.ts';
import type { Principal } from '../core/principal.ts';
import { type Caller, SessionPolicy } from '../policy/decide.ts';
import type { Connection, PostgresConnection } from '../resources/documents.ts';
import type { Resources } from '../resources/resources.ts';
import type { AccessGrant } from '../resources/view.ts';
import { holdLink } from './notify.ts';
import type { Rooms, RoomsOptions } from './rooms.ts';
import type { ServerRoles } from './server-roles.ts';

interface Others extends Pick<RoomsOptions, 'env'> {
  readonly sessions: LiveSessions;
  readonly index: SessionIndex;
  readonly holds: HoldsPort;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly onError: (error: CountersignError, where: string) => void;
  readonly serverRoles: ServerRoles;
}

export function sessionPorts(config: Config, rooms: Rooms, others: Others): SessionPorts {
  const { sessions, index, holds, randomBytes, onError, serverRoles } = others;
  const { ledger, keys, resources, identity, recorder, spool, sql, clock } = rooms;
  return {
    sessions,
    index,
    randomBytes,
    onError,
    ledger,
    keys,
    recorder,
    spool,
    clock,
    retrieved: new RetrievedTexts(contentHash(rooms.installationKey), () => clock.monotonicUs()),
    stillGood: async (principal, tokenId, connection) => {
      const current = { ...principal, groups: resources.groupsOf(principal.name) };
      const active = await identity.identity.isActive(principal.id, tokenId);
      return active && resources.stillAllowed(current, connection);
    },
    actorOf: (principal) => identity.principals.actorOf(principal),
    sql,
    holds,
    holdLink: (id) => holdLink(config, id),
    admit: async (principal, connection, database, { tokenId, ...place }): Promise<Admission> => {
      const grant = resources.accessFor(principal, connection, database);
      const { access, policy } = grant;
      const authentication = await identity.identity.authenticationOf(principal.id, tokenId);
      const caller = { ...place, kind: principal.kind, mfaUs: secondFactorUs(authentication) };
      const target = postgresOnly(grant.connection);
      return {
        connection: target.name,
        access,
        policy,
        authentication,
        database: grant.database,
        asksForTrees: target.serverTree ?? 'auto',
        lineage: target.lineage === true,
        policyNow: policyOf(principal, connection, caller, resources),
        maskingKeys: resources.masks(principal, connection).isEmpty
          ? undefined
          : await rooms.maskingKeys.ring(),
        serverRole: await serverRoles.admit(principal, { ...grant, connection: target }),
        openTarget: () => openTargetOf({ ...grant, connection: target }, rooms, others.env),
      };
    },
  };
}

/** A connection of another protocol has a port of its own. */
export function postgresOnly(connection: Connection): PostgresConnection {
  if (connection.protocol === 'postgres') return connection;
  const reason = `connection "${connection.name}" speaks ${connection.protocol}, and not PostgreSQL's protocol`;
  throw new CountersignError('REQUEST_INVALID', { reason });
}

/** Made anew where the resources have changed. */
export function policyOf(
  principal: Principal,
  connection: string,
  caller: Caller,
  resources: Resources,
  over: 'sql' | 'http' = 'sql',
): () => PolicyNow {
  let now: PolicyNow | undefined;
  let revision = -1;
  return () => {
    if (now !== undefined && revision === resources.revision) return now;
    ({ revision } = resources);
    const digest = resources.bundleDigest();
    const ruling = resources.ruling(principal, connection, over);
    const policy =
      ruling === undefined
        ? undefined
        : new SessionPolicy(ruling.rules, ruling.allowance, caller, ruling.breakGlass);
    now = { digest, policy, masks: resources.masks(principal, connection) };
    return now;
  };
}

/** The target of a connection, with its credential as it is now. */
export async function openTargetOf(
  grant: Pick<AccessGrant, 'database'> & { readonly connection: PostgresConnection },
  rooms: Rooms,
  env: RoomsOptions['env'],
): Promise<PostgresTarget> {
  const { connection, database } = grant;
  const { store, installationKey } = rooms;
  const { user, password } = await resolveCredential(connection, {
    store,
    installationKey,
    env,
  });
  const { host, port, tls } = connection.target;
  const { tlsNegotiation = 'postgres', channelBinding = 'prefer', maxProtocolVersion } = connection.target;
  return {
    connection: connection.name,
    host,
    port,
    database,
    user,
    password,
    tls,
    tlsNegotiation,
    channelBinding,
    protocolVersion: maxProtocolVersion === '3.0' ? '3.0' : '3.2',
    ca: await resolveTrustedCertificates(connection),
  };
}
