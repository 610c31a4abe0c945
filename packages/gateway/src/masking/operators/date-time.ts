/**
 * PostgreSQL's dates and timestamps, in text and in binary.
 *
 * Spec: PostgreSQL 18, "Date/Time Output" and `src/backend/utils/adt/datetime.c`. Binary: days in Int32,
 * microseconds in Int64, from 2000-01-01; the least and the greatest number are the infinities.
 * A date in text is read in each DateStyle; a timestamp with time zone in ISO alone, because the others
 * name zones by abbreviations.
 */

import { int32Bytes, int64Bytes, malformed, ValueReader } from './bytes.ts';
import { dateStyleOf } from './constants.ts';
import type { Wire } from './operator.ts';
import { utf8Bytes } from './text-encoding.ts';

/** Days from 2000-01-01 in the proleptic Gregorian calendar. */
export type Days = number;

interface Calendar {
  /** 0 is 1 BC. */
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const DAY_US = 86_400_000_000n;
const INFINITE_DAYS: readonly number[] = [0x7fffffff, -0x80000000];
const INFINITE_US: readonly bigint[] = [(1n << 63n) - 1n, -(1n << 63n)];
/** 2000-01-01 in days from 0000-03-01, from where months are counted so that leap days come last. */
const EPOCH_DAYS = 730_425;

/** The days of a date; undefined for an infinity. */
export function daysOfBinary(bytes: Uint8Array): Days | undefined {
  const reader = new ValueReader(bytes, 'a date');
  const days = reader.int32();
  reader.end();
  return INFINITE_DAYS.includes(days) ? undefined : days;
}

export function daysOfText(text: string, wire: Wire): Days | undefined {
  if (isInfinite(text)) return undefined;
  const { date, isBefore } = withoutEra(text);
  const parsed = parseDate(date, wire, isBefore);
  if (parsed === undefined) throw malformed('a date');
  return daysOf(parsed);
}

/** The days of a timestamp's date, in UTC where it has a zone; undefined for an infinity. */
export function daysOfTimestampBinary(bytes: Uint8Array): Days | undefined {
  const reader = new ValueReader(bytes, 'a timestamp');
  const microseconds = reader.int64();
  reader.end();
  if (INFINITE_US.includes(microseconds)) return undefined;
  const days = microseconds / DAY_US;
  return Number(microseconds % DAY_US < 0n ? days - 1n : days);
}

/** `unread` where the DateStyle names the zone by an abbreviation. */
export function daysOfTimestampText(text: string, wire: Wire, isZoned: boolean): Days | 'unread' | undefined {
  if (isInfinite(text)) return undefined;
  const style = dateStyleOf(wire);
  if (isZoned && style !== 'ISO') return 'unread';
  const { date: rest, isBefore } = withoutEra(text);
  const parts =
    style === 'POSTGRES'
      ? /^(?<day>[A-Z][a-z]{2} \S+ \S+) (?<time>[\d:.]+) (?<year>\d{4,})$/.exec(rest)
      : /^(?<day>\S+) (?<time>[\d:.]+)(?<zone>[+-]\d\d(?::\d\d){0,2})?$/.exec(rest);
  const { day = '', time = '', year, zone } = parts?.groups ?? {};
  const parsed = year === undefined ? parseDate(day, wire, isBefore) : parseNamed(day, year, isBefore);
  const seconds = secondsOf(time);
  if (parsed === undefined || seconds === undefined || isZoned !== (zone !== undefined)) {
    throw malformed('a timestamp');
  }
  return daysOf(parsed) + Math.floor((seconds - zoneSeconds(zone)) / 86_400);
}

export function bytesOfDays(days: Days, wire: Wire): Uint8Array {
  return wire.format === 'binary' ? int32Bytes(days) : utf8Bytes(dateText(calendarOf(days), wire));
}

/** Midnight of a day; in UTC where it has a zone. */
export function bytesOfMidnight(days: Days, wire: Wire, isZoned: boolean): Uint8Array {
  if (wire.format === 'binary') return int64Bytes(BigInt(days) * DAY_US);
  const { year, month, day } = calendarOf(days);
  const zone = isZoned ? '+00' : '';
  if (dateStyleOf(wire) !== 'POSTGRES') {
    const text = dateText({ year, month, day }, wire);
    const era = text.endsWith(' BC') ? ' BC' : '';
    return utf8Bytes(`${text.slice(0, text.length - era.length)} 00:00:00${zone}${era}`);
  }
  const dayMonth = isDayFirst(wire) ? [two(day), MONTHS[month - 1]] : [MONTHS[month - 1], two(day)];
  const weekday = WEEKDAYS[(((days + 6) % 7) + 7) % 7] ?? '';
  return utf8Bytes(`${weekday} ${dayMonth.join(' ')} 00:00:00 ${yearText(year)}`);
}

/** The first day of the month, quarter or year. */
export function firstDayOf(days: Days, unit: 'month' | 'quarter' | 'year'): Days {
  const { year, month } = calendarOf(days);
  const months = { month: 1, quarter: 3, year: 12 }[unit];
  return daysOf({ year, month: month - ((month - 1) % months), day: 1 });
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** 2000-01-01 was a Saturday. */
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

function isInfinite(text: string): boolean {
  return text === 'infinity' || text === '-infinity';
}

function withoutEra(text: string): { readonly date: string; readonly isBefore: boolean } {
  const isBefore = text.endsWith(' BC');
  return { date: isBefore ? text.slice(0, -3) : text, isBefore };
}

/** Years before Christ have no 0: 1 BC is 0 here. */
function calendar(year: string, month: string, day: string, isBefore: boolean): Calendar | undefined {
  const parsed = { year: isBefore ? 1 - Number(year) : Number(year), month: Number(month), day: Number(day) };
  const again = calendarOf(daysOf(parsed));
  // The thirtieth of February is no date.
  return again.month === parsed.month && again.day === parsed.day ? parsed : undefined;
}

function parseDate(text: string, wire: Wire, isBefore: boolean): Calendar | undefined {
  const style = dateStyleOf(wire);
  if (style === 'ISO') {
    const iso = /^(\d{4,7})-(\d\d)-(\d\d)$/.exec(text);
    return iso === null ? undefined : calendar(iso[1] ?? '', iso[2] ?? '', iso[3] ?? '', isBefore);
  }
  const parts = /^(\d\d)[-/.](\d\d)[-/.](\d{4,7})$/.exec(text);
  if (parts === null) return undefined;
  const [, first = '', second = '', year = ''] = parts;
  return isDayFirst(wire) ? calendar(year, second, first, isBefore) : calendar(year, first, second, isBefore);
}

/** `Thu Jan 15` or, with the day first, `Thu 15 Jan`. */
function parseNamed(text: string, year: string, isBefore: boolean): Calendar | undefined {
  const [, first = '', second = ''] = text.split(' ');
  const [name, day] = /^\d/.test(first) ? [second, first] : [first, second];
  const month = MONTHS.indexOf(name) + 1;
  if (month === 0 || !/^\d\d$/.test(day)) return undefined;
  return calendar(year, String(month), day, isBefore);
}

/** German dates begin with the day whatever DateStyle's order is. */
function isDayFirst(wire: Wire): boolean {
  return dateStyleOf(wire) === 'GERMAN' || /\bDMY\b/i.test(wire.dateStyle);
}

function secondsOf(time: string): number | undefined {
  const parts = /^(\d\d):(\d\d):(\d\d)(?:\.\d{1,6})?$/.exec(time);
  if (parts === null) return undefined;
  return Number(parts[1]) * 3_600 + Number(parts[2]) * 60 + Number(parts[3]);
}

function zoneSeconds(zone: string | undefined): number {
  if (zone === undefined) return 0;
  const [hours = 0, minutes = 0, seconds = 0] = zone.slice(1).split(':').map(Number);
  return (hours * 3_600 + minutes * 60 + seconds) * (zone.startsWith('-') ? -1 : 1);
}

function dateText({ year, month, day }: Calendar, wire: Wire): string {
  const shown = year > 0 ? year : 1 - year;
  const full = String(shown).padStart(4, '0');
  const era = year > 0 ? '' : ' BC';
  const style = dateStyleOf(wire);
  if (style === 'ISO') return `${full}-${two(month)}-${two(day)}${era}`;
  const separator = { SQL: '/', GERMAN: '.', POSTGRES: '-' }[style];
  const ordered = isDayFirst(wire) ? [two(day), two(month)] : [two(month), two(day)];
  return `${ordered.join(separator)}${separator}${full}${era}`;
}

function yearText(year: number): string {
  return year > 0 ? String(year).padStart(4, '0') : `${String(1 - year).padStart(4, '0')} BC`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** Years begin in March here: the day that is only in some of them is the last. */
function daysOf({ year, month, day }: Calendar): Days {
  const years = month > 2 ? year : year - 1;
  const months = (month + 9) % 12;
  const leaps = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  return years * 365 + leaps + Math.floor((months * 153 + 2) / 5) + day - 1 - EPOCH_DAYS;
}

function calendarOf(days: Days): Calendar {
  const all = days + EPOCH_DAYS;
  const era = Math.floor(all / 146_097);
  const dayOfEra = all - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const months = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * months + 2) / 5) + 1;
  const month = months < 10 ? months + 3 : months - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}
