/**
 * Pinecone: `POST /rerank`; documents are objects, and come back whole unless the caller says no.
 *
 * Spec: https://docs.pinecone.io/reference/api/2026-04/inference/rerank. A unit is a query with up to 100 documents.
 */

import { type Dialect, echoOf, scoreOf } from '../dialect.ts';
import { fieldDocument } from '../documents.ts';
import { countOf, flagOf, isObject, listOf, optionalNamesOf, textOf } from '../fields.ts';
import { DOCUMENTS_MAX } from '../limits.ts';
import { Problem, type ProblemKind, STATUSES } from '../problem.ts';

const DOCUMENTS_PER_UNIT = 100;
const CODES: Readonly<Record<ProblemKind, string>> = {
  invalid: 'INVALID_ARGUMENT',
  unauthorized: 'UNAUTHENTICATED',
  'no-route': 'NOT_FOUND',
  'no-method': 'UNIMPLEMENTED',
  'no-model': 'NOT_FOUND',
  conflict: 'ALREADY_EXISTS',
  'too-large': 'OUT_OF_RANGE',
  'too-many': 'INVALID_ARGUMENT',
  encoding: 'INVALID_ARGUMENT',
  overloaded: 'RESOURCE_EXHAUSTED',
  broken: 'UNKNOWN',
};

export const PINECONE: Dialect = {
  name: 'pinecone',
  read(body) {
    const names = optionalNamesOf(body, 'rank_fields') ?? ['text'];
    const { parameters } = body;
    if (parameters !== undefined && parameters !== null && !isObject(parameters)) {
      throw new Problem('invalid', '"parameters" is not an object.', 'parameters');
    }
    return {
      query: textOf(body, 'query'),
      model: textOf(body, 'model'),
      documents: listOf(body, 'documents', DOCUMENTS_MAX.pinecone).map((value, index) => {
        if (isObject(value)) return fieldDocument(value, index, 'documents', names);
        throw new Problem('invalid', `"documents[${index}]" is not an object.`, `documents.${index}`);
      }),
      top: countOf(body, 'top_n', 1),
      echo: flagOf(body, 'return_documents', true),
      rawScores: false,
      wordsMax: undefined,
    };
  },
  answer: ({ call, ranked }) => ({
    model: call.model,
    data: ranked.map((one) => ({
      index: one.index,
      score: scoreOf(call, one),
      ...(call.echo ? { document: echoOf(call, one) } : {}),
    })),
    usage: { rerank_units: Math.ceil(call.documents.length / DOCUMENTS_PER_UNIT) },
  }),
  refuse({ kind, message }) {
    const status = STATUSES[kind];
    return { status, body: { error: { code: CODES[kind], message }, status } };
  },
};
