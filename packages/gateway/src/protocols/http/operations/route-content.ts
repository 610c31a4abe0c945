/**
 * What the content and the query of a request add to what its route says: effects, names, numbers.
 *
 * They take nothing away. Where a content matters and nobody could read it, the request does whatever a content
 * of its route could, and something that nobody knows.
 */

import type { Effect } from '../../../core/effects.ts';
import { HTTP_OPERATION_LIMITS } from '../../../core/http-operation-limits.ts';
import type { PathValues } from '../../../core/path-template.ts';
import type { JsonNode } from '../json/json-node.ts';
import { readBulk, readMultiSearch, type LinesReading } from './bulk.ts';
import { type GraphqlReading, readGraphql } from './graphql.ts';
import { countOf, firstAt, isEmpty, type JsonBody, nameOf, nodesAt, textOf } from './json-values.ts';
import type { Route } from './route.ts';

/** A thing that a request is about, as `collection` `articles`. */
export interface HttpObject {
  readonly kind: string;
  readonly name: string;
}

export interface RouteContent {
  readonly effects: readonly Effect[];
  readonly objects: readonly HttpObject[];
  /** It is about data, and what it names is not all that it may be about. */
  readonly mayBeAnything: boolean;
  /** Rows that it writes; undefined: nobody can tell. */
  readonly rows: number | undefined;
  /** Rows that it gives at most; undefined: nobody can tell. */
  readonly returned: number | undefined;
  readonly reranks: boolean;
  readonly reasons: readonly string[];
}

export interface Content {
  /** Undefined: there is none. */
  readonly body: JsonBody | undefined;
  readonly query: URLSearchParams;
}

const NOTHING_SPOKEN: GraphqlReading = { classes: [], reranks: false, asked: undefined };

/** What rules call a table. */
const TABLE_KINDS: ReadonlySet<string> = new Set(['collection', 'index', 'class', 'namespace']);
const NUMBER = /^[0-9]{1,15}$/;
/** It begins as what only reads. */
const READING_SQL = /^\s*(?:select|show|describe|explain\s+select)\b/i;

export function isTable({ kind }: HttpObject): boolean {
  return TABLE_KINDS.has(kind);
}

export function contentOf(route: Route, values: PathValues, { body, query }: Content): RouteContent {
  const effects = new Set<Effect>(route.does);
  const reasons: string[] = [];
  const objects: HttpObject[] = [];
  for (const [kind, value] of values) objects.push(...namesIn(kind, value));
  let reranks = false;
  let asked: number | undefined;
  let lines: LinesReading | undefined;

  const isUnreadable = body !== undefined && body.root === undefined;
  if (route.language === 'bulk' || route.language === 'multi-search') {
    lines = (route.language === 'bulk' ? readBulk : readMultiSearch)(body?.bytes ?? new Uint8Array(0));
    for (const effect of lines.effects) effects.add(effect);
    for (const name of lines.indexes) objects.push(...namesIn('index', name));
    if (lines.problem !== undefined) reasons.push(lines.problem);
  } else if (isUnreadable && needsContent(route)) {
    for (const [, effect] of route.also ?? []) effects.add(effect);
    effects.add('unknown');
    reasons.push('nobody could read its content');
  }
  for (const [pattern, effect] of route.also ?? []) {
    if (nodesAt(body?.root, pattern).some(({ node }) => node.kind !== 'false' && node.kind !== 'null')) {
      effects.add(effect);
    }
  }
  for (const [parameter, effect] of route.alsoQuery ?? []) if (query.has(parameter)) effects.add(effect);
  if (body !== undefined) {
    objects.push(...namedIn(route, body));
    const spoken = languageOf(route, body);
    if (spoken === undefined) {
      effects.add('unknown');
      reasons.push(`nobody could read its ${route.language ?? 'content'}`);
    } else {
      for (const name of spoken.classes) objects.push({ kind: 'class', name });
      reranks = spoken.reranks;
      asked = spoken.asked;
    }
  }
  if (!hasOnlyKnown(route, body)) {
    effects.add('unknown');
    reasons.push('an item of its content is none that is known');
  }
  for (const effect of unqualified(route, effects, { body, query })) effects.add(effect);
  if (effects.size === 0) effects.add('unknown');
  const tables = objects.filter(isTable);
  const isAboutData =
    route.limits !== undefined ||
    route.rows !== undefined ||
    route.filters !== undefined ||
    route.language !== undefined;
  return {
    effects: [...effects],
    objects: objects.slice(0, HTTP_OPERATION_LIMITS.namesMax),
    mayBeAnything:
      (isAboutData && (tables.length === 0 || (lines?.unnamed === true && !values.some(isTableValue)))) ||
      objects.length > HTTP_OPERATION_LIMITS.namesMax ||
      tables.some(({ name }) => isWide(name)),
    rows: lines === undefined ? rowsOf(route, body, query) : lines.rows,
    returned: asked ?? returnedOf(route, body, query),
    reranks,
    reasons,
  };
}

