/**
 * `generalise`: a value becomes the range that it is in, as its least value.
 *
 * Spec: spec/masking-operators.md, section 1. Never further from zero than the value was, so that every
 * result is in the type's range, and in the same order as the values were, so that ranges stay ranges.
 */

import { int16Bytes, int32Bytes, int64Bytes, float64Bytes, ValueReader } from './bytes.ts';
import { bytesOfDays, bytesOfMidnight, firstDayOf } from './date-time.ts';
import { daysOfBinary, daysOfText, daysOfTimestampBinary, daysOfTimestampText } from './date-time.ts';
import { bytesOfDecimal, type Decimal, decimalOfBinary, decimalOfText, truncated } from './decimal.ts';
import { networkOf } from './network.ts';
import type { Generalise, Wire } from './operator.ts';
import { utf8Bytes } from './text-encoding.ts';

const DEFAULT_WIDTH = 10;
const DEFAULT_UNIT = 'month';
/** A tenth of a degree is eleven kilometres. */
const DEFAULT_POINT_DECIMALS = 1;

interface Value {
  readonly bytes: Uint8Array;
  /** In text format, what the bytes say. */
  readonly text: string | undefined;
  readonly wire: Wire;
  readonly operator: Generalise;
}

/** Undefined where a type, or such a value of it, has no coarser form: it is redacted. */
type Generalised = Uint8Array | undefined;

const BY_TYPE: Readonly<Record<string, (value: Value) => Generalised>> = {
  int2: (value) => wholeNumber(value, 2),
  int4: (value) => wholeNumber(value, 4),
  int8: (value) => wholeNumber(value, 8),
  float4: (value) => floating(value, 4),
  float8: (value) => floating(value, 8),
  numeric,
  date,
  timestamp: (value) => timestamp(value, false),
  timestamptz: (value) => timestamp(value, true),
  inet: ({ bytes, text, wire }) => networkOf(bytes, text, wire, false),
  cidr: ({ bytes, text, wire }) => networkOf(bytes, text, wire, true),
  point,
};

/** The coarser value; `text` is the value's in text format. */
export function generalised(
  typeName: string,
  bytes: Uint8Array,
  text: string | undefined,
  wire: Wire,
  operator: Generalise,
): Generalised {
  return BY_TYPE[typeName]?.({ bytes, text, wire, operator });
}

/** A text that is a number, as the number; `34` in a column of ages that are texts. */
export function generalisedText(text: string, operator: Generalise): string | undefined {
  const number = decimalOfText(text.trim());
  if (number === undefined) return undefined;
  return new TextDecoder().decode(bytesOfDecimal(coarse(number, operator), 'text'));
}

function wholeNumber({ bytes, text, operator }: Value, width: 2 | 4 | 8): Generalised {
  const number = text === undefined ? integerOf(bytes, width) : integerOfText(text);
  if (number === undefined) return undefined;
  const { negative, digits } = coarse(
    { negative: number < 0n, digits: number < 0n ? -number : number, scale: 0 },
    operator,
  );
  const result = negative ? -digits : digits;
  if (text !== undefined) return utf8Bytes(String(result));
  if (width === 8) return int64Bytes(result);
  return width === 4 ? int32Bytes(Number(result)) : int16Bytes(Number(result));
}

function integerOf(bytes: Uint8Array, width: 2 | 4 | 8): bigint {
  const reader = new ValueReader(bytes, 'an integer');
  const number = width === 8 ? reader.int64() : BigInt(width === 4 ? reader.int32() : reader.int16());
  reader.end();
  return number;
}

function integerOfText(text: string): bigint | undefined {
  return /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined;
}

function numeric({ bytes, text, wire, operator }: Value): Generalised {
  const number = text === undefined ? decimalOfBinary(bytes) : decimalOfText(text);
  return number === undefined ? undefined : bytesOfDecimal(coarse(number, operator), wire.format);
}

/** A multiple of the width, or fewer decimals; at most the ceiling. */
function coarse(value: Decimal, { width = DEFAULT_WIDTH, decimals, ceiling }: Generalise): Decimal {
  const unit = 10n ** BigInt(value.scale);
  if (ceiling !== undefined && !value.negative && value.digits > BigInt(ceiling) * unit) {
    return { ...value, digits: BigInt(ceiling) * unit };
  }
  if (decimals !== undefined) {
    const cut = truncated(value, decimals);
    // The scale stays, as the type may declare it.
    return { ...value, digits: cut.digits * 10n ** BigInt(value.scale - cut.scale) };
  }
  const step = BigInt(width) * unit;
  return { ...value, digits: value.digits - (value.digits % step) };
}

function floating({ bytes, text, operator }: Value, width: 4 | 8): Generalised {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (text === undefined && bytes.length !== width) return undefined;
  const binary = width === 4 ? (): number => view.getFloat32(0) : (): number => view.getFloat64(0);
  const number = text === undefined ? binary() : numberOfText(text);
  if (!Number.isFinite(number)) return undefined;
  const result = coarseNumber(number, operator);
  if (text !== undefined) return utf8Bytes(String(result));
  if (width === 8) return float64Bytes(result);
  const four = new Uint8Array(4);
  new DataView(four.buffer).setFloat32(0, result);
  return four;
}

function numberOfText(text: string): number {
  return /^-?[\d.]+(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
}

function coarseNumber(value: number, { width = DEFAULT_WIDTH, decimals, ceiling }: Generalise): number {
  if (ceiling !== undefined && value > ceiling) return ceiling;
  const step = decimals === undefined ? width : 10 ** -decimals;
  const steps = Math.trunc(value / step);
  // Tenths are exact as quotients, and not as products; minus zero is zero.
  return (decimals === undefined ? steps * step : steps / 10 ** decimals) + 0;
}

function date({ bytes, text, wire, operator }: Value): Generalised {
  const days = text === undefined ? daysOfBinary(bytes) : daysOfText(text, wire);
  // An infinity is the end of a range, and nobody's date.
  if (days === undefined) return bytes;
  return bytesOfDays(firstDayOf(days, operator.unit ?? DEFAULT_UNIT), wire);
}

function timestamp({ bytes, text, wire, operator }: Value, isZoned: boolean): Generalised {
  const days = text === undefined ? daysOfTimestampBinary(bytes) : daysOfTimestampText(text, wire, isZoned);
  if (days === undefined) return bytes;
  if (days === 'unread') return undefined;
  return bytesOfMidnight(firstDayOf(days, operator.unit ?? DEFAULT_UNIT), wire, isZoned);
}

function point({ bytes, text, operator }: Value): Generalised {
  const rounding: Generalise = { kind: 'generalise', decimals: operator.decimals ?? DEFAULT_POINT_DECIMALS };
  const [x = Number.NaN, y = Number.NaN] =
    text === undefined
      ? coordinates(bytes)
      : text
          .replace(/^\(|\)$/g, '')
          .split(',')
          .map(numberOfText);
  if (!Number.isFinite(x) || !Number.isFinite(y)) return undefined;
  const [coarseX, coarseY] = [coarseNumber(x, rounding), coarseNumber(y, rounding)];
  return text === undefined ? float64Bytes(coarseX, coarseY) : utf8Bytes(`(${coarseX},${coarseY})`);
}

function coordinates(bytes: Uint8Array): readonly number[] {
  const reader = new ValueReader(bytes, 'a point');
  const both = [reader.float64(), reader.float64()];
  reader.end();
  return both;
}
