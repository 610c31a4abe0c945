/** A logged-in client that sends frames of its own making and keeps every frame that it gets. */

import type { Socket } from 'node:net';
import { Client, type ClientConfig } from 'pg';
import { frame, query } from './raw-session.ts';

export interface ReceivedFrame {
  readonly type: string;
  readonly body: Buffer;
}

export interface FrameClient {
  /** Sends frames, and waits for so many ReadyForQuery, or for the end; gives what came. */
  send(frames: readonly Uint8Array[], readies?: number): Promise<readonly ReceivedFrame[]>;
  /** A simple Query. */
  query(text: string): Promise<readonly ReceivedFrame[]>;
  close(): Promise<void>;
}

/** Frames that belong to nobody's answer. */
const ASYNCHRONOUS = 'NAS';

export async function frameClient(config: ClientConfig): Promise<FrameClient> {
  const client = new Client(config);
  client.on('error', () => undefined);
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners('data');
  let received = Buffer.alloc(0);
  let frames: ReceivedFrame[] = [];
  let over = false;
  let look: (() => void) | undefined;
  stream.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    for (;;) {
      const end = received.length < 5 ? Number.POSITIVE_INFINITY : 1 + received.readUInt32BE(1);
      if (end > received.length) break;
      const type = String.fromCharCode(received[0] ?? 0);
      if (!ASYNCHRONOUS.includes(type)) frames.push({ type, body: received.subarray(5, end) });
      received = received.subarray(end);
    }
    look?.();
  });
  stream.on('close', () => {
    over = true;
    look?.();
  });
  const send: FrameClient['send'] = async (messages, readies = 1) => {
    frames = [];
    await new Promise<void>((resolve) => {
      look = (): void => {
        if (over || frames.filter(({ type }) => type === 'Z').length >= readies) resolve();
      };
      stream.write(Buffer.concat(messages));
    });
    return frames;
  };
  return {
    send,
    query: (text) => send([query(text)]),
    async close() {
      const closed = new Promise((resolve) => stream.once('close', resolve));
      stream.end(frame('X'));
      if (!over) await closed;
    },
  };
}

/** Rows, of queries and of COPY; the binary trailer is none. */
export function rowsIn(frames: readonly ReceivedFrame[]): number {
  let isBinary = false;
  let rows = 0;
  for (const { type, body } of frames) {
    if (type === 'H') isBinary = body[0] === 1;
    if (type === 'D') rows += 1;
    if (type === 'd' && !(isBinary && body.subarray(-2).toString('hex') === 'ffff')) rows += 1;
  }
  return rows;
}

/** Code and text of the first error. */
export function errorIn(
  frames: readonly ReceivedFrame[],
): { readonly code: string; readonly message: string; readonly hint: string } | undefined {
  const error = frames.find(({ type }) => type === 'E');
  if (error === undefined) return undefined;
  const fields = new Map(
    error.body
      .toString()
      .split('\0')
      .map((field) => [field.slice(0, 1), field.slice(1)]),
  );
  return { code: fields.get('C') ?? '', message: fields.get('M') ?? '', hint: fields.get('H') ?? '' };
}

/** What the last ReadyForQuery says of the transaction. */
export function statusIn(frames: readonly ReceivedFrame[]): string {
  return frames.findLast(({ type }) => type === 'Z')?.body.toString() ?? '';
}
