/** What an HTTP session needs of the other rooms, and what a listener hands over; wired in main. */

import type { Duplex, Readable, Writable } from 'node:stream';
import type { Authentication } from '../../core/authentication.ts';
import type { HttpFields } from '../../core/http-message.ts';
import type { TokenId } from '../../core/ids.ts';
import type { Principal } from '../../core/principal.ts';
import type { Secret } from '../../core/secret.ts';
import type { SignatureProof } from '../../identity/login.ts';
import type { MaskingKeyRing } from '../../masking/operators/key-ring.ts';
import type { HttpVersion, RawHead } from '../../protocols/http/request-head.ts';
import type { HttpTarget } from '../../upstream/http-exchange.ts';
import type { UpstreamPool } from '../../upstream/http-pool.ts';
import type { AdmittedCaller, SessionPorts } from '../session-ports.ts';
import type { PolicyNow } from '../postgres/inspection.ts';
import type { RerankPorts } from './rerank-evidence.ts';
import type { SignedFor } from './signed-request.ts';

/** Why a principal may use a connection, and what it leads to. */
export interface HttpAdmission {
  readonly connection: string;
  /** Name of the Access resource. */
  readonly access: string;
  /** Digest of the policy bundle that said so. */
  readonly policy: string;
  /** How the target speaks; `auto` finds out, `http` looks at no content. */
  readonly dialect: string;
  /** Whether what it gives out is remembered, to be found again in rerank calls. */
  readonly lineage: boolean;
  /** Where its target checks signatures; undefined where clients cannot sign either. */
  readonly signedFor: SignedFor | undefined;
  policyNow(): PolicyNow;
  /** How the owner of the token had logged in who made it; undefined where that is not known. */
  readonly authentication: Authentication | undefined;
  /** Of the masks that reach what is returned. */
  maskingKeys(): Promise<MaskingKeyRing>;
  /** With the credential, as it is at this moment. */
  openTarget(): Promise<HttpTarget>;
  /** Whether the connection is the one that it was. */
  isCurrent(): boolean;
}

/** Who came in, and with which token. */
export interface HttpLogin {
  readonly principal: Principal;
  readonly tokenId: string;
}

/** How a client came to the gate. */
export interface AddressAsked {
  /** Host and port that the client named. */
  readonly authority: string;
  /** The connection was found by its host name, and not by the path. */
  readonly isByHost: boolean;
  readonly isTls: boolean;
}

export interface HttpPeer {
  readonly address: string;
  readonly port: number;
  readonly client: string;
  readonly tls: string;
}

export interface HttpPorts
  extends Pick<
    SessionPorts,
    | 'ledger'
    | 'keys'
    | 'holds'
    | 'stillGood'
    | 'actorOf'
    | 'recorder'
    | 'retrieved'
    | 'spool'
    | 'sessions'
    | 'clock'
    | 'randomBytes'
    | 'onError'
    | 'index'
  > {
  /** Throws ACCESS_DENIED or CONNECTION_UNKNOWN. */
  admit(principal: Principal, connection: string, caller: AdmittedCaller): Promise<HttpAdmission>;
  /** Throws AUTHENTICATION_FAILED; the login is a durable leaf when it returns. */
  login(token: Secret<string>, peer: HttpPeer): Promise<HttpLogin>;
  /** Whether there is an access key pair of this id that is good. */
  hasPair(accessKeyId: string): Promise<boolean>;
  /** Throws AUTHENTICATION_FAILED, with its leaf, where a signature is not the one of its key. */
  signature(proof: SignatureProof, peer: HttpPeer): Promise<TokenId>;
  /** As {@link login}, of whom {@link signature} has named. */
  signedLogin(tokenId: TokenId, peer: HttpPeer): Promise<HttpLogin>;
  /** The connection that a host name stands for. */
  connectionOfHost(hostName: string): string | undefined;
  /** Where a client finds at the gate what a target says is at this address; undefined: nowhere. */
  indexAddress(host: string, asked: AddressAsked, principal: Principal): string | undefined;
  readonly upstream: UpstreamPool;
  /** What records of rerank calls need. */
  readonly rerank: RerankPorts;
  /** Where people look at a hold. */
  holdUrl(id: string): string;
  /** Writes down that somebody was turned away whom nobody knows; at most some of them in a second. */
  refusedStranger(peer: HttpPeer, connection: string, reason: string, code: string): void;
}

/** Where the answer to one request goes; the listener knows how that is written. */
export interface ClientAnswer {
  readonly body: Writable;
  /** Nothing of it is sent yet. */
  readonly isOpen: boolean;
  /** Sends the head; with `alone` also where nothing of the content is there yet. */
  head(status: number, fields: HttpFields, alone: boolean): void;
  trailers(fields: HttpFields): void;
  /** Whoever is refused before their content was read is not read any further. */
  closeAfter(): void;
  /** Breaks off, so that the client sees that something is missing. */
  destroy(): void;
}

/** One request of a client, whatever the version of HTTP. */
export interface ClientRequest {
  readonly head: RawHead;
  readonly version: HttpVersion;
  readonly peer: HttpPeer;
  /** Name of TLS's SNI, in small letters; undefined where there was none. */
  readonly serverName: string | undefined;
  readonly content: Readable;
  /** Nothing follows the head. */
  readonly endsWithHead: boolean;
  readonly answer: ClientAnswer;
  /** Name, value, name, value …; there when the content has ended. */
  rawTrailers(): readonly string[];
  /** Where it waits for a word before it sends its content. */
  readonly sayContinue: (() => void) | undefined;
  /** Where it asks for another protocol. */
  readonly upgrade: { readonly socket: Duplex; readonly head: Uint8Array } | undefined;
  /** The client is known: its socket is no stranger's any more. */
  known(): void;
  /** Calls back once when the client has gone before its answer was complete. */
  onGone(callback: () => void): void;
}
