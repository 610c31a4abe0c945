/**
 * A client's socket before it is known: TLS negotiation and the start-up packet.
 *
 * Spec: PostgreSQL 18, "SSL Session Encryption", "GSSAPI Session Encryption", "Start-up".
 * Refused: bytes that arrive with an SSLRequest (CVE-2021-23222), a second SSLRequest, start-up
 * packets above PostgreSQL's own limit. GSSENCRequest is answered `N`.
 * Untrusted: every byte.
 */

import type { Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import { ByteQueue } from '../core/byte-queue.ts';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { violation } from '../protocols/postgres/byte-reader.ts';
import { startupPacketLength } from '../protocols/postgres/frames.ts';
import type { StartupPacket } from '../protocols/postgres/messages.ts';
import { decodeStartupPacket } from '../protocols/postgres/startup.ts';

const LETTER_N = Uint8Array.of(0x4e);
const LETTER_S = Uint8Array.of(0x53);
/** First byte of a TLS record that holds a handshake: direct TLS (`sslnegotiation=direct`). */
const TLS_HANDSHAKE = 0x16;

/** What the listener offers. */
export interface ListenerTls {
  readonly mode: 'optional' | 'required' | 'off';
  readonly context: SecureContext | undefined;
}

/** The client closed its connection before it had logged in; nobody needs to hear of that. */
export class ClientLeft extends CountersignError {
  constructor() {
    super('PROTOCOL_VIOLATION', { reason: 'the client left' });
  }
}

/** One client socket with what arrives on it, through the phases before the session. */
export class ClientSocket {
  #socket: Socket;
  #queue: ByteQueue;
  #detach: () => void = () => undefined;
  #tls = false;

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
    let gssAsked = false;
    for (;;) {
      const head = await this.read(4);
      if (head[0] === TLS_HANDSHAKE && !this.#tls && tls.context !== undefined) {
        await this.#upgrade(tls.context, head);
        continue;
      }
      const packet = decodeStartupPacket(await this.#readPacket(head));
      switch (packet.kind) {
        case 'SSLRequest':
          if (this.#tls) throw violation('a second SSLRequest');
          if (tls.context === undefined) {
            this.write(LETTER_N);
            break;
          }
          if (this.#queue.length > 0) throw violation('bytes before TLS');
          this.write(LETTER_S);
          await this.#upgrade(tls.context, undefined);
          break;
        case 'GSSENCRequest':
          if (gssAsked) throw violation('a second GSSENCRequest');
          gssAsked = true;
          this.write(LETTER_N);
          break;
        case 'CancelRequest':
        case 'StartupMessage':
          return packet;
        default:
          packet satisfies never;
      }
    }
  }

  async #readPacket(head: Uint8Array): Promise<Uint8Array> {
    const length = startupPacketLength(head);
    const packet = new Uint8Array(length);
    packet.set(head);
    packet.set(await this.read(length - 4), 4);
    return packet;
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
  async #upgrade(context: SecureContext, first: Uint8Array | undefined): Promise<void> {
    const plain = this.#socket;
    const rest = this.release();
    if (rest.length > 0) plain.unshift(Buffer.from(rest));
    if (first !== undefined) plain.unshift(Buffer.from(first));
    // The types do not know allowHalfOpen, which a socket that is wrapped keeps only if it is said again.
    const options = {
      isServer: true,
      secureContext: context,
      ALPNProtocols: ['postgresql'],
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
    if (first !== undefined && secure.alpnProtocol !== 'postgresql') {
      // PostgreSQL 18, "SSL Session Encryption": direct TLS needs ALPN, against cross-protocol attacks.
      throw violation('direct TLS without the ALPN protocol "postgresql"');
    }
  }
}

function handshakeError(cause: unknown): CountersignError {
  return new CountersignError('PROTOCOL_VIOLATION', { reason: 'the TLS handshake failed' }, { cause });
}
