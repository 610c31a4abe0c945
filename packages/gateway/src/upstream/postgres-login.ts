/**
 * Logs in to a PostgreSQL target with the sealed credential, up to the first ReadyForQuery.
 *
 * Spec: PostgreSQL 18, "Message Flow", "Start-up"; SCRAM-SHA-256 and -PLUS per RFC 7677 and RFC 5929.
 * Refused: a password in the clear without verified TLS; unknown authentication methods; a server
 * that cannot prove that it knows the password (SCRAM's server signature); a version that was not
 * asked for; a cancel key of another length than the protocol has.
 * Untrusted: every byte of the target.
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
import {
  type BackendMessage,
  PROTOCOL_3_0,
  PROTOCOL_3_2,
  type StartupParameter,
} from '../protocols/postgres/messages.ts';
import { encodeStartupPacket } from '../protocols/postgres/startup.ts';
import {
  type ChannelBinding,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  ScramClient,
} from '../protocols/postgres/scram.ts';
import { md5Password } from '../protocols/postgres/md5.ts';
import { openTargetSocket, type PostgresTarget, type TargetSocket } from './postgres-target.ts';
import { saltedPassword } from './salted-passwords.ts';

/** What a target says between the end of authentication and its first ReadyForQuery, in its order. */
export interface GreetingFrame {
  /** Whether its place is that of the cancel key, which is the gateway's own towards the client. */
  readonly isCancelKey: boolean;
  /** As it came. */
  readonly bytes: Uint8Array;
}

/** A target that is ready for the first query. */
export interface ReadyTarget {
  readonly socket: TargetSocket['socket'];
  readonly greeting: readonly GreetingFrame[];
  /** The first ReadyForQuery, as it came. */
  readonly readyForQuery: Uint8Array;
  readonly serverVersion: string;
  /** Undefined where the target gave none: it cannot be asked to cancel. */
  readonly cancelProcessId: number | undefined;
  readonly cancelSecret: Uint8Array | undefined;
  /** Bytes that came after ReadyForQuery. */
  readonly rest: Uint8Array;
}

/** The target answered the login with an ErrorResponse: its frame goes to the client as it came. */
export class TargetRefused extends CountersignError {
  readonly frame: Uint8Array;
  /** What it said before, where it had let us in. */
  readonly greeting: readonly GreetingFrame[] | undefined;

  constructor(
    connection: string,
    message: string,
    frame: Uint8Array,
    greeting: readonly GreetingFrame[] | undefined,
  ) {
    super('UPSTREAM_FAILED', { connection, reason: message });
    this.frame = frame;
    this.greeting = greeting;
  }
}

const VERSIONS = { '3.0': PROTOCOL_3_0, '3.2': PROTOCOL_3_2 } as const;
/** PostgreSQL 18, "BackendKeyData". */
const CANCEL_KEY_BYTES_3_0 = 4;

/**
 * @param parameters start-up parameters of the client that are forwarded, without user and database
 * @param randomBytes gives so many random bytes, for the SCRAM nonce
 */
