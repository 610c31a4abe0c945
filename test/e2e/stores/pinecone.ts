/**
 * A stand-in for Pinecone: control plane and data plane on one port.
 *
 * Spec: Pinecone API 2025-10 and 2026-04 (https://docs.pinecone.io/reference/api). Dense vectors, cosine, metadata
 * filters with `$eq $ne $in $nin $gt $gte $lt $lte $and $or`; integrated search ranks by the words of `text`. The
 * `host` of an index is this server with its scheme, which a gateway has to rewrite. Not here: gRPC, imports,
 * backups, sparse vectors.
 */

import { rank } from '../../../examples/demo/reranker/score.ts';
import { passageOf } from '../../../examples/demo/reranker/words.ts';
import {
  asList,
  asNumber,
  asObject,
  asVector,
  cosine,
  type FakeAnswer,
  FakeProblem,
  type FakeRequest,
  type FakeRoute,
  type FakeStore,
  type JsonObject,
  linesOf,
  memberOf,
  objectOf,
  startFakeStore,
  asText,
} from './fake-http.ts';
import { LEXICAL } from './lexical.ts';

interface Vector {
  readonly id: string;
  readonly values: readonly number[];
  readonly metadata: JsonObject;
}

type Namespace = Map<string, Vector>;

interface Index {
  readonly spec: JsonObject;
  readonly namespaces: Map<string, Namespace>;
}

export interface FakePineconeOptions {
  readonly apiKey?: string;
}

const CODES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  404: 'NOT_FOUND',
  409: 'ALREADY_EXISTS',
};

/** Starts one without an index. Data operations reach the only index that there is. */
export async function startFakePinecone({ apiKey }: FakePineconeOptions = {}): Promise<FakeStore> {
  const data = new Data();
  const store = await startFakeStore({
    routes: [...controlRoutes(data), ...dataRoutes(data)],
    refuse: ({ status, message }) => ({
      status,
      body: { status, error: { code: CODES[status] ?? 'UNKNOWN', message } },
    }),
    ...(apiKey === undefined ? {} : { isKeyed: (headers): boolean => headers['api-key'] === apiKey }),
  });
  data.host = store.url;
  return store;
}

class Data {
  host = '';
  readonly indexes = new Map<string, Index>();

  named(name: string | undefined): Index {
    const found = this.indexes.get(name ?? '');
    if (found === undefined) throw new FakeProblem(404, `Resource ${name} not found`);
    return found;
  }

  /** The data plane of a real one has a host for each index; this one has one index. */
  only(): Index {
    const [first, ...others] = this.indexes.values();
    if (first === undefined || others.length > 0) throw new FakeProblem(404, 'Expected exactly one index.');
    return first;
  }

  namespace(name: unknown): Namespace {
    const { namespaces } = this.only();
    const key = typeof name === 'string' && name !== '__default__' ? name : '';
    const found = namespaces.get(key) ?? new Map<string, Vector>();
    namespaces.set(key, found);
    return found;
  }
}

function ok(body: unknown, status = 200): FakeAnswer {
  return { status, body };
}

function controlRoutes(data: Data): readonly FakeRoute[] {
  return [
    ['GET', '/indexes', () => ok({ indexes: [...data.indexes.keys()].map((name) => describe(data, name)) })],
    [
      'POST',
      '/indexes',
      (request) => {
        const spec = objectOf(request);
        const name = asText(spec['name']);
        if (data.indexes.has(name)) throw new FakeProblem(409, `Resource ${name} already exists`);
        data.indexes.set(name, { spec, namespaces: new Map() });
        return ok(describe(data, name), 201);
      },
    ],
    ['GET', '/indexes/*', ({ names: [name = ''] }) => ok(describe(data, name))],
    [
      'DELETE',
      '/indexes/*',
      ({ names: [name = ''] }) => {
        data.named(name);
        data.indexes.delete(name);
        return { status: 202, body: undefined };
      },
    ],
  ];
}

function describe(data: Data, name: string): unknown {
  const { dimension = 3, metric = 'cosine', spec } = data.named(name).spec;
  return {
    name,
    dimension,
    metric,
    host: data.host,
    spec,
    vector_type: 'dense',
    deletion_protection: 'disabled',
    status: { ready: true, state: 'Ready' },
  };
}

