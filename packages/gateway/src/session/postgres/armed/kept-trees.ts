/**
 * The answer to a request of the gateway's own, with every notice that came before it: trees come as notices.
 *
 * Nothing of either reaches the client: while such a request is out, none of the client's is.
 */

import { LIMITS } from '../../../core/limits.ts';
import { decodeBackend } from '../../../protocols/postgres/decode.ts';
import { HEADER_LENGTH } from '../../../protocols/postgres/frames.ts';
import { BACKEND } from '../../../protocols/postgres/messages.ts';
import type { Outcome } from '../../../protocols/postgres/states.ts';
import { classifyNotice } from '../../../sql/server-tree/notice.ts';
import type { KeptAnswer } from '../exchange.ts';
import type { AnswerKeeper } from '../request.ts';

interface Frame {
  readonly type: number;
  readonly pieces: Uint8Array[];
}

/** What may be kept of all answers to one question; shared by those who keep them. */
export class Budget {
  #left: number;

  constructor(bytesMax: number) {
    this.#left = bytesMax;
  }

  /** False: more came than is kept. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }
}

/** Frames within a bound; what is more is let go. */
class Frames implements AnswerKeeper {
  readonly kept: Frame[] = [];
  readonly #budget: Budget;
  tooMuch = false;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  frame(type: number, bytes: Uint8Array): void {
    this.#count(bytes);
    const isError = type === BACKEND.ErrorResponse;
    if (!this.tooMuch || isError) this.kept.push({ type, pieces: [bytes] });
  }

  more(bytes: Uint8Array): void {
    this.#count(bytes);
    if (!this.tooMuch) this.kept.at(-1)?.pieces.push(bytes);
  }

  #count(bytes: Uint8Array): void {
    if (this.#budget.take(bytes.length)) return;
    this.tooMuch = true;
  }
}

/** Owned by whoever asks. */
export class KeptTrees implements AnswerKeeper {
  readonly answer: Promise<KeptAnswer>;
  /** Where notices go that come while this is the oldest request. */
  readonly notices: AnswerKeeper;
  readonly #notices: Frames;
  readonly #frames = new Frames(new Budget(LIMITS.serverTree.answerBytesMax));
  readonly #resolve: (answer: KeptAnswer) => void;

  /** @param trees for notices of this answer, and of others */
  constructor(trees: Budget = new Budget(LIMITS.serverTree.bytesMax)) {
    const { promise, resolve } = Promise.withResolvers<KeptAnswer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#notices = new Frames(trees);
    this.notices = this.#notices;
  }

  frame(type: number, bytes: Uint8Array): void {
    this.#frames.frame(type, bytes);
  }

  more(bytes: Uint8Array): void {
    this.#frames.more(bytes);
  }

  settled(outcome: Outcome): void {
    const frames = this.#frames.kept.map(({ type, pieces }) => ({ type, bytes: joined(pieces) }));
    this.#resolve({ outcome, frames });
  }

  /** More came than is kept. */
  get tooMuch(): boolean {
    return this.#frames.tooMuch || this.#notices.tooMuch;
  }

  /** Trees of the statement itself, in order; untrusted. None where more came than is kept: one of them is cut. */
  trees(): readonly Uint8Array[] {
    if (this.#notices.tooMuch) return [];
    return this.#notices.kept.flatMap(({ pieces }) => {
      const message = decodeBackend(BACKEND.NoticeResponse, joined(pieces).subarray(HEADER_LENGTH));
      if (message.kind !== 'NoticeResponse') return [];
      const notice = classifyNotice(message.fields);
      return notice.kind === 'tree' ? [notice.treeBytes] : [];
    });
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
}
