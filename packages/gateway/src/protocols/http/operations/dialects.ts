/**
 * All dialects, and which of their routes a request may be.
 *
 * A table is indexed by the number of segments and the first of them, so that a path is compared with some dozens
 * of templates at most.
 */

import { matchTemplate, type PathTemplate, type PathValues } from '../../../core/path-template.ts';
import { MODEL_SERVERS } from './model-servers.ts';
import { ANY_RERANK, RERANK_DIALECTS } from './rerank-dialects.ts';
import type { Dialect, Route } from './route.ts';
import { ELASTICSEARCH_DIALECT, OPENSEARCH_DIALECT } from './stores/elasticsearch.ts';
import { MILVUS_DIALECT } from './stores/milvus.ts';
import { PINECONE_DIALECT } from './stores/pinecone.ts';
import { QDRANT_DIALECT } from './stores/qdrant.ts';
import { WEAVIATE_DIALECT } from './stores/weaviate.ts';

/** Whatever it is: policy decides by method, path and body. */
export const AUTO = 'auto';
/** An HTTP service of another kind, of which a method means what RFC 9110 says. */
export const PLAIN = 'http';

/** Services of which a connection can be; MODEL_SERVERS stands beside every one. */
export const DIALECTS: readonly Dialect[] = [
  ...RERANK_DIALECTS,
  PINECONE_DIALECT,
  ELASTICSEARCH_DIALECT,
  OPENSEARCH_DIALECT,
  WEAVIATE_DIALECT,
  QDRANT_DIALECT,
  MILVUS_DIALECT,
  MODEL_SERVERS,
];

/** What a connection may say. */
export const DIALECT_NAMES: readonly string[] = [AUTO, PLAIN, ...DIALECTS.map(({ name }) => name)];

export interface MatchedRoute {
  readonly dialect: Dialect;
  readonly route: Route;
  readonly values: PathValues;
}

interface IndexedRoute {
  readonly dialect: Dialect;
  readonly route: Route;
}

type Index = ReadonlyMap<string, readonly IndexedRoute[]>;

const BY_NAME: ReadonlyMap<string, Dialect> = new Map(
  [...DIALECTS, ANY_RERANK].map((dialect) => [dialect.name, dialect]),
);
const OPEN = 'open';
const INDEXES: ReadonlyMap<Dialect, Index> = new Map(
  DIALECTS.map((dialect) => [dialect, indexOf([dialect])]),
);
/** Without templates that begin with any segment, and have no other word of an API: they fit everything. */
const AUTO_INDEX: Index = indexOf(DIALECTS, ({ template: { segments } }) => {
  const [first] = segments;
  return (
    first?.name === undefined ||
    segments.some(({ name, before }) => name === undefined && before.startsWith('_'))
  );
});

/** A dialect of the table; undefined for `auto`, `http` and what nobody knows. */
export function dialectOf(name: string): Dialect | undefined {
  return BY_NAME.get(name);
}

/** What of a request says which routes it may be. */
export interface RouteQuestion {
  readonly method: string;
  readonly parts: readonly string[];
  /** What `X-Amz-Target` says. */
  readonly target: string | undefined;
  readonly query: URLSearchParams;
}

/**
 * Routes of a method and path: of a dialect, and what else changes models; the most exact ones of each. None where
 * the path is no route, or has a segment that the dialect keeps for itself.
 */
export function routesOf(
  name: string,
  { method, parts, target, query }: RouteQuestion,
): readonly MatchedRoute[] {
  const wanted = method === 'HEAD' ? 'GET' : method;
  const dialect = BY_NAME.get(name);
  if (dialect === undefined) return name === AUTO ? matches(AUTO_INDEX, wanted, parts, target) : [];
  const own = INDEXES.get(dialect);
  const found = own === undefined ? [] : matches(own, wanted, parts, target);
  if (dialect === MODEL_SERVERS) return found;
  // What only says which model there is, is no reading of another service.
  const models = INDEXES.get(MODEL_SERVERS) ?? new Map<string, readonly IndexedRoute[]>();
  const changes = matches(models, wanted, parts, target).filter(
    ({ route: { model, alsoQuery = [] } }) =>
      (model !== undefined && model.change !== 'probe') ||
      alsoQuery.some(([parameter]) => query.has(parameter)),
  );
  return [...found, ...changes];
}

function matches(
  index: Index,
  method: string,
  parts: readonly string[],
  target: string | undefined,
): readonly MatchedRoute[] {
  const found: MatchedRoute[] = [];
  for (const key of [`${parts.length} ${parts[0] ?? ''}`, `${parts.length} *`, OPEN]) {
    for (const { dialect, route } of index.get(key) ?? []) {
      if (!route.methods.includes(method) || route.target !== target) continue;
      const values = matchTemplate(route.template, parts);
      if (values === undefined) continue;
      if (dialect.reservesUnderscore === true && values.some(isReserved)) continue;
      found.push({ dialect, route, values });
    }
  }
  return mostExact(found);
}

function isReserved([name, value]: PathValues[number]): boolean {
  return name !== 'id' && value.startsWith('_') && value !== '_all';
}

/** Of each dialect those whose words stand furthest to the left; several where they are alike. */
function mostExact(found: readonly MatchedRoute[]): readonly MatchedRoute[] {
  if (found.length < 2) return found;
  const best = new Map<Dialect, string>();
  for (const { dialect, route } of found) {
    const rank = rankOf(route.template);
    if (rank > (best.get(dialect) ?? '')) best.set(dialect, rank);
  }
  return found.filter(({ dialect, route }) => rankOf(route.template) === best.get(dialect));
}

/** A letter a segment: a word before a part of one, that before a name, that before any rest. */
function rankOf({ segments, isOpen }: PathTemplate): string {
  const letters = segments.map(({ name, before, after }) =>
    name === undefined ? 'd' : before === '' && after === '' ? 'b' : 'c',
  );
  return `${letters.join('')}${isOpen ? 'a' : 'z'}`;
}

function indexOf(dialects: readonly Dialect[], takes: (route: Route) => boolean = () => true): Index {
  const index = new Map<string, IndexedRoute[]>();
  for (const dialect of dialects) {
    for (const route of dialect.routes) {
      if (!takes(route)) continue;
      const key = keyOf(route.template);
      const known = index.get(key);
      if (known === undefined) index.set(key, [{ dialect, route }]);
      else known.push({ dialect, route });
    }
  }
  return index;
}

function keyOf({ segments, isOpen }: PathTemplate): string {
  if (isOpen) return OPEN;
  const [first] = segments;
  return `${segments.length} ${first === undefined ? '' : first.name === undefined ? first.before : '*'}`;
}
