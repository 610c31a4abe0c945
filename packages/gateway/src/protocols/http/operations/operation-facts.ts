/** What policy decides about: an HTTP request in the words that it has for statements. */

import type {
  Effect,
  FoundEffect,
  HttpFacts,
  JsonScalar,
  QualifiedName,
  ReadText,
  WriteVerb,
  WrittenTable,
} from '../../../core/effects.ts';
import type { HttpRequestHead } from '../../../core/http-message.ts';
import { bytesOf, type JsonBody, nodesAt, textOf } from './json-values.ts';
import type { HttpReading } from './read-request.ts';
import { isTable } from './route-content.ts';

/** Any table: no name of a client's is only this. */
const ANY_TABLE: QualifiedName = { schema: undefined, name: '*' };
const VERBS: readonly WriteVerb[] = ['insert', 'update', 'delete', 'truncate', 'copy-in'];
const NO_DOUBTS = { backslash: false, unicodeEscape: false, nonAscii: false } as const;

/** The line that offsets of causes count the bytes of. */
export function requestLine({ method, path, query }: HttpRequestHead): string {
  return query === '' ? `${method} ${path}` : `${method} ${path}?${query}`;
}

/** One request is one statement; it is never undone. */
export function requestText(
  head: HttpRequestHead,
  reading: HttpReading,
  body: JsonBody | undefined,
): ReadText {
  const to = Buffer.byteLength(requestLine(head));
  const named = reading.objects.filter(isTable).map(({ name }) => ({ schema: undefined, name }));
  const tables = reading.mayBeAnything ? [...named, ANY_TABLE] : named;
  const verbs = VERBS.filter((verb) =>
    reading.effects.some((effect) => effect === verb || effect === `${verb}-unqualified`),
  );
  const writes: readonly WrittenTable[] = verbs.flatMap((verb) =>
    tables.map((table) => ({ ...table, verb, columns: 'all' as const })),
  );
  const gives = reading.effects.includes('read') || reading.effects.includes('export');
  return {
    kind: 'read',
    doubts: NO_DOUBTS,
    statements: [
      {
        node: head.method,
        from: 0,
        to,
        effects: reading.effects.flatMap((effect) => foundEffects(effect, reading, to)),
        writes,
        reads: gives ? tables : [],
        functions: [],
        settings: [],
        transaction: undefined,
        prepared: undefined,
        undoable: false,
        http: httpFacts(head, reading, body),
      },
    ],
  };
}

/** One for each thing that it is about; of a model, its name. */
function foundEffects(effect: Effect, reading: HttpReading, to: number): readonly FoundEffect[] {
  const { objects, mayBeAnything, rerank, modelChange } = reading;
  const tables = objects.filter(isTable).map(({ name }) => name);
  const model = effect === 'rerank' ? rerank?.model : (modelChange?.model ?? objects[0]?.name);
  const isOfModel = effect === 'rerank' || effect.startsWith('model-') || tables.length === 0;
  const names: readonly (string | undefined)[] = isOfModel
    ? [model]
    : mayBeAnything
      ? [...tables, undefined]
      : tables;
  return names.map((object) => ({ effect, from: 0, to, object }));
}

function httpFacts(head: HttpRequestHead, reading: HttpReading, body: JsonBody | undefined): HttpFacts {
  const { rerank, effects, isUnreadable, modelChange } = reading;
  const isRerank = effects.includes('rerank');
  const names = [rerank?.model, modelChange?.model].filter((name) => name !== undefined);
  return {
    method: head.method,
    path: head.path,
    valuesAt: (pointer) => (isUnreadable ? undefined : valuesAt(body, pointer)),
    documents:
      rerank?.documents.array === undefined
        ? isRerank && rerank === undefined
          ? 'unknown'
          : undefined
        : rerank.documents.count,
    models: names.length > 0 ? names : isRerank && rerank === undefined ? 'unknown' : undefined,
    rows: reading.rows,
    returned: reading.returned,
  };
}

function valuesAt(body: JsonBody | undefined, pointer: string): readonly JsonScalar[] {
  if (body === undefined) return [];
  return nodesAt(body.root, pointer).map(({ node }): JsonScalar => {
    if (node.kind === 'string') return { kind: 'string', text: textOf(body, node) ?? '' };
    return node.kind === 'number' ? { kind: 'number', text: bytesOf(body, node) } : { kind: node.kind };
  });
}
