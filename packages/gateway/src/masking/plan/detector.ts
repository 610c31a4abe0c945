/**
 * The resource Detector: what an installation adds to what the scanner finds. A list of values, a dictionary, or a
 * pattern that takes time in proportion to the text; one of the three.
 *
 * Spec: spec/masking.md, sections 7 and 8.2. Who looks for it is said by Masks: `detect: [custom:NAME]`, or
 * `custom` for every one.
 */

import { DETECTOR_LIMITS } from '../../core/masking-limits.ts';
import type { CustomRule } from '../detect/custom-rules.ts';
import { LinearPattern, MATCH_BYTES_MAX, PatternRefused } from '../detect/linear-pattern.ts';
import { detectorEntity, entitiesOf, EVERY_DETECTOR } from './detect-words.ts';
import type { MaskProblem } from './mask.ts';

export interface Detector {
  readonly kind: 'Detector';
  readonly name: string;
  /** Why it is there. */
  readonly description?: string;
  /** Values as they are. */
  readonly exact?: readonly string[];
  /** Words and phrases, in any case. */
  readonly dictionary?: readonly string[];
  /** A regular expression of `masking/detect/linear-pattern.ts`. */
  readonly pattern?: string;
  /** Of the pattern. */
  readonly ignoreCase?: boolean;
}

const KINDS = ['exact', 'dictionary', 'pattern'] as const;

/** Everything that is wrong beyond what the schema says; no value of a list is repeated. */
export function detectorProblems(document: Detector): readonly MaskProblem[] {
  const given = KINDS.filter((kind) => document[kind] !== undefined);
  const [first, ...more] = given;
  if (first === undefined)
    return [{ path: [], says: 'it needs exact, dictionary or pattern: what is found' }];
  if (more.length > 0) {
    return more.map((other) => ({
      path: [other],
      says: `expected ${first} or ${other}, and not both: make two Detectors`,
    }));
  }
  const { exact = [], dictionary = [], pattern, ignoreCase } = document;
  return [
    ...(ignoreCase === undefined || pattern !== undefined
      ? []
      : [{ path: ['ignoreCase'], says: 'ignoreCase goes with pattern: a dictionary has no case' }]),
    ...exact.flatMap((value, index) => valueProblems('exact', index, value)),
    ...dictionary.flatMap((value, index) => valueProblems('dictionary', index, value)),
    ...(pattern === undefined ? [] : patternProblems(pattern, ignoreCase ?? false)),
  ];
}

function valueProblems(list: string, index: number, value: string): readonly MaskProblem[] {
  const path = [list, String(index)];
  const bytes = new TextEncoder().encode(value).length;
  if (bytes > MATCH_BYTES_MAX)
    return [{ path, says: `expected at most ${MATCH_BYTES_MAX} bytes, got ${bytes}` }];
  // What has spaces around it, or nothing but gaps, would never be found, or everywhere.
  if (value !== value.trim()) return [{ path, says: 'expected a value without spaces around it' }];
  return /[\p{L}\p{N}]/u.test(value) ? [] : [{ path, says: 'expected a letter or digit in it' }];
}

function patternProblems(pattern: string, ignoreCase: boolean): readonly MaskProblem[] {
  const path = ['pattern'];
  try {
    const { stepsMax } = new LinearPattern(pattern, ignoreCase);
    const { patternStepsMax } = DETECTOR_LIMITS;
    if (stepsMax <= patternStepsMax) return [];
    const says = `expected at most ${patternStepsMax} steps at one place of a text, got up to ${stepsMax}: its repetitions are too long`;
    return [{ path, says }];
  } catch (error) {
    if (error instanceof PatternRefused) return [{ path, says: error.message }];
    throw error;
  }
}

/** What is wrong with all of them together. */
export function detectorsProblem(all: readonly Detector[]): string | undefined {
  const { detectorsMax, valuesOfAllMax, patternStepsOfAllMax } = DETECTOR_LIMITS;
  if (all.length > detectorsMax) return `expected at most ${detectorsMax} Detectors, got ${all.length}`;
  const values = all.reduce(
    (sum, { exact = [], dictionary = [] }) => sum + exact.length + dictionary.length,
    0,
  );
  if (values > valuesOfAllMax)
    return `expected at most ${valuesOfAllMax} values in all Detectors, got ${values}`;
  const steps = all.reduce((sum, one) => sum + stepsOf(one), 0);
  return steps > patternStepsOfAllMax
    ? `expected patterns of at most ${patternStepsOfAllMax} steps at one place in all Detectors, got up to ${steps}`
    : undefined;
}

/** A document is asked at each change of any resource. */
const STEPS = new WeakMap<Detector, number>();

function stepsOf(detector: Detector): number {
  const { pattern, ignoreCase = false } = detector;
  if (pattern === undefined) return 0;
  const known = STEPS.get(detector);
  if (known !== undefined) return known;
  const { stepsMax } = new LinearPattern(pattern, ignoreCase);
  STEPS.set(detector, stepsMax);
  return stepsMax;
}

/** Which Detectors the words of a Mask are about. */
export function detectorsNamed(detect: readonly string[]): {
  /** The word `custom`: every one that there is. */
  readonly isAll: boolean;
  readonly names: readonly string[];
} {
  const entities = detect
    .filter((word) => word.toLowerCase().startsWith('custom'))
    .flatMap((word) => entitiesOf(word) ?? []);
  const prefix = detectorEntity('');
  return {
    isAll: entities.includes(EVERY_DETECTOR),
    names: entities
      .filter((entity) => entity !== EVERY_DETECTOR)
      .map((entity) => entity.slice(prefix.length)),
  };
}

/** As the scanner takes it. */
export function customRuleOf({
  name,
  exact,
  dictionary,
  pattern = '',
  ignoreCase = false,
}: Detector): CustomRule {
  if (exact !== undefined) return { kind: 'exact', name, values: exact };
  if (dictionary !== undefined) return { kind: 'dictionary', name, words: dictionary };
  return { kind: 'pattern', name, pattern, ignoreCase };
}
