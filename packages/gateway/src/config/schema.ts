/**
 * The schema of the configuration file: every option with its default, its limit and its reason.
 *
 * docs/reference/config.md is generated from it. `defaultText` is a default that depends on others,
 * `alternatives` a union in words.
 */

import { type TSchema, Type } from 'typebox';
import { LIMITS } from '../core/limits.ts';

const STRICT = { additionalProperties: false } as const;

/** A group of options that may be left out. */
const GROUP = { additionalProperties: false, default: {} } as const;

function path(description: string, defaultText?: string): TSchema {
  return Type.String({
    minLength: 1,
    maxLength: 4_096,
    description,
    ...(defaultText === undefined ? {} : { defaultText }),
  });
}

/** Where a secret is kept, for any schema that needs one. */
export function sourceSchema(description: string, defaultText?: string): TSchema {
  return Type.Union(
    [
      Type.Object({ file: Type.String({ minLength: 1, maxLength: 4_096 }) }, STRICT),
      Type.Object({ env: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,255}$' }) }, STRICT),
      Type.Object(
        { command: Type.Array(Type.String({ maxLength: 4_096 }), { minItems: 1, maxItems: 64 }) },
        STRICT,
      ),
    ],
    {
      description,
      alternatives: '{ file: PATH }, { env: NAME } or { command: [PROGRAM, ARGUMENT, …] }',
      ...(defaultText === undefined ? {} : { defaultText }),
    },
  );
}

function listener(port: number, what: string): TSchema {
  return Type.Object(
    {
      host: Type.String({
        default: '127.0.0.1',
        minLength: 1,
        maxLength: 253,
        description: `Address of ${what}. Loopback, so that nothing is reachable from outside before you say so.`,
      }),
      port: Type.Integer({
        default: port,
        minimum: 0,
        maximum: 65_535,
        description: `TCP port of ${what}; 0 takes a free one.`,
      }),
    },
    GROUP,
  );
}

const TLS: TSchema = Type.Object(
  {
    mode: Type.Enum(['optional', 'required', 'off'], {
      default: 'optional',
      description:
        'TLS between clients and the gateway: as the client asks, always, or never. Take `required` for every address that is not loopback.',
    }),
    cert: Type.Optional(
      path(
        'PEM file with the certificate chain. Given together with `tls.key`.',
        'a self-signed one is made',
      ),
    ),
    key: Type.Optional(path('PEM file with the private key.', 'a new one is made')),
  },
  GROUP,
);

const STORE: TSchema = Type.Union(
  [
    Type.Object({ kind: Type.Literal('sqlite'), file: Type.Optional(path('')) }, STRICT),
    Type.Object({ kind: Type.Literal('postgres'), url: sourceSchema('') }, STRICT),
  ],
  {
    default: { kind: 'sqlite' },
    defaultText: '`{ kind: sqlite, file: <data>/store.sqlite }`',
    alternatives: '{ kind: sqlite, file: PATH } or { kind: postgres, url: { file | env | command } }',
    description:
      'The control state. PostgreSQL where several gateways share it; its URL holds a password, so that its source stands here.',
  },
);

const LEDGER: TSchema = Type.Object(
  {
    directory: Type.Optional(
      path(
        'Tiles, journal and checkpoints. The truth: keep it on a disk that you back up.',
        '`<data>/ledger`',
      ),
    ),
    checkpointDelayMs: Type.Integer({
      default: LIMITS.ledger.checkpointDelayMs,
      minimum: 10,
      maximum: 900,
      description: 'A signed checkpoint follows the last leaf after this time; the promise is one second.',
    }),
    segmentBytesMax: Type.Integer({
      default: LIMITS.ledger.segmentBytesMax,
      minimum: 1_048_576,
      maximum: 1_073_741_824,
      description: 'A journal segment is closed at this size: start-up reads one, not the whole history.',
    }),
    ballastBytes: Type.Integer({
      default: LIMITS.ledger.ballastBytes,
      minimum: 65_536,
      maximum: 1_073_741_824,
      description: 'Kept allocated, so that the last leaf can be written on a full disk.',
    }),
  },
  GROUP,
);

const NOTIFY: TSchema = Type.Object(
  {
    baseUrl: Type.Optional(
      Type.String({
        pattern: '^https?://[^ /?#]+(/[^ ?#]*)?$',
        maxLength: 1_024,
        defaultText: '`http://<listen.api>`',
        description: 'Where people reach the API; notices of holds link to it.',
      }),
    ),
    webhooks: Type.Array(
      Type.Object({ url: Type.String({ minLength: 1, maxLength: 2_048 }), secret: sourceSchema('') }, STRICT),
      {
        maxItems: LIMITS.notify.targetsMax,
        default: [],
        alternatives: '[{ url: URL, secret: { file | env | command } }, …]',
        description: `Who hears at once of a hold, and that the glass was broken, at most ${LIMITS.notify.targetsMax}: a signed POST (Standard Webhooks) without the statement. The URL is https, or http on loopback; the secret is \`whsec_\` and base64 of 24 to 64 bytes.`,
      },
    ),
    commands: Type.Array(Type.Array(Type.String({ maxLength: 4_096 }), { minItems: 1, maxItems: 64 }), {
      maxItems: LIMITS.notify.targetsMax,
      default: [],
      alternatives: '[[PROGRAM, ARGUMENT, …], …]',
      description: `Commands that get the same as JSON on standard input, at most ${LIMITS.notify.targetsMax}. They run as the gateway, without a shell, and are killed after ${LIMITS.notify.attemptTimeoutMs / 1_000} s.`,
    }),
  },
  GROUP,
);

/** The schema of the whole file. */
export const CONFIG_SCHEMA: TSchema = Type.Object(
  {
    node: Type.String({
      default: 'gw1',
      pattern: '^[a-z0-9][a-z0-9-]{0,31}$',
      description: 'Name of this gateway. Each has a ledger of its own.',
    }),
    origin: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9][a-z0-9.-]*(/[A-Za-z0-9._~-]+)*$',
        maxLength: 255,
        defaultText: '`countersign.local/ledger/<node>`',
        description:
          'Origin of the ledger: a URL without scheme, spaces and plus signs. It is the name of the signing key and never changes.',
      }),
    ),
    listen: Type.Object(
      {
        postgres: listener(15_432, 'the PostgreSQL listener'),
        http: listener(8_441, 'the HTTP gateway'),
        api: listener(8_440, 'the HTTP API'),
      },
      GROUP,
    ),
    tls: TLS,
    store: STORE,
    installationKey: Type.Optional(
      sourceSchema(
        'Where the installation key is: 32 bytes in base64. A file is made on the first start. Without the key nothing sealed can be read.',
        '`{ file: <data>/installation.key }`',
      ),
    ),
    ledger: LEDGER,
    checkpoints: Type.Object(
      {
        secondPlace: Type.Optional(
          path(
            'The last signed checkpoint is compared and swapped here too. Another disk or machine than the ledger’s, or a restored backup goes unnoticed.',
            '`<data>/second-place`',
          ),
        ),
      },
      GROUP,
    ),
    recording: Type.Object(
      { directory: Type.Optional(path('Sealed recordings of sessions.', '`<data>/recordings`')) },
      GROUP,
    ),
    notify: NOTIFY,
  },
  STRICT,
);
