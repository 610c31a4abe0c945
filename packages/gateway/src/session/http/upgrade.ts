/**
 * A WebSocket behind its handshake: bytes pass both ways until either side closes.
 *
 * Spec: RFC 6455 §4.2.2, RFC 9110 §7.8. Frames are not looked into; both directions are recorded as they pass.
 */

import type { Duplex } from 'node:stream';
import { HTTP_LIMITS as LIMITS } from '../../core/http-limits.ts';
import type { HttpFields } from '../../core/http-message.ts';
import { pump } from './pump.ts';

interface End {
  readonly socket: Duplex;
  /** What has come on it already. */
  readonly head: Uint8Array;
}

export interface JoinOptions {
  readonly signal: AbortSignal;
  readonly take: (direction: 'up' | 'down', chunk: Uint8Array) => Promise<void> | undefined;
}

/** Resolves when both directions have ended; rejects where the recording does. */
export async function joinUpgraded(
  client: End,
  target: End,
  fields: HttpFields,
  { signal, take }: JoinOptions,
): Promise<void> {
  const both = [client.socket, target.socket];
  const destroy = (): void => {
    for (const socket of both) socket.destroy();
  };
  for (const socket of both) socket.on('error', () => undefined);
  signal.addEventListener('abort', destroy, { once: true });
  if (signal.aborted) destroy();
  try {
    client.socket.write(switchingProtocols(fields));
    const passed = await Promise.allSettled([
      pass(client, target.socket, (chunk) => take('up', chunk)).finally(() => target.socket.end()),
      pass(target, client.socket, (chunk) => take('down', chunk)).finally(() => client.socket.end()),
    ]);
    signal.throwIfAborted();
    for (const one of passed) {
      // A WebSocket that is cut off has ended; a recording that cannot be written is ours.
      if (one.status === 'rejected' && isOurs(one.reason)) throw one.reason;
    }
  } finally {
    signal.removeEventListener('abort', destroy);
    destroy();
  }
}

async function pass(
  from: End,
  to: Duplex,
  take: (chunk: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  if (from.head.length > 0) {
    await take(from.head);
    to.write(from.head);
  }
  await pump(from.socket, to, { take, silentMsMax: undefined, stalledMsMax: LIMITS.stalledAnswerMs });
}

function switchingProtocols(fields: HttpFields): string {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines}\r\n`;
}

function isOurs(reason: unknown): boolean {
  return reason instanceof Error && 'code' in reason && reason.code === 'RECORDING_FAILED';
}
