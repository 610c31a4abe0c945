/** What every detector finds in a text, for whoever only asks whether a part of it is touched. */

import type { CompiledRules } from '../masking/detect/custom-rules.ts';
import type { Hints } from '../masking/detect/scan-state.ts';
import { Scanner } from '../masking/detect/scanner.ts';

export interface FoundSpans {
  readonly count: number;
  /** Whether something begins before `to` and ends behind `from`. Asked from the beginning to the end of the text. */
  touches(from: number, to: number): boolean;
}

const NOTHING: FoundSpans = { count: 0, touches: () => false };

/** One for all: it keeps nothing beyond a call. */
let shared: Scanner | undefined;

/** Of those with Detectors, one for each set of them. */
const withRules = new WeakMap<CompiledRules, Scanner>();

function scannerOf(rules: CompiledRules | undefined): Scanner {
  if (rules === undefined) return (shared ??= new Scanner());
  const known = withRules.get(rules) ?? new Scanner({ rules });
  withRules.set(rules, known);
  return known;
}

/** @param rules what Detectors find beside the scanner's own */
export function findIn(bytes: Uint8Array, hints: Hints, rules?: CompiledRules): FoundSpans {
  const scanner = scannerOf(rules);
  const count = scanner.scan(bytes, 0, bytes.length, hints);
  if (count === 0) return NOTHING;
  const begins = scanner.from.slice(0, count);
  const ends = scanner.to.slice(0, count);
  let at = 0;
  return {
    count,
    touches(from, to) {
      while (at < count && (ends[at] ?? 0) <= from) at += 1;
      return at < count && (begins[at] ?? 0) < to;
    },
  };
}
