/**
 * Addresses of indexes in an answer become those of the gateway, before it is masked, recorded and given out.
 *
 * Pipeline: maskResult. Fails closed: a description of an index to which no Connection leads, and an answer that
 * cannot be read, are withheld.
 */

import { Readable } from 'node:stream';
import { CountersignError } from '../../core/errors.ts';
import type { HttpFields } from '../../core/http-message.ts';
import { INDEX_HOST_LIMITS as LIMITS } from '../../core/index-host-limits.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import { valuesOf } from '../../protocols/http/fields.ts';
import { parseJson } from '../../protocols/http/json/parse-json.ts';
import { rewriteHosts } from '../../protocols/http/operations/pinecone-hosts.ts';
import type { UpstreamAnswer } from '../../upstream/http-exchange.ts';
import { changedRequest, withoutContentFields } from './answer-change.ts';
import type { ContentShare } from './content-budget.ts';

/** Owned by one request. */
export class IndexHosts {
  readonly #connection: string;
  readonly #addressOf: (host: string) => string | undefined;
  readonly #share: ContentShare;
  #held = 0;
  #rewritten = 0;

  constructor(connection: string, share: ContentShare, addressOf: (host: string) => string | undefined) {
    this.#connection = connection;
    this.#share = share;
    this.#addressOf = addressOf;
  }

  /** What is asked of the target. */
  request(fields: HttpFields): HttpFields {
    return changedRequest(fields);
  }

  /** The answer as it is given out. Throws HTTP_HOST_WITHHELD, LIMIT_EXCEEDED or HTTP_CONTENT_SHARE. */
  async answer(answer: UpstreamAnswer): Promise<UpstreamAnswer> {
    const bytes = await this.#read(answer.content);
    if (bytes.length === 0) return { ...answer, content: contentOf(bytes) };
    const rewritten = this.#rewrite(answer, bytes);
    const fields = withoutContentFields(answer.fields);
    return {
      ...answer,
      fields: [...fields, ['content-length', String(rewritten.length)]],
      content: contentOf(rewritten),
      // They are about another content.
      trailers: () => [],
    };
  }

  /** Fields of the outcome. */
  body(): Record<string, BodyValue> {
    return this.#rewritten === 0 ? {} : { hosts_rewritten: this.#rewritten };
  }

  /** Gives the memory back; more than once does nothing. */
  release(): void {
    this.#share.give(this.#held);
    this.#held = 0;
  }

  async #read(content: Readable): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const piece of content) {
      const chunk: unknown = piece;
      if (!(chunk instanceof Uint8Array)) throw new Error('a stream gave something that is no bytes');
      const actual = this.#held + chunk.length;
      if (actual > LIMITS.answerBytesMax) {
        const limit = 'indexHosts.answerBytesMax';
        throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed: LIMITS.answerBytesMax, actual });
      }
      this.#share.take(chunk.length);
      this.#held = actual;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  #rewrite({ status, fields }: UpstreamAnswer, bytes: Uint8Array): Uint8Array {
    const encodings = valuesOf(fields, 'content-encoding').filter((value) => value !== 'identity');
    const parsed = encodings.length > 0 || status === 206 ? undefined : parseJson(bytes);
    if (parsed?.kind !== 'json') {
      // What went wrong on the way to the target is told in other words than JSON, and names no index.
      if (status >= 400 && encodings.length === 0) return bytes;
      throw this.#withheld('it cannot be read as JSON');
    }
    const result = rewriteHosts({ bytes, root: parsed.root }, this.#addressOf);
    if (result.kind === 'same') return bytes;
    if (result.kind === 'unknown-host') {
      throw this.#withheld('no Connection that you may use leads to the index', result.host);
    }
    this.#rewritten += result.hosts.length;
    return result.bytes;
  }

  /** @param host for the operator; who is told it goes there */
  #withheld(reason: string, host?: string): CountersignError {
    const cause = host === undefined ? {} : { cause: new Error(`the index is at ${host}`) };
    return new CountersignError('HTTP_HOST_WITHHELD', { connection: this.#connection, reason }, cause);
  }
}

function contentOf(bytes: Uint8Array): Readable {
  return Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false });
}
