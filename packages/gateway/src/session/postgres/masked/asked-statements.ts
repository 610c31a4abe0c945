/** What the server said of each statement of a text, in the words that Masks decide by. */

import type { ReadText } from '../../../core/effects.ts';
import { namesInText } from '../../../sql/server-tree/names.ts';
import { runsHiddenCode, writingCalls } from '../../../sql/server-tree/with-tree.ts';
import type { ServerAnswer } from '../armed/ask-server.ts';
import type { Step } from '../armed/plan.ts';
import type { MaskingKeyRing } from '../../../masking/operators/key-ring.ts';
import { type AskedStatement, isDefinition } from './mask-judge.ts';
import { maskInText, writes } from './written-back.ts';

/** @param steps one for each statement; none where nothing in the text has to be asked */
export function askedStatements(
  { statements }: Extract<ReadText, { readonly kind: 'read' }>,
  textBytes: Uint8Array,
  steps: readonly Step[],
  answers: readonly (ServerAnswer | undefined)[],
  keys: MaskingKeyRing,
): readonly AskedStatement[] {
  return statements.map((statement, at) => {
    const step = steps[at] ?? { kind: 'none' };
    const said = step.kind === 'tree' ? answers[step.text] : undefined;
    const { from, to } = statement;
    return {
      labels: said?.labels,
      hasQuery: step.kind !== 'none',
      calls: said === undefined ? [] : writingCalls({ ...said, isPlanned: false }),
      runsHidden: said !== undefined && runsHiddenCode({ ...said, isPlanned: false }),
      writesBack: writes(statement) ? maskInText(keys, textBytes.subarray(from, to)) : undefined,
      words: isDefinition(statement) ? namesInText(textBytes.subarray(from, to))?.words : undefined,
    };
  });
}
