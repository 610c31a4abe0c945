/**
 * A text that comes in pieces → what is clear and what is not, as soon as that is certain. The result does
 * not depend on how the bytes are cut: every decision is made where all bytes that it can depend on are
 * there, and is then the same as in the whole text.
 *
 * - Behind a place where the scanner looks, {@link AHEAD_BYTES} have to be there, and the end of whatever is
 *   written there without a space, up to {@link RUN_BYTES_MAX}.
 * - What is given on ends where no value can begin earlier: behind a space, a quote, a comma.
 * - What was given on stays readable for its words, {@link CONTEXT_BYTES} of it.
 * - A private key is masked as it comes, from its first line to its last or to the end of the stream.
 *
 * Spec: spec/masking.md §6.
 */

import { CLASS, IS_BREAK, IS_LETTER, TRIGGER } from './byte-classes.ts';
import { type CompiledRules, mergeSpans, RULE_AHEAD_BYTES, type Span } from './custom-rules.ts';
import { entityId } from './entities.ts';
import { FoldedText, mayFold } from './fold.ts';
import { privateKeyEnd } from './private-key.ts';
import { type Hints, NO_HINTS } from './scan-state.ts';
import { Scanner, type ScannerOptions } from './scanner.ts';

/** The longest number, a password in quotes and the words behind them: nothing looks further. */
const AHEAD_BYTES = 256;
/** Between the place and the run of bytes that has to be whole. */
const NEAR_BYTES = 32;
/** The longest token that is looked at to its end: WORD_BYTES_MAX of code-path.ts, and the place before it. */
const RUN_BYTES_MAX = 16_640;
/** No detector goes further back from where it looks. */
const BACK_BYTES_MAX = 512;
/** Words that are believed, and the longest word. */
const CONTEXT_BYTES = 192;
/** Within a private key: as much as the line that ends it. */
const END_LINE_BYTES = 80;

const PRIVATE_KEY = entityId('PRIVATE_KEY');

/** Takes what was decided, in the order of the stream; the bytes are valid during the call only. */
export interface StreamSink {
  clear(bytes: Uint8Array): void;
  /** A value, whole where `isLast`; a private key comes in parts. */
  found(entity: number, bytes: Uint8Array, isLast: boolean): void;
}

/** Owns what is held back. */
export class StreamingScanner {
  readonly #scanner: Scanner;
  readonly #sink: StreamSink;
  readonly #hints: Hints;
  readonly #rules: CompiledRules | undefined;
  readonly #aheadBytes: number;
  readonly #folded = new FoldedText();
  #bytes: Uint8Array = new Uint8Array(4_096);
  #length = 0;
  /** What lies before was given on. */
  #floor = 0;
  /** How much had been held when it was last looked at. */
  #lookedAt = 0;
  #isInKey = false;
  /** Where the scanner goes on, and rules; where the last value ended. All as offsets of what is kept. */
  #at = 0;
  #rulesAt = 0;
  #lastFound = 0;
  /** Values that were found and not given on. */
  #waiting: Span[] = [];

  constructor(sink: StreamSink, options: ScannerOptions = {}, hints: Hints = NO_HINTS) {
    this.#scanner = new Scanner(options);
    this.#rules = options.rules;
    this.#aheadBytes = options.rules === undefined ? AHEAD_BYTES : Math.max(AHEAD_BYTES, RULE_AHEAD_BYTES);
    this.#sink = sink;
    this.#hints = hints;
  }

  /** Bytes that came and were not given on yet. */
  get heldBytes(): number {
    return this.#length - this.#floor;
  }

  /** Takes the next piece. */
  push(chunk: Uint8Array): void {
    this.#append(chunk);
    // Whoever sends single bytes makes us look again after an eighth more, not after each.
    if (this.heldBytes > 1_024 && this.heldBytes - this.#lookedAt < this.#lookedAt / 8) return;
    this.#advance(false);
  }

  /** No more comes: everything is given on. */
  finish(): void {
    this.#advance(true);
  }

  /**
   * Gives on everything though more may come, because somebody waits for it. What is found then depends on
   * where the pause was: a value that it cuts is two.
   */
  flush(): void {
    this.#advance(true);
  }

  #append(chunk: Uint8Array): void {
    const kept = Math.max(0, this.#floor - CONTEXT_BYTES * 4);
    if (this.#length + chunk.length > this.#bytes.length || kept > 65_536) {
      const start = startOfCharacter(this.#bytes, kept);
      const needed = this.#length - start + chunk.length;
      const target = needed > this.#bytes.length ? new Uint8Array(needed * 2) : this.#bytes;
      target.set(this.#bytes.subarray(start, this.#length));
      this.#bytes = target;
      this.#length -= start;
      this.#floor -= start;
      this.#at -= start;
      this.#rulesAt -= start;
      this.#lastFound = Math.max(0, this.#lastFound - start);
      this.#waiting = this.#waiting.map((span) => ({
        ...span,
        from: span.from - start,
        to: span.to - start,
      }));
    }
    this.#bytes.set(chunk, this.#length);
    this.#length += chunk.length;
  }