function dataRoutes(data: Data): readonly FakeRoute[] {
  return [
    ['POST', '/vectors/upsert', (request) => upsert(data, request)],
    ['POST', '/vectors/update', (request) => update(data, request)],
    ['POST', '/vectors/delete', (request) => remove(data, request)],
    ['GET', '/vectors/fetch', (request) => fetchVectors(data, request)],
    ['GET', '/vectors/list', (request) => list(data, request)],
    ['POST', '/query', (request) => query(data, request)],
    ['POST', '/describe_index_stats', () => ok(stats(data.only()))],
    ['POST', '/records/namespaces/*/upsert', (request) => upsertRecords(data, request)],
    ['POST', '/records/namespaces/*/search', (request) => searchRecords(data, request)],
    ['GET', '/namespaces', () => ok({ namespaces: namespacesOf(data.only()), pagination: null })],
    [
      'DELETE',
      '/namespaces/*',
      ({ names: [name = ''] }) => {
        data.only().namespaces.delete(name === '__default__' ? '' : name);
        return ok({});
      },
    ],
  ];
}

function upsert(data: Data, request: FakeRequest): FakeAnswer {
  const { vectors, namespace } = objectOf(request);
  const into = data.namespace(namespace);
  const incoming = asList(vectors).map(asObject);
  for (const { id, values, metadata } of incoming) {
    into.set(asText(id), { id: asText(id), values: asVector(values), metadata: asObject(metadata ?? {}) });
  }
  return ok({ upsertedCount: incoming.length });
}

function update(data: Data, request: FakeRequest): FakeAnswer {
  const { id, values, setMetadata, namespace, filter } = objectOf(request);
  const within = data.namespace(namespace);
  const chosen = [...within.values()].filter((vector) =>
    id === undefined ? fits(vector.metadata, filter) : vector.id === id,
  );
  for (const vector of chosen) {
    within.set(vector.id, {
      id: vector.id,
      values: values === undefined ? vector.values : asVector(values),
      metadata: { ...vector.metadata, ...asObject(setMetadata ?? {}) },
    });
  }
  return ok({});
}

function remove(data: Data, request: FakeRequest): FakeAnswer {
  const { ids, deleteAll, filter, namespace } = objectOf(request);
  const from = data.namespace(namespace);
  if (deleteAll === true) from.clear();
  else if (ids !== undefined) for (const id of asList(ids)) from.delete(asText(id));
  else if (filter !== undefined) {
    for (const vector of from.values()) if (fits(vector.metadata, filter)) from.delete(vector.id);
  } else throw new FakeProblem(400, 'Expected ids, a filter or deleteAll.');
  return ok({});
}

function fetchVectors(data: Data, request: FakeRequest): FakeAnswer {
  const namespace = request.query.get('namespace') ?? '';
  const from = data.namespace(namespace);
  const found = request.query.getAll('ids').flatMap((id) => from.get(id) ?? []);
  return ok({
    vectors: Object.fromEntries(found.map((vector) => [vector.id, vector])),
    namespace,
    usage: { readUnits: 1 },
  });
}

function list(data: Data, request: FakeRequest): FakeAnswer {
  const namespace = request.query.get('namespace') ?? '';
  const prefix = request.query.get('prefix') ?? '';
  const ids = [...data.namespace(namespace).keys()].filter((id) => id.startsWith(prefix)).toSorted();
  const limit = Number(request.query.get('limit') ?? 100);
  return ok({ vectors: ids.slice(0, limit).map((id) => ({ id })), namespace, usage: { readUnits: 1 } });
}

function query(data: Data, request: FakeRequest): FakeAnswer {
  const { vector, id, topK, filter, includeMetadata, includeValues, namespace } = objectOf(request);
  const within = data.namespace(namespace);
  const wanted = id === undefined ? asVector(vector) : within.get(asText(id))?.values;
  if (wanted === undefined) return ok({ matches: [], namespace: namespace ?? '' });
  const matches = [...within.values()]
    .filter(({ metadata }) => fits(metadata, filter))
    .map((one) => ({ one, score: cosine(wanted, one.values) }))
    .toSorted((a, b) => b.score - a.score)
    .slice(0, asNumber(topK, 10))
    .map(({ one, score }) => ({
      id: one.id,
      score,
      values: includeValues === true ? one.values : [],
      ...(includeMetadata === true ? { metadata: one.metadata } : {}),
    }));
  return ok({ matches, namespace: namespace ?? '', usage: { readUnits: 1 } });
}

