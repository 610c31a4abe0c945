/** What a Connection of HTTP may hold, as JSON Schema, and which combinations mean nothing. */

import { type TSchema, Type } from 'typebox';
import { sourceSchema } from '../config/schema.ts';
import { HTTP_LIMITS } from '../core/http-limits.ts';
import { LIMITS } from '../core/limits.ts';
import { checkOtherwise } from '../policy/otherwise.ts';
import { PatternProblem } from '../policy/patterns.ts';
import { DIALECT_NAMES } from '../protocols/http/operations/dialects.ts';
import type { HttpConnection } from './documents.ts';
import { MODEL_PROBES_SCHEMA } from './model-probes.ts';

const STRICT = { additionalProperties: false } as const;
const HOST_NAME = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$';
const APPROVER = '^(group:)?[a-z0-9][a-z0-9_.@-]{0,62}$';
const FIELD_NAME = '^[a-z0-9][a-z0-9-]{0,63}$';
const ACCESS_KEY_ID = '^[A-Za-z0-9_]{16,128}$';
/** A region or a service, as signatures name them. */
const SCOPE_PART = '^[a-z0-9][a-z0-9-]{0,63}$';

/** Fields that are the gateway's own to send, and no credential. */
const NO_CREDENTIAL: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'content-type',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
]);

const TARGET: TSchema = Type.Object(
  {
    url: Type.String({ pattern: '^https?://[^\\s?#@]+$', maxLength: 1_024 }),
    tls: Type.Enum(['verify-full', 'verify-ca', 'disable'], { default: 'verify-full' }),
    version: Type.Optional(Type.Enum(['auto', '1.1', '2'])),
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
    scheme: Type.Enum(['none', 'bearer', 'header', 'basic', 'query', 'sigv4']),
    name: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$' })),
    prefix: Type.Optional(Type.String({ pattern: '^[ -~]{1,64}$' })),
    user: Type.Optional(Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f:]+$', maxLength: 256 })),
    accessKeyId: Type.Optional(
      Type.Union([Type.String({ pattern: ACCESS_KEY_ID }), sourceSchema('')], {
        alternatives:
          'an access key id, { file: PATH }, { env: NAME } or { command: [PROGRAM, ARGUMENT, …] }',
      }),
    ),
    sessionToken: Type.Optional(sourceSchema('')),
    region: Type.Optional(Type.String({ pattern: SCOPE_PART })),
    service: Type.Optional(Type.String({ pattern: SCOPE_PART })),
    password: Type.Optional(
      Type.Union([sourceSchema(''), Type.Object({ sealed: Type.Literal(true) }, STRICT)], {
        alternatives:
          '{ file: PATH }, { env: NAME }, { command: [PROGRAM, ARGUMENT, …] } or { sealed: true }; never the password itself',
      }),
    ),
  },
  STRICT,
);

/** As `then: { hold: … }` of a Rule, without what is about transactions. */
const OTHERWISE: TSchema = Type.Object(
  {
    hold: Type.Object(
      {
        approvers: Type.Array(Type.String({ pattern: APPROVER, maxLength: 200 }), {
          minItems: 1,
          maxItems: LIMITS.resources.listMax,
          uniqueItems: true,
        }),
        count: Type.Integer({ default: 1, minimum: 1, maximum: 16 }),
        expires: Type.String({ default: '15m', maxLength: 8 }),
        within: Type.String({ default: '15m', maxLength: 8 }),
        reason: Type.Enum(['required', 'optional'], { default: 'optional' }),
        mfa: Type.Optional(Type.String({ maxLength: 8 })),
        breakGlass: Type.Optional(Type.Enum(['never'])),
      },
      STRICT,
    ),
  },
  STRICT,
);

