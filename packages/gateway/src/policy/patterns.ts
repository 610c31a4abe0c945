/**
 * The small languages inside of rules: tables, functions, numbers of rows, addresses, hours.
 *
 * Spec: spec/policy.md §3. Each parse function throws a PatternProblem that says what was expected.
 */

import type { QualifiedName } from '../core/effects.ts';

/** What was expected and did not come; the caller says where. */
export class PatternProblem extends Error {}

/** `table`, `schema.table`, `table(column, …)`; `*` at the end of a part stands for any rest. */
export interface NamePattern {
  readonly text: string;
  readonly schema: string | undefined;
  readonly name: string;
  readonly columns: readonly string[] | undefined;
}

const IDENTIFIER = '[a-z_\\u0080-\\uffff][a-z0-9_$\\u0080-\\uffff]*\\*?|\\*|"[^"\\u0000]+"';
const NAME = new RegExp(
  `^(?:(${IDENTIFIER})\\.)?(${IDENTIFIER})(?:\\(\\s*((?:${IDENTIFIER})(?:\\s*,\\s*(?:${IDENTIFIER}))*)\\s*\\))?$`,
);

export function parseNamePattern(text: string): NamePattern {
  const found = NAME.exec(text);
  const name = found?.[2];
  if (found === null || name === undefined) {
    throw new PatternProblem(
      `expected a name as table, schema.table or table(column, …), in lower case or in double quotes, not "${text}"`,
    );
  }
  const columns = found[3]?.split(',').map((column) => unquoted(column.trim()));
  const schema = found[1] === undefined ? undefined : unquoted(found[1]);
  return { text, schema, name: unquoted(name), columns };
}

function unquoted(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1) : part;
}

/**
 * Whether a name may be what the pattern means. A schema that only one of both states does not tell them
 * apart: an unqualified name is found through search_path.
 */
export function matchesName(pattern: NamePattern, found: QualifiedName): boolean {
  if (!matchesPart(pattern.name, found.name)) return false;
  if (pattern.schema === undefined || found.schema === undefined) return true;
  return matchesPart(pattern.schema, found.schema);
}

/** Whether columns that are written are among those of the pattern; `all` may be any. */
export function matchesColumns(pattern: NamePattern, columns: readonly string[] | 'all'): boolean {
  const { columns: wanted } = pattern;
  if (wanted === undefined || columns === 'all') return true;
  return columns.some((column) => wanted.some((part) => matchesPart(part, column)));
}

function matchesPart(pattern: string, part: string): boolean {
  return pattern.endsWith('*') ? part.startsWith(pattern.slice(0, -1)) : part === pattern;
}

/** A bound on a number of rows. */
export interface RowBound {
  readonly text: string;
  /** Up to this number the rule does not apply. */
  readonly allowed: number;
}

/** `>= 100` or `> 99`. */
export function parseRowBound(text: string): RowBound {
  const found = /^(>=?)\s*([0-9]{1,15})$/.exec(text);
  const number = Number(found?.[2]);
  if (found === null || (found[1] === '>=' && number === 0)) {
    throw new PatternProblem(`expected a bound as ">= 100" or "> 99", from 1 row on, not "${text}"`);
  }
  return { text, allowed: found[1] === '>=' ? number - 1 : number };
}

/** `30s`, `15m`, `8h` or `7d`, in milliseconds. */
export function parseDurationMs(text: string): number {
  const found = /^([1-9][0-9]{0,5})(s|m|h|d)$/.exec(text);
  const unit = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[found?.[2] ?? ''];
  if (found === null || unit === undefined) {
    throw new PatternProblem(`expected a duration as 30s, 15m, 8h or 7d, not "${text}"`);
  }
  return Number(found[1]) * unit;
}

/** An address range; IPv4 is kept as IPv4-mapped IPv6, so that there is one kind. */
export interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
}

const ALL_BITS = 128n;
const MAPPED = 0xffffn << 32n;

