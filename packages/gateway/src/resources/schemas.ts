/** What each kind of resource may hold, as JSON Schema. */

import { type TSchema, Type } from 'typebox';
import { sourceSchema } from '../config/schema.ts';
import { LIMITS } from '../core/limits.ts';
import type { ResourceKind } from './documents.ts';

const STRICT = { additionalProperties: false } as const;
const NAME = '[a-z0-9][a-z0-9_.@-]{0,62}';
const LABEL_KEY = '[a-z0-9][a-z0-9_.-]{0,62}';
const LABEL_VALUE = '[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}';
/** No control characters: these texts reach terminals. */
const PRINTABLE = '^[^\\u0000-\\u001f\\u007f-\\u009f]+$';

function name(): TSchema {
  return Type.String({ pattern: `^${NAME}$` });
}

function printable(maxLength: number): TSchema {
  return Type.String({ pattern: PRINTABLE, minLength: 1, maxLength });
}

function list(pattern: string, minItems: number, options: object = {}): TSchema {
  return Type.Array(Type.String({ pattern, maxLength: 200 }), {
    minItems,
    maxItems: LIMITS.resources.listMax,
    uniqueItems: true,
    ...options,
  });
}

const GROUPS: TSchema = list(`^${NAME}$`, 0, { default: [] });
const DISABLED: TSchema = Type.Boolean({ default: false });

const TARGET: TSchema = Type.Object(
  {
    host: Type.String({ pattern: '^[A-Za-z0-9_.:-]+$', maxLength: 253 }),
    port: Type.Integer({ default: 5_432, minimum: 1, maximum: 65_535 }),
    database: printable(63),
    tls: Type.Enum(['verify-full', 'verify-ca', 'disable'], { default: 'verify-full' }),
    // Left out, these three stay out of the resource: one that was applied before keeps its digest.
    tlsNegotiation: Type.Optional(Type.Enum(['postgres', 'direct'])),
    channelBinding: Type.Optional(Type.Enum(['prefer', 'require', 'disable'])),
    maxProtocolVersion: Type.Optional(Type.Enum(['3.0', '3.2'])),
    ca: Type.Optional(
      Type.Union(
        [
          Type.String({
            pattern: '^-----BEGIN CERTIFICATE-----\\n',
            maxLength: LIMITS.resources.certificateBytesMax,
          }),
          Type.Object({ file: Type.String({ pattern: '^/', maxLength: 4_096 }) }, STRICT),
        ],
        { alternatives: 'PEM text or { file: ABSOLUTE PATH }' },
      ),
    ),
  },
  STRICT,
);

const CREDENTIAL: TSchema = Type.Object(
  {
    user: printable(63),
    password: Type.Optional(
      Type.Union([sourceSchema(''), Type.Object({ sealed: Type.Literal(true) }, STRICT)], {
        alternatives:
          '{ file: PATH }, { env: NAME }, { command: [PROGRAM, ARGUMENT, …] } or { sealed: true }; never the password itself',
      }),
    ),
  },
  STRICT,
);

/** The schema of each kind, without the kind itself. */
export const SCHEMAS: Readonly<Record<ResourceKind, TSchema>> = {
  Person: Type.Object(
    {
      kind: Type.Literal('Person'),
      name: name(),
      displayName: printable(200),
      groups: GROUPS,
      disabled: DISABLED,
    },
    STRICT,
  ),
  Group: Type.Object(
    {
      kind: Type.Literal('Group'),
      name: name(),
      members: list(`^(service:)?${NAME}$`, 0),
    },
    STRICT,
  ),
  ServiceAccount: Type.Object(
    {
      kind: Type.Literal('ServiceAccount'),
      name: name(),
      displayName: printable(200),
      groups: GROUPS,
      type: Type.Enum(['service', 'ci'], { default: 'service' }),
      disabled: DISABLED,
    },
    STRICT,
  ),
  Connection: Type.Object(
    {
      kind: Type.Literal('Connection'),
      name: name(),
      protocol: Type.Enum(['postgres']),
      target: TARGET,
      credential: CREDENTIAL,
      // `propertyNames` and not `patternProperties`: filling in defaults breaks on a key beside those.
      labels: Type.Record(Type.String(), Type.String({ pattern: `^${LABEL_VALUE}$` }), {
        default: {},
        maxProperties: 64,
        propertyNames: Type.String({ pattern: `^${LABEL_KEY}$` }),
      }),
    },
    STRICT,
  ),
  Access: Type.Object(
    {
      kind: Type.Literal('Access'),
      name: name(),
      who: list(`^((group|service):)?${NAME}$`, 1),
      to: list(`^(${NAME}|label:${LABEL_KEY}=${LABEL_VALUE})$`, 1),
    },
    STRICT,
  ),
};
