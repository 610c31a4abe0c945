/** What each kind of resource may hold, as JSON Schema. */

import { type TSchema, Type } from 'typebox';
import { sourceSchema } from '../config/schema.ts';
import { LIMITS } from '../core/limits.ts';
import { DETECTOR_LIMITS } from '../core/masking-limits.ts';
import { MASK_DIRECTIONS, MASK_MODES } from '../masking/plan/mask.ts';
import { EFFECT_WORDS } from '../policy/effect-classes.ts';
import { GUARDED_KINDS } from '../policy/guard.ts';
import type { ResourceKind } from './documents.ts';
import { httpConnectionSchema } from './http-connection.ts';

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

const WHO = `^((group|service):)?${NAME}$`;
const TO = `^(${NAME}|label:${LABEL_KEY}=${LABEL_VALUE})$`;

function words(allowed: readonly string[], minItems: number): TSchema {
  return Type.Array(Type.Enum([...allowed]), { minItems, maxItems: allowed.length, uniqueItems: true });
}

/** What stands in it is read by policy/patterns.ts, which says what is wrong with it. */
function patterns(): TSchema {
  return Type.Array(printable(200), { minItems: 1, maxItems: LIMITS.resources.listMax, uniqueItems: true });
}

const JSON_VALUE: TSchema = Type.Union([printable(200), Type.Number(), Type.Boolean(), Type.Null()], {
  alternatives: 'a text, a number, true, false or null',
});
const JSON_VALUES: TSchema = Type.Array(JSON_VALUE, { minItems: 1, maxItems: LIMITS.resources.listMax });

/** What stands in it is read by policy/http-conditions.ts, which says what is wrong with it. */
const JSON_CONDITION: TSchema = Type.Union(
  [
    printable(200),
    Type.Number(),
    Type.Boolean(),
    Type.Null(),
    JSON_VALUES,
    Type.Object({ not: JSON_VALUES }, STRICT),
  ],
  { alternatives: 'a value as "> 100", "name*", 3 or true, [VALUE, …] or { not: [VALUE, …] }' },
);

const WHEN: TSchema = Type.Object(
  {
    effects: Type.Optional(words(EFFECT_WORDS, 1)),
    writes: Type.Optional(patterns()),
    reads: Type.Optional(patterns()),
    functions: Type.Optional(patterns()),
    rows: Type.Optional(printable(32)),
    anyRows: Type.Optional(words(EFFECT_WORDS, 1)),
    returned: Type.Optional(printable(32)),
    estimated: Type.Optional(printable(32)),
    kinds: Type.Optional(words(['user', 'ci', 'service', 'agent'], 1)),
    address: Type.Optional(patterns()),
    client: Type.Optional(patterns()),
    mfa: Type.Optional(
      Type.Union(
        [Type.Object({ within: printable(8) }, STRICT), Type.Object({ notWithin: printable(8) }, STRICT)],
        { alternatives: '{ within: 8h } or { notWithin: 8h }' },
      ),
    ),
    hours: Type.Optional(
      Type.Object(
        {
          days: Type.Optional(words(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], 1)),
          from: printable(5),
          to: printable(5),
        },
        STRICT,
      ),
    ),
    methods: Type.Optional(patterns()),
    paths: Type.Optional(patterns()),
    json: Type.Optional(
      Type.Record(Type.String(), JSON_CONDITION, {
        minProperties: 1,
        maxProperties: 32,
        propertyNames: printable(200),
      }),
    ),
    documents: Type.Optional(printable(32)),
    models: Type.Optional(
      Type.Union([patterns(), Type.Object({ not: patterns() }, STRICT)], {
        alternatives: '[MODEL, …] or { not: [MODEL, …] }',
      }),
    ),
    changes: Type.Optional(words(GUARDED_KINDS, 1)),
  },
  STRICT,
);

const HOLD: TSchema = Type.Object(
  {
    approvers: list(`^(group:)?${NAME}$`, 1),
    count: Type.Integer({ default: 1, minimum: 1, maximum: 16 }),
    expires: Type.String({ default: '15m', maxLength: 8 }),
    within: Type.String({ default: '15m', maxLength: 8 }),
    reason: Type.Enum(['required', 'optional'], { default: 'optional' }),
    inTransaction: Type.Enum(['refuse', 'wait'], { default: 'refuse' }),
    // Left out, these stay out: one that was applied before keeps its digest.
    mfa: Type.Optional(Type.String({ maxLength: 8 })),
    breakGlass: Type.Optional(Type.Enum(['never'])),
  },
  STRICT,
);

const BREAK_GLASS: TSchema = Type.Object(
  {
    reviewers: list(`^(group:)?${NAME}$`, 1),
    within: Type.String({ default: '15m', maxLength: 8 }),
    review: Type.String({ default: '24h', maxLength: 8 }),
  },
  STRICT,
);

