/**
 * What a look at a model comes to: what its service says of it, or how it answers the fixed question.
 *
 * Untrusted: answers; what is taken of them is bounded.
 */

import { fingerprintOf, identityDigest } from '@countersign/ledger/model-compare';
import { PROBE_LIMITS as LIMITS } from '../core/probe-limits.ts';
import { CANARY_SET, canaryRequest, readCanary } from '../protocols/http/operations/canary.ts';
import {
  IDENTITY_PROBES,
  identityPath,
  type ModelIdentity,
  readIdentity,
} from '../protocols/http/operations/identity-probes.ts';
import type { Answered, Question, Unanswered } from './ask-upstream.ts';

export type ProbeKind = 'identity' | 'canary';

export interface SeenIdentity {
  readonly kind: 'identity';
  readonly digest: string;
  /** By path. */
  readonly identity: Readonly<Record<string, ModelIdentity>>;
}

export interface SeenCanary {
  readonly kind: 'canary';
  readonly digest: string;
  readonly order: readonly number[];
  readonly scores: readonly string[];
}

export type Seen = SeenIdentity | SeenCanary;

/** A text says why nothing is known. */
export interface Look {
  readonly source: string;
  readonly seen: Seen | string;
}

/** Answers a question of the gateway's own. */
export type Ask = (question: Question) => Promise<Answered | Unanswered>;

export async function lookAtIdentity(dialect: string, model: string | undefined, ask: Ask): Promise<Look> {
  const requests = IDENTITY_PROBES.get(dialect)?.requests ?? [];
  const source = `${dialect} ${requests.map((one) => `GET ${one.path}`).join(', ')}`;
  const identity: Record<string, ModelIdentity> = {};
  for (const [at, request] of requests.entries()) {
    const path = identityPath(request, model);
    const answer = await ask({ method: 'GET', path, fields: [], content: undefined });
    if ('failure' in answer) {
      // A path that a service of this kind need not have; without the first nothing is known.
      if (at > 0 && answer.status === 404) continue;
      return { source, seen: answer.failure };
    }
    const found = readIdentity(request, answer.body, model);
    if (found !== undefined) identity[request.path] = found;
    else if (at === 0) return { source, seen: `${path} says nothing of a model that is known` };
  }
  if (JSON.stringify(identity).length > LIMITS.identityCharactersMax) {
    return { source, seen: `it says more than ${LIMITS.identityCharactersMax} characters of its models` };
  }
  return { source, seen: { kind: 'identity', digest: identityDigest(identity), identity } };
}

export async function lookAtCanary(dialect: string, model: string | undefined, ask: Ask): Promise<Look> {
  const source = `${dialect} ${CANARY_SET}`;
  const request = canaryRequest(dialect, model);
  if (request === undefined) return { source, seen: `nobody knows how ${dialect} is asked` };
  const { head, content } = request;
  const answer = await ask({ method: 'POST', path: head.path, fields: head.fields, content });
  if ('failure' in answer) return { source, seen: answer.failure };
  const read = readCanary(dialect, request, answer);
  if (typeof read === 'string') return { source, seen: `${head.path}: ${read}` };
  const { order, scores } = read;
  return { source, seen: { kind: 'canary', digest: fingerprintOf({ order, scores }), order, scores } };
}

/** As a leaf has it. */
export function failureText(failure: string): string {
  return failure.slice(0, LIMITS.failureCharactersMax).toWellFormed();
}