/** `10.0.0.0/8`, `2001:db8::/32` or one address. */
export function parseAddressRange(text: string): AddressRange {
  const [address = '', length, ...more] = text.split('/');
  const parsed = parseAddress(address);
  const isV4 = !address.includes(':');
  const max = isV4 ? 32 : 128;
  const bits = length === undefined ? max : /^[0-9]{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (parsed === undefined || more.length > 0 || !(bits <= max)) {
    throw new PatternProblem(`expected an address or a range as 10.0.0.0/8 or 2001:db8::/32, not "${text}"`);
  }
  const free = ALL_BITS - BigInt(isV4 ? bits + 96 : bits);
  const first = (parsed >> free) << free;
  if (first !== parsed) throw new PatternProblem(`"${text}" has bits behind its prefix that are not 0`);
  return { first, last: first + (1n << free) - 1n };
}

/** Whether an address as a socket states it is in the range; false for what is no address. */
export function inRange(range: AddressRange, address: string): boolean {
  const parsed = parseAddress(address.split('%')[0] ?? '');
  return parsed !== undefined && parsed >= range.first && parsed <= range.last;
}

function parseAddress(text: string): bigint | undefined {
  const v4 = parseV4(text);
  if (v4 !== undefined) return MAPPED | v4;
  if (!/^[0-9a-f:.]{2,45}$/i.test(text)) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : groupsOf(half)));
  const [before, after = []] = groups;
  if (before === undefined || groups.includes(undefined)) return undefined;
  const missing = 8 - before.length - (after ?? []).length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  let value = 0n;
  const filled: readonly bigint[] = [
    ...before,
    ...Array.from({ length: missing }, () => 0n),
    ...(after ?? []),
  ];
  for (const group of filled) value = (value << 16n) | group;
  return value;
}

/** Groups of 16 bits; the last two may be written as an IPv4 address. */
function groupsOf(half: string): readonly bigint[] | undefined {
  const groups: bigint[] = [];
  const parts = half.split(':');
  for (const [at, part] of parts.entries()) {
    const v4 = at === parts.length - 1 ? parseV4(part) : undefined;
    if (v4 !== undefined) groups.push(v4 >> 16n, v4 & 0xffffn);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const DAY_MINUTES = 1_440;

/** Hours of the week, UTC. */
export interface Hours {
  readonly days: ReadonlySet<number>;
  readonly fromMinute: number;
  /** At most 1,440; not after `fromMinute` where the hours go over midnight. */
  readonly toMinute: number;
}

export function parseHours(hours: {
  readonly days?: readonly string[] | undefined;
  readonly from: string;
  readonly to: string;
}): Hours {
  const days = (hours.days ?? DAYS).map((day) => DAYS.findIndex((known) => known === day));
  if (days.includes(-1)) throw new PatternProblem(`expected days of ${DAYS.join(', ')}`);
  const fromMinute = parseMinute(hours.from);
  const toMinute = parseMinute(hours.to);
  if (fromMinute === toMinute) throw new PatternProblem('the hours begin when they end');
  return { days: new Set(days), fromMinute, toMinute };
}

function parseMinute(text: string): number {
  const found = /^([01][0-9]|2[0-4]):([0-5][0-9])$/.exec(text);
  const minute = Number(found?.[1]) * 60 + Number(found?.[2]);
  if (found === null || minute > DAY_MINUTES) {
    throw new PatternProblem(`expected a time from 00:00 to 24:00, UTC, not "${text}"`);
  }
  return minute;
}

/**
 * Whether a moment is within the hours. Where they go over midnight, the part after it belongs to the
 * day on which they began.
 */
export function withinHours({ days, fromMinute, toMinute }: Hours, nowUs: number): boolean {
  const minutes = Math.floor(nowUs / 60_000_000);
  const minute = minutes % DAY_MINUTES;
  // 1970-01-01 was a Thursday.
  const today = (Math.floor(minutes / DAY_MINUTES) + 4) % 7;
  if (fromMinute < toMinute) return days.has(today) && minute >= fromMinute && minute < toMinute;
  return (days.has(today) && minute >= fromMinute) || (days.has((today + 6) % 7) && minute < toMinute);
}

/** A text with `*` for any rest, compared without regard to case; for names that clients give themselves. */
export function matchesClient(pattern: string, client: string): boolean {
  return matchesPart(pattern.toLowerCase(), client.toLowerCase());
}
