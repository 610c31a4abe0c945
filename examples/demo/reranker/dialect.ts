/** What a dialect is: how a service of its kind is asked, how it answers, and how it says no. */

import type { Body } from './fields.ts';
import type { Limits } from './limits.ts';
import type { ModelVersion } from './models.ts';
import type { Problem } from './problem.ts';
import type { Ranked } from './score.ts';
import type { Passage } from './words.ts';

export type DialectName =
  | 'cohere-v1'
  | 'cohere-v2'
  | 'jina'
  | 'voyage'
  | 'mixedbread'
  | 'tei'
  | 'infinity'
  | 'pinecone';

/** A call, whichever way it was asked. */
export interface Call {
  readonly query: string;
  readonly documents: readonly Document[];
  /** `undefined`: the service's own. */
  readonly model: string | undefined;
  /** `undefined`: all. */
  readonly top: number | undefined;
  readonly echo: boolean;
  /** TEI and Infinity: the value before the logistic function. */
  readonly rawScores: boolean;
  readonly wordsMax: number | undefined;
}

export interface Document {
  readonly passage: Passage;
  /** What is given back where the caller wants to see it. */
  readonly echo: unknown;
}

export interface Answered {
  readonly call: Call;
  /** What the caller gets, best first. */
  readonly ranked: readonly Ranked[];
  readonly model: ModelVersion;
  readonly wordsCount: number;
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
}

export interface Dialect {
  readonly name: DialectName;
  /** @throws Problem */
  readonly read: (body: Body, limits: Limits) => Call;
  readonly answer: (answered: Answered) => unknown;
  readonly refuse: (problem: Problem) => { readonly status: number; readonly body: unknown };
}

/** A score as a caller of this one wants it. */
export function scoreOf(call: Call, ranked: Ranked): number {
  return call.rawScores ? ranked.logit : ranked.score;
}

export function echoOf(call: Call, ranked: Ranked): unknown {
  return call.documents[ranked.index]?.echo;
}
