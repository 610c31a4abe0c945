/**
 * Text → where personal data and secrets are in it. One pass over the bytes, UTF-8.
 *
 * Only digits and `@ : - _ = %` make it stop and look; what it looks at is decided by tables
 * (number-table.ts, code-table.ts, secrets-table.ts) and by what is known about the value ({@link Hints}).
 * A clean ASCII text allocates nothing.
 *
 * Not detected, because it has no form of its own: names, postal addresses, organisations, free medical
 * text. Nor: what is encoded (Base64, hex, percent, `\u0034`), quoted local parts of e-mail addresses,
 * Solana addresses and mnemonics, values that other text interrupts, numbers as words.
 *
 * Spec: spec/masking.md §2, §4.
 */

import { secretAfter, urlCredentials } from './assignments.ts';
import {
  CLASS,
  IS_DIGIT,
  TRIGGER,
  TRIGGER_AT,
  TRIGGER_COLON,
  TRIGGER_DIGIT,
  TRIGGER_EQUALS,
  TRIGGER_HYPHEN,
  TRIGGER_PERCENT,
} from './byte-classes.ts';
import { isCard } from './cards.ts';
import { afterUuid, uuidEnd } from './code-path.ts';
import type { CompiledRules } from './custom-rules.ts';
import { emailAt } from './email.ts';
import { entityId } from './entities.ts';
import { FoldedText, mayFold } from './fold.ts';
import { colonAddressAt, hyphenMacAt } from './network.ts';
import { NumberPath } from './number-path.ts';
import { phoneNumbers } from './phone.ts';
import { privateKeyAt } from './private-key.ts';
import { type Hints, NO_HINTS, ScanState } from './scan-state.ts';
import { secretAround } from './secrets.ts';

const TRACK_DATA = entityId('TRACK_DATA');

export interface ScannerOptions {
  /** ISO 3166-1 codes of countries whose national telephone numbers are looked for. */
  readonly regions?: readonly string[];
  /** What somebody added; compiled once, shared by all scanners. */
  readonly rules?: CompiledRules;
}

/** Which part of a text is looked at. */
export interface Window {
  /** The first byte that may be read, for its words. */
  readonly begin: number;
  /** The first byte that may belong to a value. */
  readonly floor: number;
  /** The first place that is looked at, */
  readonly at: number;
  /** and the first that is not. */
  readonly limit: number;
  /** Behind the last byte that may be read. */
  readonly end: number;
}

/**
 * Finds values in one text at a time. What it found is in its arrays until the next text: no objects, so
 * that rows can go by.
 *
 * @example
 * const scanner = new Scanner();
 * const text = new TextEncoder().encode('mail ana@example.org');
 * scanner.scan(text) === 1 && scanner.from[0] === 5 && scanner.to[0] === text.length
 */
export class Scanner {
  readonly #state = new ScanState();
  readonly #numbers: NumberPath;
  readonly #folded = new FoldedText();
  readonly #window = { begin: 0, floor: 0, at: 0, limit: 0, end: 0 };
  readonly #rules: CompiledRules | undefined;
  /** Where {@link scanWindow} had to stop. */
  stoppedAt = 0;

  constructor(options: ScannerOptions = {}) {
    this.#numbers = new NumberPath(phoneNumbers(options.regions));
    this.#rules = options.rules;
  }

  /** Where each value begins, in the order of the text; as many as the last call returned. */
  get from(): Int32Array {
    return this.#state.spanFrom;
  }

  /** Where each value ends. */
  get to(): Int32Array {
    return this.#state.spanTo;
  }

  /** What each value is; `entityName` gives its name. */
  get entity(): Int32Array {
    return this.#state.spanEntity;
  }

  /** Looks at a whole text; gives how many values are in it. They do not overlap. */
  scan(bytes: Uint8Array, from = 0, to: number = bytes.length, hints: Hints = NO_HINTS): number {
    if (mayFold(bytes, from, to) && this.#folded.fold(bytes, from, to)) return this.#scanFolded(hints);
    this.#scanAll(bytes, from, to, hints);
    this.#rules?.apply(this.#state, bytes, from, to);
    return this.#state.count;
  }

  #scanAll(bytes: Uint8Array, from: number, to: number, hints: Hints): void {
    const window = this.#window;
    window.begin = from;
    window.floor = from;
    window.at = from;
    window.limit = to;
    window.end = to;
    this.scanWindow(bytes, window, hints);
  }

