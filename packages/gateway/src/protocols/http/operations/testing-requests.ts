/** Requests and answers for tests: a line as `POST /v2/rerank?x=1`, and a content. */

import type { HttpFields, HttpRequestHead } from '../../../core/http-message.ts';
import { parseJson } from '../json/parse-json.ts';
import type { JsonBody } from './json-values.ts';
import { type HttpReading, readRequest } from './read-request.ts';

export function headOf(line: string, fields: HttpFields = []): HttpRequestHead {
  const [method = '', target = ''] = line.split(' ', 2);
  const [path = '/', ...query] = target.split('?');
  return { method, path, query: query.join('?'), fields };
}

/** Bytes as they stand, or anything as JSON; undefined: there is none. */
export function bodyOf(content: unknown): JsonBody | undefined {
  if (content === undefined) return undefined;
  const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
  const result = parseJson(bytes);
  return { bytes, root: result.kind === 'json' ? result.root : undefined };
}

export function read(dialect: string, line: string, content?: unknown, fields: HttpFields = []): HttpReading {
  return readRequest(dialect, headOf(line, fields), bodyOf(content));
}
