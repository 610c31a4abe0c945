/**
 * A statement that policy stops, answered in the target's place.
 *
 * The target is sent something of the same kind that always fails instead, and its error is replaced by
 * ours. So a transaction fails, a pipeline is skipped up to Sync, and what it did before is rolled back, as
 * after any error of the statement itself: the client's picture of the session and the target's agree.
 */

import { CountersignError, type ErrorCode } from '../../core/errors.ts';
import type { Cause, Decision } from '../../policy/decide.ts';
import { encodeErrorResponse, encodeFrontend } from '../../protocols/postgres/encode.ts';
import type { RequestKind } from '../../protocols/postgres/states.ts';
import { toldCause, toldOthers } from '../told-causes.ts';
import type { Judgement } from './inspection.ts';

export interface Refusal {
  readonly error: CountersignError;
  /** The ErrorResponse that the client gets. */
  readonly answer: Uint8Array;
  /** Of that answer, where it is not the error's own. */
  readonly sqlstate?: string;
}

/** No SQL begins with this word, in any version. */
const FAILING_QUERY = encodeFrontend({
  kind: 'Query',
  textBytes: new TextEncoder().encode('countersign blocked this statement'),
});
/**
 * A Describe of neither a statement nor a portal: an error whatever names there are (exec_describe in
 * src/backend/tcop/postgres.c, "invalid DESCRIBE message subtype").
 */
const FAILING_DESCRIBE = Uint8Array.of(0x44, 0, 0, 0, 6, 0x21, 0);

/**
 * Errors that say that one statement cannot be asked about or counted: it is undone and refused, and the
 * session goes on. Any other one is of the session, or of the gateway.
 */
const STOPS_ONE_STATEMENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'GATEWAY_STATEMENT_FAILED',
  'HOLD_NOT_USABLE',
  'LIMIT_EXCEEDED',
  'NOT_FOUND',
  'ROWS_NOT_COUNTED',
  'STATE_CONFLICT',
  'STORE_FAILED',
]);

/** What goes to the target in the place of a request. */
export function failingMessage(kind: RequestKind): Uint8Array {
  return kind === 'Query' || kind === 'FunctionCall' ? FAILING_QUERY : FAILING_DESCRIBE;
}

/** Whether an error stops the statement that it came from, and not its session. */
export function stopsOneStatement(error: unknown): error is CountersignError {
  return error instanceof CountersignError && STOPS_ONE_STATEMENT.has(error.code);
}

/** The refusal of what cannot be asked about or counted. */
export function refusalBecause(error: CountersignError): Refusal {
  return { error, answer: encodeErrorResponse(error, 'ERROR') };
}

/** The error for what ran, and was undone because of what it did: it has no place in the text. */
export function undoneBecause(causes: readonly Cause[]): Refusal {
  return refusalWith('POLICY_UNDONE', causes, undefined);
}

/** The error for an answer of which the client has got a part. */
export function withheldBecause(causes: readonly Cause[]): Refusal {
  return refusalWith('POLICY_WITHHELD', causes, undefined);
}

/** The error for a text that can neither be counted nor held as a whole: what is no SQL is told so. */
export function refusalOfMixed({ decision, read }: Judgement, textBytes: Uint8Array): Refusal {
  if (read.kind === 'read') return refusalBecause(new CountersignError('POLICY_TEXT_MIXED'));
  const { causes } = decision;
  if (read.kind === 'syntax-error') {
    const { message, at } = read;
    return refusalOf({ decision: { causes, syntaxError: { message, at } } }, textBytes);
  }
  const [rule] = [...decision.holds, ...decision.counted];
  const what = `it has to be counted or held, and it cannot be inspected: ${read.reason}`;
  const cause = { rule: rule?.name ?? '', version: rule?.version ?? 0, what, from: 0, to: 0 };
  const unread: Cause = { ...cause, verdict: 'block', description: undefined };
  return refusalOf({ decision: { causes: [unread, ...causes], syntaxError: undefined } }, textBytes);
}

interface Blocked {
  readonly decision: Pick<Decision, 'causes' | 'syntaxError'>;
  /** What the server itself has said. */
  readonly refusal?: Refusal;
}

/** The error for a decision that blocks. @param textBytes the text that its ranges are of */
export function refusalOf({ decision, refusal }: Blocked, textBytes: Uint8Array): Refusal {
  if (refusal !== undefined) return refusal;
  const { syntaxError, causes } = decision;
  const [first] = causes;
  const position = positionOf(textBytes, syntaxError?.at ?? (first?.to === 0 ? undefined : first?.from));
  if (syntaxError !== undefined) {
    const error = new CountersignError('SQL_INVALID', { message: syntaxError.message });
    return { error, answer: encodeErrorResponse(error, 'ERROR', { position }) };
  }
  return refusalWith('POLICY_BLOCKED', causes, position);
}

function refusalWith(
  code: 'POLICY_BLOCKED' | 'POLICY_UNDONE' | 'POLICY_WITHHELD',
  [first, ...others]: readonly Cause[],
  position: number | undefined,
): Refusal {
  const error = new CountersignError(code, {
    rule: first?.rule ?? '',
    version: first?.version ?? 0,
    what: first === undefined ? 'no rule lets it through' : toldCause(first),
  });
  const also = toldOthers(others);
  const detail = also === undefined ? undefined : `${also}.`;
  return { error, answer: encodeErrorResponse(error, 'ERROR', { detail, position }) };
}

/** Characters from 1, as the field `P` has it; undefined where the text is not UTF-8 up to there. */
function positionOf(textBytes: Uint8Array, at: number | undefined): number | undefined {
  if (at === undefined || at > textBytes.length) return undefined;
  let characters = 1;
  for (const byte of textBytes.subarray(0, at)) if ((byte & 0xc0) !== 0x80) characters += 1;
  return characters;
}
