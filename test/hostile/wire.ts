/** A client on a bare socket: it sends what it is told, and keeps what it gets. */

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import {
  encodeSASLInitialResponse,
  encodeSASLResponse,
} from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { ScramClient } from '../../packages/gateway/src/protocols/postgres/scram.ts';
import { encodeStartupPacket } from '../../packages/gateway/src/protocols/postgres/startup.ts';

export interface WireFrame {
  readonly type: string;
  readonly body: Buffer;
}

export interface WireLogin {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export class Wire {
  readonly socket: Socket;
  /** When the gateway has closed the connection, or the socket broke. */
  readonly over: Promise<void>;
  ended = false;
  #received: Buffer = Buffer.alloc(0);
  #wake: (() => void) | undefined;

  /** @param localAddress another address of this machine, where it matters who it is */
  constructor(port: number, localAddress = '127.0.0.1') {
    this.socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true, noDelay: true });
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake?.();
    });
    this.over = new Promise((resolve) => {
      const end = (): void => {
        this.ended = true;
        this.#wake?.();
        resolve();
      };
      this.socket.once('end', end);
      this.socket.once('close', end);
    });
  }

  static async open(port: number, localAddress?: string): Promise<Wire> {
    const wire = new Wire(port, localAddress);
    await new Promise<void>((resolve, reject) => {
      wire.socket.once('connect', () => resolve());
      wire.socket.once('error', reject);
    });
    return wire;
  }

  send(...pieces: readonly Uint8Array[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(pieces));
  }

  /** All that came and was not taken. */
  get received(): Buffer {
    return this.#received;
  }

  async bytes(count: number): Promise<Buffer> {
    while (this.#received.length < count && !this.ended) {
      // oxlint-disable-next-line no-await-in-loop -- Until it is there.
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const taken = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return taken;
  }

  /** The next frame; undefined where the connection ends before. */
  async frame(): Promise<WireFrame | undefined> {
    const header = await this.bytes(5);
    if (header.length < 5) return undefined;
    const body = await this.bytes(header.readUInt32BE(1) - 4);
    return { type: String.fromCharCode(header[0] ?? 0), body };
  }

  /** The next frame of a type, or an error. */
  async until(type: string): Promise<WireFrame> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- A dialogue.
      const frame = await this.frame();
      if (frame === undefined) throw new Error(`the connection ended before ${type}`);
      if (frame.type === type) return frame;
      if (frame.type === 'E') throw new RefusedError(frame.body.toString('latin1'));
    }
  }

  /** Start-up and SCRAM, up to the first ReadyForQuery. */
  async login({ user, password, database }: WireLogin): Promise<void> {
    this.send(startup({ user, database }));
    const scram = new ScramClient(password, randomBytes(18).toString('base64'));
    await this.until('R');
    this.send(encodeSASLInitialResponse('SCRAM-SHA-256', scram.start()));
    const challenge = await this.until('R');
    this.send(encodeSASLResponse(scram.continue(challenge.body.subarray(4))));
    const proof = await this.until('R');
    scram.finish(proof.body.subarray(4));
    await this.until('Z');
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** The gateway answered with an ErrorResponse. */
export class RefusedError extends Error {
  /** Of the field `C`. */
  readonly sqlstate: string;

  constructor(fields: string) {
    super(fields.replaceAll('\0', ' '));
    this.sqlstate = /\0C([0-9A-Z]{5})/.exec(fields)?.[1] ?? '';
  }
}

export function startup(parameters: Record<string, string>): Uint8Array {
  return encodeStartupPacket({
    kind: 'StartupMessage',
    protocolVersion: 0x0003_0000,
    parameters: new Map(Object.entries(parameters)),
  });
}
