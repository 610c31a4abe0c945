/**
 * A PostgreSQL client proves who it is: start-up message, SCRAM-SHA-256 or -PLUS, Principal.
 *
 * Spec: PostgreSQL 18, "Start-up", "SASL Authentication"; RFC 5802, RFC 7677, RFC 5929.
 * Refused: any mechanism but these two; `y` where channel binding was offered; another certificate's hash.
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
import {
  FRONTEND,
  PROTOCOL_3_2,
  type StartupPacket,
  type StartupParameter,
} from '../protocols/postgres/messages.ts';
import { SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramServer } from '../protocols/postgres/scram.ts';
import {
  asksForReplication,
  negotiatedVersion,
  protocolOptions,
  startupText,
} from '../protocols/postgres/startup.ts';
import type { ClientSocket } from './client-socket.ts';

type Mechanism = typeof SCRAM_SHA_256 | typeof SCRAM_SHA_256_PLUS;

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
  readonly parameters: readonly StartupParameter[];
  /** What both sides speak, after negotiation. */
  readonly protocolVersion: number;
  /** `scram-sha-256` or `scram-sha-256-plus`. */
  readonly method: string;
}

/** Runs the dialogue; the login's leaf is durable when this returns or throws. */
export async function login(
  client: ClientSocket,
  startup: StartupMessage,
  identity: WireIdentity,
  randomBytes: (length: number) => Uint8Array,
): Promise<LoggedIn> {
  const { parameters } = startup;
  // A value that is none is refused at once; replication itself later, where it is known who asks.
  asksForReplication(parameters);
  const protocolVersion = negotiateVersion(client, startup);
  const name = startupText(parameters, 'user') ?? '';
  if (name === '') throw new CountersignError('USER_MISSING');
  const known = await identity.scramFor(name);
  const { mechanism, data } = await chooseMechanism(client);
  const attempt = {
    name,
    address: client.socket.remoteAddress ?? '',
    port: client.socket.remotePort ?? 0,
    client: startupText(parameters, 'application_name') ?? '',
    tls: client.tlsVersion ?? 'none',
    method: mechanism.toLowerCase(),
  };
  const tlsServerEndPoint = client.tlsServerEndPoint;
  const serverNonce = Buffer.from(randomBytes(18)).toString('base64');
  const scram = new ScramServer(known, serverNonce, { mechanism, tlsServerEndPoint });
  // Whoever breaks off before the proof has guessed nothing: that is no failed login.
  const tokenId = await exchange(client, scram, known, data).catch((error: unknown) =>
    recordBindingFailure(identity, attempt, error),
  );
  const principal = await identity.finishLogin({ ...attempt, tokenId });
  if (tokenId === undefined) throw new CountersignError('AUTHENTICATION_FAILED', { user: name });
  client.write(encodeBackend({ kind: 'AuthenticationSASLFinal', data: scram.finalMessage() }));
  return { principal, tokenId, name, parameters, protocolVersion, method: attempt.method };
}

/** The client's choice, and its client-first-message, which it may keep until it is asked for it. */
async function chooseMechanism(
  client: ClientSocket,
): Promise<{ readonly mechanism: Mechanism; readonly data: Uint8Array }> {
  const offered: readonly Mechanism[] =
    client.tlsServerEndPoint === undefined ? [SCRAM_SHA_256] : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
  client.write(encodeBackend({ kind: 'AuthenticationSASL', mechanisms: offered }));
  const initial = decodeSASLInitialResponse(await readPasswordBody(client));
  const mechanism = offered.find((one) => one === initial.mechanism);
  if (mechanism === undefined) throw violation(`expected one of the mechanisms ${offered.join(', ')}`);
  if (initial.data !== null) return { mechanism, data: initial.data };
  client.write(encodeBackend({ kind: 'AuthenticationSASLContinue', data: new Uint8Array(0) }));
  return { mechanism, data: await readPasswordBody(client) };
}

/** The token that the client proved, or nothing; a client that leaves in the middle rejects. */
async function exchange(
  client: ClientSocket,
  scram: ScramServer,
  known: ScramCandidates,
  clientFirst: Uint8Array,
): Promise<string | undefined> {
  client.write(encodeBackend({ kind: 'AuthenticationSASLContinue', data: scram.first(clientFirst) }));
  const matched = scram.final(await readPasswordBody(client));
  return matched === undefined ? undefined : known.candidates[matched]?.tokenId;
}

/** Somebody may stand between the client and the gateway: that is a failed login, with its leaf. */
async function recordBindingFailure(
  identity: WireIdentity,
  attempt: Omit<Parameters<WireIdentity['finishLogin']>[0], 'tokenId'>,
  error: unknown,
): Promise<never> {
  if (error instanceof CountersignError && error.code === 'CHANNEL_BINDING_FAILED') {
    const failure = `channel binding: ${error.details['reason']}`;
    await identity.finishLogin({ ...attempt, tokenId: undefined, failure }).catch((refusal: unknown) => {
      // A lock, or a ledger that cannot be written, is what the client has to hear of.
      if (!(refusal instanceof CountersignError) || refusal.code !== 'AUTHENTICATION_FAILED') throw refusal;
    });
  }
  throw error;
}

async function readPasswordBody(client: ClientSocket): Promise<Uint8Array> {
  const header = await client.read(HEADER_LENGTH);
  const length = frameLength(header, LIMITS.postgres.startupBytesMax);
  if (header[0] !== FRONTEND.AuthenticationResponse) throw violation('expected a password message');
  return client.read(length - 4);
}

/** Answers a newer minor version, and every `_pq_.` option, with what is spoken here; as PostgreSQL 18. */
function negotiateVersion(client: ClientSocket, startup: StartupMessage): number {
  const newestVersion = negotiatedVersion(startup.protocolVersion);
  const unrecognizedOptions = protocolOptions(startup.parameters);
  if (startup.protocolVersion > PROTOCOL_3_2 || unrecognizedOptions.length > 0) {
    client.write(encodeBackend({ kind: 'NegotiateProtocolVersion', newestVersion, unrecognizedOptions }));
  }
  return newestVersion;
}