function isTableValue([kind]: PathValues[number]): boolean {
  return TABLE_KINDS.has(kind);
}

/** A name that stands for several, or for none that stands there. */
function isWide(name: string): boolean {
  return /[*?<>]/.test(name) || name === '_all' || name === '' || name.startsWith('-');
}

/** A comma list is several names; of clusters elsewhere too. */
function namesIn(kind: string, value: string): readonly HttpObject[] {
  if (kind !== 'index') return [{ kind, name: value }];
  return value.split(',', HTTP_OPERATION_LIMITS.namesMax + 1).map((name) => ({ kind, name }));
}

function namedIn({ names = [] }: Route, body: JsonBody): readonly HttpObject[] {
  return names.flatMap(([kind, pattern]) => {
    const found = nodesAt(body.root, pattern);
    const items = found.flatMap(({ node }) => (node.kind === 'array' ? node.items : [node]));
    const known = new Set(items.map((node) => nameOf(body, node)).filter((name) => name !== undefined));
    return [...known].slice(0, HTTP_OPERATION_LIMITS.namesMax + 1).flatMap((name) => namesIn(kind, name));
  });
}

/** Whether another content could make it do more. */
function needsContent({ also = [], known, language, filters, everything }: Route): boolean {
  return (
    also.length > 0 || known !== undefined || language !== undefined || (filters ?? everything) !== undefined
  );
}

/** What a text in the content says; undefined where it is not understood. */
function languageOf({ language }: Route, body: JsonBody): GraphqlReading | undefined {
  if (language === 'sql') {
    const text = textOf(body, nodesAt(body.root, '/query')[0]?.node);
    return text !== undefined && READING_SQL.test(text) ? NOTHING_SPOKEN : undefined;
  }
  if (language !== 'graphql') return NOTHING_SPOKEN;
  const found = ['/query', '/*/query'].flatMap((pattern) => nodesAt(body.root, pattern));
  const read = found.map(({ node }) => {
    const text = textOf(body, node);
    return text === undefined ? undefined : readGraphql(text);
  });
  const known = read.filter((one) => one !== undefined);
  if (known.length === 0 || known.length < read.length) return undefined;
  return {
    classes: known.flatMap(({ classes }) => classes),
    reranks: known.some((one) => one.reranks),
    asked: known.reduce<number | undefined>(added, 0),
  };
}

function added(sum: number | undefined, { asked }: GraphqlReading): number | undefined {
  return sum === undefined || asked === undefined ? undefined : sum + asked;
}

/** Of a batch: what stands in each item, by the names of its members. */
function hasOnlyKnown({ known }: Route, body: JsonBody | undefined): boolean {
  if (known === undefined) return true;
  const [list] = nodesAt(body?.root, known.items);
  if (list?.node.kind !== 'array' || list.node.items.length === 0) return false;
  const names = new Set(known.members);
  return list.node.items.every(
    (item) =>
      item.kind === 'object' &&
      item.members.length > 0 &&
      item.members.every(({ key }) => names.has(key) || key === 'shard_key'),
  );
}

