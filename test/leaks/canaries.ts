/**
 * The secrets of the battery's database: random, seeded, and found again in any form that somebody gives them.
 *
 * A second set of them is what the same customers might have been: the types, the NULLs, the shapes and the
 * uniqueness stay, the values are others.
 */

import { Random } from '../fuzz/random.ts';

/** What one customer keeps to themselves. */
export interface Secrets {
  readonly email: string;
  readonly phone: string;
  readonly nationalId: string;
  readonly card: string;
  readonly notes: string;
  readonly ssn: string;
  /** Letters, kept as bytes. */
  readonly secret: string;
  readonly maiden: string;
  readonly aliases: readonly [string, string];
  readonly street: string;
  readonly account: string;
  readonly risk: 'low' | 'medium' | 'high';
  readonly born: string;
  readonly recoveryCode: string;
  readonly payload: string;
}

/** A secret without what anybody could guess around it. */
export interface Canary {
  readonly name: string;
  /** Letters and digits of ASCII. */
  readonly core: string;
  /** The whole value, for its digests. */
  readonly value: string;
}

/** How values of another set differ: in their letters alone, or in their lengths too. */
type Lengths = 'same' | 'other';

const CUSTOMER_COUNT = 8;
export const SEED = 20_261;

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const CAPITALS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';

export function makeSecrets(seed: number, lengths: Lengths = 'same'): readonly Secrets[] {
  const random = new Random(seed, 7);
  return Array.from({ length: CUSTOMER_COUNT }, (_, at) => secretsOf(random, at, lengths));
}

/** Everything that must not be seen of them. */
export function canariesOf(secrets: readonly Secrets[]): readonly Canary[] {
  return secrets.flatMap((one, at) => {
    const cores: readonly (readonly [string, string, string])[] = [
      ['email', one.email.split('@')[0] ?? '', one.email],
      ['phone', one.phone.slice(1), one.phone],
      ['national_id', one.nationalId, one.nationalId],
      ['card', one.card, one.card],
      ['notes', one.notes.split(' ').at(-1) ?? '', one.notes],
      ['ssn', one.ssn.replaceAll('-', ''), one.ssn],
      ['secret', one.secret, one.secret],
      ['profile', one.maiden, one.maiden],
      ['aliases', one.aliases[0], one.aliases[0]],
      ['aliases', one.aliases[1], one.aliases[1]],
      ['address', one.street.split(' ')[0] ?? '', one.street],
      ['account_no', one.account, one.account],
      ['recovery_code', one.recoveryCode, one.recoveryCode],
      ['payload', one.payload.split(' ').at(-1) ?? '', one.payload],
    ];
    return cores.map(([name, core, value]) => ({ name: `${name} of ${at + 1}`, core, value }));
  });
}

/** Digits never begin with what real formats reserve, so that every value is valid for its column. */
function secretsOf(random: Random, at: number, lengths: Lengths): Secrets {
  const more = lengths === 'other' ? 1 + random.below(4) : 0;
  const word = (length: number): string => text(random, LETTERS, length + more);
  const digits = (length: number): string => text(random, DIGITS, length);
  return {
    email: `${word(14)}@mail.example`,
    phone: `+49${digits(10 + more)}`,
    nationalId: text(random, CAPITALS, 12 + more),
    card: `4${digits(15)}`,
    notes: `prefers calls about ${word(16)}`,
    ssn: `${digits(3)}-${digits(2)}-${digits(4)}`,
    secret: word(16),
    maiden: word(15),
    aliases: [word(12), word(13)],
    street: `${word(14)} ${1 + random.below(89)}`,
    account: `${1 + random.below(8)}${digits(14)}`,
    risk: random.pick(['low', 'medium', 'high'] as const),
    born: `19${10 + random.below(89)}-0${1 + random.below(9)}-1${at}`,
    recoveryCode: word(18),
    payload: `changed ${word(16)}`,
  };
}

function text(random: Random, alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[random.below(alphabet.length)] ?? '').join('');
}