  #scanFolded(hints: Hints): number {
    const { bytes, origins, length } = this.#folded;
    this.#scanAll(bytes, 0, length, hints);
    const state = this.#state;
    this.#rules?.apply(state, bytes, 0, length);
    for (let span = 0; span < state.count; span += 1) {
      state.spanFrom[span] = origins[state.spanFrom[span] ?? 0] ?? 0;
      state.spanTo[span] = origins[state.spanTo[span] ?? 0] ?? 0;
    }
    return state.count;
  }

  /**
   * Looks at a part of a text, without folding and without rules of somebody; gives how many values are in it.
   * {@link stoppedAt} then says where to go on.
   */
  scanWindow(bytes: Uint8Array, window: Window, hints: Hints): number {
    const state = this.#state;
    const { limit } = window;
    state.open(bytes, window.begin, window.floor, window.end, hints);
    let at = window.at;
    while (at < limit) {
      // Four at a time over what nothing begins with.
      while (
        at + 3 < limit &&
        ((TRIGGER[bytes[at] ?? 0] ?? 0) |
          (TRIGGER[bytes[at + 1] ?? 0] ?? 0) |
          (TRIGGER[bytes[at + 2] ?? 0] ?? 0) |
          (TRIGGER[bytes[at + 3] ?? 0] ?? 0)) ===
          0
      ) {
        at += 4;
      }
      while (at < limit && TRIGGER[bytes[at] ?? 0] === 0) at += 1;
      if (at >= limit) break;
      at = this.#step(at);
    }
    this.stoppedAt = at;
    return state.count;
  }

  /** Looks at one place; gives where to go on, behind it. */
  #step(at: number): number {
    const state = this.#state;
    const kind = TRIGGER[state.bytes[at] ?? 0];
    if (kind === TRIGGER_DIGIT) return Math.max(at + 1, this.#numbers.at(state, at));
    const isFound =
      kind === TRIGGER_AT
        ? emailAt(state, at)
        : kind === TRIGGER_COLON
          ? this.#colon(at)
          : kind === TRIGGER_HYPHEN
            ? this.#hyphen(at)
            : kind === TRIGGER_EQUALS
              ? secretAfter(state, at)
              : kind === TRIGGER_PERCENT
                ? this.#track(at)
                : secretAround(state, at);
    return isFound ? Math.max(at + 1, state.floor) : at + 1;
  }

  #colon(at: number): boolean {
    const state = this.#state;
    if (state.bytes[at + 1] === 47 && at + 2 < state.end && state.bytes[at + 2] === 47) {
      return urlCredentials(state, at) !== 0 && state.floor > at;
    }
    return colonAddressAt(state, at) || secretAfter(state, at);
  }

  #hyphen(at: number): boolean {
    const state = this.#state;
    const { bytes, end } = state;
    if (bytes[at + 1] === 45) return bytes[at + 2] === 45 && privateKeyAt(state, at);
    if (at - 8 >= state.floor && bytes[at + 5] === 45) {
      const uuid = uuidEnd(bytes, at - 8, end);
      if (uuid !== 0) {
        // Its own groups are no numbers.
        const next = afterUuid(state, at - 8, uuid);
        state.floor = Math.max(state.floor, next);
        return true;
      }
    }
    return hyphenMacAt(state, at) || secretAround(state, at);
  }

  /** ISO/IEC 7813: the first track of a card, from its sentinel to the end sentinel. */
  #track(at: number): boolean {
    const state = this.#state;
    const { bytes, end, digits } = state;
    if ((bytes[at + 1] ?? 0) !== 66) return false;
    let to = at + 2;
    while (to < end && to < at + 21 && ((CLASS[bytes[to] ?? 0] ?? 0) & IS_DIGIT) !== 0) {
      digits[to - at - 2] = (bytes[to] ?? 48) - 48;
      to += 1;
    }
    if (to >= end || bytes[to] !== 94 || !isCard(digits, to - at - 2)) return false;
    const latest = Math.min(end, at + 80);
    while (to < latest && bytes[to] !== 63 && bytes[to] !== 10) to += 1;
    state.add(TRACK_DATA, at, to < latest && bytes[to] === 63 ? to + 1 : to);
    return true;
  }
}
