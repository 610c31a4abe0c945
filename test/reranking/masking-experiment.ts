/**
 * What masking does to a ranking: the same candidates ranked by the demo's reranker, as they are and masked.
 *
 * For each question the 50 best of all tickets are retrieved, unmasked, as a search in the company's own database
 * would. What leaves for the reranker, question and candidates alike, is masked; the order that comes back is
 * compared with the order of the unmasked call. Detection is exact, because the tickets are invented: what is shown
 * is the effect of the replacement, not of a detector. The reranker is lexical; a neural one is not measured.
 */

import { readFileSync } from 'node:fs';
import { parseParameters } from '../../examples/demo/reranker/parameters.ts';
import { rank } from '../../examples/demo/reranker/score.ts';
import { passageOf, wordsOf } from '../../examples/demo/reranker/words.ts';
import { kendallTau, overlapAt } from './kendall-tau.ts';
import { inventTickets, type Piece, type Question, type TicketWorld } from './tickets.ts';

/** What one call of the reranker has; its texts as pieces, and as they leave. */
export interface Texts<T> {
  readonly query: T;
  readonly documents: readonly T[];
}

/**
 * A way to mask: what a call has to the texts that leave. It has the whole call, as a gateway has; one that finds
 * personal values itself joins the pieces ({@link plain}) and looks at the texts.
 */
export type Masking = (call: Texts<readonly Piece[]>) => Texts<string>;

export interface Effect {
  /** Means over the questions of the class. */
  readonly tau: number;
  readonly overlapAt10: number;
  readonly sameFirst: number;
  /** Of questions about a person: whose ticket stands first is theirs. */
  readonly rightPersonFirst: number | undefined;
}

export interface Effects {
  readonly topical: Effect;
  readonly personal: Effect;
}

const TICKETS = 2_000;
const CANDIDATES = 50;
const QUESTIONS = 200;
/** More than a ticket has. */
const WORDS_MAX = 1_000;

const MODEL = new URL('../../examples/demo/reranker/models/lexical-blend@1.4.0.json', import.meta.url);
const PARAMETERS = parseParameters(readFileSync(MODEL));

/** As it is. */
export function plain(pieces: readonly Piece[]): string {
  return pieces.map((piece) => (typeof piece === 'string' ? piece : piece.value)).join('');
}

/** Each personal value replaced by what `instead` says. */
export function replacing(instead: (piece: Exclude<Piece, string>) => string): Masking {
  return eachText((pieces) =>
    pieces.map((piece) => (typeof piece === 'string' ? piece : instead(piece))).join(''),
  );
}

/** A way that looks at one text after the other. */
function eachText(mask: (pieces: readonly Piece[]) => string): Masking {
  return ({ query, documents }) => ({ query: mask(query), documents: documents.map(mask) });
}

/** The usual ways, by name. */
export const USUAL: Readonly<Record<string, Masking>> = {
  none: eachText(plain),
  label: replacing(({ kind }) => `[${kind.toUpperCase()}]`),
  stars: replacing(() => '***'),
  drop: replacing(() => ''),
};

/** A class's questions with their candidates, retrieved once and ranked in every way. */
interface Prepared {
  readonly question: Question;
  readonly candidates: readonly number[];
  readonly baseline: readonly number[];
}

export class MaskingExperiment {
  readonly #world: TicketWorld;
  readonly #topical: readonly Prepared[];
  readonly #personal: readonly Prepared[];

  constructor(seed: number, questions: number = QUESTIONS) {
    this.#world = inventTickets(seed, TICKETS, questions);
    const index = new WordIndex(this.#world.tickets.map(({ pieces }) => plain(pieces)));
    const prepare = (question: Question): Prepared => {
      const candidates = index.best(CANDIDATES, plain(question.pieces));
      return { question, candidates, baseline: this.#order(question, candidates, eachText(plain)) };
    };
    this.#topical = this.#world.topical.map(prepare);
    this.#personal = this.#world.personal.map(prepare);
  }

  /** Ranks all of it, masked in this way. */
  effects(masking: Masking): Effects {
    return { topical: this.#effect(this.#topical, masking), personal: this.#effect(this.#personal, masking) };
  }

  #effect(prepared: readonly Prepared[], masking: Masking): Effect {
    const rows = prepared.map(({ question, candidates, baseline }) => {
      const order = this.#order(question, candidates, masking);
      const first = order[0] ?? -1;
      return {
        tau: kendallTau(baseline, order),
        overlap: overlapAt(10, baseline, order),
        same: baseline[0] === first,
        right: this.#world.tickets[first]?.customer === question.customer,
      };
    });
    const isPersonal = prepared.every(({ question }) => question.customer !== undefined);
    return {
      tau: mean(rows.map(({ tau }) => tau)),
      overlapAt10: mean(rows.map(({ overlap }) => overlap)),
      sameFirst: mean(rows.map(({ same }) => Number(same))),
      rightPersonFirst: isPersonal ? mean(rows.map(({ right }) => Number(right))) : undefined,
    };
  }

  #order(question: Question, candidates: readonly number[], masking: Masking): readonly number[] {
    const { query, documents } = masking({
      query: question.pieces,
      documents: candidates.map((ticket) => this.#world.tickets[ticket]?.pieces ?? []),
    });
    const { ranked } = rank(PARAMETERS, query, documents.map(passageOf));
    return ranked.map(({ index }) => candidates[index] ?? -1);
  }
}

/** The first stage: texts that have the rarest words of a question. */
class WordIndex {
  readonly #texts: number;
  readonly #having = new Map<string, number[]>();

  constructor(texts: readonly string[]) {
    this.#texts = texts.length;
    for (const [text, content] of texts.entries()) {
      for (const word of new Set(wordsOf(content, WORDS_MAX))) {
        const having = this.#having.get(word) ?? [];
        having.push(text);
        this.#having.set(word, having);
      }
    }
  }

  /** In the order of the texts, so that the order of the first stage does not decide between equals. */
  best(count: number, question: string): readonly number[] {
    const sums = Array.from({ length: this.#texts }, () => 0);
    for (const word of new Set(wordsOf(question, WORDS_MAX))) {
      const having = this.#having.get(word) ?? [];
      for (const text of having) sums[text] = (sums[text] ?? 0) + Math.log(this.#texts / having.length);
    }
    return [...sums.entries()]
      .toSorted((a, b) => b[1] - a[1] || a[0] - b[0])
      .slice(0, count)
      .map(([text]) => text)
      .toSorted((a, b) => a - b);
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
}