/** What stands in it is read by masking/plan/compile-mask.ts, which says what is wrong with it. */
const AS: TSchema = Type.Union(
  [
    Type.String({ pattern: PRINTABLE, minLength: 1, maxLength: 32 }),
    Type.Object(
      {
        kind: Type.String({ pattern: PRINTABLE, minLength: 1, maxLength: 32 }),
        keepFirst: Type.Optional(Type.Integer()),
        keepLast: Type.Optional(Type.Integer()),
        luhn: Type.Optional(Type.Boolean()),
        width: Type.Optional(Type.Integer()),
        ceiling: Type.Optional(Type.Integer()),
        decimals: Type.Optional(Type.Integer()),
        unit: Type.Optional(printable(16)),
      },
      STRICT,
    ),
  ],
  { alternatives: 'the name of an operator, or { kind: OPERATOR, OPTION: VALUE, … }' },
);

/** How long one may be is said by masking/plan/detector.ts. */
const VALUES: TSchema = Type.Array(printable(256), {
  minItems: 1,
  maxItems: DETECTOR_LIMITS.valuesMax,
  uniqueItems: true,
});

const REVEAL: TSchema = Type.Object(
  {
    approvers: list(`^(group:)?${NAME}$`, 1),
    count: Type.Integer({ default: 1, minimum: 1, maximum: 16 }),
    expires: Type.String({ default: '15m', maxLength: 8 }),
  },
  STRICT,
);

// `propertyNames` and not `patternProperties`: filling in defaults breaks on a key beside those.
const LABELS: TSchema = Type.Record(Type.String(), Type.String({ pattern: `^${LABEL_VALUE}$` }), {
  default: {},
  maxProperties: 64,
  propertyNames: Type.String({ pattern: `^${LABEL_KEY}$` }),
});

const HTTP_CONNECTION: TSchema = httpConnectionSchema(name(), LABELS);

/** The schema of a resource: of a Connection, the one of its protocol. */
export function schemaFor(kind: ResourceKind, value: object): TSchema {
  const protocol: unknown = Object.getOwnPropertyDescriptor(value, 'protocol')?.value;
  return kind === 'Connection' && protocol === 'http' ? HTTP_CONNECTION : SCHEMAS[kind];
}

/** The schema of each kind, without the kind itself; of a Connection, that of PostgreSQL. */
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
      // Of `http` is HTTP_CONNECTION; whoever names none of the two is told both.
      protocol: Type.Enum(['postgres', 'http']),
      target: TARGET,
      credential: CREDENTIAL,
      labels: LABELS,
      // Left out, it stays out, as those of the target.
      serverTree: Type.Optional(Type.Enum(['auto', 'ask', 'off'])),
      lineage: Type.Optional(Type.Boolean()),
    },
    STRICT,
  ),
  Access: Type.Object(
    {
      kind: Type.Literal('Access'),
      name: name(),
      who: list(WHO, 1),
      to: list(TO, 1),
      // Left out, it stays out: one that was applied before keeps its digest.
      may: Type.Optional(words(EFFECT_WORDS, 1)),
    },
    STRICT,
  ),
  Mask: Type.Object(
    {
      kind: Type.Literal('Mask'),
      name: name(),
      description: Type.Optional(printable(500)),
      on: list(TO, 0, { default: [] }),
      who: list(WHO, 0, { default: [] }),
      unless: list(WHO, 0, { default: [] }),
      columns: Type.Optional(patterns()),
      fields: Type.Optional(patterns()),
      detect: Type.Optional(patterns()),
      direction: Type.Optional(words(MASK_DIRECTIONS, 1)),
      as: AS,
      entity: Type.Optional(printable(40)),
      mode: Type.Optional(Type.Enum([...MASK_MODES])),
      reveal: Type.Optional(REVEAL),
    },
    STRICT,
  ),
  Detector: Type.Object(
    {
      kind: Type.Literal('Detector'),
      name: name(),
      description: Type.Optional(printable(500)),
      exact: Type.Optional(VALUES),
      dictionary: Type.Optional(VALUES),
      // As long as it may be is said by what reads it, with the reason.
      pattern: Type.Optional(printable(4_096)),
      ignoreCase: Type.Optional(Type.Boolean()),
    },
    STRICT,
  ),
  Rule: Type.Object(
    {
      kind: Type.Literal('Rule'),
      name: name(),
      description: Type.Optional(printable(500)),
      on: list(TO, 0, { default: [] }),
      who: list(WHO, 0, { default: [] }),
      unless: list(WHO, 0, { default: [] }),
      when: WHEN,
      // oxlint-disable-next-line unicorn/no-thenable -- The word of the policy language; nothing awaits a schema.
      then: Type.Union(
        [
          Type.Enum(['allow', 'block']),
          Type.Object({ hold: HOLD }, STRICT),
          Type.Object({ breakGlass: BREAK_GLASS }, STRICT),
        ],
        {
          alternatives:
            'allow, block, { hold: { approvers: [group:NAME, …] } } or { breakGlass: { reviewers: [group:NAME, …] } }',
        },
      ),
    },
    STRICT,
  ),
};
