/**
 * Whether a secret is in what a client was sent: as it is, encoded, digested, backwards, or cut in pieces over rows.
 *
 * The same bytes are read in several ways, and each reading is searched for what {@link needlesOf} gives: all
 * as it came; values one behind the other; each column down its rows; escapes resolved; numbers as characters.
 */

import type { ServerFrame } from '../differential/wire-client.ts';
import type { Canary } from './canaries.ts';
import { type Needle, type Needles, needlesOf } from './needles.ts';

interface Leak {
  readonly canary: string;
  readonly form: string;
  /** In which reading it was found. */
  readonly reading: string;
}

type Reading = readonly [name: string, bytes: Buffer];

export class LeakSearch {
  readonly #exact: Finder;
  readonly #folded: Finder;
  readonly #bare: Finder;

  constructor(canaries: readonly Canary[]) {
    const needles: Needles = needlesOf(canaries);
    this.#exact = new Finder(needles.exact);
    this.#folded = new Finder(needles.folded);
    this.#bare = new Finder(needles.bare);
  }

  /** In everything that a client received; each canary once in each form. */
  leaksOf(frames: readonly ServerFrame[]): readonly Leak[] {
    return this.#in(readingsOf(frames));
  }

  /** In bytes without messages. */
  inBytes(bytes: Buffer): readonly Leak[] {
    return this.#in([['the bytes', bytes], ...decodedReadings('the bytes', bytes.toString('latin1'))]);
  }

  #in(readings: readonly Reading[]): readonly Leak[] {
    const found = new Map<string, Leak>();
    for (const [reading, bytes] of readings) {
      const small = folded(bytes);
      const needles = [...this.#exact.in(bytes), ...this.#folded.in(small), ...this.#bare.in(bare(small))];
      for (const { canary, form } of needles) {
        const key = `${canary} ${form}`;
        if (!found.has(key)) found.set(key, { canary, form, reading });
      }
    }
    return [...found.values()];
  }
}

/** Many needles in one pass: a table of their first four bytes, and comparing where it says so. */
class Finder {
  readonly #mayStart = new Uint8Array(65_536);
  readonly #byStart = new Map<number, Needle[]>();

  constructor(needles: readonly Needle[]) {
    for (const needle of needles) {
      const start = needle.bytes.readUInt32BE(0);
      this.#mayStart[hashOf(start)] = 1;
      const same = this.#byStart.get(start);
      if (same === undefined) this.#byStart.set(start, [needle]);
      else same.push(needle);
    }
  }

  in(bytes: Buffer): readonly Needle[] {
    const found = new Set<Needle>();
    let start = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      start = ((start << 8) | (bytes[at] ?? 0)) >>> 0;
      if (at < 3 || this.#mayStart[hashOf(start)] === 0) continue;
      for (const needle of this.#byStart.get(start) ?? []) {
        const from = at - 3;
        const to = from + needle.bytes.length;
        if (to <= bytes.length && needle.bytes.compare(bytes, from, to) === 0) found.add(needle);
      }
    }
    return [...found];
  }
}

function hashOf(start: number): number {
  return Math.imul(start, 0x9e37_79b1) >>> 16;
}

/** Each reading of a session's messages. */
function readingsOf(frames: readonly ServerFrame[]): readonly Reading[] {
  const all: Reading[] = [
    [
      'all messages',
      joined(
        frames.map(({ body }) => body),
        '\0',
      ),
    ],
  ];
  const values = valuesOf(frames);
  const texts = values.flat().map((value) => value.toString('latin1'));
  all.push(['values in a row', Buffer.from(texts.join(''), 'latin1')]);
  all.push(...decodedReadings('all values', texts.join('\n')));
  for (const [at, column] of columnsOf(frames).entries()) {
    const down = column.map((value) => value.toString('latin1'));
    all.push([`column ${at}`, Buffer.from(down.join(''), 'latin1')]);
    all.push(...decodedReadings(`column ${at}`, down.join('\n')));
    all.push([`binary numbers of column ${at}`, Buffer.from(column.flatMap(smallNumber))]);
    all.push([`lengths of column ${at}`, Buffer.from(down.flatMap(({ length }) => characterOf(length)))]);
    const first = down.map((value) => value.slice(0, 1));
    all.push([`first letters of column ${at}`, Buffer.from(first.join(''), 'latin1')]);
  }
  const names = frames.filter(({ type }) => type === 'N' || type === 'E' || type === 'A' || type === 'S');
  all.push(['last words of messages', Buffer.from(names.map(lastWord).join(''), 'latin1')]);
  const tags = frames
    .filter(({ type }) => type === 'C')
    .map(({ body }) => Number(/\d+(?=\0$)/.exec(body.toString('latin1'))?.[0]));
  all.push(['counts of rows', Buffer.from(tags.flatMap(characterOf))]);
  return all;
}

