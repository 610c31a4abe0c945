/** A request's content → {@link RerankCall}, by the shape that its dialect has. */

import { HTTP_OPERATION_LIMITS } from '../../../core/http-operation-limits.ts';
import type { PathValues } from '../../../core/path-template.ts';
import type { JsonPattern, RerankCall, RerankDocuments } from '../../../core/rerank.ts';
import {
  bytesOf,
  countOf,
  firstAt,
  type JsonBody,
  membersNamed,
  nameOf,
  nodesAt,
  textOf,
} from './json-values.ts';
import type { RerankShape } from './route.ts';

/** Whether a content asks for a model that orders, where the path alone does not say so. */
export function isRerank({ where, whereNamed }: RerankShape, { root }: JsonBody): boolean {
  if (where === undefined && whereNamed === undefined) return true;
  if (firstAt(root, where ?? []) !== undefined) return true;
  return whereNamed !== undefined && membersNamed(root, new Set(whereNamed)).length > 0;
}

/** Whether a content looks like a rerank call, whatever service it is for. */
export function looksLikeRerank(shape: RerankShape, body: JsonBody): boolean {
  const query = shape.query.some((pattern) =>
    nodesAt(body.root, pattern).some(({ node }) => node.kind === 'string'),
  );
  return query && firstAt(body.root, shape.documents)?.node.kind === 'array';
}

export function rerankCall(
  dialect: string,
  shape: RerankShape,
  values: PathValues,
  body: JsonBody,
): RerankCall {
  const inBody = nameOf(body, firstAt(body.root, shape.model)?.node);
  const inPath = values
    .filter(([name]) => shape.modelInPath?.includes(name) === true)
    .map(([, value]) => value)
    .join('/');
  const topN = firstAt(body.root, shape.topN);
  const returns = firstAt(body.root, shape.returnsText)?.node.kind;
  return {
    dialect,
    operation: shape.operation,
    model: inBody ?? (inPath === '' ? undefined : inPath),
    modelFrom: inBody !== undefined ? 'body' : inPath === '' ? 'none' : 'path',
    query: queriesOf(shape, body),
    documents: documentsOf(shape, body),
    topN: topN === undefined ? undefined : cut(bytesOf(body, topN.node)),
    returnsText: returns === 'true' ? true : returns === 'false' ? false : 'default',
    instruction: texts(shape.instruction, body),
    rankFields: fieldsOf(shape, body),
    options: optionsOf(shape, body),
    egress: shape.egress.filter((pattern) => nodesAt(body.root, pattern).length > 0),
  };
}

function queriesOf(shape: RerankShape, body: JsonBody): readonly JsonPattern[] {
  const named =
    shape.queryNamed === undefined
      ? []
      : membersNamed(body.root, new Set(shape.queryNamed)).filter(({ node }) => node.kind === 'string');
  return [...texts(shape.query, body), ...named.map(({ pointer }) => pointer)];
}

/** Those patterns that find a text. */
function texts(patterns: readonly JsonPattern[], { root }: JsonBody): readonly JsonPattern[] {
  return patterns.filter((pattern) => nodesAt(root, pattern).some(({ node }) => node.kind === 'string'));
}

function documentsOf(shape: RerankShape, body: JsonBody): RerankDocuments {
  const found = firstAt(body.root, shape.documents);
  if (found === undefined) return { array: undefined, count: 0, texts: [], ids: [], names: [] };
  const { node, pointer } = found;
  const isArray = node.kind === 'array';
  const each = isArray ? `${pointer}/*` : pointer;
  return {
    array: pointer,
    count: countOf(node),
    texts: texts(
      shape.texts.map((text) => `${each}${text}`),
      body,
    ),
    ids: shape.idList === undefined ? shape.ids.map((id) => `${each}${id}`) : [shape.idList],
    names: namesOf(shape, body, isArray ? node.items.length : 1, each),
  };
}

/** All documents have a name of their own, or none counts. */
function namesOf(shape: RerankShape, body: JsonBody, count: number, each: string): readonly string[] {
  if (count > HTTP_OPERATION_LIMITS.documentNamesMax) return [];
  const patterns = shape.idList === undefined ? shape.ids.map((id) => `${each}${id}`) : [shape.idList];
  for (const pattern of patterns) {
    const names = nodesAt(body.root, pattern)
      .map(({ node }) => nameOf(body, node))
      .filter((name) => name !== undefined);
    if (names.length === count) return names;
  }
  return [];
}

function fieldsOf(shape: RerankShape, body: JsonBody): readonly string[] {
  const found = shape.rankFields.flatMap((pattern) => [
    ...nodesAt(body.root, pattern),
    ...nodesAt(body.root, `${pattern}/*`),
  ]);
  return found
    .map(({ node }) => textOf(body, node))
    .filter((name) => name !== undefined)
    .slice(0, HTTP_OPERATION_LIMITS.namesMax);
}

function optionsOf(shape: RerankShape, body: JsonBody): RerankCall['options'] {
  return shape.options.flatMap((pattern) => {
    const [found] = nodesAt(body.root, pattern);
    return found === undefined ? [] : [[pattern.slice(1), cut(bytesOf(body, found.node))] as const];
  });
}

function cut(bytes: string): string {
  return bytes.slice(0, HTTP_OPERATION_LIMITS.optionBytesMax);
}