function stats({ spec, namespaces }: Index): unknown {
  const counts = [...namespaces].map(([name, vectors]) => [name, { vectorCount: vectors.size }] as const);
  return {
    namespaces: Object.fromEntries(counts),
    dimension: spec['dimension'] ?? 3,
    indexFullness: 0,
    totalVectorCount: counts.reduce((sum, [, { vectorCount }]) => sum + vectorCount, 0),
  };
}

function namespacesOf({ namespaces }: Index): unknown {
  return [...namespaces].map(([name, vectors]) => ({
    name: name === '' ? '__default__' : name,
    record_count: asText(vectors.size),
  }));
}

function upsertRecords(data: Data, request: FakeRequest): FakeAnswer {
  const into = data.namespace(request.names[0]);
  for (const { _id, id = _id, ...metadata } of linesOf(request)) {
    into.set(asText(id), { id: asText(id), values: [], metadata });
  }
  return { status: 201, body: undefined };
}

/** Retrieval by the words of the question, then reranking by those of `rerank`, in one call. */
function searchRecords(data: Data, request: FakeRequest): FakeAnswer {
  const { query: asked, fields, rerank } = objectOf(request);
  const { inputs, top_k: topK, filter } = asObject(asked);
  const question = asText(asObject(inputs ?? {})['text'] ?? '');
  const found = order(
    question,
    [...data.namespace(request.names[0]).values()].filter(({ metadata }) => fits(metadata, filter)),
    ['text'],
  ).slice(0, asNumber(topK, 10));
  const { query: again, rank_fields: names, top_n: topN } = asObject(rerank ?? {});
  const hits =
    rerank === undefined || rerank === null
      ? found
      : order(
          asText(again ?? question),
          found.map(({ vector }) => vector),
          asList(names).map(asText),
        ).slice(0, asNumber(topN, found.length));
  return ok({
    result: {
      hits: hits.map(({ vector, score }) => ({
        _id: vector.id,
        _score: score,
        fields: picked(vector.metadata, fields),
      })),
    },
    usage: { read_units: 1, ...(rerank === undefined ? {} : { rerank_units: 1 }) },
  });
}

function order(
  question: string,
  vectors: readonly Vector[],
  names: readonly string[],
): readonly { readonly vector: Vector; readonly score: number }[] {
  const passages = vectors.map(({ metadata }) =>
    passageOf(names.map((name) => asText(metadata[name] ?? '')).join(' ')),
  );
  return rank(LEXICAL, question, passages).ranked.flatMap(({ index, score }) => {
    const vector = vectors[index];
    return vector === undefined ? [] : [{ vector, score }];
  });
}

function picked(metadata: JsonObject, fields: unknown): JsonObject {
  if (fields === undefined || fields === null) return metadata;
  const names = new Set(asList(fields));
  return names.has('*')
    ? metadata
    : Object.fromEntries(Object.entries(metadata).filter(([key]) => names.has(key)));
}

function fits(metadata: JsonObject, filter: unknown): boolean {
  if (filter === undefined || filter === null) return true;
  return Object.entries(asObject(filter)).every(([key, condition]) => {
    if (key === '$and') return asList(condition).every((one) => fits(metadata, one));
    if (key === '$or') return asList(condition).some((one) => fits(metadata, one));
    const value = memberOf(metadata, key);
    if (typeof condition !== 'object' || condition === null) return value === condition;
    return Object.entries(condition).every(([operator, operand]) => compares(value, operator, operand));
  });
}

function compares(value: unknown, operator: string, operand: unknown): boolean {
  const compare = COMPARISONS[operator];
  if (compare === undefined) throw new FakeProblem(400, `Unknown operator ${operator}.`);
  return compare(value, operand);
}

const COMPARISONS: Readonly<Record<string, (value: unknown, operand: unknown) => boolean>> = {
  $eq: (value, operand) => value === operand,
  $ne: (value, operand) => value !== operand,
  $in: (value, operand) => asList(operand).includes(value),
  $nin: (value, operand) => !asList(operand).includes(value),
  $gt: (value, operand) => Number(value) > Number(operand),
  $gte: (value, operand) => Number(value) >= Number(operand),
  $lt: (value, operand) => Number(value) < Number(operand),
  $lte: (value, operand) => Number(value) <= Number(operand),
};