/** The schema of a Connection of HTTP; name and labels are those of every Connection. */
export function httpConnectionSchema(name: TSchema, labels: TSchema): TSchema {
  return Type.Object(
    {
      kind: Type.Literal('Connection'),
      name,
      protocol: Type.Literal('http'),
      target: TARGET,
      credential: CREDENTIAL,
      dialect: Type.Optional(Type.Enum([...DIALECT_NAMES])),
      hosts: Type.Optional(
        Type.Array(Type.String({ pattern: HOST_NAME, maxLength: 253 }), {
          minItems: 1,
          maxItems: HTTP_LIMITS.hostsMax,
          uniqueItems: true,
        }),
      ),
      otherwise: Type.Optional(OTHERWISE),
      labels,
      lineage: Type.Optional(Type.Boolean()),
      probes: Type.Optional(MODEL_PROBES_SCHEMA),
    },
    STRICT,
  );
}

/** Options that mean nothing together, or nothing that could be held. */
export function httpContradictionsOf(connection: HttpConnection): readonly string[] {
  const { target, credential, otherwise } = connection;
  return [targetProblem(target), credentialProblem(credential), otherwiseProblem(otherwise)].filter(
    (one) => one !== undefined,
  );
}

function otherwiseProblem(otherwise: HttpConnection['otherwise']): string | undefined {
  if (otherwise === undefined) return undefined;
  try {
    checkOtherwise(otherwise.hold);
    return undefined;
  } catch (error) {
    if (error instanceof PatternProblem) return error.message;
    throw error;
  }
}

function targetProblem({ url: text, tls, version, ca }: HttpConnection['target']): string | undefined {
  const url = URL.parse(text);
  if (url === null || url.hostname === '' || url.username !== '' || url.password !== '') {
    return 'target.url is no URL of a host';
  }
  if (url.protocol === 'http:' && tls !== 'disable')
    return 'target.url of http: needs tls: disable beside it';
  if (url.protocol === 'https:' && tls === 'disable') return 'tls: disable needs a target.url of http:';
  if (tls === 'disable' && version === '2') return 'version: 2 needs TLS, and tls is disable';
  if (tls === 'disable' && ca !== undefined) return 'ca needs TLS, and tls is disable';
  // What URL makes of it is what is sent: it must be what stands there.
  const prefix = url.pathname.replace(/\/$/, '');
  return text.replace(/\/$/, '').endsWith(prefix) && !prefix.includes('//') && !/%2f|%5c/i.test(prefix)
    ? undefined
    : 'target.url has a path that is not normalised';
}

function credentialProblem(credential: HttpConnection['credential']): string | undefined {
  const { scheme, name, prefix, user, password } = credential;
  if ((scheme === 'none') !== (password === undefined)) {
    return scheme === 'none'
      ? 'credential.password means nothing beside scheme: none'
      : `credential.password is missing, and the scheme is ${scheme}`;
  }
  const named = scheme === 'header' || scheme === 'query';
  if (named !== (name !== undefined)) {
    return named
      ? `credential.name is missing, and the scheme is ${scheme}`
      : 'credential.name goes with the schemes header and query';
  }
  if (prefix !== undefined && scheme !== 'header') return 'credential.prefix goes with the scheme header';
  if ((scheme === 'basic') !== (user !== undefined)) {
    return scheme === 'basic'
      ? 'credential.user is missing, and the scheme is basic'
      : 'credential.user goes with the scheme basic';
  }
  const signing = signingProblem(credential);
  if (signing !== undefined) return signing;
  if (
    scheme === 'header' &&
    name !== undefined &&
    (!new RegExp(FIELD_NAME).test(name) || NO_CREDENTIAL.has(name))
  ) {
    return 'credential.name is no name of a field in small letters that can hold a credential';
  }
  return undefined;
}

/** What signatures need, and nothing else does. */
function signingProblem(credential: HttpConnection['credential']): string | undefined {
  const { scheme, accessKeyId, sessionToken, region, service } = credential;
  const needed = { accessKeyId, region, service };
  for (const [name, value] of Object.entries(scheme === 'sigv4' ? needed : { ...needed, sessionToken })) {
    if ((value !== undefined) === (scheme === 'sigv4')) continue;
    return scheme === 'sigv4'
      ? `credential.${name} is missing, and the scheme is sigv4`
      : `credential.${name} goes with the scheme sigv4`;
  }
  return undefined;
}
