/**
 * What a target has said before it closed is read, although it takes nothing more.
 *
 * A server that closes while bytes for it are on their way resets the connection: the next write fails,
 * and Node then destroys the socket with the server's last words unread in it, which say why it closed.
 * libpq reads on too (pqSendSome in fe-misc.c).
 */

/* oxlint-disable no-underscore-dangle -- The names are Node's own for whoever implements a stream. */

import type { Socket } from 'node:net';

/** What a write fails with when the peer has closed. Behind what came before, a read says so too. */
const CLOSED: ReadonlySet<unknown> = new Set(['EPIPE', 'ECONNRESET']);

type Written = Parameters<Socket['_write']>[2];

/** From here on a write that fails because the peer has closed is dropped, and the socket ends when it is read. */
export function readToTheEnd(socket: Socket): void {
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  socket._write = (chunk, encoding, written) => write(chunk, encoding, unlessClosed(written));
  if (writev !== undefined) socket._writev = (chunks, written) => writev(chunks, unlessClosed(written));
}

function unlessClosed(written: Written): Written {
  return (error) => {
    const isClosed = error instanceof Error && 'code' in error && CLOSED.has(error.code);
    written(isClosed ? undefined : error);
  };
}
