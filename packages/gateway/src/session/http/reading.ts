/**
 * What a request means, for policy, for its leaf, and for what is forwarded of it.
 *
 * Pipeline: understand. A content that policy looks at is read strictly: what two readers could understand in two
 * ways (a key twice, other bytes than UTF-8, too deep, too many) is refused, and nothing of it is forwarded.
 */

import type { ReadText } from '../../core/effects.ts';
import { CountersignError } from '../../core/errors.ts';
import type { HttpRequestHead } from '../../core/http-message.ts';
import { parseJson } from '../../protocols/http/json/parse-json.ts';
import { PLAIN } from '../../protocols/http/operations/dialects.ts';
import type { JsonBody } from '../../protocols/http/operations/json-values.ts';
import { requestText } from '../../protocols/http/operations/operation-facts.ts';
import { type HttpReading, readRequest } from '../../protocols/http/operations/read-request.ts';
import { valueOf } from '../../protocols/http/fields.ts';

export interface UnderstoodRequest {
  readonly reading: HttpReading;
  /** What was read; undefined where there is no content. */
  readonly body: JsonBody | undefined;
  /** As policy decides about it. */
  readonly text: ReadText;
}

/** Types of which no dialect has anything to say: they pass as they come. */
const OPAQUE =
  /^(?:application\/octet-stream|multipart\/|image\/|audio\/|video\/|application\/(?:zip|gzip|x-tar|pdf|grpc|x-protobuf|protobuf|cbor|msgpack))/;

/** Whether the content has to be there to say what a request does. */
export function wantsContent(dialect: string, head: HttpRequestHead): boolean {
  if (dialect === PLAIN) return false;
  return !OPAQUE.test((valueOf(head.fields, 'content-type') ?? '').trim().toLowerCase());
}

/**
 * Throws HTTP_CONTENT_REFUSED for what can be read in two ways.
 *
 * @param content decoded; undefined where there is none
 * @param unread there is one, and nobody has looked at it
 */
export function understand(
  dialect: string,
  head: HttpRequestHead,
  content: Uint8Array | undefined,
  unread: boolean,
): UnderstoodRequest {
  const body = content === undefined ? (unread ? UNREAD : undefined) : bodyOf(content);
  // Many clients say of every request what its content would be; here it is known that there is none.
  const read = body === undefined ? { ...head, fields: head.fields.filter(isNotAboutContent) } : head;
  const reading = readRequest(dialect, read, body);
  return { reading, body, text: requestText(head, reading, body) };
}

function isNotAboutContent([name]: readonly [name: string, value: string]): boolean {
  return name !== 'content-type' && name !== 'content-length';
}

const UNREAD: JsonBody = { bytes: new Uint8Array(0), root: undefined };

/** A content that is no JSON is kept by its bytes: lines of a batch are read from them. */
function bodyOf(bytes: Uint8Array): JsonBody {
  const result = parseJson(bytes);
  if (result.kind === 'json') return { bytes, root: result.root };
  if (result.reason === 'syntax') return { bytes, root: undefined };
  const reason = `${WORDS[result.reason]} at byte ${result.at}`;
  throw new CountersignError('HTTP_CONTENT_REFUSED', { reason });
}

const WORDS = {
  utf8: 'it has bytes that are not UTF-8',
  'duplicate-key': 'it has a key twice',
  'too-deep': 'it is nested too deep',
  'too-many': 'it has too many values',
} as const;
