/**
 * Big-endian fields of PostgreSQL's binary formats, read and written.
 *
 * Untrusted: every byte that is read. Reading past the end throws {@link malformed}.
 */

import { CountersignError } from '../../core/errors.ts';

/** The one error of this folder: a value is not of the form that its type has. It names no value. */
export function malformed(what: string): CountersignError {
  return new CountersignError('PROTOCOL_VIOLATION', {
    reason: `a value that is to be masked is not ${what}`,
  });
}

/** Whether an error is {@link malformed}. */
export function isMalformed(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'PROTOCOL_VIOLATION';
}

/** Reads forward through one value. */
export class ValueReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #offset = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  int16(): number {
    return this.#view.getInt16(this.#advance(2));
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4));
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#advance(8));
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8));
  }

  bytes(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Int32 length and that many bytes; -1 is NULL. */
  value(): Uint8Array | null {
    const length = this.int32();
    return length === -1 ? null : this.bytes(length);
  }

  /** Refuses bytes that nothing asked for. */
  end(): void {
    if (this.remaining !== 0) throw malformed(this.#what);
  }

  #advance(length: number): number {
    if (length < 0 || length > this.remaining) throw malformed(this.#what);
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}

export function int16Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setInt16(0, value);
  return bytes;
}

export function int32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

export function int64Bytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value);
  return bytes;
}

export function float64Bytes(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => view.setFloat64(8 * index, value));
  return bytes;
}

/** Int32 length and the bytes, or -1 for NULL. */
export function valueBytes(value: Uint8Array | null): Uint8Array {
  return value === null ? int32Bytes(-1) : joined([int32Bytes(value.length), value]);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Bytes of hex digits; undefined where the text is none. */
export function bytesOfHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(2 * index, 2 * index + 2), 16),
  );
}
