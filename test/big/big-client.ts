/**
 * A client that holds nothing: it hashes what comes, counts it, and sends pieces as the socket takes them.
 *
 * node-postgres logs in; after that, this reads the frames' headers.
 */

import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Client } from 'pg';

const HEADER_BYTES = 5;
const TYPE = { dataRow: 0x44, copyData: 0x64, copyIn: 0x47, error: 0x45, ready: 0x5a } as const;
/** What is kept of the last row, for short answers. */
const KEPT_BYTES = 4_096;

export interface Place {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface BigAnswer {
  /** Bytes that came, headers included. */
  readonly bytes: number;
  /** DataRow and CopyData. */
  readonly rows: number;
  /** SHA-256 of all bodies of DataRow and CopyData, hex. */
  readonly sha256: string;
  /** The beginning of the last row's body. */
  readonly last: Buffer;
}

interface Waiting {
  readyLeft: number;
  bytes: number;
  rows: number;
  readonly hash: Hash;
  last: Buffer[];
  lastBytes: number;
  failed: string | undefined;
  readonly onCopyIn: () => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class BigClient {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #header: Buffer = Buffer.alloc(HEADER_BYTES);
  #headerLength = 0;
  #type = 0;
  #bodyLeft = 0;
  #waiting: Waiting | undefined;

  private constructor(client: Client) {
    this.#client = client;
    this.#socket = (client as unknown as { connection: { stream: Socket } }).connection.stream;
    this.#socket.removeAllListeners('data');
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.on('error', (error) => this.#waiting?.reject(error));
    this.#socket.on('close', () => this.#waiting?.reject(new Error('the connection was closed')));
  }

  static async open(place: Place): Promise<BigClient> {
    const client = new Client({ ...place, host: '127.0.0.1' });
    client.on('error', () => undefined);
    await client.connect();
    return new BigClient(client);
  }

  /** Sends pieces, and waits for so many ReadyForQuery; `copy` is sent where the server asks for it. */
  async ask(pieces: Iterable<Uint8Array>, copy: Iterable<Uint8Array> = [], ready = 1): Promise<BigAnswer> {
    const hash = createHash('sha256');
    let waiting: Waiting | undefined;
    await new Promise<void>((resolve, reject) => {
      const onCopyIn = (): void => void this.#send(copy).catch(reject);
      waiting = {
        readyLeft: ready,
        bytes: 0,
        rows: 0,
        hash,
        last: [],
        lastBytes: 0,
        failed: undefined,
        onCopyIn,
        resolve,
        reject,
      };
      this.#waiting = waiting;
      void this.#send(pieces).catch(reject);
    });
    this.#waiting = undefined;
    if (waiting?.failed !== undefined) throw new Error(waiting.failed);
    const { bytes = 0, rows = 0, last = [] } = waiting ?? {};
    return { bytes, rows, sha256: hash.digest('hex'), last: Buffer.concat(last) };
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close');
    void this.#client.end();
    await closed;
  }

  async #send(pieces: Iterable<Uint8Array>): Promise<void> {
    for (const piece of pieces) {
      if (!this.#socket.write(piece)) await once(this.#socket, 'drain');
    }
  }

  #take(chunk: Buffer): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    waiting.bytes += chunk.length;
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const part = chunk.subarray(at, at + this.#bodyLeft);
        this.#bodyLeft -= part.length;
        at += part.length;
        this.#takeBody(part, waiting);
      } else {
        at += this.#takeHeader(chunk, at, waiting);
      }
    }
  }

  #takeBody(part: Buffer, waiting: Waiting): void {
    if (this.#type === TYPE.dataRow || this.#type === TYPE.copyData) {
      waiting.hash.update(part);
      if (waiting.lastBytes < KEPT_BYTES) {
        waiting.last.push(Buffer.from(part.subarray(0, KEPT_BYTES)));
        waiting.lastBytes += part.length;
      }
    } else if (this.#type === TYPE.error) waiting.failed += part.toString('latin1');
    if (this.#bodyLeft > 0 || this.#type !== TYPE.ready) return;
    waiting.readyLeft -= 1;
    if (waiting.readyLeft === 0) waiting.resolve();
  }

  /** Gives how many bytes of the chunk belong to the header. */
  #takeHeader(chunk: Buffer, at: number, waiting: Waiting): number {
    const taken = chunk.copy(this.#header, this.#headerLength, at);
    this.#headerLength += taken;
    if (this.#headerLength < HEADER_BYTES) return taken;
    this.#headerLength = 0;
    this.#type = this.#header.readUInt8(0);
    this.#bodyLeft = this.#header.readUInt32BE(1) - 4;
    if (this.#type === TYPE.dataRow || this.#type === TYPE.copyData) {
      waiting.rows += 1;
      waiting.last = [];
      waiting.lastBytes = 0;
    } else if (this.#type === TYPE.copyIn) waiting.onCopyIn();
    else if (this.#type === TYPE.error) waiting.failed = '';
    return taken;
  }
}

/** The header of a frontend's frame whose body has so many bytes. */
export function head(type: string, bodyBytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(bodyBytes + 4, 1);
  return header;
}

/** So many bytes of a pattern, a piece at a time. */
export function* patterned(pattern: Buffer, bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= pattern.length) yield pattern.subarray(0, left);
}
