/**
 * What the process before this one left open gets its end: outcomes `unknown`, missing segments of
 * recordings, `session.end` with status `interrupted`.
 *
 * Spec: spec/ledger.md, section 5, 4.
 */

import type { Ledger } from '../audit/ledger.ts';
import { type InterruptedSession, OUTCOME_OF } from '../audit/log-state.ts';
import { parseId } from '../core/ids.ts';
import type { BodyValue, LedgerEvent, ScopeKeys } from '../core/ledger-port.ts';
import { type RecoveredSegment, recoverSegments } from '../recording/recovery.ts';
import type { SessionIndex } from '../session/session-ports.ts';

/** Runs before any listener opens. */
export async function finishInterrupted(
  ledger: Ledger,
  keys: ScopeKeys,
  recordings: string,
  index: SessionIndex,
): Promise<void> {
  for (const session of ledger.interrupted) await finishOne(session, ledger, keys, recordings, index);
}

async function finishOne(
  session: InterruptedSession,
  ledger: Ledger,
  keys: ScopeKeys,
  recordings: string,
  index: SessionIndex,
): Promise<void> {
  const { id, kind, actor, target, intents } = session;
  const key = await keys.find(id);
  const base = { kind, actor, session: id, target, keyId: id };
  const events: LedgerEvent[] = intents.map((intent) => ({
    ...base,
    type: OUTCOME_OF[intent.type] ?? 'statement.outcome',
    ref: intent.index,
    status: 'unknown',
  }));
  const known = {
    sessionId: parseId('session', id),
    segmentsKnown: session.segments,
    ...(key === undefined ? {} : { scopeKey: key }),
  };
  for await (const segment of recoverSegments(recordings, [known])) {
    // Without its key the session was shredded: the leaf has no body, and says at least that a segment was there.
    const body = key === undefined ? {} : { body: segmentBody(segment) };
    events.push({ ...base, type: 'recording.segment', status: segment.status, ...body });
  }
  const reason = key === undefined ? {} : { body: { reason: 'the gateway stopped' } };
  events.push({ ...base, type: 'session.end', status: 'interrupted', ...reason });
  const appended = await ledger.appendMany(events);
  const last = appended.at(-1);
  if (last !== undefined) {
    await index.ended({
      id,
      endedUs: last.timeUs,
      status: 'interrupted',
      statements: 0,
      lastLeaf: last.index,
    });
  }
  if (key !== undefined) ledger.closeScope(id);
}

function segmentBody(segment: RecoveredSegment): Record<string, BodyValue> {
  const { number, sha256, bytes, blocks, plainBytes, firstUs, lastUs } = segment;
  return {
    number,
    sha256,
    bytes,
    blocks,
    ...(plainBytes === undefined ? {} : { plain_bytes: plainBytes }),
    ...(firstUs === undefined ? {} : { first_us: firstUs }),
    ...(lastUs === undefined ? {} : { last_us: lastUs }),
  };
}
