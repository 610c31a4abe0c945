/**
 * Which dialect a request speaks.
 *
 * Below a prefix (`/jina/v1/rerank`) it is that one. At the root it is the one that the service was started as, or
 * it is guessed: by the path where only one service has it, then by the key's place, then by the body.
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { Dialect, DialectName } from './dialect.ts';
import { COHERE_V1, COHERE_V2 } from './dialects/cohere.ts';
import { INFINITY } from './dialects/infinity.ts';
import { JINA } from './dialects/jina.ts';
import { MIXEDBREAD } from './dialects/mixedbread.ts';
import { PINECONE } from './dialects/pinecone.ts';
import { TEI } from './dialects/tei.ts';
import { VOYAGE } from './dialects/voyage.ts';
import type { Body } from './fields.ts';

/** What a prefix, or the root, is. Cohere's two versions are one service. */
export type ServiceName = 'cohere' | 'jina' | 'voyage' | 'mixedbread' | 'tei' | 'infinity' | 'pinecone';

const DIALECTS: Readonly<Record<DialectName, Dialect>> = {
  'cohere-v1': COHERE_V1,
  'cohere-v2': COHERE_V2,
  jina: JINA,
  voyage: VOYAGE,
  mixedbread: MIXEDBREAD,
  tei: TEI,
  infinity: INFINITY,
  pinecone: PINECONE,
};

/** Rerank paths of each service; its first dialect also says no to what has no route. */
const SERVICES: Readonly<Record<ServiceName, Readonly<Record<string, DialectName>>>> = {
  cohere: { '/v2/rerank': 'cohere-v2', '/v1/rerank': 'cohere-v1' },
  jina: { '/v1/rerank': 'jina' },
  voyage: { '/v1/rerank': 'voyage' },
  mixedbread: { '/v1/reranking': 'mixedbread' },
  tei: { '/rerank': 'tei', '/': 'tei', '/invocations': 'tei' },
  infinity: { '/rerank': 'infinity' },
  pinecone: { '/rerank': 'pinecone' },
};

export interface Place {
  /** `undefined`: the root of a service that guesses. */
  readonly service: ServiceName | undefined;
  /** Behind the prefix. */
  readonly path: string;
}

export function isServiceName(name: string): name is ServiceName {
  return Object.hasOwn(SERVICES, name);
}

/** Takes the prefix off. */
export function placeOf(path: string, root: ServiceName | undefined): Place {
  const [, prefix = '', ...rest] = path.split('/');
  return isServiceName(prefix) && rest.length > 0
    ? { service: prefix, path: `/${rest.join('/')}` }
    : { service: root, path };
}

/** Whether a POST to the place is a call. */
export function isRerank({ service, path }: Place): boolean {
  return service === undefined
    ? Object.values(SERVICES).some((paths) => Object.hasOwn(paths, path))
    : Object.hasOwn(SERVICES[service], path);
}

/** The dialect of a call; also of its errors before the body is there, and where there is no such path. */
export function dialectOf({ service, path }: Place, headers: IncomingHttpHeaders, body?: Body): Dialect {
  return DIALECTS[nameOf({ service, path }, headers, body)];
}

function nameOf({ service, path }: Place, headers: IncomingHttpHeaders, body?: Body): DialectName {
  if (service !== undefined) {
    const paths = SERVICES[service];
    return paths[path] ?? Object.values(paths)[0] ?? 'cohere-v2';
  }
  if (headers['x-pinecone-api-version'] !== undefined) return 'pinecone';
  switch (path) {
    case '/v2/rerank':
      return 'cohere-v2';
    case '/v1/reranking':
      return 'mixedbread';
    case '/v1/rerank':
      return body?.['top_k'] === undefined ? 'cohere-v1' : 'voyage';
    case '/':
    case '/invocations':
      return 'tei';
    case '/rerank':
      if (headers['api-key'] !== undefined) return 'pinecone';
      return body?.['documents'] === undefined ? 'tei' : 'infinity';
    default:
      return 'cohere-v2';
  }
}
