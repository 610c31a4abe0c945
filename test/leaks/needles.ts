/** Every form in which a secret may come back, as bytes to look for. */

import { createHash } from 'node:crypto';
import type { Canary } from './canaries.ts';

export interface Needle {
  readonly bytes: Buffer;
  readonly canary: string;
  readonly form: string;
}

/** So many letters in a row, or digits, are no chance. */
const LETTERS_LENGTH = 8;
const DIGITS_LENGTH = 9;
const DIGESTS = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'];

/** In which reading of the bytes a needle is looked for. */
export interface Needles {
  /** In the bytes as they came. */
  readonly exact: readonly Needle[];
  /** In the bytes with capitals made small. */
  readonly folded: readonly Needle[];
  /** In small letters and digits alone. */
  readonly bare: readonly Needle[];
}

export function needlesOf(canaries: readonly Canary[]): Needles {
  const exact: Needle[] = [];
  const folded: Needle[] = [];
  const bare: Needle[] = [];
  for (const { name: canary, core, value } of canaries) {
    for (const window of windowsOf(core)) {
      const small = window.toLowerCase();
      const add = (list: Needle[], form: string, bytes: Buffer | string): void => {
        list.push({ bytes: Buffer.from(bytes), canary, form });
      };
      add(folded, 'plain', small);
      add(bare, 'plain, with something between', small);
      add(bare, 'backwards', reversed(small));
      for (const spelled of new Set([window, small, window.toUpperCase()])) {
        add(exact, 'UTF-16LE', Buffer.from(spelled, 'utf16le'));
        add(exact, 'UTF-16BE', Buffer.from(spelled, 'utf16le').swap16());
        add(
          exact,
          'UTF-32',
          Buffer.concat(spelled.split('').map((char) => Buffer.from([0, 0, 0, ...Buffer.from(char)]))),
        );
        add(bare, 'hex', Buffer.from(spelled).toString('hex'));
        add(bare, 'hex, backwards', Buffer.from(reversed(spelled)).toString('hex'));
        add(bare, 'bits', bitsOf(spelled));
        for (const one of base64Of(Buffer.from(spelled))) add(exact, 'base64', one);
      }
    }
    for (const whole of new Set([value, value.toLowerCase(), value.toUpperCase(), core])) {
      for (const digest of DIGESTS) {
        const made = createHash(digest).update(whole).digest();
        exact.push({ bytes: made, canary, form: digest });
        folded.push({ bytes: Buffer.from(made.toString('hex')), canary, form: digest });
        exact.push({ bytes: Buffer.from(made.toString('base64').replace(/=+$/, '')), canary, form: digest });
      }
    }
    if (/^\d+$/.test(core)) exact.push(...numberForms(canary, BigInt(core)));
  }
  return { exact: unique(exact), folded: unique(folded), bare: unique(bare) };
}

function windowsOf(core: string): readonly string[] {
  const length = Math.min(core.length, /^\d+$/.test(core) ? DIGITS_LENGTH : LETTERS_LENGTH);
  return Array.from({ length: core.length - length + 1 }, (_, at) => core.slice(at, at + length));
}

function reversed(text: string): string {
  return text.split('').toReversed().join('');
}

function bitsOf(text: string): string {
  return [...Buffer.from(text)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
}

/** At each of the three places in a group, without the characters that its neighbours have a part in. */
function base64Of(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes]);
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor((whole.length * 8) / 6);
    return whole.toString('base64').slice(from, to);
  });
}

/** As PostgreSQL sends numbers in binary. */
function numberForms(canary: string, value: bigint): readonly Needle[] {
  const int8 = Buffer.alloc(8);
  int8.writeBigUInt64BE(value);
  const float8 = Buffer.alloc(8);
  float8.writeDoubleBE(Number(value));
  const digits = value.toString();
  const groups = digits.padStart(Math.ceil(digits.length / 4) * 4, '0').match(/.{4}/g) ?? [];
  const numeric = Buffer.alloc(2 * groups.length);
  for (const [at, group] of groups.entries()) numeric.writeUInt16BE(Number(group), 2 * at);
  return [
    { bytes: int8, canary, form: 'int8' },
    { bytes: float8, canary, form: 'float8' },
    { bytes: numeric, canary, form: 'numeric' },
    { bytes: Buffer.from(value.toString(16)), canary, form: 'hex of the number' },
  ];
}

function unique(needles: readonly Needle[]): readonly Needle[] {
  return [...new Map(needles.map((needle) => [needle.bytes.toString('latin1'), needle])).values()];
}
