/**
 * A connection to a PostgreSQL target, from the TCP socket to the first ReadyForQuery.
 *
 * Spec: PostgreSQL 18, "Start-up", "SSL Session Encryption", "SASL Authentication".
 * Refused: a target that does not take TLS where TLS is asked for; bytes before TLS; an
 * authentication method that would hand out the credential in the clear on a plain connection.
 * Untrusted: every byte from the target.
 */

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type PeerCertificate, TLSSocket } from 'node:tls';
import { ByteQueue } from '../core/byte-queue.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Secret } from '../core/secret.ts';
import { tlsServerEndPoint } from '../protocols/postgres/channel-binding.ts';
import { encodeStartupPacket } from '../protocols/postgres/startup.ts';
import { readToTheEnd } from './read-to-the-end.ts';

/** PostgreSQL 18, "SSL Session Encryption": the registered name of the protocol. */
const ALPN = 'postgresql';

/** How the target is reached; resolved from a Connection resource. */
export interface PostgresTarget {
  /** Name of the connection, for messages. */
  readonly connection: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: Secret<string> | undefined;
  readonly tls: 'verify-full' | 'verify-ca' | 'disable';
  /** `direct`: the TLS handshake comes first, without an SSLRequest (PostgreSQL 17). */
  readonly tlsNegotiation: 'postgres' | 'direct';
  /** SCRAM-SHA-256-PLUS: where it is offered, always, or never. */
  readonly channelBinding: 'prefer' | 'require' | 'disable';
  /** The newest version that is asked for; the target may answer with an older one. */
  readonly protocolVersion: '3.0' | '3.2';
  /** PEM certificates to trust instead of the system's. */
  readonly ca: string | undefined;
}

/** A socket to a target, and what arrives on it until the session takes over. */
export interface TargetSocket {
  /** What a `data` event gives is the listener's until it returns, and then another session's. */
  readonly socket: Socket;
  readonly queue: ByteQueue;
  /** The hash of the target's certificate for channel binding; undefined without TLS, or where it has none. */
  readonly tlsServerEndPoint: Uint8Array | undefined;
  /** Stops feeding the queue; what it still holds is the new owner's. */
  release(): Uint8Array;
}

/** Opens the socket, with TLS as the target asks for it. */
export async function openTargetSocket(target: PostgresTarget): Promise<TargetSocket> {
  const deadline = AbortSignal.timeout(LIMITS.postgres.upstreamConnectTimeoutMs);
  try {
    const plain = await connectPlain(target, deadline);
    const socket = target.tls === 'disable' ? plain : await secured(plain, target, deadline);
    readToTheEnd(socket);
    return feed(socket, deadline);
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'UPSTREAM_FAILED') throw error;
    throw new CountersignError(
      'UPSTREAM_FAILED',
      { connection: target.connection, reason: reasonOf(error) },
      { cause: error },
    );
  }
}

/**
 * Sends a CancelRequest over a connection of its own. True when the target has closed it, which it does
 * after the signal was sent: a statement that is forwarded later cannot be hit. False where it did not
 * within the time: then it may be taken at any later moment. Rejects where nothing was sent.
 */
export async function cancelOnTarget(
  target: PostgresTarget,
  processId: number | undefined,
  secret: Uint8Array | undefined,
): Promise<boolean> {
  if (processId === undefined || secret === undefined) {
    const reason = 'it gave no key to cancel with';
    throw new CountersignError('UPSTREAM_FAILED', { connection: target.connection, reason });
  }
  const { socket, queue } = await openTargetSocket(target);
  let closed = true;
  try {
    const over = new Promise<void>((resolve) => {
      socket.once('end', resolve);
      socket.once('close', () => resolve());
      if (socket.destroyed || socket.readableEnded) resolve();
      socket.setTimeout(LIMITS.postgres.cancelTimeoutMs, () => {
        closed = false;
        resolve();
      });
    });
    socket.write(encodeStartupPacket({ kind: 'CancelRequest', processId, secretKey: secret }));
    await over;
    return closed;
  } finally {
    queue.fail(new CountersignError('UPSTREAM_FAILED', { connection: target.connection, reason: 'closed' }));
    socket.destroy();
  }
}

/** What a plain target sends is read into this one place, whosever it is; see {@link TargetSocket.socket}. */
const readBuffer = Buffer.allocUnsafeSlow(LIMITS.postgres.targetReadBytes);

