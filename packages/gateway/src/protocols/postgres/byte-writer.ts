/**
 * Writes the field types of PostgreSQL messages into one frame.
 *
 * Spec: PostgreSQL 18, "Message Data Types" (https://www.postgresql.org/docs/18/protocol-message-types.html)
 * Frame: Byte1 type, Int32 length (counts itself, not the type), body. Start-up packets have no type byte.
 * Refused: a zero byte inside a String, a value that does not fit its field.
 * Untrusted: nothing; what is written was parsed before.
 */

import { utf8Bytes, violation } from './byte-reader.ts';

const INITIAL_BYTES = 256;
/** Int32 that counts itself and the body. */
const LENGTH_BYTES = 4;

/** Builds one message; {@link ByteWriter.finish} fills in its length. */
export class ByteWriter {
  readonly #lengthOffset: number;
  #bytes: Uint8Array = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  /** @param type the type byte, or undefined for a start-up packet */
  constructor(type: number | undefined) {
    if (type !== undefined) this.uint8(type);
    this.#lengthOffset = this.#length;
    this.uint32(0);
  }

  uint8(value: number): this {
    return this.#put(value, 1);
  }

  uint16(value: number): this {
    return this.#put(value, 2);
  }

  int16(value: number): this {
    return this.#put(value & 0xffff, 2);
  }

  uint32(value: number): this {
    return this.#put(value, 4);
  }

  int32(value: number): this {
    return this.#put(value >>> 0, 4);
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** Int32 length and the bytes, or -1 for NULL. */
  value(value: Uint8Array | null): this {
    if (value === null) return this.int32(-1);
    return this.uint32(value.length).bytes(value);
  }

  stringBytes(value: Uint8Array): this {
    if (value.includes(0)) throw violation('a string of a message cannot contain a zero byte');
    return this.bytes(value).uint8(0);
  }

  string(value: string): this {
    return this.stringBytes(utf8Bytes(value));
  }

  /** The whole message. */
  finish(): Uint8Array {
    const end = this.#length;
    this.#length = this.#lengthOffset;
    this.uint32(end - this.#lengthOffset);
    this.#length = end;
    return this.#bytes.subarray(0, end);
  }

  #put(value: number, width: 1 | 2 | 4): this {
    if (!Number.isInteger(value) || value < 0 || value >= 256 ** width) {
      throw violation(`${value} does not fit ${width} bytes`);
    }
    this.#reserve(LENGTH_BYTES);
    for (let shift = (width - 1) * 8; shift >= 0; shift -= 8) {
      this.#bytes[this.#length++] = (value >>> shift) & 0xff;
    }
    return this;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
