/**
 * Server-sent events as they go by: the data of an event is masked as the JSON or the text that it is, and every
 * other byte stays as it is written.
 *
 * Spec: WHATWG HTML, section 9.2.6 (https://html.spec.whatwg.org/multipage/server-sent-events.html): lines that
 * end with CR LF, LF or CR; `data` lines of one event are one text with LF between them; an empty line ends it.
 * spec/masking.md, section 16. Data that begins as an object or array is JSON, except `[DONE]`.
 * An event is held until its end has come; a comment until its line has.
 * Not found: a value of which each event has a piece.
 * Untrusted: every byte.
 */

import { BODY_MASK_LIMITS } from '../../core/http-body-limits.ts';
import { joined } from '../operators/bytes.ts';
import { utf8Bytes } from '../operators/text-encoding.ts';
import type { BodyLeaves } from './body-leaves.ts';
import type { FieldRule } from './body-plan.ts';
import { HeldBytes } from './held-bytes.ts';
import { JsonMasker } from './json-masker.ts';
import type { Place } from './places.ts';
import { isWithheld, withheld } from './withheld.ts';

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;
const EMPTY = new Uint8Array(0);
const NEWLINE = Uint8Array.of(LF);
/** What services say at the end of a stream of JSON. */
const DONE = '[DONE]';
const DATA = 'data';
const decoder = new TextDecoder();

/** A line of an event, as offsets: its value without the space before it, and its end without the line's. */
interface Line {
  readonly from: number;
  readonly isData: boolean;
  readonly valueFrom: number;
  readonly valueTo: number;
  readonly to: number;
}

/** Owns the event that has not ended. */
export class EventStreamMasker {
  readonly #leaves: BodyLeaves;
  readonly #json: JsonMasker<FieldRule>;
  readonly #rule: FieldRule | undefined;
  readonly #held = new HeldBytes();
  #looked = 0;
  #lineFrom = 0;
  #isBehindCr = false;
  #parts: Uint8Array[] = [];

  constructor(leaves: BodyLeaves, root: Place<FieldRule>) {
    this.#leaves = leaves;
    this.#json = new JsonMasker(leaves, root);
    this.#rule = root.value;
  }

  push(chunk: Uint8Array): readonly Uint8Array[] {
    const bytes = this.#held.join(chunk);
    this.#parts = [];
    let from = 0;
    for (;;) {
      const end = this.#blockEnd(bytes, from);
      if (end === -1) break;
      this.#block(bytes, from, end);
      from = end;
    }
    this.#held.keep(bytes, from);
    this.#looked -= from;
    this.#lineFrom -= from;
    if (this.#held.length > BODY_MASK_LIMITS.pieceBytesMax) {
      throw withheld('server-sent events', 'one event of it is too long');
    }
    return this.#parts;
  }

  finish(): readonly Uint8Array[] {
    const bytes = this.#held.join(EMPTY);
    this.#parts = [];
    this.#block(bytes, 0, bytes.length);
    this.#held.clear();
    return this.#parts;
  }