/** A DELETE or an update that no row can fail. */
function unqualified(
  route: Route,
  effects: ReadonlySet<Effect>,
  { body, query }: Content,
): readonly Effect[] {
  if (route.filters === undefined && route.everything === undefined) return [];
  if (!meansEverything(route, { body, query })) return [];
  const verbs: readonly Effect[] = ['delete', 'update'];
  return verbs
    .filter((verb) => effects.has(verb))
    .map((verb) => (verb === 'delete' ? 'delete-unqualified' : 'update-unqualified'));
}

function meansEverything({ filters = [], everything = [], rows }: Route, { body, query }: Content): boolean {
  const root = body?.root;
  if (everything.some((pattern) => nodesAt(root, pattern).some(({ node }) => node.kind === 'true')))
    return true;
  const found = filters.filter((pattern) => pattern !== '').flatMap((pattern) => nodesAt(root, pattern));
  if (found.length > 0) return found.some(({ node }) => isAlwaysTrue(node, body));
  const text = query.get('q');
  if (text !== null) return text.trim() === '' || text.trim() === '*' || text.trim() === '*:*';
  const named = typeof rows === 'object' && firstAt(root, rows) !== undefined;
  // A batch has filters in its items only; without any, it means what it names.
  const isBatch = filters.some((pattern) => pattern.includes('*'));
  return !named && !isBatch && filters.some((pattern) => pattern !== '');
}

/** `{}`, `{"must":[]}`, `{"match_all":{}}`, and the same inside of what must hold. */
function isAlwaysTrue(node: JsonBody['root'], body: JsonBody | undefined, depth = 0): boolean {
  if (node === undefined || depth > 8) return false;
  if (isEmpty(node)) return true;
  if (node.kind === 'string') return body !== undefined && textOf(body, node)?.trim() === '';
  if (node.kind === 'array') return node.items.every((item) => isAlwaysTrue(item, body, depth + 1));
  if (node.kind !== 'object') return false;
  return node.members.every(({ key, value }) => {
    if (key === 'match_all') return true;
    if (['bool', 'must', 'filter', 'constant_score', 'query'].includes(key)) {
      return isAlwaysTrue(value, body, depth + 1);
    }
    return isEmpty(value) && (value.kind === 'array' || value.kind === 'null');
  });
}

function rowsOf(
  { rows, filters = [], everything = [] }: Route,
  body: JsonBody | undefined,
  query: URLSearchParams,
): number | undefined {
  if (typeof rows === 'number') return rows;
  if (rows === undefined || body?.root === undefined || query.has('q')) return undefined;
  const unsure = [...filters, ...everything].filter((pattern) => pattern !== '');
  const chosen = unsure.flatMap((pattern) => nodesAt(body.root, pattern));
  if (chosen.some(({ node }) => node.kind !== 'null' && node.kind !== 'false')) return undefined;
  let count = 0;
  let isThere = false;
  for (const pattern of rows) {
    for (const { node } of nodesAt(body.root, pattern)) {
      if (pattern === '' && node.kind !== 'array') continue;
      isThere = true;
      count += countOf(node);
    }
  }
  return isThere ? count : undefined;
}

/** A list of ids gives as many rows at most. */
function askedBy(body: JsonBody, node: JsonNode): number {
  return node.kind === 'array' ? node.items.length : numberOf(nameOf(body, node) ?? '');
}

function numberOf(text: string): number {
  return NUMBER.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}

function returnedOf(
  { limits }: Route,
  body: JsonBody | undefined,
  query: URLSearchParams,
): number | undefined {
  if (limits === undefined) return undefined;
  if (body !== undefined && body.root === undefined) return undefined;
  for (const pattern of limits.at) {
    const parameter = query.get(pattern.slice(1));
    const found = nodesAt(body?.root, pattern)[0]?.node;
    const numbers = [
      ...(parameter === null ? [] : [numberOf(parameter)]),
      ...(found === undefined || body === undefined ? [] : [askedBy(body, found)]),
    ];
    if (numbers.length === 0) continue;
    // A parameter and a member that differ: which of them counts, only the target knows.
    const most = Math.max(...numbers);
    return Number.isFinite(most) ? most : undefined;
  }
  return Number.isFinite(limits.otherwise) ? limits.otherwise : undefined;
}
