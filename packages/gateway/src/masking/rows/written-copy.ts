/**
 * Masks in what a client copies in, field by field, each as a value whose type nobody has said: the server does not say
 * which columns take what COPY FROM sends.
 *
 * What is kept of a field is bounded: a longer one is looked at in pieces that overlap by more than a mask is long.
 * Spec: spec/masking.md, section 13. Untrusted: every byte.
 */

import { COPY_IN_LIMITS } from '../../core/masking-more-limits.ts';
import type { MaskingKeyRing } from '../operators/key-ring.ts';
import type { TypeDescription, Wire } from '../operators/operator.ts';
import { findMaskedValue } from './written-masks.ts';

/** Where a mask stands, both counted from 1. */
export interface CopiedMask {
  readonly row: number;
  readonly field: number;
}

const NUMERIC: TypeDescription = { kind: 'base', name: 'numeric', typmod: -1 };
/** A numeric in binary: digits of four decimals each behind four numbers of two bytes. */
const NUMERIC_HEADER_BYTES = 8;
/** What a token has: it is from 2⁶² on, so that its first digit is of 10¹⁶. */
const TOKEN_WEIGHT = 4;

const BACKSLASH = 0x5c;
const X = 0x78;
/** `\x`, behind which a bytea in text is in hex. */
const HEX_MARK = Uint8Array.of(BACKSLASH, X);

const NO_NIBBLE = 16;
/** What an ASCII digit stands for in hex. */
const NIBBLES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase());
  return digit === -1 ? NO_NIBBLE : digit;
});

/** Looks through the fields of one COPY; a sink of `copyInFields`. */
export class WrittenCopy {
  readonly #keys: MaskingKeyRing;
  readonly #wire: Wire;
  /** The only part of the open field, where it is of the data that is read now. */
  #view: Uint8Array | undefined;
  /** What came of the open field before. */
  #held: Uint8Array = new Uint8Array(0);
  #length = 0;
  /** What is held is a later piece of it. */
  #isPiece = false;
  #row = 1;
  #field = 1;
  #found: CopiedMask | undefined;

  constructor(keys: MaskingKeyRing, wire: Wire) {
    this.#keys = keys;
    this.#wire = wire;
  }

  /** The first mask in what has come. */
  get found(): CopiedMask | undefined {
    return this.#found;
  }

  /** More of the open field, lent until {@link keep}. */
  part(bytes: Uint8Array): void {
    if (this.#found !== undefined) return;
    if (this.#view === undefined && this.#length === 0) {
      if (bytes.length <= COPY_IN_LIMITS.fieldBytesMax && bytes.length > 1) this.#view = bytes;
      else this.#hold(bytes);
      return;
    }
    this.keep();
    this.#hold(bytes);
  }

  /** What was lent goes away: a field that is open is copied. */
  keep(): void {
    const view = this.#view;
    this.#view = undefined;
    if (view !== undefined) this.#hold(view);
  }

  end(endsRow: boolean): void {
    if (this.#found !== undefined) return;
    const value = this.#view ?? this.#held.subarray(0, this.#length);
    if (value.length > 0) this.#look(value, !this.#isPiece);
    this.#view = undefined;
    this.#length = 0;
    this.#isPiece = false;
    this.#field = endsRow ? 1 : this.#field + 1;
    if (endsRow) this.#row += 1;
  }

  /** @param isWhole whether it is all of a field */
  #look(value: Uint8Array, isWhole: boolean): void {
    const said = this.#unhexed(value) ?? value;
    const isMask =
      findMaskedValue(this.#keys, undefined, said, this.#wire) !== undefined ||
      (isWhole && this.#isNumeric(value) && this.#isToken(value));
    if (isMask) this.#found = { row: this.#row, field: this.#field };
  }

  /** What a bytea in hex says; undefined for anything else. Digits alone are no mask of a text. */
  #unhexed(value: Uint8Array): Uint8Array | undefined {
    if (this.#wire.format !== 'text' || value[0] !== BACKSLASH || value[1] !== X || value.length % 2 !== 0)
      return undefined;
    const bytes = new Uint8Array(value.length / 2 - 1);
    for (let at = 0; at < bytes.length; at += 1) {
      const high = NIBBLES[value[2 * at + 2] ?? 0] ?? NO_NIBBLE;
      const low = NIBBLES[value[2 * at + 3] ?? 0] ?? NO_NIBBLE;
      if (high === NO_NIBBLE || low === NO_NIBBLE) return undefined;
      bytes[at] = (high << 4) | low;
    }
    return bytes;
  }

  #isNumeric(value: Uint8Array): boolean {
    if (this.#wire.format !== 'binary' || value.length < NUMERIC_HEADER_BYTES) return false;
    const digits = ((value[0] ?? 0) << 8) | (value[1] ?? 0);
    const isWhole = value[4] === 0 && value[5] === 0 && value[6] === 0 && value[7] === 0;
    const weight = ((value[2] ?? 0) << 8) | (value[3] ?? 0);
    return isWhole && weight === TOKEN_WEIGHT && value.length === NUMERIC_HEADER_BYTES + 2 * digits;
  }

  #isToken(value: Uint8Array): boolean {
    return findMaskedValue(this.#keys, NUMERIC, value, this.#wire) !== undefined;
  }

  #hold(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && this.#found === undefined) {
      const taken = Math.min(bytes.length - at, COPY_IN_LIMITS.fieldBytesMax - this.#length);
      this.#grow(this.#length + taken);
      this.#held.set(bytes.subarray(at, at + taken), this.#length);
      this.#length += taken;
      at += taken;
      if (this.#length === COPY_IN_LIMITS.fieldBytesMax) this.#pieceOver();
    }
  }

  /** All that may be held is: it is looked at, and its end stays for the next piece. */
  #pieceOver(): void {
    this.#look(this.#held.subarray(0, this.#length), false);
    const isHex = this.#held[0] === BACKSLASH && this.#held[1] === X;
    this.#held.copyWithin(
      isHex ? HEX_MARK.length : 0,
      this.#length - COPY_IN_LIMITS.overlapBytes,
      this.#length,
    );
    // The mark stays in front; as many digits as come and go are even in number, so that pairs stay pairs.
    this.#length = COPY_IN_LIMITS.overlapBytes + (isHex ? HEX_MARK.length : 0);
    this.#isPiece = true;
  }

  #grow(length: number): void {
    if (length <= this.#held.length) return;
    const larger = new Uint8Array(
      Math.min(COPY_IN_LIMITS.fieldBytesMax, Math.max(length, 2 * this.#held.length)),
    );
    larger.set(this.#held.subarray(0, this.#length));
    this.#held = larger;
  }
}
