/**
 * Passwords of people: Argon2id, kept as a PHC string.
 *
 * Spec: RFC 9106 (https://www.rfc-editor.org/rfc/rfc9106), section 4 for the parameters.
 * Format: `$argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<tag>`, base64 without padding.
 * A password is for one thing: to get a token that soon expires.
 */

import { argon2, timingSafeEqual } from 'node:crypto';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';

const SALT_BYTES = 16;
const TAG_BYTES = 32;
const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22,86})\$([A-Za-z0-9+/]{43})$/;

interface Parameters {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
  readonly salt: Uint8Array;
}

/** Refuses a new password that is too short or too long; says nothing else about it. */
export function checkNewPassword(password: Secret<string>): void {
  const { passwordCharactersMin, passwordBytesMax } = LIMITS.identity;
  if (isTooLong(password)) {
    const reason = `expected a password of at most ${passwordBytesMax} bytes`;
    throw new CountersignError('REQUEST_INVALID', { reason });
  }
  const characters = Array.from(normalize(password)).length;
  if (characters < passwordCharactersMin) {
    const reason = `expected a password of at least ${passwordCharactersMin} characters, got ${characters}`;
    throw new CountersignError('REQUEST_INVALID', { reason });
  }
}

/** What to keep of a password. */
export async function hashPassword(
  password: Secret<string>,
  randomBytes: (length: number) => Uint8Array,
): Promise<Secret<string>> {
  checkNewPassword(password);
  const { argon2MemoryKib, argon2Passes, argon2Lanes } = LIMITS.identity;
  const salt = randomBytes(SALT_BYTES);
  const parameters = { memoryKib: argon2MemoryKib, passes: argon2Passes, lanes: argon2Lanes, salt };
  const tag = await derive(password, parameters);
  const costs = `m=${argon2MemoryKib},t=${argon2Passes},p=${argon2Lanes}`;
  return new Secret(`$argon2id$v=19$${costs}$${toBase64(salt)}$${toBase64(tag)}`);
}

/**
 * Whether the password is the one. Without a hash it costs the same and is never true, so that time
 * does not tell who exists.
 */
export async function verifyPassword(
  password: Secret<string>,
  hash: Secret<string> | undefined,
): Promise<boolean> {
  // The length is the caller's own, so a refusal before hashing tells them nothing.
  if (isTooLong(password)) return false;
  const { parameters, tag } = hash === undefined ? nobody() : parseHash(hash);
  const derived = await derive(password, parameters);
  return timingSafeEqual(derived, tag) && hash !== undefined;
}

/** Hashes a few at once, and lets a bounded number wait. */
export class PasswordTurns {
  readonly #waiters: (() => void)[] = [];
  #running = 0;

  async run<T>(check: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await check();
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    const { passwordChecksMax, passwordWaitersMax } = LIMITS.identity;
    if (this.#running < passwordChecksMax) {
      this.#running += 1;
      return;
    }
    if (this.#waiters.length >= passwordWaitersMax) {
      const what = 'password logins waiting';
      throw new CountersignError('TOO_MANY_CONNECTIONS', { allowed: passwordWaitersMax, what });
    }
    await new Promise<void>((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  /** The turn goes to the next without becoming free in between. */
  #leave(): void {
    const next = this.#waiters.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}

function parseHash(hash: Secret<string>): { parameters: Parameters; tag: Uint8Array } {
  const [, memory, passes, lanes, salt, tag] = PHC.exec(hash.reveal()) ?? [];
  const costs = { memoryKib: Number(memory), passes: Number(passes), lanes: Number(lanes) };
  const { argon2MemoryKib, argon2Passes, argon2Lanes } = LIMITS.identity;
  const affordable =
    costs.memoryKib <= argon2MemoryKib && costs.passes <= argon2Passes && costs.lanes <= argon2Lanes;
  if (salt === undefined || tag === undefined || !affordable) {
    throw new CountersignError('STORE_FAILED', { reason: 'a password hash is not one of ours' });
  }
  return { parameters: { ...costs, salt: Buffer.from(salt, 'base64') }, tag: Buffer.from(tag, 'base64') };
}

function nobody(): { parameters: Parameters; tag: Uint8Array } {
  const { argon2MemoryKib, argon2Passes, argon2Lanes } = LIMITS.identity;
  const salt = new Uint8Array(SALT_BYTES);
  const parameters = { memoryKib: argon2MemoryKib, passes: argon2Passes, lanes: argon2Lanes, salt };
  return { parameters, tag: new Uint8Array(TAG_BYTES) };
}

function derive(password: Secret<string>, parameters: Parameters): Promise<Uint8Array> {
  const { memoryKib, passes, lanes, salt } = parameters;
  const message = Buffer.from(normalize(password), 'utf8');
  const options = {
    message,
    nonce: salt,
    memory: memoryKib,
    passes,
    parallelism: lanes,
    tagLength: TAG_BYTES,
  };
  return new Promise((resolve, reject) => {
    argon2('argon2id', options, (error, tag) => {
      message.fill(0);
      if (error === null) resolve(tag);
      else reject(error);
    });
  });
}

/** RFC 8265, OpaqueString: what looks the same and is typed on another keyboard is the same. */
function normalize(password: Secret<string>): string {
  return password.reveal().normalize('NFC');
}

function isTooLong(password: Secret<string>): boolean {
  const { passwordBytesMax } = LIMITS.identity;
  // The length in UTF-16 first: normalizing takes time in proportion to it.
  const text = password.reveal();
  return text.length > passwordBytesMax || Buffer.byteLength(normalize(password), 'utf8') > passwordBytesMax;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '');
}
