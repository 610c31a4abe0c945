/**
 * Whether a request that was masked is still the one that policy has decided on.
 *
 * Masks change values, and a value may be what a request is about: the name of a collection, the condition of a
 * delete. Then nothing is forwarded.
 */

import type { Decision } from '../../policy/decide.ts';
import type { HttpReading } from '../../protocols/http/operations/read-request.ts';
import type { UnderstoodRequest } from './reading.ts';

interface Decided {
  readonly understood: UnderstoodRequest;
  readonly decision: Decision;
}

const STRICTNESS: Readonly<Record<Decision['kind'], number>> = { allow: 0, hold: 1, block: 2 };

export function isSameRequest(before: Decided, after: Decided): boolean {
  return (
    meaningOf(before.understood.reading) === meaningOf(after.understood.reading) &&
    STRICTNESS[after.decision.kind] <= STRICTNESS[before.decision.kind] &&
    after.decision.holds.every(({ name }) => before.decision.holds.some((hold) => hold.name === name))
  );
}

/** What it does, and to what. */
function meaningOf(reading: HttpReading): string {
  const { dialect, template, effects, objects, mayBeAnything, rows, returned, rerank, modelChange } = reading;
  const call = rerank === undefined ? [] : [rerank.dialect, rerank.operation, rerank.model, rerank.topN];
  const documents = rerank?.documents.count;
  return JSON.stringify([
    dialect,
    template,
    [...effects].toSorted(),
    objects.map(({ kind, name }) => [kind, name]),
    mayBeAnything,
    rows,
    returned,
    call,
    documents,
    modelChange,
    reading.isUnreadable,
  ]);
}
