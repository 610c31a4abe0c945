/**
 * Text Embeddings Inference: `POST /rerank`, and `/` and `/invocations`; the answer is a bare list.
 *
 * Spec: https://huggingface.github.io/text-embeddings-inference/. One process has one model, so a call names none.
 * Its header fields with timings are the server's to add.
 */

import { type Dialect, echoOf, scoreOf } from '../dialect.ts';
import { textDocument } from '../documents.ts';
import { flagOf, listOf, textOf } from '../fields.ts';
import { Problem, type ProblemKind, STATUSES, type Statuses } from '../problem.ts';

const TEI_STATUSES: Statuses = { ...STATUSES, invalid: 422, 'too-many': 422, broken: 424 };
const TYPES: Partial<Record<ProblemKind, string>> = { overloaded: 'Overloaded', broken: 'Backend' };
/** TEI's own type and status for a list without anything in it. */
const EMPTY = { status: 400, type: 'Empty' };

export const TEI: Dialect = {
  name: 'tei',
  read(body, limits) {
    direction(body['truncation_direction']);
    flagOf(body, 'truncate', false);
    return {
      query: textOf(body, 'query'),
      model: undefined,
      documents: listOf(body, 'texts', limits.teiDocumentsMax).map((value, index) =>
        textDocument(value, index, 'texts'),
      ),
      top: undefined,
      echo: flagOf(body, 'return_text', false),
      rawScores: flagOf(body, 'raw_scores', false),
      wordsMax: undefined,
    };
  },
  answer: ({ call, ranked }) =>
    ranked.map((one) => ({
      index: one.index,
      ...(call.echo ? { text: echoOf(call, one) } : {}),
      score: scoreOf(call, one),
    })),
  refuse: ({ kind, message }) => {
    const isEmpty = kind === 'invalid' && message.endsWith('is empty.');
    return {
      status: isEmpty ? EMPTY.status : TEI_STATUSES[kind],
      body: { error: message, error_type: isEmpty ? EMPTY.type : (TYPES[kind] ?? 'Validation') },
    };
  },
};

function direction(value: unknown): void {
  const known = ['Left', 'Right', 'left', 'right', undefined, null];
  if (!known.some((one) => one === value)) {
    throw new Problem('invalid', '"truncation_direction" is not Left or Right.', 'truncation_direction');
  }
}
