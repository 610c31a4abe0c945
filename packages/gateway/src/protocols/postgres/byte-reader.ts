/**
 * Reads the field types of PostgreSQL messages from one whole frame.
 *
 * Spec: PostgreSQL 18, "Message Data Types" (https://www.postgresql.org/docs/18/protocol-message-types.html)
 * Grammar: Int16 and Int32 big-endian; String ends with a zero byte; Byten is n bytes.
 * Refused: reading past the end, bytes left over, a String that is not UTF-8 where a name is expected.
 * Untrusted: every byte. Views are given out, never copies: they live as long as the frame does.
 */

import { CountersignError } from '../../core/errors.ts';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The bytes as text if they are well-formed UTF-8, otherwise null. */
export function utf8Text(bytes: Uint8Array): string | null {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    // Not an error: a client encoding other than UTF-8 is the caller's to judge.
    return null;
  }
}

/** Text as UTF-8. A lone surrogate becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The one error of this folder: the peer broke the protocol. */
export function violation(reason: string): CountersignError {
  return new CountersignError('PROTOCOL_VIOLATION', { reason });
}

/** Reads forward through one frame body; throws PROTOCOL_VIOLATION past the end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  /** What is being read, for messages to people. */
  readonly #what: string;
  #offset = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  uint8(): number {
    return this.#next(1);
  }

  uint16(): number {
    return this.#next(2);
  }

  int16(): number {
    return (this.#next(2) << 16) >> 16;
  }

  uint32(): number {
    return this.#next(4);
  }

  int32(): number {
    return this.#next(4) | 0;
  }

  /** A view of exactly `length` bytes. */
  bytes(length: number): Uint8Array {
    if (length < 0 || length > this.remaining) {
      throw violation(`${this.#what} declares ${length} bytes where ${this.remaining} are left`);
    }
    const start = this.#offset;
    this.#offset += length;
    return this.#bytes.subarray(start, this.#offset);
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  /** Int32 length and that many bytes; length -1 is NULL. */
  value(): Uint8Array | null {
    const length = this.int32();
    return length === -1 ? null : this.bytes(length);
  }

  /** A String without its terminator, as bytes. */
  stringBytes(): Uint8Array {
    const end = this.#bytes.indexOf(0, this.#offset);
    if (end === -1) throw violation(`${this.#what} has a string without its zero byte`);
    const start = this.#offset;
    this.#offset = end + 1;
    return this.#bytes.subarray(start, end);
  }

  /** A String that has to be UTF-8. */
  string(): string {
    const text = utf8Text(this.stringBytes());
    if (text === null) throw violation(`${this.#what} has a name that is not UTF-8`);
    return text;
  }

  /** Refuses bytes that nothing asked for. */
  end(): void {
    if (this.remaining !== 0) throw violation(`${this.#what} has ${this.remaining} bytes too many`);
  }

  #next(length: 1 | 2 | 4): number {
    if (length > this.remaining) {
      throw violation(`${this.#what} ends after ${this.#bytes.length} bytes, inside a field`);
    }
    let value = 0;
    for (let i = 0; i < length; i++) value = value * 256 + (this.#bytes[this.#offset + i] ?? 0);
    this.#offset += length;
    return value;
  }
}
