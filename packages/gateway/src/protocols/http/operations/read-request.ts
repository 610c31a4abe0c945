/**
 * An HTTP request → what it does, to what, and which rerank call it is.
 *
 * Spec: spec/policy.md, "HTTP"; the tables are those of dialects.ts. Recognised by the dialect of the connection, then
 * by path, then by content. What is in no table is `unknown`, and policy decides; nothing that writes is ever
 * taken for a read because of how it is written.
 * Untrusted: everything.
 */

import type { Effect } from '../../../core/effects.ts';
import type { HttpRequestHead } from '../../../core/http-message.ts';
import { type PathValues, segmentsOf } from '../../../core/path-template.ts';
import type { RerankCall } from '../../../core/rerank.ts';
import { AUTO, type MatchedRoute, PLAIN, routesOf } from './dialects.ts';
import type { JsonBody } from './json-values.ts';
import { isRerank, looksLikeRerank, rerankCall } from './rerank-call.ts';
import { ANY_RERANK } from './rerank-dialects.ts';
import { ANY_WORDS } from './rerank-shapes.ts';
import type { ModelChangeClass } from './route.ts';
import { contentOf, type HttpObject, type RouteContent } from './route-content.ts';

export interface HttpModelChange {
  readonly system: string;
  readonly change: ModelChangeClass;
  /** As the request names it. */
  readonly model: string | undefined;
}

export interface HttpReading {
  /** Undefined where it was not recognised. */
  readonly dialect: string | undefined;
  /** As `/collections/{collection}/points/query`. */
  readonly template: string | undefined;
  /** At least one. */
  readonly effects: readonly Effect[];
  readonly objects: readonly HttpObject[];
  /** It may be about others than it names. */
  readonly mayBeAnything: boolean;
  /** Rows that it writes; undefined: nobody can tell. */
  readonly rows: number | undefined;
  /** Rows that it gives at most; undefined: nobody can tell. */
  readonly returned: number | undefined;
  readonly rerank: RerankCall | undefined;
  readonly modelChange: HttpModelChange | undefined;
  /** Fields that are not forwarded: they would send data elsewhere, or say that the method is another. */
  readonly strip: readonly string[];
  /** Whether its content is one that nobody could read, so that conditions on it cannot be decided. */
  readonly isUnreadable: boolean;
  /** What somebody who has to agree should know. */
  readonly reasons: readonly string[];
}

