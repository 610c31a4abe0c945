/** For tests: what the scanner finds, as values that can be compared and printed. */

import { entityName } from './entities.ts';
import { type Hints, NO_HINTS } from './scan-state.ts';
import { Scanner, type ScannerOptions } from './scanner.ts';
import { StreamingScanner } from './streaming-scanner.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface Found {
  readonly entity: string;
  readonly text: string;
  /** Offsets in bytes. */
  readonly from: number;
  readonly to: number;
}

const scanner = new Scanner();

/** What is found in a text. */
export function find(
  text: string | Uint8Array,
  hints: Hints = NO_HINTS,
  by: Scanner = scanner,
): readonly Found[] {
  const bytes = typeof text === 'string' ? encoder.encode(text) : text;
  const count = by.scan(bytes, 0, bytes.length, hints);
  return Array.from({ length: count }, (_, span) => {
    const from = by.from[span] ?? 0;
    const to = by.to[span] ?? 0;
    return {
      entity: entityName(by.entity[span] ?? 0),
      text: decoder.decode(bytes.subarray(from, to)),
      from,
      to,
    };
  });
}

/** `ENTITY:value` for all that is found. */
export function names(text: string, hints: Hints = NO_HINTS): readonly string[] {
  return find(text, hints).map(({ entity, text: value }) => `${entity}:${value}`);
}

/** A value of a column with such a context. */
export function inColumn(context: number): Hints {
  return { context, isColumnValue: true, promoted: undefined };
}

/** What a stream of pieces gives, as one line each; and how much was held back after each piece. */
export function findInStream(
  pieces: readonly Uint8Array[],
  options: ScannerOptions = {},
): { readonly found: readonly string[]; readonly passed: number; readonly held: readonly number[] } {
  const found: string[] = [];
  const held: number[] = [];
  let passed = 0;
  let open = -1;
  const stream = new StreamingScanner(
    {
      clear(bytes) {
        passed += bytes.length;
      },
      found(entity, bytes, isLast) {
        if (open < 0) open = passed;
        passed += bytes.length;
        if (!isLast) return;
        found.push(`${entityName(entity)} ${open} ${passed}`);
        open = -1;
      },
    },
    options,
  );
  for (const piece of pieces) {
    stream.push(piece);
    held.push(stream.heldBytes);
  }
  stream.finish();
  return { found, passed, held };
}

/** The same for a text in one piece, by the scanner for whole texts. */
export function findLines(bytes: Uint8Array, by: Scanner = scanner): readonly string[] {
  return find(bytes, NO_HINTS, by).map(({ entity, from, to }) => `${entity} ${from} ${to}`);
}
