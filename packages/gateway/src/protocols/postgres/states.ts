/**
 * THE tables: what a client may send in which state, and what a server owes for each request.
 *
 * Spec: PostgreSQL 18, "Message Flow" (https://www.postgresql.org/docs/18/protocol-flow.html); where it
 * is silent, what src/backend/tcop/postgres.c and copyfromparse.c do.
 * Grammar: state × message → next state, or a refusal; phase × message → next phase, or an outcome.
 * Refused: what a table does not list.
 * Untrusted: the messages on both sides.
 */

import type { ErrorCode } from '../../core/errors.ts';
import { BACKEND, type FrontendMessage, type StartupPacket } from './messages.ts';

/**
 * The client's side of a connection.
 *
 * `extended`: messages of the extended protocol without a Sync yet. `discarding`: the gateway has
 * refused one of them and owes one ReadyForQuery, at Sync. `copyIn`: the target asked for COPY data.
 */
export type ClientState =
  | 'start'
  | 'authenticating'
  | 'ready'
  | 'extended'
  | 'discarding'
  | 'copyIn'
  | 'ended';

/** What a client sends, and what the gateway itself decides between two messages. */
export type ClientEvent =
  | StartupPacket['kind']
  | FrontendMessage['kind']
  | 'authenticated'
  | 'refused'
  | 'copyInBegins'
  | 'copyInEnds';

/** `discard`: PostgreSQL would ignore the message here, so it is neither decided nor forwarded. */
export type ClientStep =
  | { readonly kind: 'handle'; readonly next: ClientState }
  | { readonly kind: 'discard'; readonly next: ClientState }
  | { readonly kind: 'refuse'; readonly code: ErrorCode };

type Row = Readonly<Partial<Record<ClientEvent, ClientStep>>>;

const REFUSE: ClientStep = { kind: 'refuse', code: 'PROTOCOL_VIOLATION' };

const REQUESTS: Row = {
  Query: handle('ready'),
  FunctionCall: handle('ready'),
  Parse: handle('extended'),
  Bind: handle('extended'),
  Describe: handle('extended'),
  Execute: handle('extended'),
  Close: handle('extended'),
  Flush: handle('extended'),
  Sync: handle('ready'),
  // "Presumably bits of a failed COPY" (postgres.c): ignored outside of copy-in mode.
  CopyData: discard('ready'),
  CopyDone: discard('ready'),
  CopyFail: discard('ready'),
  Terminate: handle('ended'),
  copyInBegins: handle('copyIn'),
};

/** State × event → step; what is not listed is refused. */
const CLIENT_STATES: Readonly<Record<ClientState, Row>> = {
  start: {
    SSLRequest: handle('start'),
    GSSENCRequest: handle('start'),
    CancelRequest: handle('ended'),
    StartupMessage: handle('authenticating'),
  },
  authenticating: {
    AuthenticationResponse: handle('authenticating'),
    Terminate: handle('ended'),
    authenticated: handle('ready'),
    refused: handle('ended'),
  },
  ready: REQUESTS,
  extended: {
    ...REQUESTS,
    Query: handle('extended'),
    FunctionCall: handle('extended'),
    CopyData: discard('extended'),
    CopyDone: discard('extended'),
    CopyFail: discard('extended'),
    refused: handle('discarding'),
  },
  discarding: {
    Query: discard('discarding'),
    FunctionCall: discard('discarding'),
    Parse: discard('discarding'),
    Bind: discard('discarding'),
    Describe: discard('discarding'),
    Execute: discard('discarding'),
    Close: discard('discarding'),
    Flush: discard('discarding'),
    CopyData: discard('discarding'),
    CopyDone: discard('discarding'),
    CopyFail: discard('discarding'),
    Sync: handle('ready'),
    Terminate: handle('ended'),
  },
  copyIn: {
    CopyData: handle('copyIn'),
    CopyDone: handle('extended'),
    CopyFail: handle('extended'),
    // CopyGetData in copyfromparse.c reads on over these two, for clients that did not expect a COPY.
    Sync: discard('copyIn'),
    Flush: discard('copyIn'),
    Terminate: handle('ended'),
    copyInEnds: handle('extended'),
  },
  ended: {},
};

/** One step of a client. */
export function clientStep(state: ClientState, event: ClientEvent): ClientStep {
  return CLIENT_STATES[state][event] ?? REFUSE;
}

/**
 * A request that a client sends and a server answers.
 *
 * `MalformedSimple`: a Query or FunctionCall with a body that the server refuses, `MalformedFlush`: a
 * Flush with a body, `MalformedSync`: a Sync with one, which ends what an error began as any Sync does and
 * is answered with an error, `MalformedExtended`: any other such message.
 */
export type RequestKind =
  | 'Query'
  | 'FunctionCall'
  | 'Parse'
  | 'Bind'
  | 'DescribeStatement'
  | 'DescribePortal'
  | 'Execute'
  | 'Close'
  | 'Flush'
  | 'Sync'
  | 'MalformedSimple'
  | 'MalformedFlush'
  | 'MalformedSync'
  | 'MalformedExtended';

