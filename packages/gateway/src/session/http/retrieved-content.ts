/**
 * Texts of an answer that a client is given, remembered where the connection asks for it: payloads of a vector store,
 * hits of a search.
 *
 * Looked at is what is delivered, behind masks, when all of it has passed and its end has not: whoever sends it to a
 * reranker has it complete. What is larger than an answer that is kept, or is no JSON, is not remembered.
 */

import { CountersignError } from '../../core/errors.ts';
import type { HttpFields } from '../../core/http-message.ts';
import { RERANK_LIMITS as LIMITS } from '../../core/rerank-limits.ts';
import { valuesOf } from '../../protocols/http/fields.ts';
import type { JsonNode } from '../../protocols/http/json/json-node.ts';
import { parseJson } from '../../protocols/http/json/parse-json.ts';
import { stringOf } from '../../protocols/http/json/strings.ts';
import type { RetrievedTexts } from '../retrieved-texts.ts';
import { decodeContent } from './held-content.ts';
import type { HttpSession } from './http-session.ts';
import { KeptAnswer } from './kept-answer.ts';

const encoder = new TextEncoder();

/** Owned by one request. */
export class RetrievedContent {
  readonly #retrieved: RetrievedTexts;
  readonly #principal: string;
  readonly #intent: number;
  readonly #kept: KeptAnswer;

  constructor(session: HttpSession, intent: number) {
    const { retrieved, rerank } = session.ports;
    this.#retrieved = retrieved;
    this.#principal = session.principal.id;
    this.#intent = intent;
    this.#kept = new KeptAnswer(rerank.answers, session.principal.id);
    retrieved.turnOn();
  }

  /** A piece of what is delivered. */
  take(chunk: Uint8Array): void {
    this.#kept.take(chunk);
  }

  release(): void {
    this.#kept.release();
  }

  /** Everything has passed. */
  async ends(status: number, fields: HttpFields): Promise<void> {
    const isRead = status >= 200 && status <= 299 && this.#kept.dropped === undefined;
    const bytes = isRead ? this.#kept.bytes() : undefined;
    this.#kept.release();
    if (bytes === undefined) return;
    const decoded = await this.#decoded(bytes, fields);
    const result = decoded === undefined ? undefined : parseJson(decoded);
    if (decoded === undefined || result?.kind !== 'json') return;
    let left: number = LIMITS.retrievedOfOneMax;
    for (const node of stringsOf(result.root)) {
      if (this.#retrieved.add(this.#principal, this.#intent, encoder.encode(stringOf(decoded, node))))
        left -= 1;
      if (left === 0) return;
    }
  }

  async #decoded(bytes: Uint8Array, fields: HttpFields): Promise<Uint8Array | undefined> {
    try {
      const decoded = await decodeContent(bytes, valuesOf(fields, 'content-encoding'));
      return decoded.length > LIMITS.answerBytesMax ? undefined : decoded;
    } catch (error) {
      // It is delivered as it came: what nobody can read cannot be remembered.
      if (error instanceof CountersignError) return undefined;
      throw error;
    }
  }
}

/** Strings of a content that are long enough, in their order; names of members are none. */
function* stringsOf(root: JsonNode): Generator<JsonNode> {
  const waiting: JsonNode[] = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.kind === 'array') waiting.push(...node.items.toReversed());
    else if (node.kind === 'object') waiting.push(...node.members.map(({ value }) => value).toReversed());
    else if (node.kind === 'string' && node.to - node.from >= LIMITS.retrievedBytesMin) yield node;
  }
}
