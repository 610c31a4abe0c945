/** What the strings of JSON say: RFC 8259, section 7. */

import type { JsonNode } from './json-node.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * What a string says, its escapes undone; a surrogate without its other half stays one
 * (`text.isWellFormed()` tells). Of any other value, its bytes as they are written.
 */
export function stringOf(bytes: Uint8Array, node: Pick<JsonNode, 'kind' | 'from' | 'to'>): string {
  if (node.kind !== 'string') return decoder.decode(bytes.subarray(node.from, node.to));
  return textOfString(bytes, node.from, node.to, false);
}

/** The same of a literal that was read; `isPlain`: it is ASCII without escapes. */
export function textOfString(bytes: Uint8Array, from: number, to: number, isPlain: boolean): string {
  if (isPlain) {
    return Buffer.from(bytes.buffer, bytes.byteOffset + from + 1, to - from - 2).toString('latin1');
  }
  const literal = decoder.decode(bytes.subarray(from, to));
  if (!literal.includes('\\')) return literal.slice(1, -1);
  const text: unknown = JSON.parse(literal);
  return String(text);
}
