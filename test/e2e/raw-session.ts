/** A logged-in client that sends frames of its own making, for what no driver would send. */

import type { Socket } from 'node:net';
import { Client } from 'pg';

/** What it needs of a gateway. */
export interface Reachable {
  readonly gateway: { readonly postgres: { readonly port: number } };
}

export interface RawSession {
  /** Sends frames, and waits for this many ReadyForQuery in all, or for the end. */
  send(frames: readonly Uint8Array[], readyCount: number): Promise<void>;
  /** The other side has closed the connection. */
  readonly over: boolean;
  /** First column of each row, and the text of each error. */
  answers(): string[];
  close(): Promise<void>;
  /** Goes without a goodbye: its stream ends, or its socket is gone. */
  leave(how: 'end' | 'destroy'): void;
}

export async function rawSession({ gateway }: Reachable, token: string, user = 'ana'): Promise<RawSession> {
  const { port } = gateway.postgres;
  const client = new Client({ host: '127.0.0.1', port, user, password: token, database: 'db' });
  client.on('error', () => undefined);
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners('data');
  let received = Buffer.alloc(0);
  let over = false;
  let look: (() => void) | undefined;
  stream.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    look?.();
  });
  stream.on('close', () => {
    over = true;
    look?.();
  });
  return {
    get over() {
      return over;
    },
    async send(frames, readyCount) {
      await new Promise<void>((resolve) => {
        look = (): void => {
          const ready = framesOf(received).filter(({ type }) => type === 'Z').length;
          if (over || ready >= readyCount) resolve();
        };
        stream.write(Buffer.concat(frames));
        look?.();
      });
    },
    answers() {
      return framesOf(received)
        .filter(({ type }) => type === 'D' || type === 'E')
        .map(({ type, body }) => (type === 'D' ? body.subarray(6) : body).toString('latin1'));
    },
    leave(how) {
      stream[how]();
    },
    async close() {
      const closed = new Promise((resolve) => stream.once('close', resolve));
      stream.end(frame('X'));
      if (!over) await closed;
    },
  };
}

/** One frontend frame. */
export function frame(type: string, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(5);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

const ZERO = Buffer.of(0);

export function query(text: string): Buffer {
  return frame('Q', Buffer.from(text), ZERO);
}

export function parse(name: string | Uint8Array, text: string): Buffer {
  return frame('P', Buffer.from(name), ZERO, Buffer.from(text), ZERO, Buffer.alloc(2));
}

export function bind(portal: string, statement: string | Uint8Array): Buffer {
  return frame('B', Buffer.from(portal), ZERO, Buffer.from(statement), ZERO, Buffer.alloc(6));
}

export function execute(portal = ''): Buffer {
  return frame('E', Buffer.from(portal), ZERO, Buffer.alloc(4));
}

export const SYNC: Buffer = frame('S');

function framesOf(bytes: Buffer): { readonly type: string; readonly body: Buffer }[] {
  const frames = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    frames.push({ type: String.fromCharCode(bytes[at] ?? 0), body: bytes.subarray(at + 5, end) });
    at = end;
  }
  return frames;
}
