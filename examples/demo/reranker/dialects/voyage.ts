/**
 * Voyage: `POST /v1/rerank` with `top_k`, not `top_n`; results are in `data`, and a document comes back as text.
 *
 * Spec: https://docs.voyageai.com/reference/reranker-api.
 */

import { type Dialect, echoOf, scoreOf } from '../dialect.ts';
import { textDocument } from '../documents.ts';
import { countOf, flagOf, listOf, textOf } from '../fields.ts';
import { DOCUMENTS_MAX } from '../limits.ts';
import { STATUSES, type Statuses } from '../problem.ts';

const VOYAGE_STATUSES: Statuses = { ...STATUSES, 'no-model': 400 };

export const VOYAGE: Dialect = {
  name: 'voyage',
  read(body) {
    flagOf(body, 'truncation', true);
    return {
      query: textOf(body, 'query'),
      model: textOf(body, 'model'),
      documents: listOf(body, 'documents', DOCUMENTS_MAX.voyage).map((value, index) =>
        textDocument(value, index, 'documents'),
      ),
      top: countOf(body, 'top_k', 1),
      echo: flagOf(body, 'return_documents', false),
      rawScores: false,
      wordsMax: undefined,
    };
  },
  answer: ({ call, ranked, wordsCount }) => ({
    object: 'list',
    data: ranked.map((one) => ({
      relevance_score: scoreOf(call, one),
      index: one.index,
      ...(call.echo ? { document: echoOf(call, one) } : {}),
    })),
    model: call.model,
    usage: { total_tokens: wordsCount },
  }),
  refuse: ({ kind, message }) => ({ status: VOYAGE_STATUSES[kind], body: { detail: message } }),
};
