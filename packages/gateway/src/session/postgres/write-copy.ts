/**
 * Writes bytes that are lent: the place that they lie in is read into again as soon as this returns.
 *
 * A large copy goes into a buffer that is used again when the socket has taken it: a new one for each
 * read of a large result would cost more in garbage than the copying does.
 */

import type { Socket } from 'node:net';
import { LIMITS } from '../../core/limits.ts';

const { targetReadBytes, copiesPooledMax, copiesPooledBytesMin } = LIMITS.postgres;
const free: Buffer[] = [];

/** False where the socket has more than it should hold, as `write` says it. */
export function writeCopy(socket: Socket, bytes: Uint8Array): boolean {
  if (bytes.length < copiesPooledBytesMin || bytes.length > targetReadBytes)
    return socket.write(Buffer.from(bytes));
  const buffer = free.pop() ?? Buffer.allocUnsafeSlow(targetReadBytes);
  buffer.set(bytes);
  return socket.write(buffer.subarray(0, bytes.length), () => {
    if (free.length < copiesPooledMax) free.push(buffer);
  });
}
