/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides, as PostgreSQL uses them.
 *
 * Spec: RFC 5802 (https://www.rfc-editor.org/rfc/rfc5802), RFC 7677 (https://www.rfc-editor.org/rfc/rfc7677),
 * and PostgreSQL 18, "SASL Authentication" (https://www.postgresql.org/docs/18/sasl-authentication.html)
 * Grammar: RFC 5802, section 7. The user name in the exchange is ignored: the start-up message has it.
 * Refused: an authorization identity, mandatory extensions, a nonce or base64 that is not canonical,
 * channel binding that was not offered, `y` where it was, iterations outside of LIMITS.postgres.
 * Untrusted: every byte of the peer. Secrets are compared in constant time.
 */

import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { utf8Bytes, utf8Text, violation } from './byte-reader.ts';
import { saslPrep } from './saslprep.ts';

const KEY_BYTES = 32;
const SALT_BYTES_MOCK = 16;

export const SCRAM_SHA_256 = 'SCRAM-SHA-256';
export const SCRAM_SHA_256_PLUS = 'SCRAM-SHA-256-PLUS';

/** What a server keeps of a password: enough to check it, not enough to use it. */
export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** Several passwords of one name, which therefore share salt and iterations. */
export interface ScramCandidates {
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly candidates: readonly {
    readonly storedKey: Uint8Array;
    readonly serverKey: Uint8Array;
  }[];
}

/** What the client says of channel binding in its GS2 header, RFC 5802, section 6. */
export type ChannelBinding =
  /** `n`: the client does not do it. */
  | { readonly kind: 'none' }
  /** `y`: the client would, and takes it that the server does not. */
  | { readonly kind: 'notOffered' }
  /** `p`: RFC 5929, section 4, the hash of the server's certificate. */
  | { readonly kind: 'tls-server-end-point'; readonly data: Uint8Array };

/** Which mechanism the client chose, and whether it could have chosen PLUS. */
export interface ScramServerOptions {
  readonly mechanism: typeof SCRAM_SHA_256 | typeof SCRAM_SHA_256_PLUS;
  /** The hash of this server's certificate where SCRAM-SHA-256-PLUS was offered. */
  readonly tlsServerEndPoint: Uint8Array | undefined;
}

export interface ScramClientOptions {
  readonly channelBinding: ChannelBinding;
  /** Given to remember the costly step between logins to the same target. */
  readonly saltedPassword?: (salt: Uint8Array, iterations: number) => Uint8Array;
}

/** RFC 5802, section 3: Hi(Normalize(password), salt, i). Costs about a millisecond per 4,096 iterations. */
export function saltPassword(
  password: string | Uint8Array,
  salt: Uint8Array,
  iterations: number,
): Uint8Array {
  return pbkdf2Sync(saslPrep(password), salt, iterations, KEY_BYTES, 'sha256');
}

/** What to keep of a password. */
export function makeVerifier(
  password: string | Uint8Array,
  salt: Uint8Array,
  iterations: number,
): ScramVerifier {
  const { clientKey, serverKey } = deriveKeys(saltPassword(password, salt, iterations));
  return { iterations, salt, storedKey: sha256(clientKey), serverKey };
}

/**
 * A verifier that nothing matches, the same each time for a name, so that an unknown name looks like
 * a known one.
 *
 * @param secret 32 bytes that the client cannot know
 */
export function mockVerifier(secret: Uint8Array, user: string, iterations: number): ScramVerifier {
  function derive(purpose: string): Uint8Array {
    return hmac(secret, utf8Bytes(`countersign scram mock ${purpose}\0${user}`));
  }
  return {
    iterations,
    salt: derive('salt').subarray(0, SALT_BYTES_MOCK),
    storedKey: derive('stored key'),
    serverKey: derive('server key'),
  };
}

/**
 * The server's side of one exchange: `first`, `final`, `finalMessage`, in this order.
 *
 * @example
 * const server = new ScramServer({ iterations, salt, candidates }, nonce);
 * const challenge = server.first(clientFirst);
 * const index = server.final(clientFinal); // which candidate, or undefined
 */
export class ScramServer {
  readonly #known: ScramCandidates;
  readonly #serverNonce: string;
  readonly #options: ScramServerOptions;
  #state: 'first' | 'final' | 'done' = 'first';
  #nonce = '';
  #gs2Header: Uint8Array = new Uint8Array(0);
  #clientFirstBare: Uint8Array = new Uint8Array(0);
  #serverFirst: Uint8Array = new Uint8Array(0);
  #serverSignature: Uint8Array | undefined;

  /** @param serverNonce at least 18 random bytes in base64 */
  constructor(
    known: ScramCandidates,
    serverNonce: string,
    options: ScramServerOptions = { mechanism: SCRAM_SHA_256, tlsServerEndPoint: undefined },
  ) {
    this.#known = known;
    this.#serverNonce = serverNonce;
    this.#options = options;
  }

  /** client-first-message → server-first-message. */
  first(data: Uint8Array | null): Uint8Array {
    if (this.#state !== 'first') throw violation('a second SCRAM client-first-message');
    const text = messageText(data ?? new Uint8Array(0));
    const [flag = '', authzid, ...bare] = text.split(',');
    this.#checkBinding(flag);
    if (authzid !== '') throw violation('a SCRAM authorization identity is not supported');
    const fields = attributes(bare.join(','));
    expectName(fields[0], 'n');
    const clientNonce = expectNonce(expectName(fields[1], 'r'));
    this.#gs2Header = utf8Bytes(`${flag},,`);
    this.#clientFirstBare = utf8Bytes(bare.join(','));
    this.#nonce = clientNonce + this.#serverNonce;
    const salt = toBase64(this.#known.salt);
    this.#serverFirst = utf8Bytes(`r=${this.#nonce},s=${salt},i=${this.#known.iterations}`);
    this.#state = 'final';
    return this.#serverFirst;
  }

  /** client-final-message → the index of the candidate whose password the client has, or undefined. */
  final(data: Uint8Array): number | undefined {
    if (this.#state !== 'final') throw violation('a SCRAM client-final-message out of turn');
    this.#state = 'done';
    const text = messageText(data);
    const proofAt = text.lastIndexOf(',p=');
    const withoutProof = text.slice(0, Math.max(proofAt, 0));
    const fields = attributes(withoutProof);
    if (expectName(fields[0], 'c') !== toBase64(this.#bindingInput())) {
      if (this.#options.mechanism === SCRAM_SHA_256_PLUS) throw unbound('it is for another certificate');
      throw violation('the SCRAM channel binding does not match');
    }
    if (expectName(fields[1], 'r') !== this.#nonce) throw violation('the SCRAM nonce does not match');
    const proof = fromBase64(text.slice(proofAt + 3));
    if (proof.length !== KEY_BYTES) throw violation(`a SCRAM proof has ${proof.length} bytes`);
    return this.#match(authMessage(this.#clientFirstBare, this.#serverFirst, utf8Bytes(withoutProof)), proof);
  }

  /** server-final-message, for a client whose proof was right. */
  finalMessage(): Uint8Array {
    if (this.#serverSignature === undefined) throw violation('SCRAM has not succeeded');
    return utf8Bytes(`v=${toBase64(this.#serverSignature)}`);
  }

  /** Looks at every candidate, so that the time does not tell which one it was. */
  #match(message: Uint8Array, proof: Uint8Array): number | undefined {
    let found: number | undefined;
    for (const [index, { storedKey, serverKey }] of this.#known.candidates.entries()) {
      const clientKey = xor(proof, hmac(storedKey, message));
      const matches = timingSafeEqual(sha256(clientKey), storedKey);
      const signature = hmac(serverKey, message);
      if (matches && found === undefined) {
        found = index;
        this.#serverSignature = signature;
      }
    }
    return found;
  }

  #checkBinding(flag: string): void {
    const { mechanism, tlsServerEndPoint } = this.#options;
    if (mechanism === SCRAM_SHA_256_PLUS) {
      if (flag !== 'p=tls-server-end-point') throw violation(`${mechanism} without tls-server-end-point`);
      if (tlsServerEndPoint === undefined) throw violation(`${mechanism} was not offered`);
      return;
    }
    // RFC 5802, section 6: `y` where PLUS was offered means that somebody took the offer away.
    if (flag === 'y' && tlsServerEndPoint !== undefined) {
      throw unbound('the client was not shown that it is offered');
    }
    if (flag !== 'n' && flag !== 'y')
      throw violation(`${mechanism} with another channel binding than n or y`);
  }

  #bindingInput(): Uint8Array {
    const { mechanism, tlsServerEndPoint } = this.#options;
    const data = mechanism === SCRAM_SHA_256_PLUS ? tlsServerEndPoint : undefined;
    return join([this.#gs2Header, data ?? new Uint8Array(0)]);
  }
}

/**
 * The client's side of one exchange: `start`, `continue`, `finish`, in this order.
 *
 * @example
 * const client = new ScramClient(password, nonce);
 * const initial = client.start();
 * const response = client.continue(serverFirst);
 * client.finish(serverFinal); // throws unless the server knows the password too
 */
export class ScramClient {
  readonly #password: string | Uint8Array;
  readonly #clientFirstBare: string;
  readonly #clientNonce: string;
  readonly #options: ScramClientOptions;
  #state: 'start' | 'continue' | 'finish' | 'finished' = 'start';
  #serverSignature: Uint8Array = new Uint8Array(0);

  /** @param nonce at least 18 random bytes in base64 */
  constructor(
    password: string | Uint8Array,
    nonce: string,
    options: ScramClientOptions = { channelBinding: { kind: 'none' } },
  ) {
    this.#password = password;
    this.#clientNonce = nonce;
    this.#clientFirstBare = `n=,r=${nonce}`;
    this.#options = options;
  }

  /** Whether the server has proved that it knows the password. */
  get finished(): boolean {
    return this.#state === 'finished';
  }

  /** client-first-message. */
  start(): Uint8Array {
    this.#advance('start', 'continue');
    return utf8Bytes(this.#gs2Header() + this.#clientFirstBare);
  }

  /** server-first-message → client-final-message. */
  continue(data: Uint8Array): Uint8Array {
    this.#advance('continue', 'finish');
    const fields = attributes(messageText(data));
    const nonce = expectNonce(expectName(fields[0], 'r'));
    if (!nonce.startsWith(this.#clientNonce) || nonce.length === this.#clientNonce.length) {
      throw violation('the SCRAM nonce of the server does not continue ours');
    }
    const salt = fromBase64(expectName(fields[1], 's'));
    const iterations = expectIterations(expectName(fields[2], 'i'));
    const { clientKey, serverKey } = deriveKeys(this.#saltedPassword(salt, iterations));
    const withoutProof = `c=${toBase64(this.#bindingInput())},r=${nonce}`;
    const message = authMessage(utf8Bytes(this.#clientFirstBare), data, utf8Bytes(withoutProof));
    this.#serverSignature = hmac(serverKey, message);
    const proof = xor(clientKey, hmac(sha256(clientKey), message));
    return utf8Bytes(`${withoutProof},p=${toBase64(proof)}`);
  }

  /** server-final-message: throws where the server does not know the password. */
  finish(data: Uint8Array): void {
    this.#advance('finish', 'finished');
    const [field] = attributes(messageText(data));
    const signature = field?.startsWith('v=') === true ? fromBase64(field.slice(2)) : undefined;
    if (signature?.length !== KEY_BYTES || !timingSafeEqual(signature, this.#serverSignature)) {
      this.#state = 'finish';
      throw violation('the server did not prove that it knows the password');
    }
  }

  #advance(from: 'start' | 'continue' | 'finish', to: 'continue' | 'finish' | 'finished'): void {
    if (this.#state !== from) throw violation(`a SCRAM message out of turn: expected ${this.#state}`);
    this.#state = to;
  }

  #saltedPassword(salt: Uint8Array, iterations: number): Uint8Array {
    const { saltedPassword } = this.#options;
    return saltedPassword?.(salt, iterations) ?? saltPassword(this.#password, salt, iterations);
  }

  #gs2Header(): string {
    const flags = { none: 'n', notOffered: 'y', 'tls-server-end-point': 'p=tls-server-end-point' };
    return `${flags[this.#options.channelBinding.kind]},,`;
  }

  #bindingInput(): Uint8Array {
    const { channelBinding } = this.#options;
    const data = channelBinding.kind === 'tls-server-end-point' ? channelBinding.data : new Uint8Array(0);
    return join([utf8Bytes(this.#gs2Header()), data]);
  }
}

/** RFC 5802, section 3: the keys that a salted password gives. */
function deriveKeys(salted: Uint8Array): { readonly clientKey: Uint8Array; readonly serverKey: Uint8Array } {
  return {
    clientKey: hmac(salted, utf8Bytes('Client Key')),
    serverKey: hmac(salted, utf8Bytes('Server Key')),
  };
}

function authMessage(
  clientFirstBare: Uint8Array,
  serverFirst: Uint8Array,
  withoutProof: Uint8Array,
): Uint8Array {
  const comma = utf8Bytes(',');
  return join([clientFirstBare, comma, serverFirst, comma, withoutProof]);
}

/** Somebody between the two sides: either may be talking to them instead of to the other. */
function unbound(reason: string): CountersignError {
  return new CountersignError('CHANNEL_BINDING_FAILED', { reason });
}

function messageText(data: Uint8Array): string {
  const allowed = LIMITS.postgres.scramMessageBytesMax;
  if (data.length > allowed) {
    const limit = 'bytes of a SCRAM message';
    throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual: data.length });
  }
  const text = utf8Text(data);
  if (text === null || text.includes('\0')) throw violation('a SCRAM message is not UTF-8 text');
  return text;
}

/** `a=value,b=value…`; what follows the fields that are asked for are extensions, which are ignored. */
function attributes(text: string): readonly string[] {
  const fields = text.split(',');
  for (const field of fields) {
    if (!/^[A-Za-z]=/.test(field)) throw violation('a SCRAM message has a part that is not name=value');
  }
  if (text.startsWith('m=')) throw violation('a SCRAM extension that is mandatory is not supported');
  return fields;
}

function expectName(field: string | undefined, name: string): string {
  if (field?.startsWith(`${name}=`) !== true) throw violation(`a SCRAM message has no ${name}= in its place`);
  return field.slice(2);
}

/** RFC 5802, section 7: printable ASCII without the comma. */
function expectNonce(nonce: string): string {
  if (!/^[\x21-\x2b\x2d-\x7e]+$/.test(nonce)) throw violation('a SCRAM nonce has to be printable ASCII');
  return nonce;
}

function expectIterations(text: string): number {
  const { scramIterationsMin, scramIterationsMax } = LIMITS.postgres;
  const iterations = /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : 0;
  if (iterations < scramIterationsMin || iterations > scramIterationsMax) {
    throw violation(`SCRAM iterations outside of ${scramIterationsMin} to ${scramIterationsMax}`);
  }
  return iterations;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Only the one encoding that encodes back to itself. */
function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (text === '' || bytes.toString('base64') !== text) throw violation('a SCRAM value is not base64');
  return bytes;
}

function xor(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.map((byte, index) => byte ^ (right[index] ?? 0));
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

function hmac(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(bytes).digest();
}