/** Escapes resolved, and numbers as characters. */
function decodedReadings(name: string, text: string): readonly Reading[] {
  const numbers = [...text.matchAll(/(?<![\d.])\d{2,3}(?![\d.])/g)].map(([number]) => Number(number));
  const chars = numbers.flatMap(characterOf);
  return [
    [`${name} without line breaks`, Buffer.from(text.replaceAll(/[\r\n]/g, ''), 'latin1')],
    [`escapes in ${name}`, Buffer.from(unescaped(text), 'latin1')],
    [`numbers in ${name}`, Buffer.from(chars)],
  ];
}

/** Escapes of JSON, bytea, URLs and XML. */
function unescaped(text: string): string {
  if (!/[\\%&]/.test(text)) return '';
  return text
    .replaceAll(/\\+u00([0-9a-f]{2})/gi, (_, hex: string) => char(Number.parseInt(hex, 16)))
    .replaceAll(/\\+x([0-9a-f]{2})/gi, (_, hex: string) => char(Number.parseInt(hex, 16)))
    .replaceAll(/\\+([0-7]{3})/g, (_, octal: string) => char(Number.parseInt(octal, 8)))
    .replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => char(Number.parseInt(hex, 16)))
    .replaceAll(/&#x([0-9a-f]{2});/gi, (_, hex: string) => char(Number.parseInt(hex, 16)))
    .replaceAll(/&#(\d{2,3});/g, (_, decimal: string) => char(Number(decimal)));
}

function char(code: number): string {
  return String.fromCharCode(code & 0xff);
}

/** Rows of queries, and lines of COPY, value by value. */
function valuesOf(frames: readonly ServerFrame[]): readonly (readonly Buffer[])[] {
  return frames.flatMap(({ type, body }) => {
    if (type === 'D') return [cells(body)];
    if (type === 'd') return [[body]];
    return type === 'E' || type === 'N' || type === 'A' || type === 'S' || type === 'V' ? [[body]] : [];
  });
}

/** The columns of each result, and those of COPY in text. */
function columnsOf(frames: readonly ServerFrame[]): readonly (readonly Buffer[])[] {
  const columns = new Map<string, Buffer[]>();
  let result = 0;
  for (const { type, body } of frames) {
    // A cursor that is fetched row by row is one result.
    if (type === 'T') result = body.readUInt16BE(0);
    const row = type === 'D' ? cells(body) : type === 'd' ? copied(body) : [];
    for (const [at, value] of row.entries()) {
      const key = `${type} ${result} ${at}`;
      const column = columns.get(key);
      if (column === undefined) columns.set(key, [value]);
      else column.push(value);
    }
  }
  return [...columns.values()];
}

/** The values of a DataRow; NULL is empty. */
export function cells(body: Buffer): readonly Buffer[] {
  const found: Buffer[] = [];
  let at = 2;
  for (let left = body.readUInt16BE(0); left > 0; left -= 1) {
    const length = body.readInt32BE(at);
    const to = at + 4 + Math.max(0, length);
    found.push(body.subarray(at + 4, to));
    at = to;
  }
  return found;
}

function copied(body: Buffer): readonly Buffer[] {
  return body
    .toString('latin1')
    .replace(/\n$/, '')
    .split('\t')
    .map((value) => Buffer.from(value, 'latin1'));
}

/** The number of a printable character, or nothing. */
function characterOf(number: number): readonly number[] {
  return number >= 32 && number < 127 ? [number] : [];
}

function smallNumber(value: Buffer): readonly number[] {
  if (value.length === 0 || value.length > 8) return [];
  const head = value.subarray(0, -1);
  const last = value.at(-1) ?? 0;
  return head.every((byte) => byte === 0) ? characterOf(last) : [];
}

/** What a message that says one character at a time says. */
function lastWord({ type, body }: ServerFrame): string {
  if (type === 'A' || type === 'S') return body.toString('latin1').replace(/\0+$/, '').at(-1) ?? '';
  const fields = body.toString('latin1').split('\0');
  const message = fields.find((field) => field.startsWith('M'))?.slice(1) ?? '';
  return message.replaceAll(/["'\s]/g, '').at(-1) ?? '';
}

function joined(bodies: readonly Buffer[], between: string): Buffer {
  const separator = Buffer.from(between, 'latin1');
  return Buffer.concat(bodies.flatMap((body) => [body, separator]));
}

function folded(bytes: Buffer): Buffer {
  const small = Buffer.from(bytes);
  for (let at = 0; at < small.length; at += 1) {
    const byte = small[at] ?? 0;
    if (byte >= 65 && byte <= 90) small[at] = byte + 32;
  }
  return small;
}

/** Small letters and digits alone. */
function bare(small: Buffer): Buffer {
  const kept = Buffer.alloc(small.length);
  let length = 0;
  for (const byte of small) {
    if ((byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57)) {
      kept[length] = byte;
      length += 1;
    }
  }
  return kept.subarray(0, length);
}
