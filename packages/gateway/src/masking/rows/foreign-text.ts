/**
 * Texts in client encodings other than UTF-8, as UTF-8 that can be looked through.
 *
 * Where a byte is a character, what is found can be brought back to where it stands. In the others
 * (`SJIS`, `GBK`, `EUC_JP`) nobody writes into the middle of a value: it is masked as a whole, as
 * spec/masking-operators.md, section 2 says. What is in an encoding that is not known here is not read.
 */

import type { Span } from '../operators/mask-spans.ts';
import { readText, utf8Bytes } from '../operators/text-encoding.ts';

/** Names of PostgreSQL → names of the WHATWG. The rest (`EUC_TW`, `JOHAB`, `MULE_INTERNAL`, …) is not read. */
const DECODERS: Readonly<Record<string, string>> = {
  SJIS: 'shift_jis',
  EUC_JP: 'euc-jp',
  EUC_CN: 'gbk',
  GBK: 'gbk',
  GB18030: 'gb18030',
  BIG5: 'big5',
  EUC_KR: 'euc-kr',
  UHC: 'euc-kr',
};

export interface ForeignText {
  readonly utf8: Uint8Array;
  /** Each byte of the value is one character; otherwise only all of it can be masked. */
  readonly isOneByte: boolean;
}

/** Whether the bytes of a value can be looked through as they are. */
export function isUtf8(clientEncoding: string, bytes: Uint8Array, from: number, to: number): boolean {
  const name = clientEncoding.toUpperCase();
  // SQL_ASCII says nothing, and what the scanner does not understand it reads as bytes.
  if (name === 'UTF8' || name === 'SQL_ASCII') return true;
  for (let at = from; at < to; at += 1) if ((bytes[at] ?? 0) > 0x7f) return false;
  return true;
}

/** Undefined where the value is not read. */
export function foreignText(value: Uint8Array, clientEncoding: string): ForeignText | undefined {
  const read = readText(value, clientEncoding);
  if (read !== undefined) return { utf8: utf8Bytes(read.text), isOneByte: true };
  const label = DECODERS[clientEncoding.toUpperCase()];
  if (label === undefined) return undefined;
  try {
    return { utf8: utf8Bytes(new TextDecoder(label, { fatal: true }).decode(value)), isOneByte: false };
  } catch {
    // Not an error: bytes that are no text of their encoding are not read.
    return undefined;
  }
}

/** Parts of the UTF-8, in their order, as parts of a value of one byte a character. */
export function broughtBack(utf8: Uint8Array, spans: readonly Span[]): readonly Span[] {
  let at = 0;
  let characters = 0;
  function place(to: number): number {
    for (; at < to; at += 1) if (((utf8[at] ?? 0) & 0xc0) !== 0x80) characters += 1;
    return characters;
  }
  return spans.map((span) => {
    const start = place(span.start);
    return { ...span, start, end: place(span.end) };
  });
}
