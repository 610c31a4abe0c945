/**
 * Cohere: `POST /v1/rerank` and `POST /v2/rerank`.
 *
 * Spec: https://docs.cohere.com/v1/reference/rerank, https://docs.cohere.com/reference/rerank. The second has
 * strings only, and no echo. A search unit is a query with up to 100 documents.
 */

import type { Answered, Call, Dialect } from '../dialect.ts';
import { echoOf, scoreOf } from '../dialect.ts';
import { anyDocument, textDocument } from '../documents.ts';
import { type Body, countOf, flagOf, listOf, optionalNamesOf, optionalTextOf, textOf } from '../fields.ts';
import { DOCUMENTS_MAX } from '../limits.ts';
import { type Problem, type ProblemKind, STATUSES } from '../problem.ts';

const DOCUMENTS_PER_UNIT = 100;

export const COHERE_V1: Dialect = {
  name: 'cohere-v1',
  read(body) {
    const names = optionalNamesOf(body, 'rank_fields');
    const documents = listOf(body, 'documents', DOCUMENTS_MAX.cohere);
    countOf(body, 'max_chunks_per_doc', 1);
    return {
      ...common(body),
      model: optionalTextOf(body, 'model'),
      documents: documents.map((value, index) => {
        const { passage, echo } = anyDocument(value, index, 'documents', names);
        return { passage, echo: typeof echo === 'string' ? { text: echo } : echo };
      }),
      echo: flagOf(body, 'return_documents', false),
      wordsMax: undefined,
    };
  },
  answer: (answered) => answer(answered, '1'),
  refuse,
};

export const COHERE_V2: Dialect = {
  name: 'cohere-v2',
  read(body) {
    countOf(body, 'priority', 0);
    return {
      ...common(body),
      model: textOf(body, 'model'),
      documents: listOf(body, 'documents', DOCUMENTS_MAX.cohere).map((value, index) =>
        textDocument(value, index, 'documents'),
      ),
      echo: false,
      wordsMax: countOf(body, 'max_tokens_per_doc', 1),
    };
  },
  answer: (answered) => answer(answered, '2'),
  refuse,
};

function common(body: Body): Pick<Call, 'query' | 'top' | 'rawScores'> {
  return { query: textOf(body, 'query'), top: countOf(body, 'top_n', 1), rawScores: false };
}

function answer({ call, ranked, id }: Answered, version: string): unknown {
  return {
    id,
    results: ranked.map((one) => ({
      ...(call.echo ? { document: echoOf(call, one) } : {}),
      index: one.index,
      relevance_score: scoreOf(call, one),
    })),
    meta: {
      api_version: { version },
      billed_units: { search_units: Math.ceil(call.documents.length / DOCUMENTS_PER_UNIT) },
    },
  };
}

function refuse({ kind, message }: Problem): { status: number; body: unknown } {
  const says: Partial<Record<ProblemKind, string>> = {
    unauthorized: 'invalid api token',
    invalid: `invalid request: ${message}`,
  };
  return { status: STATUSES[kind], body: { message: says[kind] ?? message } };
}