/** Another server than the one that policy has looked at: modules of Weaviate take them from clients. */
const REDIRECTS = /^x-[a-z0-9]+(?:-[a-z0-9]+)*-base-?url$/;
/** Keys of a client's own for services behind the store. */
const MODULE_KEY = /^x-[a-z0-9]+(?:-[a-z0-9]+)*-api-?key$/;
const OVERRIDES: ReadonlySet<string> = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
]);
/** Parameters by which frameworks take another method. */
const METHOD_PARAMETERS: ReadonlySet<string> = new Set([
  '_method',
  'x-http-method-override',
  'x_method_override',
]);
/** A content in the query, which Elasticsearch and its kin take in the place of one behind the head. */
const CONTENT_PARAMETERS: ReadonlySet<string> = new Set(['source', 'source_content_type']);
const TAKES_CONTENT_IN_QUERY: ReadonlySet<string> = new Set([AUTO, 'elasticsearch', 'opensearch']);
/** What one server takes for a separator or the end of a path, and another for a letter. */
const AMBIGUOUS_PATH = /%2f|%5c|%00|%25|%2e|%0d|%0a|%3b|%23|%3f|[\\;#?\s]|\/\/|\/\.{1,2}(?:\/|$)/i;
/** The last word of a path that asks for an order, behind whatever prefix. */
const RERANK_WORDS: ReadonlySet<string> = new Set(['rerank', 'reranking', 'rerankings', 'ranking']);

const NONE: JsonBody = { bytes: new Uint8Array(0), root: undefined };

/** @param body undefined: there is none; one without a root is a content that nobody could read */
export function readRequest(dialect: string, head: HttpRequestHead, body: JsonBody | undefined): HttpReading {
  const content = body ?? (hasContent(head) ? NONE : undefined);
  const parts = AMBIGUOUS_PATH.test(head.path) ? undefined : segmentsOf(head.path);
  const strip = stripped(dialect, head);
  const warnings = [...strip.map((name) => `the field ${name} is left out`), ...doubtsOf(dialect, head)];
  const query = new URLSearchParams(head.query);
  const target = fieldOf(head, 'x-amz-target');
  const matched = parts === undefined ? [] : routesOf(dialect, { method: head.method, parts, target, query });
  const base = { strip, isUnreadable: content !== undefined && content.root === undefined };
  const chosen = chooseOf(matched, content);
  if (chosen === undefined) {
    const unmatched = unrecognised(dialect, head, parts, content);
    return { ...base, ...withDoubts(unmatched, head, content, { expectsNoBody: true, warnings }) };
  }
  const contents = matched.map((match) => contentOf(match.route, match.values, { body: content, query }));
  const own = contents[matched.indexOf(chosen)] ?? contents[0];
  const rerank = callOf(chosen, own, content, matched);
  const effects = new Set(contents.flatMap((one) => one.effects));
  if (rerank !== undefined) effects.add('rerank');
  const known = {
    dialect: rerank?.dialect ?? chosen.dialect.name,
    template: chosen.route.template.text,
    effects: [...effects],
    objects: contents.flatMap(({ objects }) => objects).filter(isFirst),
    mayBeAnything: contents.some(({ mayBeAnything }) => mayBeAnything),
    rows: most(contents.filter(writes).map(({ rows }) => rows)),
    returned: most(contents.filter(gives).map(({ returned }) => returned)),
    rerank,
    modelChange: modelChangeOf(matched, contents),
    reasons: contents.flatMap(({ reasons }) => reasons),
  };
  const expectsNoBody = !matched.some(({ route }) => route.bodyInGet === true);
  return { ...base, ...withDoubts(known, head, content, { expectsNoBody, warnings }) };
}

type Known = Omit<HttpReading, 'strip' | 'isUnreadable'>;

/** What makes it uncertain whether the target reads the request as it is read here. */
function withDoubts(
  known: Known,
  { method }: HttpRequestHead,
  content: JsonBody | undefined,
  { expectsNoBody, warnings }: { readonly expectsNoBody: boolean; readonly warnings: readonly string[] },
): Known {
  const doubts = warnings.filter((warning) => !warning.startsWith('the field '));
  const bodyInGet = content !== undefined && (method === 'GET' || method === 'HEAD') && expectsNoBody;
  const all = bodyInGet ? [...doubts, `a ${method} with a content`] : doubts;
  const reasons = [...new Set([...known.reasons, ...warnings, ...all])];
  if (all.length === 0 || known.effects.includes('unknown')) return { ...known, reasons };
  return { ...known, effects: [...known.effects, 'unknown'], reasons };
}

function unrecognised(
  dialect: string,
  { method }: HttpRequestHead,
  parts: readonly string[] | undefined,
  content: JsonBody | undefined,
): Known {
  const doubtful = parts === undefined ? ['its path can be read in two ways'] : [];
  const nothing: Known = {
    dialect: undefined,
    template: undefined,
    effects: ['unknown'],
    objects: [],
    mayBeAnything: true,
    rows: undefined,
    returned: undefined,
    rerank: undefined,
    modelChange: undefined,
    reasons: parts === undefined ? doubtful : ['no route of its kind is known'],
  };
  if (method === 'POST' && content?.root !== undefined && looksLikeRerank(ANY_WORDS, content)) {
    const isSaid = RERANK_WORDS.has(parts?.at(-1) ?? '');
    return {
      ...nothing,
      dialect: ANY_RERANK.name,
      effects: isSaid && dialect !== PLAIN ? ['rerank'] : ['rerank', 'unknown'],
      rerank: rerankCall(ANY_RERANK.name, ANY_WORDS, [], content),
      reasons: isSaid ? [] : [...doubtful, 'its content looks like a rerank call, and its path does not'],
    };
  }
  if (parts === undefined) return nothing;
  return dialect === PLAIN ? { ...nothing, effects: plainEffects(method), reasons: [] } : nothing;
}

/** RFC 9110, section 9: what a method promises, of a service of which nothing else is known. */
function plainEffects(method: string): readonly Effect[] {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return ['read'];
  if (method === 'PUT') return ['insert', 'update'];
  if (method === 'PATCH') return ['update'];
  return method === 'DELETE' ? ['delete'] : ['unknown'];
}

/** The one whose words the content has, and else the first. */
function chooseOf(matched: readonly MatchedRoute[], content: JsonBody | undefined): MatchedRoute | undefined {
  if (!isAmbiguous(matched)) return matched.find(({ route }) => route.rerank !== undefined) ?? matched[0];
  const marked = matched.find(({ route }) => hasMarks(route.marks ?? [], content));
  const said = matched.find(({ route }) => isSaidToRerank(route, content));
  return marked ?? said ?? matched.find(({ route }) => route.rerank !== undefined) ?? matched[0];
}

/** A search whose content asks for a reranker. */
function isSaidToRerank({ rerank }: MatchedRoute['route'], content: JsonBody | undefined): boolean {
  if (rerank === undefined || content?.root === undefined) return false;
  return (rerank.where ?? rerank.whereNamed) !== undefined && isRerank(rerank, content);
}

function hasMarks(marks: readonly string[], content: JsonBody | undefined): boolean {
  const root = content?.root;
  if (marks.length === 0 || root?.kind !== 'object') return false;
  return marks.every((mark) => root.members.some(({ key }) => `/${key}` === mark));
}

function isAmbiguous(matched: readonly MatchedRoute[]): boolean {
  return (
    new Set(matched.filter(({ route }) => route.rerank !== undefined).map(({ dialect }) => dialect)).size > 1
  );
}

function callOf(
  chosen: MatchedRoute,
  own: RouteContent | undefined,
  content: JsonBody | undefined,
  matched: readonly MatchedRoute[],
): RerankCall | undefined {
  const { route, values, dialect } = chosen;
  const { rerank } = route;
  if (rerank === undefined || content?.root === undefined) return undefined;
  if (route.language === 'graphql' ? own?.reranks !== true : !isRerank(rerank, content)) return undefined;
  // Several services have this path, and the content fits none of them better than the others.
  const isMeant = hasMarks(route.marks ?? [], content) || rerank.operation === 'retrieve-rerank';
  if (isAmbiguous(matched) && !isMeant) {
    return rerankCall(ANY_RERANK.name, ANY_WORDS, values, content);
  }
  return rerankCall(dialect.name, rerank, values, content);
}

function modelChangeOf(
  matched: readonly MatchedRoute[],
  contents: readonly RouteContent[],
): HttpModelChange | undefined {
  const order: readonly ModelChangeClass[] = ['redirect', 'delete', 'change', 'probe'];
  for (const change of order) {
    const at = matched.findIndex(({ route }) => route.model?.change === change);
    const found = matched[at];
    if (found?.route.model === undefined) continue;
    return { ...found.route.model, model: modelNameOf(found.values, contents[at]) };
  }
  const redirected = contents.some(({ effects }) => effects.includes('model-redirect'));
  const changed = contents.some(({ effects }) => effects.includes('model-change'));
  if (!redirected && !changed) return undefined;
  const system = matched[0]?.dialect.name ?? '';
  return { system, change: redirected ? 'redirect' : 'change', model: undefined };
}

function modelNameOf(values: PathValues, content: RouteContent | undefined): string | undefined {
  const names = ['model', 'inference_id', 'name', 'endpoint', 'class', 'alias', 'pipeline', 'index', 'id'];
  for (const wanted of names) {
    const inPath = values.find(([name]) => name === wanted)?.[1];
    if (inPath !== undefined) return inPath;
  }
  return content?.objects.find(({ kind }) => kind === 'model')?.name;
}

function writes({ effects }: RouteContent): boolean {
  return effects.some(
    (effect) => effect === 'insert' || effect === 'update' || effect === 'delete' || effect === 'copy-in',
  );
}

function gives({ effects }: RouteContent): boolean {
  return effects.includes('read');
}

/** The largest; undefined where one of them is not known, or there is none. */
function most(numbers: readonly (number | undefined)[]): number | undefined {
  let largest = 0;
  for (const number of numbers) {
    if (number === undefined) return undefined;
    largest = Math.max(largest, number);
  }
  return numbers.length === 0 ? undefined : largest;
}

function isFirst(object: HttpObject, at: number, all: readonly HttpObject[]): boolean {
  return all.findIndex(({ kind, name }) => kind === object.kind && name === object.name) === at;
}

function hasContent(head: HttpRequestHead): boolean {
  const length = fieldOf(head, 'content-length');
  if (length !== undefined) return !/^0+$/.test(length);
  return fieldOf(head, 'content-type') !== undefined;
}

function stripped(dialect: string, { fields }: HttpRequestHead): readonly string[] {
  const isModular = dialect === 'weaviate' || dialect === AUTO;
  const names = fields
    .map(([name]) => name.toLowerCase())
    .filter((name) => OVERRIDES.has(name) || REDIRECTS.test(name) || (isModular && MODULE_KEY.test(name)));
  return [...new Set(names)];
}

function doubtsOf(dialect: string, { query }: HttpRequestHead): readonly string[] {
  if (query === '') return [];
  const names = new Set([...new URLSearchParams(query).keys()].map((key) => key.toLowerCase()));
  return [...names]
    .filter(
      (name) =>
        METHOD_PARAMETERS.has(name) || (TAKES_CONTENT_IN_QUERY.has(dialect) && CONTENT_PARAMETERS.has(name)),
    )
    .map((name) => `the parameter ${name} may make it another request`);
}

/** The values of a field, joined as RFC 9110, section 5.3 says. */
function fieldOf({ fields }: HttpRequestHead, name: string): string | undefined {
  const values = fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(', ');
}
