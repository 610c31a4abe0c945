/** `_search` of the stand-in for search engines: what is found, in which order, and which of it is shown. */

import { rank, type Ranked } from '../../../examples/demo/reranker/score.ts';
import { passageOf } from '../../../examples/demo/reranker/words.ts';
import {
  asList,
  asNumber,
  asObject,
  FakeProblem,
  type FakeRequest,
  type JsonObject,
  memberOf,
  objectOf,
  asText,
} from './fake-http.ts';
import { LEXICAL } from './lexical.ts';
import type { Found, Indexes } from './search-indexes.ts';

interface Hit extends Found {
  readonly score: number;
}

export function rankBy(query: string, texts: readonly string[]): readonly Ranked[] {
  return rank(LEXICAL, query, texts.map(passageOf)).ranked;
}

/** The answer to one search. */
export function search(indexes: Indexes, names: string, request: FakeRequest): unknown {
  const body = objectOf(request);
  const found = retrieve(indexes, names, body);
  const pipeline = body['search_pipeline'] ?? request.query.get('search_pipeline') ?? undefined;
  const hits = pipeline === undefined ? found : throughPipeline(indexes, asText(pipeline), body, found);
  const from = asNumber(body['from'], Number(request.query.get('from') ?? 0));
  const size = asNumber(body['size'], Number(request.query.get('size') ?? 10));
  return {
    took: 1,
    timed_out: false,
    _shards: { total: 1, successful: 1, skipped: 0, failed: 0 },
    hits: {
      total: { value: hits.length, relation: 'eq' },
      max_score: hits[0]?.score ?? null,
      hits: hits.slice(from, from + size).map(({ index, id, score, stored }) => ({
        _index: index,
        _id: id,
        _score: score,
        ...shown(stored.source, body['_source']),
      })),
    },
  };
}

function retrieve(indexes: Indexes, names: string, body: JsonObject): readonly Hit[] {
  const { retriever } = body;
  if (retriever === undefined) return byQuery(indexes, names, body['query']);
  const { standard, text_similarity_reranker: reranker } = asObject(retriever);
  if (standard !== undefined) return byQuery(indexes, names, asObject(standard)['query']);
  if (reranker === undefined) throw new FakeProblem(400, 'unknown retriever', 'parsing_exception');
  const {
    retriever: first,
    field,
    inference_id: endpoint,
    inference_text: text,
    rank_window_size: window,
  } = asObject(reranker);
  if (!indexes.endpoints.has(asText(endpoint))) {
    const says = `Inference endpoint not found [${asText(endpoint)}]`;
    throw new FakeProblem(404, says, 'resource_not_found_exception');
  }
  const candidates = retrieve(indexes, names, { retriever: first }).slice(0, asNumber(window, 10));
  return reordered(asText(text), candidates, [asText(field)]);
}

/** Found by the query, in the order of the words that it asks for. */
function byQuery(indexes: Indexes, names: string, query: unknown): readonly Hit[] {
  const found = indexes.matching(names, query);
  const { text, fields } = askedWords(query);
  if (text === '') return found.map((one) => ({ ...one, score: 1 }));
  return reordered(text, found, fields);
}

function askedWords(query: unknown): { readonly text: string; readonly fields: readonly string[] } {
  if (typeof query !== 'object' || query === null) return { text: '', fields: [] };
  const { match, multi_match: many, bool } = asObject(query);
  if (match !== undefined) {
    const [[field, value] = ['', '']] = Object.entries(asObject(match));
    return { text: asText(typeof value === 'object' ? memberOf(value, 'query') : value), fields: [field] };
  }
  if (many !== undefined) {
    const { query: text, fields } = asObject(many);
    return { text: asText(text), fields: asList(fields).map(asText) };
  }
  if (bool === undefined) return { text: '', fields: [] };
  const { must, should } = asObject(bool);
  const clauses = [must, should].flat();
  return clauses.map(askedWords).find(({ text }) => text !== '') ?? { text: '', fields: [] };
}

function reordered(text: string, found: readonly Found[], fields: readonly string[]): readonly Hit[] {
  const texts = found.map(({ stored }) =>
    fields.map((field) => asText(memberOf(stored.source, field) ?? '')).join(' '),
  );
  return rankBy(text, texts).flatMap(({ index, score }) => {
    const one = found[index];
    return one === undefined ? [] : [{ ...one, score }];
  });
}

/** OpenSearch: a response processor `rerank`, with the text of `ext.rerank.query_context`. */
function throughPipeline(
  indexes: Indexes,
  name: string,
  body: JsonObject,
  found: readonly Hit[],
): readonly Hit[] {
  const pipeline = indexes.pipelines.get(name);
  if (pipeline === undefined)
    throw new FakeProblem(400, `Pipeline ${name} is not defined`, 'illegal_argument_exception');
  const processors = asList(pipeline['response_processors'] ?? []).map(asObject);
  const rerank = processors.find((processor) => 'rerank' in processor)?.['rerank'];
  if (rerank === undefined) return found;
  const fields = asList(memberOf(rerank, 'context.document_fields')).map(asText);
  const text = memberOf(body, 'ext.rerank.query_context.query_text');
  if (typeof text !== 'string')
    throw new FakeProblem(400, 'must specify query_text', 'illegal_argument_exception');
  return reordered(text, found, fields);
}

function shown(source: JsonObject, wanted: unknown): JsonObject {
  if (wanted === false) return {};
  if (wanted === undefined || wanted === true) return { _source: source };
  const names = new Set(
    typeof wanted === 'string'
      ? [wanted]
      : Array.isArray(wanted)
        ? wanted
        : asList(asObject(wanted)['includes']),
  );
  return { _source: Object.fromEntries(Object.entries(source).filter(([key]) => names.has(key))) };
}
