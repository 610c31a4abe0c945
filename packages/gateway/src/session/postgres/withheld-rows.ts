/**
 * What becomes of a statement that returns more rows than it may.
 *
 * Spec: spec/policy.md, "Rows that are returned". One that only reads passes up to the bound, and then fails;
 * any other has its answer kept back, and is undone.
 */

import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Cause } from '../../policy/decide.ts';
import { causeOfCount, type Counted } from '../../policy/observed.ts';
import { allowedRows, causeOfReturned } from '../../policy/returned.ts';
import type { CompiledRule } from '../../policy/rule.ts';
import type { Outcome } from '../../protocols/postgres/states.ts';
import type { Asking, Grant, Held } from './asking.ts';
import { runsAtCommit } from './conducted-text.ts';
import { type KeptAnswer, NO_ANSWER, withError } from './exchange.ts';
import type { Ground } from './ground.ts';
import type { Judgement } from './inspection.ts';
import { askedOf, type Piece } from './piece.ts';
import { type Refusal, refusalBecause, undoneBecause, withheldBecause } from './refusal.ts';
import type { ReturnedRows, RowMeter } from './returned-rows.ts';

type Beyond = Held & { readonly cause: Cause };

/** A run whose answer is kept back, and what counts the rows that its client gets of it. */
export interface Ran {
  readonly answer: KeptAnswer;
  readonly meter: RowMeter | undefined;
}

/** Whether its answer is kept back until it is known whether it is kept. */
export function isCounted({ decision: { counted, returned, onlyReads } }: Judgement): boolean {
  return counted.length > 0 || (returned.length > 0 && !onlyReads);
}

/** Whether nobody is asked before it runs, and its answer passes as it comes. */
function isPassed(judgement: Judgement): boolean {
  return judgement.decision.holds.length === 0 && !isCounted(judgement);
}

/** Throws for a cursor whose rows are computed where nobody can count or undo what that does. */
export function refuseAtCommit(judgement: Judgement, textBytes: Uint8Array): void {
  if (isPassed(judgement) || !runsAtCommit(judgement.read, textBytes)) return;
  throw new CountersignError('ROWS_NOT_COUNTED', {
    reason: 'a cursor WITH HOLD calls a function while its transaction is committed',
  });
}

/** What people have agreed to before. */
export function rowsGranted(
  piece: Piece,
  ground: Ground,
  asking: Asking,
  returned: ReturnedRows,
): Promise<readonly Grant[]> {
  const agreed = returned.agreed(piece.portal?.portal, []);
  const held = heldRows(piece.judgement).filter(({ rule }) => !agreed.has(rule));
  return asking.granted(askedOf(piece), ground, held);
}

/** Counts what it returns; undefined where no rule has a say about that. */
export function meterOf(
  returned: ReturnedRows,
  { judgement, portal }: Piece,
  {
    grants,
    ground,
    stop,
  }: { readonly grants: readonly Grant[]; readonly ground: Ground; readonly stop?: () => void },
): RowMeter | undefined {
  if (judgement.decision.returned.length === 0) return undefined;
  // Whoever asks people has a question to the target before: of a transaction that has failed there is none.
  const mayStop = ground.isUndone || heldRows(judgement).length === 0;
  const granted = returned.agreed(
    portal?.portal,
    grants.map(({ rule }) => rule),
  );
  // The unnamed portal is no cursor.
  const portalName = portal?.portal === undefined ? portal?.portalName || undefined : undefined;
  return returned.meter(judgement, { granted, portalName, stop: mayStop ? stop : undefined });
}

/** Bounds that a run has passed, of rows that it has written and of rows that it has returned. */
export function heldBeyond(over: readonly Counted[], meter: RowMeter | undefined): readonly Beyond[] {
  const written = over.map((one) => ({ ...one, cause: causeOfCount(one) }));
  return [...written, ...(meter?.over ?? []).map(beyond)];
}

/**
 * What the client gets of a kept answer where it, or what came in the place of its count, is an error: the rows
 * in front of the error count, and where they are too many it gets none.
 */
export function failedWithin({ answer, meter }: Ran): KeptAnswer {
  if (meter?.isOver === true) return withError(NO_ANSWER, answer);
  meter?.close('failed');
  return answer;
}

/** The error for what has run, and was undone. */
export function undoneFor(held: readonly Beyond[]): Refusal {
  return undoneBecause(held.map(({ cause }) => cause));
}

/** The error in the place of the rows that are withheld. */
export async function refusalOfRows(
  piece: Piece,
  meter: RowMeter,
  outcome: Outcome,
  { ground, asking }: { readonly ground: Ground; readonly asking: Asking },
): Promise<Refusal> {
  const [first] = meter.over;
  if (first !== undefined) {
    const { name, version } = first;
    piece.operation.withheld(meter.rows, { rule: name, version, allowed: allowedRows(first) });
  }
  const held = meter.over.map(beyond);
  const blocked = held.filter(({ rule }) => rule.verdict === 'block');
  if (blocked.length === 0 && (outcome !== 'failed' || (await ground.undo()) !== 'all')) {
    const error = await asking.refusal(askedOf(piece), ground, held);
    if (error !== undefined) return refusalBecause(error);
  }
  return withheldBecause((blocked.length > 0 ? blocked : held).map(({ cause }) => cause));
}

export function tooLarge(): CountersignError {
  return new CountersignError('LIMIT_EXCEEDED', {
    limit: 'policy.keptAnswerBytesMax',
    allowed: LIMITS.policy.keptAnswerBytesMax,
    actual: 'more',
  });
}

function heldRows({ decision }: Judgement): readonly Beyond[] {
  return decision.returned.filter(({ verdict }) => verdict === 'hold').map(beyond);
}

function beyond(rule: CompiledRule): Beyond {
  return { rule, cause: causeOfReturned(rule), rows: undefined };
}