  /** Behind the empty line that ends an event, or a comment; -1 where that is not there. */
  #blockEnd(bytes: Uint8Array, from: number): number {
    for (let at = this.#looked; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte !== LF && byte !== CR) {
        this.#isBehindCr = false;
        continue;
      }
      if (byte === LF && this.#isBehindCr) {
        this.#isBehindCr = false;
        this.#lineFrom = at + 1;
        // It belongs to a line that was given on.
        if (at === from) return this.#ended(at + 1);
        continue;
      }
      this.#isBehindCr = byte === CR;
      const isEmpty = at === this.#lineFrom;
      const isComment = this.#lineFrom === from && bytes[from] === COLON;
      this.#lineFrom = at + 1;
      if (isEmpty || isComment) return this.#ended(at + 1);
    }
    this.#looked = bytes.length;
    return -1;
  }

  #ended(at: number): number {
    this.#looked = at;
    return at;
  }

  #block(bytes: Uint8Array, from: number, to: number): void {
    const lines = linesOf(bytes, from, to);
    const data = lines.filter(({ isData }) => isData);
    const masked = this.#maskedData(bytes, data);
    let copied = from;
    const replace = (start: number, end: number, replacement: Uint8Array): void => {
      this.#parts.push(bytes.subarray(copied, start), replacement);
      copied = end;
    };
    for (const line of lines) {
      if (line.isData) {
        if (masked === undefined) continue;
        if (line === data[0]) replace(line.valueFrom, line.valueTo, inLines(bytes, line, masked));
        else replace(line.from, line.to, EMPTY);
        continue;
      }
      const found = this.#text(bytes, line.valueFrom, line.valueTo, undefined);
      if (found !== undefined) replace(line.valueFrom, line.valueTo, found);
    }
    if (to > copied) this.#parts.push(bytes.subarray(copied, to));
  }

  #maskedData(bytes: Uint8Array, lines: readonly Line[]): Uint8Array | undefined {
    const [first, ...more] = lines;
    if (first === undefined) return undefined;
    const values = more.flatMap(({ valueFrom, valueTo }) => [NEWLINE, bytes.subarray(valueFrom, valueTo)]);
    const head = bytes.subarray(first.valueFrom, first.valueTo);
    const data = values.length === 0 ? head : joined([head, ...values]);
    const begin = data.find((byte) => byte !== SPACE && byte !== LF && byte !== 0x09);
    if (begin === OPEN_OBJECT || begin === OPEN_ARRAY) {
      if (data.length < 64 && decoder.decode(data).trim() === DONE) return undefined;
      return this.#maskedJson(data);
    }
    if (begin !== QUOTE) return this.#text(data, 0, data.length, this.#rule);
    try {
      return this.#maskedJson(data);
    } catch (error) {
      if (!isWithheld(error)) throw error;
      // A text that begins with a quote.
      this.#json.restart();
      return this.#text(data, 0, data.length, this.#rule);
    }
  }

  #maskedJson(data: Uint8Array): Uint8Array | undefined {
    const parts = [...this.#json.push(data), ...this.#json.finish()];
    const masked = joined(parts);
    return isSame(masked, data) ? undefined : masked;
  }

  #text(bytes: Uint8Array, from: number, to: number, rule: FieldRule | undefined): Uint8Array | undefined {
    const masked = this.#leaves.string(bytes, from, to, 0, rule);
    return masked === null ? EMPTY : masked;
  }
}

function linesOf(bytes: Uint8Array, from: number, to: number): readonly Line[] {
  const lines: Line[] = [];
  let lineFrom = from;
  while (lineFrom < to) {
    let end = lineFrom;
    while (end < to && bytes[end] !== LF && bytes[end] !== CR) end += 1;
    const behind =
      bytes[end] === CR && bytes[end + 1] === LF && end + 1 < to ? end + 2 : Math.min(to, end + 1);
    // A byte order mark may stand before the first line.
    const nameFrom = bytes[lineFrom] === 0xef && bytes[lineFrom + 1] === 0xbb ? lineFrom + 3 : lineFrom;
    const colon = bytes.subarray(lineFrom, end).indexOf(COLON);
    const nameTo = colon === -1 ? end : lineFrom + colon;
    const valueFrom =
      colon === -1 ? lineFrom : nameTo + (bytes[nameTo + 1] === SPACE && nameTo + 1 < end ? 2 : 1);
    const isData =
      colon !== -1 &&
      nameTo - nameFrom === DATA.length &&
      decoder.decode(bytes.subarray(nameFrom, nameTo)) === DATA;
    lines.push({ from: lineFrom, isData, valueFrom, valueTo: end, to: behind });
    lineFrom = behind;
  }
  return lines;
}

/** A text as the values of lines like this one. */
function inLines(bytes: Uint8Array, line: Line, text: Uint8Array): Uint8Array {
  if (!text.includes(LF)) return text;
  const before = bytes.subarray(line.from, line.valueFrom);
  const behind = bytes.subarray(line.valueTo, line.to);
  const values = decoder.decode(text).split('\n').map(utf8Bytes);
  return joined(values.flatMap((value, index) => (index === 0 ? [value] : [behind, before, value])));
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
