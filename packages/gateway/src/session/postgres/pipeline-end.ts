/**
 * Both ends of what is counted in a pipeline outside of a transaction block: before its Bind, where planning
 * may run functions whose rows count, and before the Sync that keeps it.
 *
 * Spec: spec/policy.md §5.
 */

import { CountersignError } from '../../core/errors.ts';
import type { Understood } from './batch.ts';
import type { Exchange } from './exchange.ts';
import { errorOf, errorsOf, type KeptAnswer } from './exchange.ts';
import { undoneBy } from './kept-outcomes.ts';
import { type OpenWork, Over } from './open-work.ts';
import type { Pipeline } from './pipeline-ground.ts';
import { failingMessage, type Refusal, refusalBecause, stopsOneStatement } from './refusal.ts';
import type { Outcome } from '../../protocols/postgres/states.ts';
import type { Request } from './request.ts';

/** A Bind of a statement that is counted or held. */
export interface WatchedBind {
  readonly understood: Understood;
  readonly bound: NonNullable<Understood['bound']>;
}

/** `malformed`: a Sync that the target refuses; `other`: a Query or a FunctionCall. */
export type PipelineEnd = 'Sync' | 'malformed' | 'other';

export interface PipelineEndPorts {
  readonly exchange: Exchange;
  /** Whether the target reads over everything up to the next Sync. */
  readonly isSkipping: () => boolean;
  readonly writeIntent: (understood: Understood) => Promise<void>;
  readonly settle: (request: Request, outcome: Outcome) => void;
  /** For the client, as the target's answer. */
  readonly deliver: (frames: readonly Uint8Array[]) => void;
}

/** There is nothing that the client could get it as the answer to. */
class Unanswerable extends Error {
  constructor(error: CountersignError) {
    super(error.message, { cause: error });
  }
}

/**
 * What is deferred runs, all is counted, and what is ours is kept. Where that is too much the pipeline fails,
 * as where its COMMIT fails.
 */
export async function endPipeline(
  kind: PipelineEnd,
  ground: Pipeline,
  work: OpenWork,
  ports: PipelineEndPorts,
): Promise<void> {
  try {
    if (kind === 'malformed' && !ports.isSkipping()) await ground.fail();
    if (ports.isSkipping()) {
      await ground.drop();
      return await work.outcomes.drop();
    }
    const settled = await work.settleAll(ground);
    if (settled.kind === 'refused') {
      // No driver sends a Query into a pipeline; its answer would be the one to a statement that never ran.
      if (kind === 'other') throw new Unanswerable(settled.refusal.error);
      return await refuse(ground, work, ports, settled.refusal);
    }
    const failed = settled.kind === 'error' ? settled.answer : await ground.keep();
    if (failed !== undefined) return await fail(kind, ground, work, ports, failed);
    work.transaction.isSettled = true;
    return await work.outcomes.keep();
  } catch (error) {
    if (error instanceof Over) return undefined;
    if (error instanceof Unanswerable) throw error.cause;
    if (kind === 'other' || !stopsOneStatement(error)) throw error;
    return refuse(ground, work, ports, refusalBecause(error));
  }
}

/** The target does not keep it. */
async function fail(
  kind: PipelineEnd,
  ground: Pipeline,
  work: OpenWork,
  ports: PipelineEndPorts,
  answer: KeptAnswer,
): Promise<void> {
  const error = errorOf(answer) ?? { sqlstate: '', message: answer.outcome };
  if (kind === 'other') {
    throw new Unanswerable(new CountersignError('STATE_CONFLICT', { reason: error.message }));
  }
  ports.deliver(errorsOf(answer));
  await ground.drop();
  return work.outcomes.undo('target', error);
}

/** The client gets an error in front of the answer to its Sync. */
async function refuse(
  ground: Pipeline,
  work: OpenWork,
  ports: PipelineEndPorts,
  { answer, error }: Refusal,
): Promise<void> {
  await ground.fail();
  await ground.drop();
  ports.deliver([answer]);
  return work.outcomes.undo('gateway', undoneBy(error));
}

/** Makes ready for the Bind; gives who hears how it went, undefined where the client has its refusal. */
export async function beginBind(
  { understood, bound }: WatchedBind,
  ground: Pipeline,
  work: OpenWork,
  ports: PipelineEndPorts,
): Promise<((outcome: Outcome) => void) | undefined> {
  const { decision } = bound.judgement;
  const portal = bound.portal ?? {};
  try {
    await ground.begin();
    if (decision.counted.length > 0) {
      const begun = await work.countBefore(decision.counted, ground);
      if (begun?.kind === 'error') {
        ports.deliver(errorsOf(begun.answer));
        understood.request.settled?.('failed');
        return undefined;
      }
    }
  } catch (error) {
    if (error instanceof Over) return undefined;
    if (!stopsOneStatement(error)) throw error;
    await refuseBind(understood, bound, ports, refusalBecause(error));
    return undefined;
  }
  // Whoever does not run it must not keep what planning it has done.
  if (decision.kind !== 'allow') work.bound(portal, decision.causes);
  return (outcome) => {
    if (outcome !== 'completed') work.approved(portal);
  };
}

async function refuseBind(
  understood: Understood,
  { intent }: WatchedBind['bound'],
  { exchange, writeIntent, settle, deliver }: PipelineEndPorts,
  { answer, error }: Refusal,
): Promise<void> {
  const { operation } = intent;
  const request = { ...understood.request, operation };
  operation.blocked = true;
  await writeIntent({ ...understood, intent, request });
  operation.failed(error.row.sqlstate, error.message);
  operation.digest.add(answer, 0, answer.length);
  const failed = exchange.send('Bind', failingMessage('Bind'));
  exchange.flush();
  await failed;
  settle(request, 'failed');
  deliver([answer]);
}
