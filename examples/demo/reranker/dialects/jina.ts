/**
 * Jina: `POST /v1/rerank` with `top_n`; documents are texts, or objects with `text`.
 *
 * Spec: https://api.jina.ai/docs. A text comes back as `{ text }`, an object as it came.
 */

import { type Dialect, echoOf, scoreOf } from '../dialect.ts';
import { anyDocument } from '../documents.ts';
import { countOf, flagOf, listOf, textOf } from '../fields.ts';
import { DOCUMENTS_MAX } from '../limits.ts';
import { STATUSES, type Statuses } from '../problem.ts';

const JINA_STATUSES: Statuses = { ...STATUSES, invalid: 422, 'too-many': 422 };

export const JINA: Dialect = {
  name: 'jina',
  read(body) {
    flagOf(body, 'truncation', true);
    return {
      query: textOf(body, 'query'),
      model: textOf(body, 'model'),
      documents: listOf(body, 'documents', DOCUMENTS_MAX.jina).map((value, index) => {
        const { passage, echo } = anyDocument(value, index, 'documents', undefined);
        return { passage, echo: typeof echo === 'string' ? { text: echo } : echo };
      }),
      top: countOf(body, 'top_n', 1),
      echo: flagOf(body, 'return_documents', true),
      rawScores: false,
      wordsMax: undefined,
    };
  },
  answer: ({ call, ranked, wordsCount }) => ({
    model: call.model,
    object: 'list',
    usage: { total_tokens: wordsCount, prompt_tokens: wordsCount },
    results: ranked.map((one) => ({
      index: one.index,
      relevance_score: scoreOf(call, one),
      ...(call.echo ? { document: echoOf(call, one) } : {}),
    })),
  }),
  refuse: ({ kind, message }) => ({ status: JINA_STATUSES[kind], body: { detail: message } }),
};