/**
 * How a request ended.
 *
 * `completed`, `suspended` (the row limit of an Execute was reached), `empty` (no statement in the
 * text) and `failed` are the server's answers. `skipped`: an earlier error made the server ignore it
 * until Sync. `swallowed`: a Sync or Flush read in copy-in mode. `abandoned`: the connection ended.
 */
export type Outcome = 'completed' | 'suspended' | 'empty' | 'failed' | 'skipped' | 'swallowed' | 'abandoned';

/** Where a request is in what the server owes for it. */
export type Phase =
  | 'parse'
  | 'bind'
  | 'close'
  | 'describeStatement'
  | 'describe'
  | 'execute'
  | 'executeRows'
  | 'executeCopyIn'
  | 'executeCopyOut'
  | 'executeCopyEnd'
  | 'query'
  | 'queryRows'
  | 'queryDone'
  | 'queryCopyIn'
  | 'queryCopyOut'
  | 'queryCopyEnd'
  | 'queryCopyBoth'
  | 'functionCall'
  | 'malformed'
  | 'readyOwed'
  | 'failedReadyOwed';

type AnswerName = keyof typeof BACKEND;
type Answers = Readonly<Partial<Record<AnswerName, Phase | Outcome>>>;

/** The first phase of each request; a Flush is owed nothing. */
export const FIRST_PHASE: Readonly<Record<Exclude<RequestKind, 'Flush'>, Phase>> = {
  Query: 'query',
  FunctionCall: 'functionCall',
  Parse: 'parse',
  Bind: 'bind',
  DescribeStatement: 'describeStatement',
  DescribePortal: 'describe',
  Execute: 'execute',
  Close: 'close',
  Sync: 'readyOwed',
  MalformedSimple: 'malformed',
  MalformedFlush: 'malformed',
  MalformedSync: 'malformed',
  MalformedExtended: 'malformed',
};

const ONE_STATEMENT: Answers = {
  RowDescription: 'queryRows',
  CommandComplete: 'queryDone',
  EmptyQueryResponse: 'queryDone',
  CopyInResponse: 'queryCopyIn',
  CopyOutResponse: 'queryCopyOut',
  CopyBothResponse: 'queryCopyBoth',
};

/**
 * Phase × answer → next phase or outcome.
 *
 * Not in the table, because it holds for each phase: ErrorResponse ends a message of the extended
 * protocol and makes a Query, FunctionCall or Sync `failedReadyOwed`; NoticeResponse,
 * NotificationResponse and ParameterStatus belong to nobody.
 */
export const ANSWERS: Readonly<Record<Phase, Answers>> = {
  parse: { ParseComplete: 'completed' },
  bind: { BindComplete: 'completed' },
  close: { CloseComplete: 'completed' },
  describeStatement: { ParameterDescription: 'describe' },
  describe: { RowDescription: 'completed', NoData: 'completed' },
  execute: {
    DataRow: 'executeRows',
    CommandComplete: 'completed',
    EmptyQueryResponse: 'empty',
    PortalSuspended: 'suspended',
    CopyInResponse: 'executeCopyIn',
    CopyOutResponse: 'executeCopyOut',
  },
  executeRows: { DataRow: 'executeRows', CommandComplete: 'completed', PortalSuspended: 'suspended' },
  executeCopyIn: { CommandComplete: 'completed' },
  executeCopyOut: { CopyData: 'executeCopyOut', CopyDone: 'executeCopyEnd' },
  executeCopyEnd: { CommandComplete: 'completed' },
  query: ONE_STATEMENT,
  // A rule may give a statement several results, and one CommandComplete for all of them.
  queryRows: { RowDescription: 'queryRows', DataRow: 'queryRows', CommandComplete: 'queryDone' },
  queryDone: { ...ONE_STATEMENT, ReadyForQuery: 'completed' },
  queryCopyIn: { CommandComplete: 'queryDone' },
  queryCopyOut: { CopyData: 'queryCopyOut', CopyDone: 'queryCopyEnd' },
  queryCopyEnd: { CommandComplete: 'queryDone' },
  // Streaming replication; after CopyDone there may be a row with the next timeline.
  queryCopyBoth: { CopyData: 'queryCopyBoth', CopyDone: 'query', CommandComplete: 'queryDone' },
  functionCall: { FunctionCallResponse: 'readyOwed' },
  // An error, and nothing else: a target that runs what we could not read is a violation.
  malformed: {},
  readyOwed: { ReadyForQuery: 'completed' },
  failedReadyOwed: { ReadyForQuery: 'failed' },
};

function handle(next: ClientState): ClientStep {
  return { kind: 'handle', next };
}

function discard(next: ClientState): ClientStep {
  return { kind: 'discard', next };
}

const SERVER_OUTCOMES: ReadonlySet<string> = new Set<Outcome>(['completed', 'suspended', 'empty', 'failed']);

/** Whether an answer ends its request: what {@link ANSWERS} has for it is no further phase. */
export function isOutcome(next: Phase | Outcome): next is Outcome {
  return SERVER_OUTCOMES.has(next);
}
