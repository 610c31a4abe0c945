/**
 * Mixedbread: `POST /v1/reranking`; documents are `input`, of any type, and scores are `score`.
 *
 * Spec: https://www.mixedbread.com/api-reference/endpoints/reranking. Errors as FastAPI has them, `{ detail }`.
 */

import { type Dialect, echoOf, scoreOf } from '../dialect.ts';
import { anyDocument } from '../documents.ts';
import { countOf, flagOf, listOf, optionalNamesOf, optionalTextOf, textOf } from '../fields.ts';
import { DOCUMENTS_MAX } from '../limits.ts';
import { STATUSES, type Statuses } from '../problem.ts';

const MIXEDBREAD_STATUSES: Statuses = { ...STATUSES, invalid: 422, 'too-many': 422 };
/** As the specification's own default. */
const TOP_DEFAULT = 10;

export const MIXEDBREAD: Dialect = {
  name: 'mixedbread',
  read(body) {
    const names = optionalNamesOf(body, 'rank_fields');
    flagOf(body, 'rewrite_query', false);
    return {
      query: textOf(body, 'query'),
      model: optionalTextOf(body, 'model'),
      documents: listOf(body, 'input', DOCUMENTS_MAX.mixedbread).map((value, index) =>
        anyDocument(value, index, 'input', names),
      ),
      top: countOf(body, 'top_k', 1) ?? TOP_DEFAULT,
      echo: flagOf(body, 'return_input', false),
      rawScores: false,
      wordsMax: undefined,
    };
  },
  answer: ({ call, ranked, model, wordsCount }) => ({
    usage: { prompt_tokens: wordsCount, total_tokens: wordsCount, completion_tokens: 0 },
    model: call.model ?? model.name,
    data: ranked.map((one) => ({
      index: one.index,
      score: scoreOf(call, one),
      ...(call.echo ? { input: echoOf(call, one) } : {}),
      object: 'rank_result',
    })),
    object: 'list',
    top_k: call.top,
    return_input: call.echo,
  }),
  refuse: ({ kind, message, member }) => ({
    status: MIXEDBREAD_STATUSES[kind],
    body:
      kind === 'invalid' && member !== undefined
        ? { detail: [{ loc: ['body', ...member.split('.')], msg: message, type: 'value_error' }] }
        : { detail: message },
  }),
};
