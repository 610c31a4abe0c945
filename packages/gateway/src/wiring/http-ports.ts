/** What an HTTP session needs of the other rooms. */

import type { Config } from '../config/config.ts';
import { secondFactorUs } from '../core/authentication.ts';
import { CountersignError, toCountersignError } from '../core/errors.ts';
import { HTTP_LIMITS } from '../core/http-limits.ts';
import type { Principal } from '../core/principal.ts';
import type { HttpConnection } from '../resources/documents.ts';
import type { HttpAdmission, HttpPorts } from '../session/http/http-ports.ts';
import { AnswerBudget } from '../session/http/kept-answer.ts';
import type { AdmittedCaller, SessionPorts } from '../session/session-ports.ts';
import { resolveTrustedCertificates } from '../upstream/credential.ts';
import type { HttpTarget } from '../upstream/http-exchange.ts';
import { UpstreamPool } from '../upstream/http-pool.ts';
import { httpCredential, signedForOf } from './http-credential.ts';
import { indexAddresses } from './index-addresses.ts';
import { holdLink } from './notify.ts';
import type { Rooms, RoomsOptions } from './rooms.ts';
import { policyOf } from './session-ports.ts';

type Env = RoomsOptions['env'];

export function httpPorts(config: Config, rooms: Rooms, ports: SessionPorts, env: Env): HttpPorts {
  const { identity, ledger, bootId, clock } = rooms;
  const strangers = new StrangerLeaves(() => clock.monotonicUs());
  return {
    ...ports,
    upstream: new UpstreamPool(),
    rerank: { answers: new AnswerBudget() },
    holdUrl: (id) => holdLink(config, id),
    login: (token, peer) => identity.identity.bearer(token, peer),
    hasPair: (accessKeyId) => identity.identity.hasPair(accessKeyId),
    signature: (proof, peer) => identity.identity.signature(proof, peer),
    signedLogin: (tokenId, peer) => identity.identity.signedLogin(tokenId, peer),
    connectionOfHost: hostsOf(rooms),
    indexAddress: indexAddresses(rooms.resources),
    admit: async (principal, connection, caller) => admit(rooms, env, principal, connection, caller),
    refusedStranger: ({ address, port }, connection, reason, code) => {
      const unreported = strangers.take();
      if (unreported === undefined) return;
      const more = unreported === 0 ? '' : `; ${unreported} others before it have no leaf of their own`;
      const body = { address, port, connection: connection.slice(0, 63), reason: `${reason}${more}`, code };
      ledger
        .append({ type: 'session.refused', kind: 'system', keyId: bootId, body })
        .catch((error: unknown) => ports.onError(toCountersignError(error), address));
    },
  };
}

async function admit(
  rooms: Rooms,
  env: Env,
  principal: Principal,
  name: string,
  { tokenId, ...place }: AdmittedCaller,
): Promise<HttpAdmission> {
  const { resources } = rooms;
  const grant = resources.accessFor(principal, name, undefined);
  const { connection, access, policy } = grant;
  if (connection.protocol !== 'http') {
    const reason = `connection "${name}" speaks ${connection.protocol}, and not HTTP`;
    throw new CountersignError('REQUEST_INVALID', { reason });
  }
  const authentication = await rooms.identity.identity.authenticationOf(principal.id, tokenId);
  const caller = { ...place, kind: principal.kind, mfaUs: secondFactorUs(authentication) };
  const version = versionOf(rooms, name);
  let revision = resources.revision;
  return {
    connection: connection.name,
    access,
    policy,
    authentication,
    dialect: connection.dialect ?? 'auto',
    lineage: connection.lineage === true,
    signedFor: signedForOf(connection),
    policyNow: policyOf(principal, connection.name, caller, resources, 'http'),
    maskingKeys: () => rooms.maskingKeys.ring(),
    openTarget: () => openHttpTarget(connection, rooms, env),
    isCurrent: () => {
      if (revision === resources.revision) return true;
      ({ revision } = resources);
      return versionOf(rooms, name) === version;
    },
  };
}

function versionOf({ resources }: Rooms, name: string): number | undefined {
  return resources.get('Connection', name)[0]?.version;
}

/** Looked up anew where the resources have changed. */
function hostsOf({ resources }: Rooms): (hostName: string) => string | undefined {
  let revision = -1;
  let hosts: ReadonlyMap<string, string> = new Map();
  return (hostName) => {
    if (revision !== resources.revision) {
      ({ revision } = resources);
      hosts = new Map(
        resources
          .get('Connection')
          .flatMap(({ document }) =>
            document.kind === 'Connection' && document.protocol === 'http'
              ? (document.hosts ?? []).map((host): [string, string] => [host, document.name])
              : [],
          ),
      );
    }
    return hosts.get(hostName);
  };
}

/** The target of a connection, with its credential as it is now. */
export async function openHttpTarget(
  connection: HttpConnection,
  rooms: Rooms,
  env: Env,
): Promise<HttpTarget> {
  const { store, installationKey } = rooms;
  const { target } = connection;
  const url = new URL(target.url);
  const isTls = url.protocol === 'https:';
  return {
    connection: connection.name,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    prefix: url.pathname.replace(/\/+$/, ''),
    tls: target.tls,
    ca: await resolveTrustedCertificates(connection),
    version: target.version ?? 'auto',
    credential: await httpCredential(connection, { store, installationKey, env }),
  };
}

/** How many requests of nobody have a leaf; a flood must not fill the log. */
class StrangerLeaves {
  readonly #monotonicUs: () => number;
  #sinceUs = 0;
  #written = 0;
  #unreported = 0;

  constructor(monotonicUs: () => number) {
    this.#monotonicUs = monotonicUs;
  }

  /** How many had none before; undefined where this one has none. */
  take(): number | undefined {
    const nowUs = this.#monotonicUs();
    if (nowUs - this.#sinceUs >= 1_000_000) {
      this.#sinceUs = nowUs;
      this.#written = 0;
    }
    if (this.#written >= HTTP_LIMITS.strangerLeavesPerSecond) {
      this.#unreported += 1;
      return undefined;
    }
    this.#written += 1;
    const before = this.#unreported;
    this.#unreported = 0;
    return before;
  }
}