export async function loginToTarget(
  target: PostgresTarget,
  parameters: readonly StartupParameter[],
  randomBytes: (length: number) => Uint8Array,
): Promise<ReadyTarget> {
  const opened = await openTargetSocket(target);
  try {
    const own: readonly (readonly [string, string])[] = [
      ['user', target.user],
      ['database', target.database],
    ];
    const protocolVersion = VERSIONS[target.protocolVersion];
    const all = [...own, ...parameters];
    opened.socket.write(encodeStartupPacket({ kind: 'StartupMessage', protocolVersion, parameters: all }));
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
  readonly #greeting: GreetingFrame[] = [];
  #authenticated = false;
  #bound = false;
  #greetingBytesLeft: number = LIMITS.postgres.greetingBytesMax;
  #protocolVersion: number;

  constructor(opened: TargetSocket, target: PostgresTarget, randomBytes: (length: number) => Uint8Array) {
    this.#opened = opened;
    this.#target = target;
    this.#randomBytes = randomBytes;
    this.#protocolVersion = VERSIONS[target.protocolVersion];
  }

  async authenticate(): Promise<void> {
    let scram: ScramClient | undefined;
    for (let count = 0; ; count++) {
      const { message, frame } = await this.#next(LIMITS.postgres.authenticationBytesMax);
      switch (message.kind) {
        case 'AuthenticationOk':
          this.#checkAuthenticated(scram);
          return;
        case 'AuthenticationSASL':
          if (scram !== undefined) throw this.#broken('it started SASL twice');
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
          this.#refuseUnbound('an MD5 password');
          this.#send(encodePasswordMessage(md5Password(this.#target.user, this.#password(), message.salt)));
          break;
        case 'AuthenticationCleartextPassword':
          this.#refuseUnbound('a password in the clear');
          if (this.#target.tls === 'disable')
            throw this.#broken('it asks for the password in the clear without TLS');
          this.#send(encodePasswordMessage(this.#password()));
          break;
        case 'NegotiateProtocolVersion':
          if (count > 0) throw this.#broken('it negotiates the version too late');
          this.#negotiate(message.newestVersion, message.unrecognizedOptions.length);
          break;
        case 'NoticeResponse':
          this.#keep(frame, false);
          break;
        default:
          throw this.#broken(`unexpected ${message.kind} during authentication`);
      }
    }
  }

  async untilReady(): Promise<ReadyTarget> {
    let serverVersion = '';
    let cancelProcessId: number | undefined;
    let cancelSecret: Uint8Array | undefined;
    for (;;) {
      const { message, frame } = await this.#next(this.#greetingBytesLeft);
      switch (message.kind) {
        case 'ParameterStatus':
          if (message.name === 'server_version') serverVersion = utf8Text(message.valueBytes) ?? '';
          this.#keep(frame, false);
          break;
        case 'BackendKeyData':
          if (cancelSecret !== undefined) throw this.#broken('it gives a second cancel key');
          cancelProcessId = message.processId;
          cancelSecret = this.#checkedSecret(message.secretKey);
          this.#keep(frame, true);
          break;
        case 'NoticeResponse':
        case 'NotificationResponse':
          this.#keep(frame, false);
          break;
        case 'ReadyForQuery':
          return {
            socket: this.#opened.socket,
            greeting: this.#greeting,
            readyForQuery: frame,
            serverVersion,
            cancelProcessId,
            cancelSecret,
            rest: this.#opened.release(),
          };
        default:
          throw this.#broken(`unexpected ${message.kind} before ReadyForQuery`);
      }
    }
  }

  async #next(lengthMax: number): Promise<{ message: BackendMessage; frame: Uint8Array }> {
    const header = await this.#opened.queue.read(HEADER_LENGTH);
    const length = frameLength(header, lengthMax);
    this.#greetingBytesLeft -= length;
    if (this.#greetingBytesLeft < 0) throw this.#broken('it says too much before it is ready');
    const frame = new Uint8Array(length + 1);
    frame.set(header);
    frame.set(await this.#opened.queue.read(length - 4), HEADER_LENGTH);
    const message = decodeBackend(header[0] ?? 0, frame.subarray(HEADER_LENGTH));
    if (message.kind === 'ErrorResponse') {
      const text =
        utf8Text(responseField(message, 'M') ?? new Uint8Array(0)) ?? 'a message that is not UTF-8';
      const greeting = this.#authenticated ? this.#greeting : undefined;
      throw new TargetRefused(this.#target.connection, text, frame, greeting);
    }
    return { message, frame };
  }

  #keep(bytes: Uint8Array, isCancelKey: boolean): void {
    this.#greeting.push({ isCancelKey, bytes });
  }

  /** PostgreSQL 15 to 17 answer 3.2 with 3.0; as libpq, nothing but an older minor version is taken. */
  #negotiate(newestVersion: number, unrecognizedOptionCount: number): void {
    if (newestVersion < PROTOCOL_3_0 || newestVersion >= this.#protocolVersion) {
      throw this.#broken(`it negotiates version ${newestVersion >>> 16}.${newestVersion & 0xffff}`);
    }
    if (unrecognizedOptionCount > 0) throw this.#broken('it refuses protocol options that nobody sent');
    this.#protocolVersion = newestVersion;
  }

  #checkedSecret(secretKey: Uint8Array): Uint8Array {
    if (this.#protocolVersion < PROTOCOL_3_2 && secretKey.length !== CANCEL_KEY_BYTES_3_0) {
      throw this.#broken(`it gives a cancel key of ${secretKey.length} bytes at protocol 3.0`);
    }
    return secretKey.slice();
  }

  #checkAuthenticated(scram: ScramClient | undefined): void {
    if (scram !== undefined && !scram.finished) throw this.#broken('it skipped the end of SCRAM');
    if (!this.#bound) this.#refuseUnbound('nothing more');
    this.#authenticated = true;
  }

  #startScram(mechanisms: readonly string[]): ScramClient {
    const mechanism = this.#chooseMechanism(mechanisms);
    this.#bound = mechanism === SCRAM_SHA_256_PLUS;
    const nonce = Buffer.from(this.#randomBytes(18)).toString('base64');
    const channelBinding = this.#channelBinding(mechanisms.includes(SCRAM_SHA_256_PLUS));
    const password = this.#password();
    const scram = new ScramClient(password, nonce, {
      channelBinding,
      saltedPassword: (salt, iterations) => saltedPassword(password, salt, iterations),
    });
    this.#send(encodeSASLInitialResponse(mechanism, scram.start()));
    return scram;
  }

  #chooseMechanism(mechanisms: readonly string[]): typeof SCRAM_SHA_256 | typeof SCRAM_SHA_256_PLUS {
    const plusOffered = mechanisms.includes(SCRAM_SHA_256_PLUS);
    if (plusOffered && this.#target.tls === 'disable') {
      throw this.#broken(`it offers ${SCRAM_SHA_256_PLUS} without TLS`);
    }
    if (plusOffered && this.#endPoint() !== undefined) return SCRAM_SHA_256_PLUS;
    const why = plusOffered ? 'its certificate names no hash' : `it offers ${mechanisms.join(', ')}`;
    this.#refuseUnbound(`SCRAM-SHA-256 (${why})`);
    if (!mechanisms.includes(SCRAM_SHA_256)) {
      throw this.#broken(`it offers ${mechanisms.join(', ')} and not ${SCRAM_SHA_256}`);
    }
    return SCRAM_SHA_256;
  }

  /** RFC 5802, section 6: `y` tells a server that did offer it that somebody took the offer away. */
  #channelBinding(plusOffered: boolean): ChannelBinding {
    const data = this.#endPoint();
    if (data === undefined) return { kind: 'none' };
    return plusOffered ? { kind: 'tls-server-end-point', data } : { kind: 'notOffered' };
  }

  #endPoint(): Uint8Array | undefined {
    return this.#target.channelBinding === 'disable' ? undefined : this.#opened.tlsServerEndPoint;
  }

  #refuseUnbound(asks: string): void {
    if (this.#target.channelBinding !== 'require') return;
    throw this.#broken(`the connection requires channel binding, and it asks for ${asks}`);
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
