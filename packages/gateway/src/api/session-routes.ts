/** Sessions: which there were, what ran in them, their replay, and their end. */

import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { CountersignError } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { SessionsTable } from '../store/schema.ts';
import type { SessionAnswer, SessionsAnswer } from './answers.ts';
import { actorOf } from './leaf-actor.ts';
import { parseMoment } from './moments.ts';
import type { ApiPorts } from './ports.ts';
import { replayLines } from './replay.ts';
import { type Route, route } from './route.ts';
import {
  anything,
  counts,
  decimal,
  id,
  list,
  moment,
  name,
  object,
  reason,
  STRICT,
  texts,
} from './schemas.ts';
import { findSession, listSessions, sessionRow } from './session-index.ts';
import { type LeafRange, readStatements } from './session-leaves.ts';
import type { Caller } from './who-may.ts';

const ID = Type.Object({ id: id('ses') }, STRICT);
const ROW = object({
  ...texts('id name connection database address client startedAt endedAt? status'),
  ...counts('statements firstLeaf lastLeaf?'),
});
const FIELDS = Type.Optional(Type.Record(Type.String(), anything()));

const listAll = route({
  key: 'GET /v1/sessions',
  summary: 'Sessions, newest first',
  query: Type.Object(
    {
      name: Type.Optional(name('Who')),
      connection: Type.Optional(name('On which connection')),
      from: Type.Optional(moment('Started at or after')),
      to: Type.Optional(moment('Started before')),
      open: Type.Optional(Type.Literal('true', { description: 'Only those that are open' })),
      before: Type.Optional(id('ses')),
      limit: Type.Optional(decimal('Rows of a page')),
    },
    STRICT,
  ),
  answer: object({ sessions: list(ROW), next: Type.Optional(Type.String()) }),
  async handle(input): Promise<SessionsAnswer> {
    const { ports, query } = input;
    const { principal, mayOthers } = input.caller();
    return listSessions(ports.store, {
      principalId: mayOthers ? undefined : principal.id,
      name: query.name,
      connection: query.connection,
      fromUs: query.from === undefined ? undefined : parseMoment(query.from),
      toUs: query.to === undefined ? undefined : parseMoment(query.to),
      open: query.open !== undefined,
      before: query.before,
      limit: pageRows(query.limit),
    });
  },
});

const show = route({
  key: 'GET /v1/sessions/:id',
  summary: 'A session with its statements, out of the ledger; a leaf says that they were read',
  params: ID,
  query: Type.Object(
    {
      from: Type.Optional(decimal('Index of a leaf of the session')),
      limit: Type.Optional(decimal('Rows of a page')),
      reason: Type.Optional(reason()),
    },
    STRICT,
  ),
  answer: object({
    session: ROW,
    shredded: Type.Boolean(),
    statements: list(
      object({ ...counts('leaf outcomeLeaf?'), ...texts('at status'), intent: FIELDS, outcome: FIELDS }),
    ),
    ...counts('next?'),
  }),
  async handle(input): Promise<SessionAnswer> {
    const { ports, params, query } = input;
    const row = await findSession(ports.store, params.id, input.caller());
    const whole = rangeOf(ports, row);
    const range = { ...whole, from: Math.max(whole.from, Number(query.from ?? 0)) };
    const key = await ports.scopeKeys.find(row.id);
    try {
      if (key !== undefined) await writeView(ports, input.caller(), row, 'statements', query.reason);
      const { statements, next } = await readStatements(ports.reader, range, key, pageRows(query.limit));
      const answer = { session: sessionRow(row), shredded: key === undefined, statements };
      return next === undefined ? answer : { ...answer, next };
    } finally {
      key?.fill(0);
    }
  },
});

const replay = route({
  key: 'GET /v1/sessions/:id/replay',
  summary: 'The recording as lines of JSON; the leaf that says so is signed before the first byte',
  params: ID,
  query: Type.Object({ reason: Type.Optional(reason()) }, STRICT),
  answer: {
    contentType: 'application/jsonl',
    description: 'One object a line; its kind is session, statement, event, note or error.',
  },
  async handle(input): Promise<unknown> {
    const { ports, params, query } = input;
    const row = await findSession(ports.store, params.id, input.caller());
    const sessionId = parseId('session', row.id);
    if (ports.sessions.get(sessionId) !== undefined) {
      throw new CountersignError('SESSION_OPEN', { session: row.id, what: 'its recording is read' });
    }
    const key = await ports.scopeKeys.find(row.id);
    if (key === undefined) throw new CountersignError('SHREDDED', { session: row.id });
    await writeView(ports, input.caller(), row, 'recording', query.reason);
    const request = { session: sessionRow(row), sessionId, range: rangeOf(ports, row), key };
    input.reply.header('content-type', 'application/jsonl; charset=utf-8');
    return Readable.from(replayLines(ports, request), { objectMode: false });
  },
});

const end = route({
  key: 'DELETE /v1/sessions/:id',
  summary: 'End an open session at once',
  params: ID,
  answer: object({ ended: Type.Boolean() }),
  async handle(input): Promise<{ readonly ended: boolean }> {
    const { ports, params } = input;
    const { principal, mayOthers } = input.caller();
    const live = ports.sessions.get(parseId('session', params.id));
    if (live === undefined || (live.principal.id !== principal.id && !mayOthers)) {
      throw new CountersignError('NOT_FOUND', { what: `open session ${params.id}` });
    }
    live.end({ reason: `ended by ${principal.name}` });
    await live.closed;
    return { ended: true };
  },
});

export const SESSION_ROUTES: readonly Route[] = [listAll, show, replay, end];

function pageRows(limit: string | undefined): number {
  const rows = limit === undefined ? LIMITS.api.pageRowsDefault : Number(limit);
  const { pageRowsMax: allowed } = LIMITS.api;
  if (rows < 1 || rows > allowed) {
    throw new CountersignError('LIMIT_EXCEEDED', { limit: 'api.pageRowsMax', allowed, actual: rows });
  }
  return rows;
}

/** Up to its last leaf; an open session's may be the newest. */
function rangeOf(ports: ApiPorts, row: SessionsTable): LeafRange {
  const to = row.last_leaf === null ? ports.ledger.size : row.last_leaf + 1;
  return { session: row.id, from: row.first_leaf, to };
}

async function writeView(
  ports: ApiPorts,
  { principal }: Caller,
  row: SessionsTable,
  part: 'statements' | 'recording',
  why: string | undefined,
): Promise<void> {
  await ports.ledger.append({
    type: 'recording.view',
    ...(await actorOf(ports, principal)),
    target: row.connection,
    body: {
      viewed_session: row.id,
      parts: [part],
      ...(why === undefined ? {} : { reason: why.toWellFormed() }),
    },
  });
}
