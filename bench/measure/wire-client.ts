/**
 * A client that only counts: large results and COPY without the cost of a driver, the same for every way.
 *
 * node-postgres logs in; after that, this reads the frames' headers and looks at nothing else.
 */

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Client } from 'pg';
import type { Way } from '../stage.ts';

/** Byte1 type, Int32 length, which counts itself. */
const HEADER_BYTES = 5;
const TYPE = { dataRow: 0x44, copyData: 0x64, copyIn: 0x47, error: 0x45, ready: 0x5a } as const;

export interface Answer {
  /** Bytes that came, headers included. */
  readonly bytes: number;
  /** Rows, or pieces of a COPY. */
  readonly rows: number;
  readonly ms: number;
}

/** What is being waited for. */
interface Waiting {
  bytes: number;
  rows: number;
  failed: string | undefined;
  readonly onCopyIn: (() => void) | undefined;
  readonly ready: () => void;
  readonly broken: (error: Error) => void;
}

export async function openSession(way: Way, tls: boolean = false): Promise<Client> {
  const { host, port, user, password, database } = way;
  const ssl = tls ? { rejectUnauthorized: false } : false;
  const client = new Client({ host, port, user, password, database, ssl });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

export class WireClient {
  readonly #socket: Socket;
  readonly #header: Buffer = Buffer.alloc(HEADER_BYTES);
  #headerLength = 0;
  /** Type of the frame that is under way, and what is to come of its body. */
  #type = 0;
  #bodyLeft = 0;
  #waiting: Waiting | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#waiting?.broken(error));
    socket.on('close', () => this.#waiting?.broken(new Error('the connection was closed')));
  }

  static async open(way: Way, tls: boolean = false): Promise<WireClient> {
    const client = await openSession(way, tls);
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
    stream.removeAllListeners('data');
    return new WireClient(stream);
  }

  /** A simple Query, up to ReadyForQuery. */
  query(text: string): Promise<Answer> {
    return this.#ask(text, undefined);
  }

  /** COPY … FROM STDIN: frames of CopyData as they are, then CopyDone. */
  copyIn(text: string, frames: readonly Buffer[]): Promise<Answer> {
    return this.#ask(text, () => {
      void this.#sendAll(frames);
    });
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.end(frame('X', Buffer.alloc(0)));
    await closed;
  }

  async #ask(text: string, onCopyIn: (() => void) | undefined): Promise<Answer> {
    const started = performance.now();
    const answer = await new Promise<Waiting>((resolve, reject) => {
      const waiting: Waiting = {
        bytes: 0,
        rows: 0,
        failed: undefined,
        onCopyIn,
        ready: () => resolve(waiting),
        broken: reject,
      };
      this.#waiting = waiting;
      this.#socket.write(frame('Q', Buffer.from(`${text}\0`)));
    });
    this.#waiting = undefined;
    if (answer.failed !== undefined) throw new Error(`${text}: ${answer.failed}`);
    return { bytes: answer.bytes, rows: answer.rows, ms: performance.now() - started };
  }

  async #sendAll(frames: readonly Buffer[]): Promise<void> {
    for (const bytes of frames) {
      if (!this.#socket.write(bytes)) await once(this.#socket, 'drain');
    }
    this.#socket.write(frame('c', Buffer.alloc(0)));
  }

  #take(chunk: Buffer): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    waiting.bytes += chunk.length;
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const part = Math.min(this.#bodyLeft, chunk.length - at);
        if (this.#type === TYPE.error) waiting.failed += chunk.toString('latin1', at, at + part);
        this.#bodyLeft -= part;
        at += part;
      } else {
        at += this.#takeHeader(chunk, at, waiting);
      }
      if (this.#headerLength === 0 && this.#bodyLeft === 0 && this.#type === TYPE.ready) {
        this.#type = 0;
        waiting.ready();
      }
    }
  }

  /** Gives how many bytes of the chunk belong to the header. */
  #takeHeader(chunk: Buffer, at: number, waiting: Waiting): number {
    const taken = chunk.copy(this.#header, this.#headerLength, at);
    this.#headerLength += taken;
    if (this.#headerLength < HEADER_BYTES) return taken;
    this.#headerLength = 0;
    this.#type = this.#header[0] ?? 0;
    this.#bodyLeft = this.#header.readUInt32BE(1) - 4;
    if (this.#type === TYPE.dataRow || this.#type === TYPE.copyData) waiting.rows += 1;
    else if (this.#type === TYPE.copyIn) waiting.onCopyIn?.();
    else if (this.#type === TYPE.error) waiting.failed = '';
    return taken;
  }
}

/** One frame of the frontend. */
export function frame(type: string, body: Buffer): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + body.length);
  bytes.write(type, 0, 'latin1');
  bytes.writeUInt32BE(body.length + 4, 1);
  body.copy(bytes, HEADER_BYTES);
  return bytes;
}
