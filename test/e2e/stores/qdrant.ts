/**
 * A stand-in for Qdrant over HTTP.
 *
 * Spec: Qdrant 1.15 to 1.19, OpenAPI (https://api.qdrant.tech/api-reference). Cosine distance, one vector a point,
 * identifiers as text inside. Not here: sharding, quantisation, sparse and named vectors, gRPC.
 */

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
  memberOf,
  objectOf,
  startFakeStore,
  asText,
} from './fake-http.ts';

interface Point {
  readonly id: unknown;
  readonly vector: readonly number[];
  readonly payload: JsonObject;
}

interface Collection {
  readonly config: JsonObject;
  readonly points: Map<string, Point>;
  readonly snapshots: string[];
}

export interface FakeQdrantOptions {
  readonly apiKey?: string;
}

/** Starts an empty one. */
export function startFakeQdrant({ apiKey }: FakeQdrantOptions = {}): Promise<FakeStore> {
  return startFakeStore({
    routes: routesOf(new Data()),
    refuse: ({ status, message }) => ({ status, body: { status: { error: message }, time: 0 } }),
    ...(apiKey === undefined
      ? {}
      : {
          isKeyed: (headers): boolean =>
            headers['api-key'] === apiKey || headers.authorization === `Bearer ${apiKey}`,
        }),
  });
}

class Data {
  readonly collections = new Map<string, Collection>();
  readonly aliases = new Map<string, string>();
  #operations = 0;

  named(name: string | undefined): Collection {
    const found = this.collections.get(this.aliases.get(name ?? '') ?? name ?? '');
    if (found === undefined) throw new FakeProblem(404, `Not found: Collection \`${name}\` doesn't exist!`);
    return found;
  }

