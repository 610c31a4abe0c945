/**
 * A client's socket before it is known: TLS negotiation and the start-up packet.
 *
 * Spec: PostgreSQL 18, "SSL Session Encryption", "GSSAPI Session Encryption", "Start-up"; where the
 * text is silent, ProcessSSLStartup and ProcessStartupPacket of src/backend/tcop/backend_startup.c.
 * Refused: bytes that arrive with a request for encryption (CVE-2021-23222), a second request of its
 * kind, start-up packets above PostgreSQL's own limit, direct TLS without ALPN. GSSENCRequest is
 * answered `N`.
 * Untrusted: every byte.
 */

import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import { ByteQueue } from '../core/byte-queue.ts';
import { CountersignError, toCountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { violation } from '../protocols/postgres/byte-reader.ts';
import { tlsServerEndPoint } from '../protocols/postgres/channel-binding.ts';
import { startupPacketLength } from '../protocols/postgres/frames.ts';
import { STARTUP_CODE, type StartupPacket } from '../protocols/postgres/messages.ts';
import { decodeStartupPacket, unsupportedProtocol } from '../protocols/postgres/startup.ts';

const LETTER_N = Uint8Array.of(0x4e);
const LETTER_S = Uint8Array.of(0x53);
/** First byte of a TLS record that holds a handshake: direct TLS (`sslnegotiation=direct`). */
const TLS_HANDSHAKE = 0x16;
/** PostgreSQL 18, "SSL Session Encryption": the registered name of the protocol. */
const ALPN = 'postgresql';

/** What the listener offers. */
export interface ListenerTls {
  readonly mode: 'optional' | 'required' | 'off';
  readonly context: SecureContext | undefined;
  /** The hash of the certificate for channel binding; undefined where its signature names no hash. */
  readonly endPoint: Uint8Array | undefined;
}

/** What SCRAM-SHA-256-PLUS binds to: the first certificate of a chain, which clients see. */
export function certificateEndPoint(pem: string): Uint8Array | undefined {
  return tlsServerEndPoint(new X509Certificate(pem).raw);
}

/** The client closed its connection before it had logged in; nobody needs to hear of that. */
export class ClientLeft extends CountersignError {
  constructor() {
    super('PROTOCOL_VIOLATION', { reason: 'the client left' });
  }
}

/**
 * What came is not from a PostgreSQL client, or breaks off: the connection is closed without a word,
 * as PostgreSQL does. An answer could be taken for one of another protocol.
 */
export class ClosedInSilence extends CountersignError {
  constructor(error: CountersignError) {
    super(error.code, error.details, { cause: error });
  }
}

/** One client socket with what arrives on it, through the phases before the session. */
export class ClientSocket {
  #socket: Socket;
  #queue: ByteQueue;
  #detach: () => void = () => undefined;
  #tls = false;
  #endPoint: Uint8Array | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#queue = new ByteQueue(LIMITS.postgres.authenticationBytesMax);
    this.#attach();
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** The TLS version in use, or nothing on a plain connection. */
  get tlsVersion(): string | undefined {
    return this.#tls && this.#socket instanceof TLSSocket ? (this.#socket.getProtocol() ?? 'TLS') : undefined;
  }

  /** What SCRAM-SHA-256-PLUS binds to; undefined where it cannot be offered. */
  get tlsServerEndPoint(): Uint8Array | undefined {
    return this.#endPoint;
  }

  read(count: number): Promise<Uint8Array> {
    return this.#queue.read(count);
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Every read from now on rejects. */
  fail(error: unknown): void {
    this.#queue.fail(error);
  }

  /** Hands the socket on, paused, with the bytes that nobody has read. */
  release(): Uint8Array {
    this.#socket.pause();
    this.#detach();
    return this.#queue.takeRest();
  }

  /** Negotiates encryption and reads up to the packet that says what the client wants. */
  async negotiate(tls: ListenerTls): Promise<StartupPacket> {
    let head = await this.read(4);
    if (head[0] === TLS_HANDSHAKE) {
      await this.#directTls(tls, head);
      head = await this.read(4);
    }
    let sslDone = false;
    let gssDone = false;
    for (;;) {
      const packet = await this.#readPacket(head);
      switch (packet.kind) {
        case 'SSLRequest': {
          if (sslDone) throw unsupportedProtocol(STARTUP_CODE.SSLRequest);
          // Inside TLS another layer of it is answered `N`, as PostgreSQL does.
          const context = this.#tls ? undefined : tls.context;
          await this.#answerSslRequest(context, tls.endPoint);
          sslDone = true;
          // The client may ask for either first, and for the other where the first was declined.
          gssDone ||= context !== undefined;
          break;
        }
        case 'GSSENCRequest':
          if (gssDone) throw unsupportedProtocol(STARTUP_CODE.GSSENCRequest);
          this.write(LETTER_N);
          this.#refuseEarlyBytes('GSSAPI encryption request');
          gssDone = true;
          break;
        case 'CancelRequest':
        case 'StartupMessage':
          return packet;
        default:
          packet satisfies never;
      }
      head = await this.read(4);
    }
  }

  async #answerSslRequest(
    context: SecureContext | undefined,
    endPoint: Uint8Array | undefined,
  ): Promise<void> {
    if (context === undefined) this.write(LETTER_N);
    this.#refuseEarlyBytes('SSL request');
    if (context === undefined) return;
    this.write(LETTER_S);
    await this.#upgrade(context, undefined);
    this.#endPoint = endPoint;
  }

  /** Bytes that came with a request for encryption were not encrypted, and anybody may have put them there. */
  #refuseEarlyBytes(request: string): void {
    if (this.#queue.length > 0) throw violation(`received unencrypted data after ${request}`);
  }

  /** @param head the first bytes of a TLS handshake */
  async #directTls(tls: ListenerTls, head: Uint8Array): Promise<void> {
    if (tls.context === undefined) throw new ClosedInSilence(violation('direct TLS, and TLS is off'));
    const secure = await this.#upgrade(tls.context, head);
    if (secure.alpnProtocol !== ALPN) {
      // Against cross-protocol attacks; whoever speaks another protocol gets no text of ours to misread.
      throw new ClosedInSilence(violation(`direct TLS without the ALPN protocol "${ALPN}"`));
    }
    this.#endPoint = tls.endPoint;
  }

  async #readPacket(head: Uint8Array): Promise<StartupPacket> {
    let isCancel = false;
    try {
      const length = startupPacketLength(head);
      const packet = new Uint8Array(length);
      packet.set(head);
      packet.set(await this.read(length - 4), 4);
      isCancel = new DataView(packet.buffer).getUint32(4) === STARTUP_CODE.CancelRequest;
      return decodeStartupPacket(packet);
    } catch (thrown) {
      const error = toCountersignError(thrown);
      const silent = isCancel || error.code === 'LIMIT_EXCEEDED' || isTooShort(head);
      throw silent ? new ClosedInSilence(error) : error;
    }
  }

  #attach(): void {
    const socket = this.#socket;
    const queue = this.#queue;
    const onData = (chunk: Uint8Array): void => queue.push(chunk);
    // A reset is one more way to leave.
    const onError = (): void => queue.fail(new ClientLeft());
    const onEnd = (): void => queue.fail(new ClientLeft());
    socket.on('data', onData);
    socket.on('error', onError);
    socket.on('end', onEnd);
    socket.on('close', onEnd);
    this.#detach = (): void => {
      socket.off('data', onData);
      socket.off('error', onError);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
    };
  }

  /** @param first bytes of the handshake that were already read (direct TLS) */
  async #upgrade(context: SecureContext, first: Uint8Array | undefined): Promise<TLSSocket> {
    const plain = this.#socket;
    const rest = this.release();
    if (rest.length > 0) plain.unshift(Buffer.from(rest));
    if (first !== undefined) plain.unshift(Buffer.from(first));
    // The types do not know allowHalfOpen, which a socket that is wrapped keeps only if it is said again.
    const options = {
      isServer: true,
      secureContext: context,
      ALPNProtocols: [ALPN],
      allowHalfOpen: true,
    };
    const secure = new TLSSocket(plain, options);
    // Who owns the socket changes; an error between two owners must not end the process.
    secure.on('error', () => undefined);
    this.#socket = secure;
    this.#queue = new ByteQueue(LIMITS.postgres.authenticationBytesMax);
    this.#tls = true;
    const ready = new Promise<void>((resolve, reject) => {
      const failed = (error: unknown): void => reject(handshakeError(error));
      secure.once('secure', resolve);
      secure.once('error', failed);
      secure.once('close', () => reject(new ClientLeft()));
      plain.once('error', failed);
    });
    this.#attach();
    await ready;
    return secure;
  }
}

/** Lengths below that of a packet with nothing but its code, and negative ones. */
function isTooShort(head: Uint8Array): boolean {
  return new DataView(head.buffer, head.byteOffset).getInt32(0) < 8;
}

function handshakeError(cause: unknown): CountersignError {
  return new CountersignError('PROTOCOL_VIOLATION', { reason: 'the TLS handshake failed' }, { cause });
}
