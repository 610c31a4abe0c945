/**
 * Rules on how many rows the target guesses that a statement writes or returns.
 *
 * Spec: spec/policy.md, "Rows that are estimated". A guess only ever stops: where there is none, a rule that blocks
 * or holds applies as if the guess were too high, and one that allows does not.
 */

import { WRITE_EFFECTS } from './effect-classes.ts';
import { PatternProblem } from './patterns.ts';
import type { CompiledRule, When } from './rule.ts';

/** What has rows that can be guessed. */
const READ_WORDS: ReadonlySet<string> = new Set(['read', 'export']);

/** Whether the condition of the rule on estimated rows holds, where it has one. */
export function isMet({ estimated, verdict }: CompiledRule, estimate: number | undefined): boolean {
  if (estimated === undefined) return true;
  if (estimate === undefined) return verdict !== 'allow';
  return estimate > estimated.allowed;
}

/** What is said of it in a cause. */
export function guessOf({ estimated }: CompiledRule, estimate: number | undefined): string {
  if (estimated === undefined) return '';
  if (estimate === undefined) return ', and nobody can tell how many rows (no estimate)';
  return `, and the target estimates ${estimate} rows, where up to ${estimated.allowed} are not held up by it`;
}

/** Throws a PatternProblem for what has no rows that could be guessed. */
export function checkEstimated(
  { estimated, effects, writes, reads, functions }: CompiledRule,
  when: When,
): void {
  if (estimated === undefined) return;
  const words = when.effects ?? [];
  const hasRows = words.every((word) => READ_WORDS.has(word) || WRITE_EFFECTS.has(word) || word === 'write');
  const beside = when.rows ?? when.returned ?? functions;
  const names = effects ?? writes ?? reads;
  if (names === undefined || beside !== undefined || !hasRows) {
    throw new PatternProblem(
      'when.estimated guesses rows that are read or written: it goes with writes, reads, and the effects read, export and those that write rows, and with neither rows, returned nor functions',
    );
  }
}
