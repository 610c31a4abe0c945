/**
 * The tables of states.ts as the response queue looks them up, and which requests are alike.
 *
 * Spec: PostgreSQL 18, "Message Flow" (https://www.postgresql.org/docs/18/protocol-flow.html).
 */

import { BACKEND } from './messages.ts';
import { ANSWERS, type Outcome, type Phase, type RequestKind } from './states.ts';

/** Messages that answer nothing. */
export const ASYNCHRONOUS: ReadonlySet<number> = new Set([
  BACKEND.NoticeResponse,
  BACKEND.NotificationResponse,
  BACKEND.ParameterStatus,
]);

/** A Query, or what is answered as one. */
export const SIMPLE: ReadonlySet<RequestKind> = new Set([
  'Query',
  'FunctionCall',
  'Sync',
  'MalformedSync',
  'MalformedSimple',
]);

/** They end what an error began, and are read over in copy-in mode. */
export const SYNCS: ReadonlySet<RequestKind> = new Set(['Sync', 'MalformedSync']);

/** Whose answer begins with this, behind a COPY that has failed, of what it may have read over. */
export const UNSURE_ANSWERED_WITH: ReadonlyMap<number, ReadonlySet<RequestKind>> = new Map([
  [BACKEND.ReadyForQuery, new Set<RequestKind>(['Sync'])],
  [BACKEND.ErrorResponse, new Set<RequestKind>(['MalformedSync', 'MalformedFlush'])],
]);

/** Read over in copy-in mode, and answered with something where the COPY had failed before. */
export const UNSURE_IN_COPY_IN: ReadonlySet<RequestKind> = new Set([
  'Sync',
  'MalformedSync',
  'MalformedFlush',
]);

/** One row of ANSWERS by type byte, because it is looked up for each message of the server. */
export type AnswersByType = ReadonlyMap<number, Phase | Outcome>;

const TYPE_BYTES: ReadonlyMap<string, number> = new Map(Object.entries(BACKEND));
export const ANSWERS_BY_TYPE: ReadonlyMap<string, AnswersByType> = new Map(
  Object.entries(ANSWERS).map(([phase, answers]) => [
    phase,
    new Map(Object.entries(answers).map(([name, next]) => [TYPE_BYTES.get(name) ?? 0, next])),
  ]),
);
