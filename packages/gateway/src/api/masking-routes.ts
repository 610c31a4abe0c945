/** Masking: what Masks would hide on a connection, and what a target has to be told so that it hides them. */

import { Type } from 'typebox';
import { CountersignError } from '../core/errors.ts';
import type { MaskDdlAnswer, MaskPreviewAnswer } from './answers.ts';
import { actorOf } from './leaf-actor.ts';
import type { ApiPorts } from './ports.ts';
import { type Route, route } from './route.ts';
import { counts, list, name, object, reason, STRICT, text, texts } from './schemas.ts';

/** PostgreSQL's own limit for a name. */
const NAME_CHARACTERS_MAX = 63;

const COLUMN = texts('schema table column');
const TEXTS = list(Type.String());

const preview = route({
  key: 'POST /v1/connections/:name/mask-preview',
  summary:
    'Which columns of a database Masks hide, and what a look at samples finds beside them: names and counts, no value. The gateway logs in with the credential of the connection; a leaf says so before',
  params: Type.Object({ name: name('Name of the connection') }, STRICT),
  body: Type.Object(
    {
      database: Type.Optional(text(NAME_CHARACTERS_MAX, 'Another database than that of the connection')),
      for: Type.Optional(name('Only Masks that hide from this person or service account')),
      reason: Type.Optional(reason()),
    },
    STRICT,
  ),
  answer: object({
    ...texts('connection database for? serverVersion'),
    letIn: Type.Optional(Type.Boolean()),
    masked: list(
      object({ ...COLUMN, ...texts('mask operator entity mode how'), ...counts('version'), masks: TEXTS }),
    ),
    detecting: list(object({ ...texts('mask operator'), ...counts('version'), entities: TEXTS })),
    unreachable: list(object({ ...texts('pattern kind'), masks: TEXTS, views: TEXTS })),
    uncovered: list(
      object({
        ...COLUMN,
        ...texts('type'),
        ...counts('sampled'),
        found: list(object({ ...texts('entity'), ...counts('values covered'), masks: TEXTS })),
        looksLike: TEXTS,
      }),
    ),
    ...counts('more'),
    columns: object({
      ...counts('all sampled'),
      notSampled: object(counts('type? no-right? foreign? failed? limit? time?')),
    }),
  }),
  async handle(input): Promise<MaskPreviewAnswer> {
    const { ports, params, body } = input;
    const { name: connection } = params;
    const { database, for: person } = body;
    checkNames(ports, connection, person);
    // Durable before the target hears of it.
    await ports.ledger.append({
      type: 'mask.preview',
      ...(await actorOf(ports, input.caller().principal)),
      target: connection,
      body: {
        ...(database === undefined ? {} : { database: database.toWellFormed() }),
        ...(person === undefined ? {} : { name: person }),
        ...(body.reason === undefined ? {} : { reason: body.reason.toWellFormed() }),
      },
    });
    const answer = await ports.previewMasks({ connection, database, person });
    if (person === undefined) return answer;
    return { ...answer, for: person, letIn: ports.resources.stillAllowed({ name: person }, connection) };
  },
});

const ddl = route({
  key: 'POST /v1/connections/:name/mask-ddl',
  summary:
    'The SQL with which an administrator of the target gives a role what Masks of the mode server-role need, or takes it back. The gateway logs in with the credential of the connection, reads the catalog, and runs no part of it; a leaf says so before',
  params: Type.Object({ name: name('Name of the connection') }, STRICT),
  body: Type.Object(
    {
      database: Type.Optional(text(NAME_CHARACTERS_MAX, 'Another database than that of the connection')),
      role: Type.Optional(
        text(
          NAME_CHARACTERS_MAX,
          'Another role of the target than that of the credential; made where it is not there',
        ),
      ),
      undo: Type.Optional(Type.Boolean({ description: 'Back to the rights of before' })),
      reason: Type.Optional(reason()),
    },
    STRICT,
  ),
  answer: object({
    ...texts('connection database role serverVersion sql'),
    masks: list(object({ ...texts('mask'), ...counts('version') })),
    ...counts('columns views'),
    problems: TEXTS,
  }),
  async handle(input): Promise<MaskDdlAnswer> {
    const { ports, params, body } = input;
    const { name: connection } = params;
    const { database, role, undo = false } = body;
    checkNames(ports, connection, undefined);
    // Durable before the target hears of it.
    await ports.ledger.append({
      type: 'mask.ddl',
      ...(await actorOf(ports, input.caller().principal)),
      target: connection,
      body: {
        ...(database === undefined ? {} : { database: database.toWellFormed() }),
        ...(role === undefined ? {} : { role: role.toWellFormed() }),
        undo,
        ...(body.reason === undefined ? {} : { reason: body.reason.toWellFormed() }),
      },
    });
    return ports.readMaskDdl({ connection, database, role, undo });
  },
});

export const MASKING_ROUTES: readonly Route[] = [preview, ddl];

/** Somebody who is not there would be taken for one whom every Mask reaches. */
function checkNames({ resources }: ApiPorts, connection: string, person: string | undefined): void {
  if (resources.get('Connection', connection).length === 0) {
    throw new CountersignError('CONNECTION_UNKNOWN', { connection });
  }
  if (person === undefined) return;
  const kinds = ['Person', 'ServiceAccount'] as const;
  if (kinds.some((kind) => resources.get(kind, person).length > 0)) return;
  throw new CountersignError('NOT_FOUND', { what: `person or service account "${person}"` });
}
