/** What is written when a session is over: the outcome of every intent, the recording's end, `session.end`. */

import { type CountersignError, toCountersignError } from '../../core/errors.ts';
import type { SessionId } from '../../core/ids.ts';
import type { Appended } from '../../core/ledger-port.ts';
import type { ResponseQueue } from '../../protocols/postgres/response-queue.ts';
import type { RecordingSummary } from '../../recording/session-recording.ts';
import type { SessionPlace } from '../live-sessions.ts';
import type { SessionPorts } from '../session-ports.ts';
import type { Intents } from './intents.ts';
import type { Request } from './request.ts';
import type { SessionLeaves } from './session-leaves.ts';

export type EndStatus = 'ok' | 'failed' | 'ended';

interface OverSession {
  readonly id: SessionId;
  readonly ports: SessionPorts;
  readonly leaves: SessionLeaves;
  readonly place: SessionPlace;
  readonly start: Appended;
  readonly intents: Intents;
  readonly responses: ResponseQueue<Request>;
  readonly counts: { readonly toClient: number; readonly toTarget: number };
}

/** Its sockets are closed, and nothing is forwarded any more. Never rejects. */
export async function endSession(
  { id, ports, leaves, place, start, intents, responses, counts }: OverSession,
  status: EndStatus,
  error: CountersignError | undefined,
  closeRecording: () => Promise<RecordingSummary | undefined>,
): Promise<void> {
  try {
    responses.close();
    await intents.finish();
    const recorded = await closeRecording();
    const outcome = recorded === undefined && status === 'ok' ? 'failed' : status;
    const nowUs = ports.clock.nowUs();
    const ended = await ports.ledger.append(
      leaves.end(outcome, {
        reason: error?.code ?? (outcome === 'ok' ? 'closed' : 'RECORDING_FAILED'),
        ...(error === undefined ? {} : { error: error.message }),
        statements: intents.count,
        bytes_to_client: counts.toClient,
        bytes_to_target: counts.toTarget,
        duration_us: Math.max(0, nowUs - start.timeUs),
        recording_segments: recorded?.segments ?? 0,
        ...(recorded?.sha256 === undefined ? {} : { recording_sha256: recorded.sha256 }),
      }),
    );
    const statements = intents.count;
    const { timeUs: endedUs, index: lastLeaf } = ended;
    await ports.index.ended({ id, endedUs, status: outcome, statements, lastLeaf });
  } catch (thrown) {
    // The ledger has halted: the next start writes what is missing.
    ports.onError(toCountersignError(thrown), id);
  } finally {
    ports.ledger.closeScope(id);
    ports.sessions.remove(place);
  }
}
