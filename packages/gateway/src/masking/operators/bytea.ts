/**
 * bytea between its text forms and its bytes. Spec: PostgreSQL 18, "Binary Data Types".
 *
 * `bytea_output` is reported to no client. What begins with `\x` is hex; in the escape form a backslash is
 * followed by another, or by three octal digits.
 */

import { bytesOfHex, hexOf, malformed } from './bytes.ts';
import { isEscaped } from './constants.ts';
import type { Wire } from './operator.ts';
import { utf8Bytes } from './text-encoding.ts';

const BACKSLASH = 0x5c;

/** The bytes that a value stands for. */
export function byteaContent(value: Uint8Array, wire: Wire): Uint8Array {
  if (wire.format === 'binary') return value;
  if (isEscaped(value, wire)) return unescaped(value);
  const bytes = bytesOfHex(new TextDecoder().decode(value.subarray(2)));
  if (bytes === undefined) throw malformed('a bytea');
  return bytes;
}

/** Bytes of ASCII in the form in which `like` came. */
export function byteaValue(ascii: Uint8Array, like: Uint8Array, wire: Wire): Uint8Array {
  if (wire.format === 'binary' || isEscaped(like, wire)) return ascii;
  return utf8Bytes(`\\x${hexOf(ascii)}`);
}

function unescaped(value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(value.length);
  let length = 0;
  for (let at = 0; at < value.length; at++) {
    const byte = value[at] ?? 0;
    if (byte !== BACKSLASH) {
      bytes[length++] = byte;
      continue;
    }
    if (value[at + 1] === BACKSLASH) {
      bytes[length++] = BACKSLASH;
      at += 1;
      continue;
    }
    const octal = String.fromCharCode(...value.subarray(at + 1, at + 4));
    if (!/^[0-3][0-7]{2}$/.test(octal)) throw malformed('a bytea');
    bytes[length++] = Number.parseInt(octal, 8);
    at += 3;
  }
  return bytes.slice(0, length);
}
