/**
 * An answer of a reranking service as it came, kept beside its delivery, so that its order and scores can be read when
 * it is complete. What is beyond a bound is not kept: its digest is in the outcome, its bytes in the recording.
 */

import { pipeline, Transform } from 'node:stream';
import { RERANK_LIMITS as LIMITS } from '../../core/rerank-limits.ts';
import type { UpstreamAnswer } from '../../upstream/http-exchange.ts';

/** Bytes of all answers that are kept at once. Owned by the gate. */
export class AnswerBudget {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** False where there is no room. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > LIMITS.answersTotalBytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Owned by one request. */
export class KeptAnswer {
  readonly #budget: AnswerBudget;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #dropped: string | undefined;

  constructor(budget: AnswerBudget) {
    this.#budget = budget;
  }

  /** Why it was not kept. */
  get dropped(): string | undefined {
    return this.#dropped;
  }

  take(chunk: Uint8Array): void {
    if (this.#dropped !== undefined) return;
    if (this.#length + chunk.length > LIMITS.answerBytesMax) {
      this.#drop(`it has more than ${LIMITS.answerBytesMax} bytes`);
    } else if (this.#budget.take(chunk.length)) {
      this.#length += chunk.length;
      this.#chunks.push(chunk);
    } else this.#drop('too many answers were being read at once');
  }

  /** The same answer, of which everything passes by here. */
  passing(answer: UpstreamAnswer): UpstreamAnswer {
    const passing = new Transform({
      transform: (chunk: unknown, _encoding, done) => {
        if (chunk instanceof Uint8Array) this.take(chunk);
        done(null, chunk);
      },
    });
    // What goes wrong is told by the stream that is read.
    pipeline(answer.content, passing, () => undefined);
    return { ...answer, content: passing, trailers: () => answer.trailers() };
  }

  /** What was kept, once. */
  bytes(): Uint8Array {
    const all = Buffer.concat(this.#chunks, this.#length);
    this.release();
    return all;
  }

  release(): void {
    this.#budget.give(this.#length);
    this.#chunks = [];
    this.#length = 0;
  }

  #drop(why: string): void {
    this.#dropped = why;
    this.release();
  }
}
