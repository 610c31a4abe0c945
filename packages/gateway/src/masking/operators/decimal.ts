/**
 * PostgreSQL's numeric, in text and in binary.
 *
 * Spec: PostgreSQL 18, `src/backend/utils/adt/numeric.c`, numeric_recv. Binary: Int16 count of base-10000
 * digits, Int16 weight of the first, UInt16 sign (0, 0x4000; 0xC000 NaN, 0xD000 and 0xF000 infinities),
 * UInt16 decimals, Int16 digits.
 * Refused: digits above 9999; numbers of more decimal digits than are computed with here.
 */

import { MASKING_OPERATOR_LIMITS } from '../../core/masking-limits.ts';
import { int16Bytes, joined, malformed, ValueReader } from './bytes.ts';
import { utf8Bytes } from './text-encoding.ts';

/** A finite number: `digits` without the point, `scale` of them behind it. */
export interface Decimal {
  readonly negative: boolean;
  readonly digits: bigint;
  readonly scale: number;
}

const NEGATIVE = 0x4000;
const SPECIAL = 0xc000;
/** Decimal digits in one base-10000 digit. */
const GROUP = 4;

/** The number of a text, JSON's exponents included; undefined for NaN, infinities and what is too long. */
export function decimalOfText(text: string): Decimal | undefined {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,5}))?$/.exec(text);
  if (parts === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = parts;
  const scale = fraction.length - Number(exponent);
  const zeros = Math.max(0, -scale);
  if (Math.max(whole.length + fraction.length + zeros, scale) > MASKING_OPERATOR_LIMITS.decimalDigitsMax) {
    return undefined;
  }
  const digits = BigInt(whole + fraction) * 10n ** BigInt(zeros);
  return { negative: sign === '-', digits, scale: Math.max(0, scale) };
}

function textOfDecimal({ negative, digits, scale }: Decimal): string {
  const all = digits.toString().padStart(scale + 1, '0');
  const point = all.length - scale;
  const text = scale === 0 ? all : `${all.slice(0, point)}.${all.slice(point)}`;
  return negative && digits !== 0n ? `-${text}` : text;
}

/** The number of a binary value; undefined for NaN and infinities, and what is too long. */
export function decimalOfBinary(bytes: Uint8Array): Decimal | undefined {
  const reader = new ValueReader(bytes, 'a numeric');
  const count = reader.int16();
  const weight = reader.int16();
  const sign = reader.uint16();
  const scale = reader.uint16();
  const groups = Array.from({ length: Math.max(0, count) }, () => reader.int16());
  reader.end();
  if (groups.some((group) => group < 0 || group > 9_999)) throw malformed('a numeric');
  if ((sign & SPECIAL) === SPECIAL) return undefined;
  if (Math.max(count, Math.abs(weight)) * GROUP + scale > MASKING_OPERATOR_LIMITS.decimalDigitsMax) {
    return undefined;
  }
  const text = groups.map((group) => String(group).padStart(GROUP, '0')).join('');
  // The digits end this many decimal places behind the point; what they lack is zeros.
  const places = (count - 1 - weight) * GROUP;
  const unscaled = BigInt(text === '' ? '0' : text);
  const digits =
    places > scale ? unscaled / 10n ** BigInt(places - scale) : unscaled * 10n ** BigInt(scale - places);
  return { negative: sign === NEGATIVE, digits, scale };
}

function binaryOfDecimal({ negative, digits, scale }: Decimal): Uint8Array {
  const behind = Math.ceil(scale / GROUP);
  const aligned = (digits * 10n ** BigInt(behind * GROUP - scale)).toString();
  const padded = aligned.padStart(Math.ceil(aligned.length / GROUP) * GROUP, '0');
  const weight = digits === 0n ? 0 : padded.length / GROUP - 1 - behind;
  // Groups of zeros at the end are not written; zero has no groups.
  const groups = (padded.replace(/(0000)+$/, '').match(/\d{4}/g) ?? []).map(Number);
  const sign = negative && digits !== 0n ? NEGATIVE : 0;
  return joined([groups.length, weight, sign, scale, ...groups].map(int16Bytes));
}

/** The number, with so many decimals fewer, towards zero. */
export function truncated(value: Decimal, decimals: number): Decimal {
  if (value.scale <= decimals) return value;
  return { ...value, digits: value.digits / 10n ** BigInt(value.scale - decimals), scale: decimals };
}

/** In the form in which it came. */
export function bytesOfDecimal(value: Decimal, format: 'text' | 'binary'): Uint8Array {
  return format === 'text' ? utf8Bytes(textOfDecimal(value)) : binaryOfDecimal(value);
}
