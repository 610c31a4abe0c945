/**
 * An answer of a reranking service as it came, kept beside its delivery, so that its order and scores can be read when
 * it is complete. What is beyond a bound is not kept: its digest is in the outcome, its bytes in the recording.
 */

import { RERANK_LIMITS as LIMITS } from '../../core/rerank-limits.ts';

/** Bytes of all answers that are kept at once. Owned by the gate. */
export class AnswerBudget {
  #bytes = 0;
  /** By principal; who has none is not in it. */
  readonly #of = new Map<string, number>();

  get bytes(): number {
    return this.#bytes;
  }

  /** Principals that have some. */
  get holders(): number {
    return this.#of.size;
  }

  /** False where there is no room. */
  take(principal: string, bytes: number): boolean {
    const held = (this.#of.get(principal) ?? 0) + bytes;
    if (this.#bytes + bytes > LIMITS.answersTotalBytesMax) return false;
    if (held > LIMITS.answersOfPrincipalBytesMax) return false;
    this.#bytes += bytes;
    if (held > 0) this.#of.set(principal, held);
    return true;
  }

  give(principal: string, bytes: number): void {
    this.#bytes -= bytes;
    const held = (this.#of.get(principal) ?? 0) - bytes;
    if (held > 0) this.#of.set(principal, held);
    else this.#of.delete(principal);
  }
}

/** Owned by one request. */
export class KeptAnswer {
  readonly #budget: AnswerBudget;
  readonly #principal: string;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #dropped: string | undefined;
  /** What a target still sends behind the end would count for ever. */
  #over = false;

  constructor(budget: AnswerBudget, principal: string) {
    this.#budget = budget;
    this.#principal = principal;
  }

  /** Why it was not kept. */
  get dropped(): string | undefined {
    return this.#dropped;
  }

  take(chunk: Uint8Array): void {
    if (this.#over || this.#dropped !== undefined) return;
    if (this.#length + chunk.length > LIMITS.answerBytesMax) {
      this.#drop(`it has more than ${LIMITS.answerBytesMax} bytes`);
    } else if (this.#budget.take(this.#principal, chunk.length)) {
      this.#length += chunk.length;
      this.#chunks.push(chunk);
    } else this.#drop('too many answers were being read at once');
  }

  /** What was kept, once. */
  bytes(): Uint8Array {
    const all = Buffer.concat(this.#chunks, this.#length);
    this.release();
    return all;
  }

  /** Nothing is kept from here on. */
  release(): void {
    this.#over = true;
    this.#budget.give(this.#principal, this.#length);
    this.#chunks = [];
    this.#length = 0;
  }

  #drop(why: string): void {
    this.#dropped = why;
    this.release();
  }
}
