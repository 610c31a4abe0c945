/**
 * A PostgreSQL client proves who it is: start-up message, SCRAM-SHA-256, Principal.
 *
 * Spec: PostgreSQL 18, "Start-up", "SASL Authentication"; RFC 5802, RFC 7677.
 * Refused: protocol 2 and below, replication, any mechanism but SCRAM-SHA-256.
 * Untrusted: every byte. The failure is the same for an unknown name, a disabled person, a wrong,
 * expired or revoked token: nothing tells them apart but the leaf.
 */

import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Principal } from '../core/principal.ts';
import { decodeSASLInitialResponse } from '../protocols/postgres/authentication.ts';
import { violation } from '../protocols/postgres/byte-reader.ts';
import { encodeBackend } from '../protocols/postgres/encode.ts';
import { frameLength, HEADER_LENGTH } from '../protocols/postgres/frames.ts';
import { FRONTEND, PROTOCOL_3_0, type StartupPacket } from '../protocols/postgres/messages.ts';
import { ScramServer } from '../protocols/postgres/scram.ts';
import type { ClientSocket } from './client-socket.ts';

const MECHANISM = 'SCRAM-SHA-256';

type StartupMessage = Extract<StartupPacket, { readonly kind: 'StartupMessage' }>;

/** Tokens of one name that the client may prove it has; the same shape for a name that is unknown. */
export interface ScramCandidates {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly candidates: readonly {
    readonly tokenId: string;
    readonly storedKey: Uint8Array;
    readonly serverKey: Uint8Array;
  }[];
}

/** What this listener needs of identity. */
export interface WireIdentity {
  scramFor(name: string): Promise<ScramCandidates>;
  /** Writes the leaf; a principal, or a CountersignError that says why not. */
  finishLogin(attempt: {
    readonly name: string;
    readonly tokenId: string | undefined;
    readonly address: string;
    readonly port: number;
    readonly client: string;
    readonly tls: string;
    readonly method: string;
    readonly failure?: string;
  }): Promise<Principal>;
}

/** A client that has proved who it is; AuthenticationOk is not sent yet. */
export interface LoggedIn {
  readonly principal: Principal;
  readonly tokenId: string;
  readonly name: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Runs the dialogue; the login's leaf is durable when this returns or throws. */
export async function login(
  client: ClientSocket,
  startup: StartupMessage,
  identity: WireIdentity,
  randomBytes: (length: number) => Uint8Array,
): Promise<LoggedIn> {
  const parameters = negotiateVersion(client, startup);
  refuseReplication(parameters);
  const name = parameters.get('user');
  if (name === undefined || name === '') {
    throw violation('no user in the start-up message');
  }
  const attempt = {
    name,
    address: client.socket.remoteAddress ?? '',
    port: client.socket.remotePort ?? 0,
    client: parameters.get('application_name') ?? '',
    tls: client.tlsVersion ?? 'none',
    method: 'scram-sha-256',
  };
  const known = await identity.scramFor(name);
  const scram = new ScramServer(known, Buffer.from(randomBytes(18)).toString('base64'));
  // Whoever breaks off before the proof has guessed nothing: that is no failed login.
  const tokenId = await exchange(client, scram, known);
  const principal = await identity.finishLogin({ ...attempt, tokenId });
  if (tokenId === undefined) throw new CountersignError('AUTHENTICATION_FAILED', { user: name });
  client.write(encodeBackend({ kind: 'AuthenticationSASLFinal', data: scram.finalMessage() }));
  return { principal, tokenId, name, parameters };
}

/** The token that the client proved, or nothing; a client that leaves in the middle rejects. */
async function exchange(
  client: ClientSocket,
  scram: ScramServer,
  known: ScramCandidates,
): Promise<string | undefined> {
  client.write(encodeBackend({ kind: 'AuthenticationSASL', mechanisms: [MECHANISM] }));
  const initial = decodeSASLInitialResponse(await readPasswordBody(client));
  if (initial.mechanism !== MECHANISM || initial.data === null)
    throw violation(`expected the mechanism ${MECHANISM}`);
  client.write(encodeBackend({ kind: 'AuthenticationSASLContinue', data: scram.first(initial.data) }));
  const matched = scram.final(await readPasswordBody(client));
  return matched === undefined ? undefined : known.candidates[matched]?.tokenId;
}

async function readPasswordBody(client: ClientSocket): Promise<Uint8Array> {
  const header = await client.read(HEADER_LENGTH);
  const length = frameLength(header, LIMITS.postgres.startupBytesMax);
  if (header[0] !== FRONTEND.AuthenticationResponse) throw violation('expected a password message');
  return client.read(length - 4);
}

/** Answers a newer minor version or `_pq_.` options with what this gateway speaks: 3.0, no options. */
function negotiateVersion(client: ClientSocket, startup: StartupMessage): ReadonlyMap<string, string> {
  const major = startup.protocolVersion >>> 16;
  if (major !== 3) {
    throw violation(`protocol ${major}.${startup.protocolVersion & 0xffff} is not spoken here; use 3.0`);
  }
  const options = [...startup.parameters.keys()].filter((key) => key.startsWith('_pq_.'));
  if (startup.protocolVersion > PROTOCOL_3_0 || options.length > 0) {
    client.write(
      encodeBackend({
        kind: 'NegotiateProtocolVersion',
        newestVersion: PROTOCOL_3_0,
        unrecognizedOptions: options,
      }),
    );
  }
  return new Map([...startup.parameters].filter(([key]) => !key.startsWith('_pq_.')));
}

/** `replication` is a boolean or `database`, spelled as PostgreSQL's parse_bool takes it. */
function refuseReplication(parameters: ReadonlyMap<string, string>): void {
  const value = parameters.get('replication')?.toLowerCase();
  if (value === undefined) return;
  const off =
    value !== '' && ['false', 'no', 'off', '0'].some((word) => word.startsWith(value) && value !== 'o');
  if (!off) throw new CountersignError('REPLICATION_REFUSED');
}
