/**
 * A client on the bare protocol: it logs in, sends bytes in any pieces, and keeps every message that comes.
 *
 * It is the same towards PostgreSQL and towards the gateway, so that what it kept can be compared.
 */

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import {
  encodeSASLInitialResponse,
  encodeSASLResponse,
} from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { SCRAM_SHA_256, ScramClient } from '../../packages/gateway/src/protocols/postgres/scram.ts';
import { encodeStartupPacket } from '../../packages/gateway/src/protocols/postgres/startup.ts';
import { readToTheEnd } from '../../packages/gateway/src/upstream/read-to-the-end.ts';

export interface Endpoint {
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: string;
}

export interface ServerFrame {
  /** One character, `R` for Authentication. */
  readonly type: string;
  readonly body: Buffer;
}

/** How bytes go out: cut at these lengths, each in a write of its own. */
export type Pieces = (bytes: Buffer) => Iterable<Buffer>;

/** A peer that says nothing for so long will say nothing at all. */
const SILENCE_MS = 15_000;

const AUTHENTICATION = { ok: 0, sasl: 10, saslContinue: 11, saslFinal: 12 } as const;

export class WireClient {
  /** All that came, login included. */
  readonly frames: ServerFrame[] = [];
  readonly #socket: Socket;
  readonly #pieces: Pieces | undefined;
  #buffered: Buffer[] = [];
  #bufferedBytes = 0;
  #wanted = 5;
  #look: (() => void) | undefined;
  #closed = false;
  /** Up to here, frames were waited for. */
  #cursor = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(socket: Socket, pieces: Pieces | undefined) {
    this.#socket = socket;
    this.#pieces = pieces;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => undefined);
    // The peer's goodbye: nothing more comes, although this side may still be open.
    const ended = (): void => {
      this.#closed = true;
      this.#look?.();
      socket.end();
    };
    socket.on('end', ended);
    socket.on('close', ended);
  }

  /** Logs in and waits for the first ReadyForQuery, or for a refusal. */
  static async login(
    endpoint: Endpoint,
    parameters: Readonly<Record<string, string>> = {},
    pieces?: Pieces,
  ): Promise<WireClient> {
    const { port, user, database, password } = endpoint;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    readToTheEnd(socket);
    const client = new WireClient(socket, pieces);
    const all = new Map(Object.entries({ user, database, ...parameters }));
    socket.write(
      encodeStartupPacket({ kind: 'StartupMessage', protocolVersion: 0x0003_0000, parameters: all }),
    );
    const scram = new ScramClient(password, randomBytes(18).toString('base64'));
    for (;;) {
      const got = await client.#next('R', 'E', 'v');
      if (got === undefined || got.type === 'E') return client;
      if (got.type === 'v') continue;
      const code = got.body.readUInt32BE(0);
      if (code === AUTHENTICATION.ok) break;
      if (code === AUTHENTICATION.sasl) socket.write(encodeSASLInitialResponse(SCRAM_SHA_256, scram.start()));
      if (code === AUTHENTICATION.saslContinue) {
        socket.write(encodeSASLResponse(scram.continue(got.body.subarray(4))));
      }
      if (code === AUTHENTICATION.saslFinal) scram.finish(got.body.subarray(4));
    }
    await client.wait('Z', 1);
    return client;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Process id and secret as the peer gave them. */
  get cancelKey(): { readonly processId: number; readonly secretKey: Uint8Array } {
    const body = this.frames.find(({ type }) => type === 'K')?.body ?? Buffer.alloc(8);
    return { processId: body.readUInt32BE(0), secretKey: body.subarray(4) };
  }

  /** Sends bytes; in pieces, each piece goes when the one before it has gone. */
  send(bytes: Buffer): void {
    this.#writing = this.#writing.then(() => this.#write(bytes));
  }

  /** Closes this side of the connection behind what was sent. */
  endWriting(): void {
    this.#writing = this.#writing.then(() => {
      this.#socket.end();
    });
  }

  /** Waits for so many messages of a type behind those that were waited for; false after a long silence. */
  async wait(type: string, count: number): Promise<boolean> {
    for (let left = count; left > 0; left -= 1) {
      if ((await this.#next(type)) === undefined) return this.#closed;
    }
    return true;
  }

  /** Waits until the peer has closed; false after a long silence. */
  async waitClosed(): Promise<boolean> {
    return this.#until(() => this.#closed);
  }

  /** Waits until a row with the text is answered to the end, or the peer has closed; false after a long silence. */
  async waitProbe(text: string): Promise<boolean> {
    let seen = 0;
    let answered = false;
    return this.#until(() => {
      for (; seen < this.frames.length; seen += 1) {
        const frame = this.frames[seen];
        if (frame?.type === 'D' && frame.body.includes(text)) answered = true;
        else if (answered && frame?.type === 'Z') return true;
      }
      return this.#closed;
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #write(bytes: Buffer): Promise<void> {
    for (const piece of this.#pieces?.(bytes) ?? [bytes]) {
      if (this.#socket.destroyed) return;
      this.#socket.write(piece);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
  }

  async #next(...types: readonly string[]): Promise<ServerFrame | undefined> {
    let found: ServerFrame | undefined;
    await this.#until(() => {
      while (found === undefined && this.#cursor < this.frames.length) {
        const frame = this.frames[this.#cursor];
        this.#cursor += 1;
        if (frame !== undefined && types.includes(frame.type)) found = frame;
      }
      return found !== undefined || this.#closed;
    });
    return found;
  }

  /** False when the peer was silent for too long. */
  async #until(done: () => boolean): Promise<boolean> {
    if (done()) return true;
    return new Promise((resolve) => {
      const end = (result: boolean): void => {
        clearTimeout(timer);
        this.#look = undefined;
        resolve(result);
      };
      const timer = setTimeout(() => end(false), SILENCE_MS);
      this.#look = (): void => {
        timer.refresh();
        if (done()) end(true);
      };
    });
  }

  #take(chunk: Buffer): void {
    this.#buffered.push(chunk);
    this.#bufferedBytes += chunk.length;
    // Joined only when a whole message is there: messages of megabytes come in many chunks.
    while (this.#bufferedBytes >= this.#wanted) {
      const bytes = this.#buffered.length === 1 ? this.#buffered[0] : Buffer.concat(this.#buffered);
      if (bytes === undefined) return;
      let at = 0;
      this.#wanted = 5;
      while (bytes.length - at >= 5) {
        const end = at + 1 + bytes.readUInt32BE(at + 1);
        if (end > bytes.length) {
          this.#wanted = end - at;
          break;
        }
        const type = String.fromCharCode(bytes[at] ?? 0);
        this.frames.push({ type, body: Buffer.from(bytes.subarray(at + 5, end)) });
        at = end;
      }
      this.#buffered = at === bytes.length ? [] : [bytes.subarray(at)];
      this.#bufferedBytes = bytes.length - at;
    }
    this.#look?.();
  }
}
