/**
 * Everything that is wrong with a rule, for whoever mends a file: {@link compileRule} ends at the first.
 *
 * Each value is read alone; what the conditions mean together is looked at when each of them can be read.
 */

import { guardProblems, isGuard } from './guard.ts';
import { PatternProblem } from './patterns.ts';
import {
  breakGlassProblems,
  checkBreakGlass,
  checkTerms,
  compileRule,
  type Rule,
  TOGETHER,
  uncheckedRule,
  type When,
} from './rule.ts';

/** Something that is wrong, and the keys that lead to it; none where it is about the rule as a whole. */
export interface RuleProblem {
  readonly path: readonly string[];
  readonly says: string;
}

/** Terms in which every duration can be read. */
const READABLE = { expires: '15m', within: '15m', review: '15m' } as const;

/** Everything; empty exactly where {@link compileRule}, or of a guard checkGuard, takes it. */
export function ruleProblems(rule: Rule): readonly RuleProblem[] {
  const alone = valueProblems(rule);
  return alone.length > 0 ? alone : togetherProblems(rule);
}

/** What is wrong with values, whatever stands beside them. */
export function valueProblems(rule: Rule): readonly RuleProblem[] {
  const conditions = partsOf(rule.when).flatMap(({ path, when }) =>
    problem(path, () => void uncheckedRule({ ...rule, when }, 0)),
  );
  return [...conditions, ...termProblems(rule)];
}

function termProblems({ then: consequence }: Rule): readonly RuleProblem[] {
  if (typeof consequence !== 'object') return [];
  if ('breakGlass' in consequence) {
    const { breakGlass: terms } = consequence;
    return (['within', 'review'] as const).flatMap((key) =>
      problem(['then', 'breakGlass', key], () =>
        checkBreakGlass({ ...terms, ...READABLE, [key]: terms[key] }),
      ),
    );
  }
  const { mfa: _mfa, ...hold } = consequence.hold;
  return (['expires', 'within', 'mfa'] as const).flatMap((key) =>
    problem(['then', 'hold', key], () => checkTerms({ ...hold, ...READABLE, [key]: consequence.hold[key] })),
  );
}

function togetherProblems(rule: Rule): readonly RuleProblem[] {
  if (isGuard(rule)) return guardProblems(rule).map(placed);
  const { when, then: consequence } = rule;
  const compiled = uncheckedRule(rule, 0);
  if (typeof consequence === 'object' && 'breakGlass' in consequence) {
    return breakGlassProblems(rule, compiled).map(placed);
  }
  const found = TOGETHER.flatMap((check) => problem([], () => check(compiled, when)));
  // Whatever the table above does not know of.
  return found.length > 0
    ? found.map(({ says }) => placed(says))
    : problem([], () => void compileRule(rule, 0));
}

/** A value of a condition, as the only condition. */
interface Part {
  readonly path: readonly string[];
  readonly when: When;
}

/** Each value of each condition, alone. */
function partsOf(when: When): readonly Part[] {
  return Object.entries(when).flatMap(([key, value]: [string, unknown]): readonly Part[] => {
    if (key === 'changes') return [];
    const path = ['when', key];
    // Which words go together is the schema's; a list of effects is one condition.
    if (Array.isArray(value) && key !== 'effects') {
      return value.map((item: unknown, index) => ({
        path: [...path, String(index)],
        when: { [key]: [item] },
      }));
    }
    if (key === 'json') {
      return Object.entries(when.json ?? {}).map(([pointer, wanted]) => ({
        path: [...path, pointer],
        when: { json: { [pointer]: wanted } },
      }));
    }
    return [{ path, when: { [key]: value } }];
  });
}

function problem(path: readonly string[], check: () => void): readonly RuleProblem[] {
  try {
    check();
    return [];
  } catch (error) {
    if (error instanceof PatternProblem) return [{ path, says: error.message }];
    throw error;
  }
}

/** A sentence that begins with keys is about what stands there. */
function placed(says: string): RuleProblem {
  const [keys = ''] = /^(?:when|then|on|who)(?:\.\w+)*/.exec(says) ?? [];
  return { path: keys === '' ? [] : keys.split('.'), says };
}
