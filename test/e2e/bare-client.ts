/**
 * A client on the bare protocol: start-up packets byte for byte, TLS in any order, SCRAM with or
 * without channel binding, and every frame that the server says until it is ready or closes.
 */

import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { randomBytes } from 'node:crypto';
import { decodeAuthentication } from '../../packages/gateway/src/protocols/postgres/authentication.ts';
import { ByteReader } from '../../packages/gateway/src/protocols/postgres/byte-reader.ts';
import {
  encodeSASLInitialResponse,
  encodeSASLResponse,
} from '../../packages/gateway/src/protocols/postgres/encode.ts';
import { type ChannelBinding, ScramClient } from '../../packages/gateway/src/protocols/postgres/scram.ts';

/** One message of the server: its type as a letter, and its body. */
export interface Frame {
  readonly type: string;
  readonly body: Buffer;
}

type Text = string | Uint8Array;

/** Int32 length, Int32 version or request code, body. */
export function packet(code: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8, 0);
  head.writeUInt32BE(code, 4);
  return Buffer.concat([head, body]);
}

/** A StartupMessage with parameters in this order, repeated or not, of any bytes. */
export function startupMessage(version: number, parameters: readonly (readonly [Text, Text])[]): Buffer {
  const zero = Buffer.of(0);
  const parts = parameters.flatMap(([name, value]) => [Buffer.from(name), zero, Buffer.from(value), zero]);
  return packet(version, ...parts, zero);
}

export const SSL_REQUEST: Buffer = packet(80_877_103);
export const GSSENC_REQUEST: Buffer = packet(80_877_104);

/** What is sent in answer to AuthenticationSASL. */
export interface ScramChoice {
  readonly password: string;
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS';
  readonly channelBinding: ChannelBinding;
  /** Sends its first message only when it is asked for it. */
  readonly waits?: boolean;
}

/** One connection; reads of a closed connection give what there was. */
export class BareClient {
  #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #closed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#attach();
  }

  static async open(port: number): Promise<BareClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) =>
      socket.once('connect', () => resolve()).once('error', reject),
    );
    return new BareClient(socket);
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** Everything that came and was not read. */
  get received(): Buffer {
    return this.#received;
  }

  send(...parts: readonly Uint8Array[]): void {
    this.#socket.write(Buffer.concat(parts));
  }

  /** So many bytes, or fewer where the connection closed before. */
  async read(count: number): Promise<Buffer> {
    while (this.#received.length < count && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const bytes = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return bytes;
  }

  /** All that comes until the server closes. */
  async rest(): Promise<Buffer> {
    return this.read(Number.MAX_SAFE_INTEGER);
  }

  /** One message, or nothing where the connection closed. */
  async frame(): Promise<Frame | undefined> {
    const header = await this.read(5);
    if (header.length < 5) return undefined;
    const type = String.fromCharCode(header.readUInt8(0));
    return { type, body: Buffer.from(await this.read(header.readUInt32BE(1) - 4)) };
  }

  /** TLS on the connection as it is: after an `S`, or at once with ALPN for direct TLS. */
  async startTls(options: ConnectionOptions = {}): Promise<TLSSocket> {
    const plain = this.#socket;
    plain.removeAllListeners('data').removeAllListeners('close').removeAllListeners('end');
    const secure = connectTls({ socket: plain, rejectUnauthorized: false, ...options });
    this.#socket = secure;
    this.#attach();
    await new Promise<void>((resolve, reject) => {
      secure.once('secureConnect', () => resolve());
      secure.once('error', reject);
      secure.once('close', () => reject(new Error('closed during the handshake')));
    });
    return secure;
  }

  /** Answers SCRAM, and gives every frame up to ReadyForQuery, an error, or the end. */
  async login(choice?: ScramChoice): Promise<Frame[]> {
    const frames: Frame[] = [];
    let scram: ScramClient | undefined;
    let first: Uint8Array | undefined;
    for (;;) {
      const frame = await this.frame();
      if (frame === undefined) return frames;
      frames.push(frame);
      if (frame.type === 'Z' || frame.type === 'E') return frames;
      if (frame.type !== 'R' || choice === undefined) continue;
      const message = decodeAuthentication(new ByteReader(frame.body, 'Authentication'));
      if (message.kind === 'AuthenticationSASL') {
        scram = new ScramClient(choice.password, randomBytes(18).toString('base64'), choice);
        first = scram.start();
        this.send(encodeSASLInitialResponse(choice.mechanism, choice.waits === true ? null : first));
      }
      if (message.kind === 'AuthenticationSASLContinue' && scram !== undefined) {
        const asked = message.data.length === 0;
        this.send(encodeSASLResponse(asked && first !== undefined ? first : scram.continue(message.data)));
      }
    }
  }

  /** Goes away without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  #attach(): void {
    const ended = (): void => {
      this.#closed = true;
      this.#wake();
    };
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    this.#socket.on('end', ended).on('close', ended).on('error', ended);
  }
}

/** The fields of an ErrorResponse or NoticeResponse, by their codes. */
export function fieldsOf(frame: Frame | undefined): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const field of frame?.body.toString('utf8').split('\0') ?? []) {
    if (field !== '') fields[field.slice(0, 1)] = field.slice(1);
  }
  return fields;
}
