/**
 * One line of the tables of what services do over HTTP: method, path, and what of the body matters.
 *
 * A table is data: what reads requests with it, read-request.ts, knows no service. A row says at least what a
 * request does; members of the body can add effects, and can take none away.
 */

import type { Effect } from '../../../core/effects.ts';
import { type PathTemplate, parseTemplate } from '../../../core/path-template.ts';
import type { DocumentKey, JsonPattern, RerankOperation } from '../../../core/rerank.ts';

/** Where an answer has its results; patterns behind `list` start at one of its items. */
export interface AnswerShape {
  readonly list: readonly JsonPattern[];
  readonly key: DocumentKey;
  readonly keyAt: readonly JsonPattern[];
  /** Empty: the item itself is the score. */
  readonly score: readonly JsonPattern[];
  readonly texts: readonly JsonPattern[];
  /** Texts that stand outside of the list. */
  readonly otherTexts?: readonly JsonPattern[];
  readonly model: readonly JsonPattern[];
  readonly usage: readonly JsonPattern[];
  readonly requestId: readonly JsonPattern[];
  readonly sorted: boolean;
  /** Of rows without names: the array that names their cells, and which cells are the key and the score. */
  readonly columns?: { readonly names: JsonPattern; readonly key: string; readonly score: string };
}

/** Where a request has its query, documents and the rest; patterns behind `documents` start at one of its items. */
export interface RerankShape {
  readonly operation: RerankOperation;
  readonly model: readonly JsonPattern[];
  /** The variables of the template that make the model's name, where the path has it. */
  readonly modelInPath?: readonly string[];
  readonly query: readonly JsonPattern[];
  readonly documents: readonly JsonPattern[];
  readonly texts: readonly JsonPattern[];
  readonly ids: readonly JsonPattern[];
  /** Ids in a list of their own, in the order of the documents. */
  readonly idList?: JsonPattern;
  readonly topN: readonly JsonPattern[];
  readonly returnsText: readonly JsonPattern[];
  readonly instruction: readonly JsonPattern[];
  readonly rankFields: readonly JsonPattern[];
  readonly options: readonly JsonPattern[];
  readonly egress: readonly JsonPattern[];
  /** It is a rerank only where one of these is there; left out: it always is. */
  readonly where?: readonly JsonPattern[];
  /** The same for members at whatever depth. */
  readonly whereNamed?: readonly string[];
  /** Members with texts of queries at whatever depth. */
  readonly queryNamed?: readonly string[];
  readonly answer: AnswerShape;
}

/** What becomes of models, and how bad that is: knowledge of "every model update". */
export type ModelChangeClass =
  /** Another model, or other parameters of one, answers from then on. */
  | 'change'
  /** Data goes elsewhere. */
  | 'redirect'
  | 'delete'
  /** It says which model there is. */
  | 'probe';

/** What stands in a body that is no one JSON value, or has a language of its own. */
export type BodyLanguage = 'bulk' | 'multi-search' | 'graphql' | 'sql';

export interface RouteDetails {
  /** Names of what it is about, by kind, beside those in the path. */
  readonly names?: readonly (readonly [kind: string, pattern: JsonPattern])[];
  /** Arrays whose items are rows, added up; a number: so many, whatever the body says. */
  readonly rows?: readonly JsonPattern[] | number;
  /** Members that choose rows by a condition: nobody knows how many. */
  readonly filters?: readonly JsonPattern[];
  /** Members that are true where all rows are meant. */
  readonly everything?: readonly JsonPattern[];
  /** Effects that it has too, where a member is there and is neither false nor null. */
  readonly also?: readonly (readonly [pattern: JsonPattern, effect: Effect])[];
  /** The same for parameters of the query, by their names. */
  readonly alsoQuery?: readonly (readonly [parameter: string, effect: Effect])[];
  /** Items that may have these members only; another one makes it unknown what it does. */
  readonly known?: { readonly items: JsonPattern; readonly members: readonly string[] };
  /** How many rows it gives at most: members or parameters of the query, and what holds where none is there. */
  readonly limits?: { readonly at: readonly JsonPattern[]; readonly otherwise: number };
  readonly language?: BodyLanguage;
  readonly rerank?: RerankShape;
  readonly model?: { readonly system: string; readonly change: ModelChangeClass };
  /** `X-Amz-Target`, where the path says nothing. */
  readonly target?: string;
  /** A GET of it may have a body. */
  readonly bodyInGet?: boolean;
  /** Members that tell it from others of the same path, where no connection says which service it is. */
  readonly marks?: readonly JsonPattern[];
}

export interface Route extends RouteDetails {
  readonly methods: readonly string[];
  readonly template: PathTemplate;
  readonly does: readonly Effect[];
}

/** `methods` and `paths` are lists of words, divided by spaces. */
export function route(
  methods: string,
  paths: string,
  does: readonly Effect[],
  details: RouteDetails = {},
): readonly Route[] {
  return paths.split(' ').map((path) => {
    const template = parseTemplate(path);
    if (template === undefined) throw new Error(`no template: ${path}`);
    return { ...details, methods: methods.split(' '), template, does };
  });
}

/** What a change of a model has of effects; more may stand beside them. */
const EFFECTS_OF: Readonly<Record<ModelChangeClass, readonly Effect[]>> = {
  change: ['model-change'],
  redirect: ['model-change', 'model-redirect'],
  delete: ['model-delete'],
  probe: ['read'],
};

/** A row of a system's models; more effects than those of its class may stand beside it. */
export function modelRoutes(
  system: string,
  change: ModelChangeClass,
  methods: string,
  paths: string,
  details: RouteDetails = {},
): readonly Route[] {
  return route(methods, paths, EFFECTS_OF[change], { ...details, model: { system, change } });
}

/** What an error of a service looks like. */
export type ErrorForm =
  | 'message'
  | 'detail'
  | 'openai'
  | 'tei'
  | 'pinecone'
  | 'elasticsearch'
  | 'aws'
  | 'google'
  | 'qdrant'
  | 'weaviate'
  | 'milvus'
  | 'databricks'
  | 'deepinfra'
  | 'vespa'
  | 'universal';

/** What one service understands. */
export interface Dialect {
  /** As a connection names it. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  readonly routes: readonly Route[];
  readonly error: ErrorForm;
  /** A segment that begins with `_` is a word of its API: no name but `_all` does. */
  readonly reservesUnderscore?: boolean;
}