  #advance(isEnd: boolean): void {
    let goesOn = true;
    while (goesOn && this.#floor < this.#length) {
      const view = this.#view();
      goesOn = this.#isInKey ? this.#passKey(view, isEnd) : this.#scanView(view, isEnd);
    }
    this.#lookedAt = this.heldBytes;
  }

  /** The text as it is read, with some of what was given on before it. */
  #view(): View {
    const from = startOfCharacter(this.#bytes, Math.max(0, this.#floor - CONTEXT_BYTES * 4));
    const folded = this.#folded;
    if (!mayFold(this.#bytes, from, this.#length) || !folded.fold(this.#bytes, from, this.#length)) {
      return {
        bytes: this.#bytes,
        begin: from,
        floor: this.#floor,
        at: this.#at,
        rulesAt: this.#rulesAt,
        lastFound: this.#lastFound,
        end: this.#length,
        origins: undefined,
      };
    }
    return {
      bytes: folded.bytes,
      begin: 0,
      floor: folded.placeOf(this.#floor),
      at: folded.placeOf(this.#at),
      rulesAt: folded.placeOf(this.#rulesAt),
      lastFound: folded.placeOf(this.#lastFound),
      end: folded.length,
      origins: folded.origins,
    };
  }

  /** Looks at what may be looked at, and gives on what is decided; whether there is more to do. */
  #scanView(view: View, isEnd: boolean): boolean {
    const { bytes, begin, end } = view;
    const limit = isEnd ? end : Math.max(view.floor, lastCertain(bytes, view.floor, end, this.#aheadBytes));
    const scanner = this.#scanner;
    const floor = Math.max(view.floor, view.lastFound);
    const count = scanner.scanWindow(bytes, { begin, floor, at: view.at, limit, end }, this.#hints);
    const last = count === 0 ? floor : (scanner.to[count - 1] ?? floor);
    const isOpenKey =
      count > 0 && !isEnd && scanner.entity[count - 1] === PRIVATE_KEY && last > end - END_LINE_BYTES;
    for (let span = 0; span < (isOpenKey ? count - 1 : count); span += 1) {
      const from = originOf(view, scanner.from[span] ?? 0);
      this.#waiting.push({
        entity: scanner.entity[span] ?? 0,
        from,
        to: originOf(view, scanner.to[span] ?? 0),
        isRule: false,
      });
    }
    const keyFrom = isOpenKey ? (scanner.from[count - 1] ?? end) : end;
    this.#findByRules(view, Math.min(limit, keyFrom), keyFrom);
    if (isOpenKey) {
      this.#passTo(originOf(view, keyFrom));
      this.#isInKey = true;
      return true;
    }
    const at = isEnd ? end : nextTrigger(bytes, scanner.stoppedAt, end);
    // A character that is not all there may become a digit.
    this.#at = isEnd
      ? this.#length
      : Math.min(originOf(view, at), endOfCharacters(this.#bytes, this.#length));
    this.#lastFound = originOf(view, last);
    const certain = isEnd ? end : Math.max(last, handOver(bytes, last, at));
    this.#passTo(
      isEnd
        ? this.#length
        : Math.min(originOf(view, certain), this.#rules === undefined ? this.#length : this.#rulesAt),
    );
    return false;
  }

  #findByRules(view: View, limit: number, end: number): void {
    const rules = this.#rules;
    if (rules === undefined) return;
    const at = rules.find(view.bytes, view.begin, view.rulesAt, limit, end);
    for (let index = 0; index < rules.count; index += 1) {
      const [from, to, entity] = rules.span(index);
      this.#waiting.push({ entity, from: originOf(view, from), to: originOf(view, to), isRule: true });
    }
    this.#rulesAt = originOf(view, at);
  }

  /** Gives on what lies before a place, but nothing of a value that goes on behind it. */
  #passTo(certain: number): void {
    const values = mergeSpans(this.#waiting);
    const open = values.find(({ from, to }) => from < certain && to > certain);
    const to = open === undefined ? certain : open.from;
    for (const value of values) {
      if (value.to > to) break;
      this.#clearTo(value.from);
      this.#findTo(value.entity, value.to, true);
    }
    this.#clearTo(to);
    this.#waiting = this.#waiting.filter((span) => span.to > to);
  }

  /** Within a private key: to the line that ends it. */
  #passKey(view: View, isEnd: boolean): boolean {
    const { bytes, floor, end } = view;
    const to = privateKeyEnd(bytes, floor, end);
    const isWhole = to !== 0 && (to < end || isEnd);
    if (isWhole || isEnd) {
      this.#isInKey = false;
      this.#findTo(PRIVATE_KEY, isWhole ? originOf(view, to) : this.#length, true);
      this.#at = this.#floor;
      this.#rulesAt = this.#floor;
      this.#lastFound = this.#floor;
      return true;
    }
    if (end - floor > END_LINE_BYTES * 2)
      this.#findTo(PRIVATE_KEY, originOf(view, end - END_LINE_BYTES * 2), false);
    return false;
  }

  #clearTo(to: number): void {
    if (to > this.#floor) this.#sink.clear(this.#bytes.subarray(this.#floor, to));
    this.#floor = Math.max(this.#floor, to);
  }

  #findTo(entity: number, to: number, isLast: boolean): void {
    if (to > this.#floor || isLast) this.#sink.found(entity, this.#bytes.subarray(this.#floor, to), isLast);
    this.#floor = Math.max(this.#floor, to);
  }
}

interface View {
  readonly bytes: Uint8Array;
  readonly begin: number;
  readonly floor: number;
  readonly at: number;
  readonly rulesAt: number;
  readonly lastFound: number;
  readonly end: number;
  /** Where each byte comes from; undefined where nothing is folded. */
  readonly origins: Int32Array | undefined;
}

function originOf(view: View, at: number): number {
  return view.origins === undefined ? at : (view.origins[at] ?? 0);
}

/** The first place that may not be looked at yet: too little lies behind it. */
function lastCertain(bytes: Uint8Array, floor: number, end: number, ahead: number): number {
  const enough = end - ahead;
  if (enough <= floor) return floor;
  let run = enough;
  const earliest = Math.max(floor, enough - RUN_BYTES_MAX);
  while (run > earliest && !isBreak(bytes, run - 1)) run -= 1;
  return run - NEAR_BYTES;
}

function isBreak(bytes: Uint8Array, at: number): boolean {
  return ((CLASS[bytes[at] ?? 0] ?? 0) & IS_BREAK) !== 0;
}

/** The next place where the scanner would look; the end where there is none. */
function nextTrigger(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at += 1) if (TRIGGER[bytes[at] ?? 0] !== 0) return at;
  return end;
}

/**
 * How far the text can be given on when the scanner goes on looking at a place: no value that it finds there
 * begins earlier. Two short words may belong to digits behind them, as in `AA 12 34 56 B`.
 */
function handOver(bytes: Uint8Array, floor: number, at: number): number {
  let to = beginningOfRun(bytes, floor, at);
  for (let words = 0; words < 2; words += 1) {
    let from = to - 1;
    while (from > floor && to - from < 7 && ((CLASS[bytes[from - 1] ?? 0] ?? 0) & IS_LETTER) !== 0) from -= 1;
    const letters = to - 1 - from;
    if (to <= floor || bytes[to - 1] !== 32 || letters < 1 || letters > 4) break;
    to = beginningOfRun(bytes, floor, from);
  }
  return to;
}

/** Behind the last byte that ends a run; an open parenthesis belongs to what follows. */
function beginningOfRun(bytes: Uint8Array, floor: number, at: number): number {
  let to = at;
  const earliest = Math.max(floor, at - RUN_BYTES_MAX);
  while (to > earliest && (!isBreak(bytes, to - 1) || bytes[to - 1] === 40)) to -= 1;
  // Within a run that has no end nothing is looked at further back than this.
  return to > floor && to === earliest ? Math.max(floor, at - BACK_BYTES_MAX) : to;
}

/** Where the last character begins that is not all there; the end where there is none such. */
function endOfCharacters(bytes: Uint8Array, end: number): number {
  for (let at = end - 1; at >= 0 && at > end - 4; at -= 1) {
    const byte = bytes[at] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const width = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return at + width > end ? at : end;
  }
  return end;
}

/** The beginning of the character that a place lies in. */
function startOfCharacter(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > 0 && at - start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return start;
}