  completed(): FakeAnswer {
    this.#operations += 1;
    return ok({ operation_id: this.#operations, status: 'completed' });
  }
}

function routesOf(data: Data): readonly FakeRoute[] {
  return [
    [
      'GET',
      '/',
      () => ({ status: 200, body: { title: 'qdrant - vector search engine', version: '1.19.0' } }),
    ],
    ...collectionRoutes(data),
    ...readRoutes(data),
    ...writeRoutes(data),
  ];
}

function collectionRoutes(data: Data): readonly FakeRoute[] {
  return [
    [
      'GET',
      '/collections',
      () => ok({ collections: [...data.collections.keys()].map((name) => ({ name })) }),
    ],
    ['POST', '/collections/aliases', (request) => changeAliases(data, request)],
    ['GET', '/aliases', () => ok({ aliases: aliasesOf(data) })],
    ['GET', '/collections/*/aliases', ({ names: [name] }) => ok({ aliases: aliasesOf(data, name) })],
    ['GET', '/collections/*/exists', ({ names: [name = ''] }) => ok({ exists: data.collections.has(name) })],
    ['PUT', '/collections/*', (request) => create(data, request)],
    ['GET', '/collections/*', ({ names: [name] }) => ok(infoOf(data.named(name)))],
    ['PATCH', '/collections/*', ({ names: [name] }) => ok(data.named(name) !== undefined)],
    ['DELETE', '/collections/*', ({ names: [name = ''] }) => ok(data.collections.delete(name))],
    ['PUT', '/collections/*/index', ({ names: [name] }) => (data.named(name), data.completed())],
    ['POST', '/collections/*/snapshots', ({ names: [name = ''] }) => makeSnapshot(name, data.named(name))],
    [
      'GET',
      '/collections/*/snapshots',
      ({ names: [name] }) => ok(data.named(name).snapshots.map(snapshotOf)),
    ],
    ['GET', '/collections/*/snapshots/*', ({ names: [name, file] }) => download(data.named(name), file)],
  ];
}

function readRoutes(data: Data): readonly FakeRoute[] {
  return [
    ['POST', '/collections/*/points', (request) => retrieve(data, request)],
    ['GET', '/collections/*/points/*', ({ names: [name, id = ''] }) => ok(one(data.named(name), id))],
    ['POST', '/collections/*/points/scroll', (request) => scroll(data, request)],
    ['POST', '/collections/*/points/count', (request) => count(data, request)],
    [
      'POST',
      '/collections/*/points/query',
      (request) => ok(query(data, request.names[0], objectOf(request))),
    ],
    [
      'POST',
      '/collections/*/points/query/batch',
      (request) => {
        const searches = asList(objectOf(request)['searches']);
        return ok(searches.map((search) => query(data, request.names[0], asObject(search))));
      },
    ],
    [
      'POST',
      '/collections/*/points/search',
      (request) => {
        const { vector, ...rest } = objectOf(request);
        return ok(query(data, request.names[0], { ...rest, query: vector }).points);
      },
    ],
  ];
}

function writeRoutes(data: Data): readonly FakeRoute[] {
  return [
    ['PUT', '/collections/*/points', (request) => upsert(data, request)],
    [
      'POST',
      '/collections/*/points/delete',
      (request) => {
        const { points } = data.named(request.names[0]);
        for (const key of chosen(points, objectOf(request))) points.delete(key);
        return data.completed();
      },
    ],
    [
      'POST',
      '/collections/*/points/payload',
      changePayload(data, (old, { payload }) => ({ ...old, ...asObject(payload) })),
    ],
    ['PUT', '/collections/*/points/payload', changePayload(data, (_, { payload }) => asObject(payload))],
    ['POST', '/collections/*/points/payload/clear', changePayload(data, () => ({}))],
    [
      'POST',
      '/collections/*/points/payload/delete',
      changePayload(data, (old, { keys }) => {
        const gone = new Set(asList(keys));
        return Object.fromEntries(Object.entries(old).filter(([key]) => !gone.has(key)));
      }),
    ],
  ];
}

function ok(result: unknown): FakeAnswer {
  return { status: 200, body: { result, status: 'ok', time: 0.000_1 } };
}

function create(data: Data, request: FakeRequest): FakeAnswer {
  const [name = ''] = request.names;
  if (data.collections.has(name)) {
    throw new FakeProblem(409, `Wrong input: Collection \`${name}\` already exists!`);
  }
  data.collections.set(name, { config: objectOf(request), points: new Map(), snapshots: [] });
  return ok(true);
}

function infoOf({ config, points }: Collection): unknown {
  return {
    status: 'green',
    optimizer_status: 'ok',
    points_count: points.size,
    indexed_vectors_count: points.size,
    segments_count: 1,
    config: { params: { vectors: config['vectors'] } },
    payload_schema: {},
  };
}

function aliasesOf(data: Data, of?: string): unknown {
  return [...data.aliases]
    .filter(([, collection]) => of === undefined || collection === of)
    .map(([alias_name, collection_name]) => ({ alias_name, collection_name }));
}

/** All or nothing, as the store has it: what is aliased is there. */
function changeAliases(data: Data, request: FakeRequest): FakeAnswer {
  const after = new Map(data.aliases);
  for (const action of asList(objectOf(request)['actions']).map(asObject)) {
    const { create_alias: make, delete_alias: drop, rename_alias: rename } = action;
    if (make !== undefined) {
      const { alias_name: alias, collection_name: collection } = asObject(make);
      data.named(asText(collection));
      after.set(asText(alias), asText(collection));
    } else if (drop !== undefined) {
      after.delete(asText(asObject(drop)['alias_name']));
    } else if (rename !== undefined) {
      const { old_alias_name: old, new_alias_name: alias } = asObject(rename);
      const collection = after.get(asText(old));
      if (collection === undefined)
        throw new FakeProblem(404, `Not found: Alias ${asText(old)} does not exists!`);
      after.delete(asText(old));
      after.set(asText(alias), collection);
    } else {
      throw new FakeProblem(400, 'Unknown action of aliases.');
    }
  }
  data.aliases.clear();
  for (const [alias, collection] of after) data.aliases.set(alias, collection);
  return ok(true);
}

function makeSnapshot(name: string, collection: Collection): FakeAnswer {
  collection.snapshots.push(`${name}-${collection.snapshots.length + 1}.snapshot`);
  return ok(snapshotOf(collection.snapshots.at(-1) ?? ''));
}

function snapshotOf(name: string): unknown {
  return { name, creation_time: '2026-01-01T00:00:00', size: 1, checksum: null };
}

/** The file is the points as JSON: what matters is that everything leaves. */
function download({ snapshots, points }: Collection, file: string | undefined): FakeAnswer {
  if (file === undefined || !snapshots.includes(file))
    throw new FakeProblem(404, `Not found: Snapshot ${file}`);
  const headers = { 'content-type': 'application/octet-stream' };
  return { status: 200, body: Buffer.from(JSON.stringify([...points.values()])), headers };
}

function upsert(data: Data, request: FakeRequest): FakeAnswer {
  const { points } = data.named(request.names[0]);
  const { points: list, batch } = objectOf(request);
  const incoming = batch === undefined ? asList(list).map(asObject) : unbatched(asObject(batch));
  for (const { id, vector, payload } of incoming) {
    if (typeof id !== 'number' && typeof id !== 'string') throw new FakeProblem(400, 'Format error: id');
    const stored = {
      id,
      vector: asVector(vector),
      payload: payload === undefined ? {} : asObject(payload ?? {}),
    };
    points.set(asText(id), stored);
  }
  return data.completed();
}

function unbatched({ ids, vectors, payloads }: JsonObject): readonly JsonObject[] {
  const all = asList(vectors);
  const rest = payloads === undefined ? [] : asList(payloads);
  return asList(ids).map((id, index) => ({ id, vector: all[index], payload: rest[index] }));
}

function changePayload(
  data: Data,
  change: (old: JsonObject, body: JsonObject) => JsonObject,
): (request: FakeRequest) => FakeAnswer {
  return (request) => {
    const { points } = data.named(request.names[0]);
    const body = objectOf(request);
    for (const key of chosen(points, body)) {
      const point = points.get(key);
      if (point !== undefined) points.set(key, { ...point, payload: change(point.payload, body) });
    }
    return data.completed();
  };
}

/** By identifiers, or by a filter, which is everything that fits. */
function chosen(points: ReadonlyMap<string, Point>, { points: ids, filter }: JsonObject): readonly string[] {
  if (ids !== undefined) return asList(ids).map(asText);
  if (filter === undefined) throw new FakeProblem(400, 'Format error: expected points or a filter.');
  return [...points].filter(([, point]) => fits(point, filter)).map(([key]) => key);
}

function one({ points }: Collection, id: string): unknown {
  const point = points.get(id);
  if (point === undefined) throw new FakeProblem(404, `Not found: Point with id ${id} does not exists!`);
  return shown(point, { with_payload: true, with_vector: true });
}

function shown({ id, payload, vector }: Point, wanted: JsonObject): JsonObject {
  const { with_payload: withPayload = false, with_vector: withVector = false } = wanted;
  return {
    id,
    ...(withPayload === false ? {} : { payload: picked(payload, withPayload) }),
    ...(withVector === false ? {} : { vector }),
  };
}

function picked(payload: JsonObject, which: unknown): JsonObject {
  if (which === true) return payload;
  const names = new Set(Array.isArray(which) ? which : asList(asObject(which)['include']));
  return Object.fromEntries(Object.entries(payload).filter(([key]) => names.has(key)));
}

function retrieve(data: Data, request: FakeRequest): FakeAnswer {
  const { points } = data.named(request.names[0]);
  const body = objectOf(request);
  const found = asList(body['ids']).flatMap((id) => points.get(asText(id)) ?? []);
  return ok(found.map((point) => shown(point, { with_payload: true, ...body })));
}

function scroll(data: Data, request: FakeRequest): FakeAnswer {
  const body = objectOf(request);
  const all = [...data.named(request.names[0]).points.values()].filter((point) =>
    fits(point, body['filter']),
  );
  const from = all.findIndex(({ id }) => id === (body['offset'] ?? id));
  const limit = asNumber(body['limit'], 10);
  const page = from < 0 ? [] : all.slice(from, from + limit);
  const next = from < 0 ? undefined : all[from + limit];
  const points = page.map((point) => shown(point, { with_payload: true, ...body }));
  return ok({ points, next_page_offset: next?.id ?? null });
}

function count(data: Data, request: FakeRequest): FakeAnswer {
  const { filter } = objectOf(request);
  const all = [...data.named(request.names[0]).points.values()];
  return ok({ count: all.filter((point) => fits(point, filter)).length });
}

function query(
  data: Data,
  name: string | undefined,
  body: JsonObject,
): { readonly points: readonly JsonObject[] } {
  const { points } = data.named(name);
  const vector = vectorOf(points, body['query']);
  const from = asNumber(body['offset'], 0);
  const threshold = asNumber(body['score_threshold'], Number.NEGATIVE_INFINITY);
  const found = [...points.values()]
    .filter((point) => fits(point, body['filter']))
    .map((point) => ({ point, score: vector === undefined ? 0 : cosine(point.vector, vector) }))
    .filter(({ score }) => score >= threshold)
    .toSorted((a, b) => b.score - a.score)
    .slice(from, from + asNumber(body['limit'], 10));
  return { points: found.map(({ point, score }) => ({ ...shown(point, body), version: 0, score })) };
}

/** A vector, `{ nearest }`, or the identifier of a point that is there. */
function vectorOf(points: ReadonlyMap<string, Point>, asked: unknown): readonly number[] | undefined {
  if (asked === undefined || asked === null) return undefined;
  if (Array.isArray(asked)) return asVector(asked);
  if (typeof asked === 'object') return vectorOf(points, asObject(asked)['nearest']);
  const point = points.get(asText(asked));
  if (point === undefined) throw new FakeProblem(404, `Not found: No point with id ${asText(asked)} found`);
  return point.vector;
}

function fits(point: Point, filter: unknown): boolean {
  if (filter === undefined || filter === null) return true;
  const { must, should, must_not: mustNot, ...unknown } = asObject(filter);
  if (Object.keys(unknown).length > 0)
    throw new FakeProblem(400, `Unknown filter: ${Object.keys(unknown).join()}`);
  return (
    listed(must).every((condition) => holds(point, condition)) &&
    (should === undefined || listed(should).some((condition) => holds(point, condition))) &&
    !listed(mustNot).some((condition) => holds(point, condition))
  );
}

function listed(conditions: unknown): readonly unknown[] {
  if (conditions === undefined) return [];
  return Array.isArray(conditions) ? conditions : [conditions];
}

function holds(point: Point, condition: unknown): boolean {
  const { key, match, range, has_id: ids, ...rest } = asObject(condition);
  if (ids !== undefined) return asList(ids).some((id) => asText(id) === asText(point.id));
  if (key === undefined) return fits(point, rest);
  const value = memberOf(point.payload, asText(key));
  if (match !== undefined) return matches(value, asObject(match));
  if (range !== undefined) return within(value, asObject(range));
  throw new FakeProblem(400, `Unknown condition on ${asText(key)}.`);
}

function matches(value: unknown, match: JsonObject): boolean {
  const values = Array.isArray(value) ? value : [value];
  if ('value' in match) return values.includes(match['value']);
  if ('any' in match) return asList(match['any']).some((wanted) => values.includes(wanted));
  if ('text' in match) return values.some((text) => asText(text).includes(asText(match['text'])));
  throw new FakeProblem(400, `Unknown match: ${Object.keys(match).join()}`);
}

function within(value: unknown, { gt, gte, lt, lte }: JsonObject): boolean {
  if (typeof value !== 'number') return false;
  const infinity = Number.POSITIVE_INFINITY;
  return (
    value > asNumber(gt, -infinity) &&
    value >= asNumber(gte, -infinity) &&
    value < asNumber(lt, infinity) &&
    value <= asNumber(lte, infinity)
  );
}
