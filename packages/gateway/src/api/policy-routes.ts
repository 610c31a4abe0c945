/** Policy: what another one would have decided about what was recorded. */

import { Type } from 'typebox';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { locateResources } from '../resources/parse.ts';
import { withLines } from '../resources/placed-error.ts';
import type { PolicyReplayAnswer } from './answers.ts';
import { actorOf } from './leaf-actor.ts';
import { parseMoment } from './moments.ts';
import { PolicyReplay } from './policy-replay.ts';
import type { ApiPorts } from './ports.ts';
import { firstLeafBefore, recordedOperations, type SessionKeys } from './recorded-operations.ts';
import { type Route, route } from './route.ts';
import { counts, list, moment, name, object, reason, STRICT, texts } from './schemas.ts';
import type { Caller } from './who-may.ts';

const CAUSE = object({ ...texts('rule verdict what'), ...counts('version from to') });

const replay = route({
  key: 'POST /v1/policy/replay',
  summary:
    'What the resources, with others laid over them as apply would, decide about recorded operations; a leaf for each session of which a statement is shown',
  body: Type.Object(
    {
      since: moment('Operations at or after'),
      until: Type.Optional(moment('Operations before')),
      connection: Type.Optional(name('On which connection')),
      text: Type.Optional(
        Type.String({
          maxLength: LIMITS.resources.textBytesMax,
          description: 'YAML documents, as for apply',
        }),
      ),
      from: Type.Optional(Type.Integer({ minimum: 0, description: 'The `next` of the page before' })),
      limit: Type.Optional(Type.Integer({ minimum: 1, description: 'Operations of the page' })),
      reason: Type.Optional(reason()),
    },
    STRICT,
  ),
  answer: object({
    ...texts('policy'),
    ...counts('statements same next?'),
    different: list(
      object({
        ...counts('leaf'),
        ...texts('at session name connection recorded decided sql?'),
        causes: list(CAUSE),
      }),
    ),
    undecidable: object(counts('shredded spooled no-text prepared-before rows-unknown unknown-session')),
  }),
  async handle(input): Promise<PolicyReplayAnswer> {
    const { ports, body } = input;
    const view = await withLines(locateResources(body.text ?? ''), (documents) =>
      ports.resources.preview(documents),
    );
    const sinceUs = parseMoment(body.since);
    const untilUs = body.until === undefined ? ports.clock.nowUs() + 1 : parseMoment(body.until);
    if (untilUs <= sinceUs) {
      throw new CountersignError('REQUEST_INVALID', { reason: 'expected until to be after since' });
    }
    const from = body.from ?? (await firstLeafBefore(ports.reader, sinceUs));
    await using keys = new OpenedKeys(ports);
    const { operations, next } = await recordedOperations(ports.reader, keys, {
      from,
      to: ports.ledger.size,
      sinceUs,
      untilUs,
      connection: body.connection,
      limit: pageRows(body.limit),
    });
    const answer = await new PolicyReplay(ports, view, from).run(operations);
    await writeViews(ports, input.caller(), answer, body.reason);
    return next === undefined ? answer : { ...answer, next };
  },
});

export const POLICY_ROUTES: readonly Route[] = [replay];

/** Keys of the sessions of one page. */
class OpenedKeys implements SessionKeys {
  readonly #ports: ApiPorts;
  readonly #keys = new Map<string, Uint8Array | undefined>();

  constructor(ports: ApiPorts) {
    this.#ports = ports;
  }

  async find(session: string): Promise<Uint8Array | undefined> {
    if (!this.#keys.has(session)) this.#keys.set(session, await this.#ports.scopeKeys.find(session));
    return this.#keys.get(session);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const key of this.#keys.values()) key?.fill(0);
    this.#keys.clear();
    return Promise.resolve();
  }
}

function pageRows(limit: number | undefined): number {
  const rows = limit ?? LIMITS.api.pageRowsDefault;
  const { pageRowsMax: allowed } = LIMITS.api;
  if (rows <= allowed) return rows;
  throw new CountersignError('LIMIT_EXCEEDED', { limit: 'api.pageRowsMax', allowed, actual: rows });
}

/** Signed before anybody sees a statement of somebody. */
async function writeViews(
  ports: ApiPorts,
  { principal }: Caller,
  { different }: PolicyReplayAnswer,
  why: string | undefined,
): Promise<void> {
  const sessions = new Map(different.map(({ session, connection }) => [session, connection]));
  if (sessions.size === 0) return;
  const actor = await actorOf(ports, principal);
  await ports.ledger.appendMany(
    [...sessions].map(([session, target]) => ({
      type: 'recording.view',
      ...actor,
      target,
      body: {
        viewed_session: session,
        parts: ['statements'],
        ...(why === undefined ? {} : { reason: why.toWellFormed() }),
      },
    })),
  );
}
