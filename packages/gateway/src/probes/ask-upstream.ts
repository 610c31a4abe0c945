/**
 * One question of the gateway's own to a service: with the stored credential, within bounds, answered in JSON.
 *
 * Spec: RFC 9110, RFC 8259. No client has a part in it. Redirects are not followed, contents with a coding are not read,
 * and an answer that repeats the credential is thrown away, so that it reaches no leaf.
 * Untrusted: everything that comes back.
 */

import type { Readable } from 'node:stream';
import { CountersignError, reasonOf } from '../core/errors.ts';
import type { HttpFields } from '../core/http-message.ts';
import { PROBE_LIMITS as LIMITS } from '../core/probe-limits.ts';
import type { JsonBody } from '../protocols/http/operations/json-values.ts';
import { parseJson } from '../protocols/http/json/parse-json.ts';
import { inject } from '../upstream/http-credential.ts';
import type { HttpTarget, UpstreamExchange } from '../upstream/http-exchange.ts';
import type { UpstreamPool } from '../upstream/http-pool.ts';

export interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly fields: HttpFields;
  readonly content: Uint8Array | undefined;
}

/** What was answered, with a status of 200 to 299. */
export interface Answered {
  readonly status: number;
  readonly fields: HttpFields;
  readonly body: JsonBody;
}

/** Why there is no answer that could be read; a value, because services fail. */
export interface Unanswered {
  readonly failure: string;
  /** Where there was an answer. */
  readonly status?: number;
}

/** @param signal ends it; the time that one may take comes on top */
export async function askUpstream(
  pool: UpstreamPool,
  target: HttpTarget,
  question: Question,
  signal: AbortSignal,
): Promise<Answered | Unanswered> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(LIMITS.requestMs)]);
  let exchange: UpstreamExchange | undefined;
  const stop = (): void => exchange?.destroy();
  ended.addEventListener('abort', stop, { once: true });
  try {
    const answered = begin(pool, target, question).then((begun) => {
      exchange = begun;
      if (ended.aborted) stop();
      return read(begun, target, question);
    });
    return await Promise.race([answered, late(ended)]);
  } catch (error) {
    if (ended.aborted) return { failure: lateText(signal) };
    return { failure: failureOf(error) };
  } finally {
    ended.removeEventListener('abort', stop);
    exchange?.destroy();
  }
}

async function begin(
  pool: UpstreamPool,
  target: HttpTarget,
  { method, path, fields, content }: Question,
): Promise<UpstreamExchange> {
  const injected = inject(target.credential, '', target.connection);
  const exchange = await pool.begin(target, {
    method,
    path: `${target.prefix}${path}${injected.query === '' ? '' : `?${injected.query}`}`,
    fields: [
      ['accept', 'application/json'],
      ['accept-encoding', 'identity'],
      ['user-agent', 'countersign'],
      ...fields,
      ...injected.fields,
    ],
    content: content?.length ?? 'none',
    upgrade: undefined,
  });
  // An error of the target's side is told by its answer.
  exchange.content.on('error', () => undefined);
  exchange.content.end(content);
  return exchange;
}

async function read(
  exchange: UpstreamExchange,
  target: HttpTarget,
  { path }: Question,
): Promise<Answered | Unanswered> {
  const { status, fields, content, upgraded } = await exchange.answer;
  if (upgraded !== undefined) {
    upgraded.socket.destroy();
    return { failure: `${path} answered another protocol`, status };
  }
  const refused = refusalOf(status, fields);
  if (refused !== undefined) {
    content.destroy();
    return { failure: `${path} ${refused}`, status };
  }
  const bytes = await readAll(content);
  if (bytes === undefined) {
    return { failure: `${path} answered more than ${LIMITS.answerBytesMax} bytes`, status };
  }
  if (repeatsSecret(target, bytes)) return { failure: `${path} repeats the credential`, status };
  const { answerDepthMax: depthMax, answerValuesMax: nodesMax } = LIMITS;
  const parsed = parseJson(bytes, { depthMax, nodesMax });
  if (parsed.kind === 'refused')
    return { failure: `${path} answered no JSON that is read (${parsed.reason})`, status };
  // Escapes hide it in the bytes, and not in what is read out of them.
  if (repeatsSecret(target, withoutEscapes(bytes)))
    return { failure: `${path} repeats the credential`, status };
  return { status, fields, body: { bytes, root: parsed.root } };
}

function refusalOf(status: number, fields: HttpFields): string | undefined {
  if (status >= 300 && status <= 399) return `redirects (${status}), which is not followed`;
  if (status < 200 || status > 299) return `answered ${status}`;
  const coding = fields.find(([name, value]) => name === 'content-encoding' && value !== 'identity');
  return coding === undefined ? undefined : 'answered in a coding that nobody asked for';
}

/** Undefined of what has more than it may have. */
async function readAll(content: Readable): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let count = 0;
  const all: AsyncIterable<Uint8Array> = content;
  for await (const bytes of all) {
    count += bytes.length;
    // Leaving the loop destroys the stream.
    if (count > LIMITS.answerBytesMax) return undefined;
    chunks.push(bytes);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function repeatsSecret({ credential }: HttpTarget, bytes: Uint8Array): boolean {
  if (credential.scheme === 'none') return false;
  const secret = credential.secret.reveal();
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const basic =
    credential.scheme === 'basic' ? [Buffer.from(`${credential.user}:${secret}`).toString('base64')] : [];
  return [secret, JSON.stringify(secret).slice(1, -1), ...basic].some(
    (form) => form !== '' && text.includes(form),
  );
}

/** JSON that was read, written again with no more escapes than it needs. */
function withoutEscapes(json: Uint8Array): Uint8Array {
  const value: unknown = JSON.parse(Buffer.from(json).toString('utf8'));
  return Buffer.from(JSON.stringify(value));
}

function late(ended: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(new Error('late'));
    if (ended.aborted) fail();
    else ended.addEventListener('abort', fail, { once: true });
  });
}

function lateText(signal: AbortSignal): string {
  return signal.aborted ? 'the gateway shuts down' : `no answer within ${LIMITS.requestMs / 1_000} s`;
}

/** Of an error of ours the reason alone: which connection it is about, the leaf says. */
function failureOf(error: unknown): string {
  const reason = error instanceof CountersignError ? error.details['reason'] : undefined;
  return typeof reason === 'string' ? reason : reasonOf(error);
}
