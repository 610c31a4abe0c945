/**
 * Infinity: `POST /rerank`; up to 2,048 documents of up to 122,880 characters.
 *
 * Spec: https://michaelfeil.eu/infinity/, whose schema is checked by FastAPI: 422 with `detail` as a list; what
 * the application itself says has the form of OpenAI.
 */

import { type Dialect, echoOf, scoreOf } from '../dialect.ts';
import { textDocument } from '../documents.ts';
import { countOf, flagOf, listOf, optionalTextOf, textOf } from '../fields.ts';
import { DOCUMENTS_MAX } from '../limits.ts';
import { Problem, STATUSES, type Statuses } from '../problem.ts';

const INFINITY_STATUSES: Statuses = { ...STATUSES, invalid: 422, 'too-many': 422, 'no-model': 400 };

export const INFINITY: Dialect = {
  name: 'infinity',
  read(body, { infinityTextLengthMax }) {
    const query = short(textOf(body, 'query'), 'query', infinityTextLengthMax);
    return {
      query,
      model: optionalTextOf(body, 'model'),
      documents: listOf(body, 'documents', DOCUMENTS_MAX.infinity).map((value, index) => {
        const document = textDocument(value, index, 'documents');
        short(String(document.echo), `documents.${index}`, infinityTextLengthMax);
        return document;
      }),
      top: countOf(body, 'top_n', 1),
      echo: flagOf(body, 'return_documents', false),
      rawScores: flagOf(body, 'raw_scores', false),
      wordsMax: undefined,
    };
  },
  answer: ({ call, ranked, model, wordsCount, id, created }) => ({
    object: 'rerank',
    results: ranked.map((one) => ({
      relevance_score: scoreOf(call, one),
      index: one.index,
      ...(call.echo ? { document: echoOf(call, one) } : {}),
    })),
    model: call.model ?? model.name,
    usage: { prompt_tokens: wordsCount, total_tokens: wordsCount },
    id: `infinity-${id}`,
    created,
  }),
  refuse({ kind, message, member }) {
    const status = INFINITY_STATUSES[kind];
    if (kind === 'unauthorized') return { status, body: { detail: 'Unauthorized' } };
    if (status === 422) {
      const loc = ['body', ...(member?.split('.') ?? [])];
      return { status, body: { detail: [{ loc, msg: message, type: 'value_error' }] } };
    }
    return { status, body: { error: { message, type: null, param: member ?? null, code: status } } };
  },
};

function short(text: string, member: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  throw new Problem('invalid', `"${member}" has more than ${lengthMax} characters.`, member);
}