function connectPlain({ host, port, tls }: PostgresTarget, deadline: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const keepAliveInitialDelay = LIMITS.postgres.keepAliveDelayMs;
    const sockets = { noDelay: true, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay };
    // A socket of its own accord allocates 64 KiB for each read and gives most of it back.
    const callback = (length: number): boolean => {
      const taken = socket.emit('data', readBuffer.subarray(0, length));
      if (!taken) socket.destroy(new Error('bytes came while nobody read'));
      return taken;
    };
    const onread = tls === 'disable' ? { onread: { buffer: readBuffer, callback } } : {};
    const socket = connectTcp({ host, port, ...sockets, ...onread });
    // Who owns the socket changes; an error between two owners must not end the process.
    socket.on('error', () => undefined);
    const abort = (): void => {
      socket.destroy();
      reject(
        new Error(`no connection to ${host}:${port} within ${LIMITS.postgres.upstreamConnectTimeoutMs} ms`),
      );
    };
    deadline.addEventListener('abort', abort, { once: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      deadline.removeEventListener('abort', abort);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** Whatever the target does instead of TLS, its socket does not stay open behind it. */
async function secured(plain: Socket, target: PostgresTarget, deadline: AbortSignal): Promise<TLSSocket> {
  try {
    return await upgrade(plain, target, deadline);
  } catch (error) {
    plain.destroy();
    throw error;
  }
}

async function upgrade(plain: Socket, target: PostgresTarget, deadline: AbortSignal): Promise<TLSSocket> {
  if (target.tlsNegotiation === 'postgres') await askForTls(plain, target, deadline);
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: plain,
      ...(isAddress(target.host) ? {} : { servername: target.host }),
      ...(target.ca === undefined ? {} : { ca: target.ca }),
      minVersion: 'TLSv1.2',
      ALPNProtocols: [ALPN],
      rejectUnauthorized: true,
      ...(target.tls === 'verify-ca' ? { checkServerIdentity: acceptAnyName } : { host: target.host }),
    });
    socket.on('error', () => undefined);
    const abort = (): void => {
      socket.destroy();
      reject(new Error('the TLS handshake took too long'));
    };
    deadline.addEventListener('abort', abort, { once: true });
    socket.once('error', (error) => {
      deadline.removeEventListener('abort', abort);
      reject(error);
    });
    socket.once('secureConnect', () => {
      deadline.removeEventListener('abort', abort);
      socket.off('error', reject);
      // Against cross-protocol attacks; a server before 17 has no ALPN, and is asked with an SSLRequest.
      if (target.tlsNegotiation === 'direct' && socket.alpnProtocol !== ALPN) {
        socket.destroy();
        reject(new Error(`the target took direct TLS without the ALPN protocol "${ALPN}"`));
      } else resolve(socket);
    });
  });
}

/** An SSLRequest and its answer, `S`. */
async function askForTls(plain: Socket, target: PostgresTarget, deadline: AbortSignal): Promise<void> {
  const fed = feed(plain, deadline);
  plain.write(encodeStartupPacket({ kind: 'SSLRequest' }));
  const [answer] = await fed.queue.read(1);
  const rest = fed.release();
  if (answer !== 0x53 /* S */)
    throw new Error(`the target does not offer TLS, and the connection asks for ${target.tls}`);
  if (rest.length > 0) throw new Error('the target sent bytes before TLS');
}

function feed(socket: Socket, deadline: AbortSignal): TargetSocket {
  const queue = new ByteQueue(LIMITS.postgres.greetingBytesMax);
  const onData = (chunk: Uint8Array): void => queue.push(Uint8Array.from(chunk));
  const onError = (error: unknown): void => queue.fail(error);
  const onEnd = (): void => queue.fail(new Error('the target closed the connection'));
  const onAbort = (): void => queue.fail(new Error('the target took too long to answer'));
  socket.on('data', onData);
  socket.on('error', onError);
  socket.on('end', onEnd);
  socket.on('close', onEnd);
  deadline.addEventListener('abort', onAbort, { once: true });
  return {
    socket,
    queue,
    tlsServerEndPoint: socket instanceof TLSSocket ? endPointOf(socket) : undefined,
    release(): Uint8Array {
      socket.pause();
      socket.off('data', onData);
      socket.off('error', onError);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      deadline.removeEventListener('abort', onAbort);
      return queue.takeRest();
    },
  };
}

function endPointOf(socket: TLSSocket): Uint8Array | undefined {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : tlsServerEndPoint(certificate.raw);
}

/** `verify-ca` checks the chain and not the name (libpq, "SSL Certificate Verification"). */
function acceptAnyName(_host: string, _certificate: PeerCertificate): undefined {
  return undefined;
}

function isAddress(host: string): boolean {
  return /^[0-9.]+$/.test(host) || host.includes(':');
}
