/**
 * Logs in to a PostgreSQL target with the sealed credential, up to the first ReadyForQuery.
 *
 * Spec: PostgreSQL 18, "Message Flow", "Start-up"; SCRAM-SHA-256 per RFC 7677.
 * Refused: a password in the clear without verified TLS; unknown authentication methods; a server
 * that cannot prove that it knows the password (SCRAM's server signature).
 */

import { CountersignError, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { utf8Text } from '../protocols/postgres/byte-reader.ts';
import { decodeBackend, responseField } from '../protocols/postgres/decode.ts';
import {
  encodePasswordMessage,
  encodeSASLInitialResponse,
  encodeSASLResponse,
} from '../protocols/postgres/encode.ts';
import { frameLength, HEADER_LENGTH } from '../protocols/postgres/frames.ts';
import { type BackendMessage, PROTOCOL_3_0 } from '../protocols/postgres/messages.ts';
import { encodeStartupPacket } from '../protocols/postgres/startup.ts';
import { ScramClient } from '../protocols/postgres/scram.ts';
import { md5Password } from '../protocols/postgres/md5.ts';
import { openTargetSocket, type PostgresTarget, type TargetSocket } from './postgres-target.ts';

/** A target that is ready for the first query. */
export interface ReadyTarget {
  readonly socket: TargetSocket['socket'];
  /** What the target reported, in order; later values of a name replace earlier ones. */
  readonly parameters: ReadonlyMap<string, Uint8Array>;
  readonly cancelProcessId: number;
  readonly cancelSecret: Uint8Array;
  /** Notices of the login, as the bytes that came. */
  readonly notices: readonly Uint8Array[];
  /** Bytes that came after ReadyForQuery. */
  readonly rest: Uint8Array;
}

/** The target answered the login with an ErrorResponse: its frame goes to the client as it came. */
export class TargetRefused extends CountersignError {
  readonly frame: Uint8Array;

  constructor(connection: string, message: string, frame: Uint8Array) {
    super('UPSTREAM_FAILED', { connection, reason: message });
    this.frame = frame;
  }
}

/**
 * @param parameters start-up parameters of the client that are forwarded, without user and database
 * @param randomBytes gives so many random bytes, for the SCRAM nonce
 */
export async function loginToTarget(
  target: PostgresTarget,
  parameters: ReadonlyMap<string, string>,
  randomBytes: (length: number) => Uint8Array,
): Promise<ReadyTarget> {
  const opened = await openTargetSocket(target);
  try {
    const all = new Map([['user', target.user], ['database', target.database], ...parameters]);
    opened.socket.write(
      encodeStartupPacket({ kind: 'StartupMessage', protocolVersion: PROTOCOL_3_0, parameters: all }),
    );
    const login = new Login(opened, target, randomBytes);
    await login.authenticate();
    return await login.untilReady();
  } catch (error) {
    opened.release();
    opened.socket.destroy();
    // A protocol that the target broke is not the client's fault, and says so.
    if (error instanceof CountersignError && error.code === 'UPSTREAM_FAILED') throw error;
    const details = { connection: target.connection, reason: reasonOf(error) };
    throw new CountersignError('UPSTREAM_FAILED', details, { cause: error });
  }
}

class Login {
  readonly #opened: TargetSocket;
  readonly #target: PostgresTarget;
  readonly #randomBytes: (length: number) => Uint8Array;
  #bytes = 0;

  constructor(opened: TargetSocket, target: PostgresTarget, randomBytes: (length: number) => Uint8Array) {
    this.#opened = opened;
    this.#target = target;
    this.#randomBytes = randomBytes;
  }

  async authenticate(): Promise<void> {
    let scram: ScramClient | undefined;
    for (;;) {
      const { message } = await this.#next();
      switch (message.kind) {
        case 'AuthenticationOk':
          if (scram !== undefined && !scram.finished) throw this.#broken('it skipped the end of SCRAM');
          return;
        case 'AuthenticationSASL':
          scram = this.#startScram(message.mechanisms);
          break;
        case 'AuthenticationSASLContinue':
          if (scram === undefined) throw this.#broken('SASL was not started');
          this.#send(encodeSASLResponse(scram.continue(message.data)));
          break;
        case 'AuthenticationSASLFinal':
          if (scram === undefined) throw this.#broken('SASL was not started');
          scram.finish(message.data);
          break;
        case 'AuthenticationMD5Password':
          this.#send(encodePasswordMessage(md5Password(this.#target.user, this.#password(), message.salt)));
          break;
        case 'AuthenticationCleartextPassword':
          if (this.#target.tls === 'disable')
            throw this.#broken('it asks for the password in the clear without TLS');
          this.#send(encodePasswordMessage(this.#password()));
          break;
        case 'NegotiateProtocolVersion':
          break;
        default:
          throw this.#broken(`unexpected ${message.kind} during authentication`);
      }
    }
  }

  async untilReady(): Promise<ReadyTarget> {
    const parameters = new Map<string, Uint8Array>();
    const notices: Uint8Array[] = [];
    let cancelProcessId = 0;
    let cancelSecret: Uint8Array = new Uint8Array(4);
    for (;;) {
      const { message, frame } = await this.#next();
      switch (message.kind) {
        case 'ParameterStatus':
          parameters.set(message.name, message.valueBytes.slice());
          break;
        case 'BackendKeyData':
          cancelProcessId = message.processId;
          cancelSecret = message.secretKey.slice();
          break;
        case 'NoticeResponse':
          notices.push(frame.slice());
          break;
        case 'NegotiateProtocolVersion':
          break;
        case 'ReadyForQuery':
          return {
            socket: this.#opened.socket,
            parameters,
            cancelProcessId,
            cancelSecret,
            notices,
            rest: this.#opened.release(),
          };
        default:
          throw this.#broken(`unexpected ${message.kind} before ReadyForQuery`);
      }
    }
  }

  async #next(): Promise<{ message: BackendMessage; frame: Uint8Array }> {
    const header = await this.#opened.queue.read(HEADER_LENGTH);
    const length = frameLength(header, LIMITS.postgres.authenticationBytesMax);
    this.#bytes += length;
    if (this.#bytes > LIMITS.postgres.greetingBytesMax) throw this.#broken('its greeting has no end');
    const frame = new Uint8Array(length + 1);
    frame.set(header);
    frame.set(await this.#opened.queue.read(length - 4), HEADER_LENGTH);
    const message = decodeBackend(header[0] ?? 0, frame.subarray(HEADER_LENGTH));
    if (message.kind === 'ErrorResponse') {
      const text =
        utf8Text(responseField(message, 'M') ?? new Uint8Array(0)) ?? 'a message that is not UTF-8';
      throw new TargetRefused(this.#target.connection, text, frame);
    }
    return { message, frame };
  }

  #startScram(mechanisms: readonly string[]): ScramClient {
    if (!mechanisms.includes('SCRAM-SHA-256')) {
      throw this.#broken(`it offers ${mechanisms.join(', ')} and not SCRAM-SHA-256`);
    }
    const nonce = Buffer.from(this.#randomBytes(18)).toString('base64');
    const scram = new ScramClient(this.#password(), nonce);
    this.#send(encodeSASLInitialResponse('SCRAM-SHA-256', scram.start()));
    return scram;
  }

  #send(message: Uint8Array): void {
    this.#opened.socket.write(message);
  }

  #password(): string {
    const { password } = this.#target;
    if (password === undefined) throw this.#broken('it asks for a password and the connection has none');
    return password.reveal();
  }

  #broken(reason: string): CountersignError {
    return new CountersignError('UPSTREAM_FAILED', { connection: this.#target.connection, reason });
  }
}
