/**
 * Branded identifiers; only the parse functions here make them.
 *
 * An id is a prefix and 26 characters of Crockford base32: 48 bits of milliseconds, 80 bits of
 * randomness (the layout of ULID), so that ids sort by time of creation.
 */

import { CountersignError } from './errors.ts';

declare const brand: unique symbol;
type Branded<B extends string> = string & { readonly [brand]: B };

export type SessionId = Branded<'SessionId'>;
export type PrincipalId = Branded<'PrincipalId'>;
export type TokenId = Branded<'TokenId'>;
export type BootId = Branded<'BootId'>;
export type HoldId = Branded<'HoldId'>;

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const BODY = '[0-9a-hjkmnp-tv-z]{26}';

const PREFIXES = { session: 'ses', principal: 'prn', token: 'tok', boot: 'bot', hold: 'hld' } as const;
const PATTERNS = {
  session: new RegExp(`^ses_${BODY}$`),
  principal: new RegExp(`^prn_${BODY}$`),
  token: new RegExp(`^tok_${BODY}$`),
  boot: new RegExp(`^bot_${BODY}$`),
  hold: new RegExp(`^hld_${BODY}$`),
} as const;

type IdOf = { session: SessionId; principal: PrincipalId; token: TokenId; boot: BootId; hold: HoldId };

/**
 * A new id of a kind.
 *
 * @param nowMs milliseconds since the epoch
 * @param random 10 random bytes
 */
export function makeId<K extends keyof IdOf>(kind: K, nowMs: number, random: Uint8Array): IdOf[K] {
  let text = '';
  let time = nowMs;
  for (let i = 0; i < 10; i++) {
    text = ALPHABET.charAt(time % 32) + text;
    time = Math.floor(time / 32);
  }
  let bits = 0n;
  for (const byte of random.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  for (let i = 15; i >= 0; i--) text += ALPHABET.charAt(Number((bits >> BigInt(i * 5)) & 31n));
  return parseId(kind, `${PREFIXES[kind]}_${text}`);
}

/** The text as an id of a kind, or REQUEST_INVALID. */
export function parseId<K extends keyof IdOf>(kind: K, text: string): IdOf[K] {
  if (!PATTERNS[kind].test(text)) {
    throw new CountersignError('REQUEST_INVALID', {
      reason: `expected an id of the form ${PREFIXES[kind]}_ and 26 characters, got another text`,
    });
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This is the parse function.
  return text as IdOf[K];
}
