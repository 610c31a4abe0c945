/** Who is there: the first administrator, logins, tokens, invitations. */

import { Type } from 'typebox';
import { type Authentication, BY_PASSWORD } from '../core/authentication.ts';
import { formatTimeUs } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { SECOND_FACTOR_LIMITS } from '../core/second-factor-limits.ts';
import { Secret } from '../core/secret.ts';
import type { IssuedCode } from '../identity/enrolment.ts';
import type { PrincipalRecord } from '../identity/principals.ts';
import type { CreatedToken, TokenRecord } from '../identity/tokens.ts';
import type { InvitationAnswer, TokenAnswer, TokenRow, TokensAnswer, WhoamiAnswer } from './answers.ts';
import { changerOf } from './leaf-actor.ts';
import { optionalTime } from './moments.ts';
import type { ApiPorts } from './ports.ts';
import { type Route, route } from './route.ts';
import { counts, id, list, name, object, OTP, reason, STRICT, text, texts } from './schemas.ts';
import type { Caller } from './who-may.ts';

const TOKEN_DAYS_DEFAULT = 30;
const DAY_MS = 86_400_000;

/** A token, and what it says of its login. */
const TOKEN_ANSWER = object({
  ...texts('id owner token expiresAt accessKeyId?'),
  amr: Type.Optional(list(Type.String())),
});

const PASSWORD = Type.String({ maxLength: LIMITS.identity.passwordBytesMax });

const enrol = route({
  key: 'POST /v1/enrol',
  summary: 'Use a one-time code: the first administrator, or somebody who was invited',
  body: Type.Object(
    {
      code: text(200, 'The one-time code'),
      name: name('Name at login'),
      displayName: Type.Optional(text(LIMITS.identity.displayNameCharactersMax, 'Name for people')),
      password: PASSWORD,
      otp: Type.Optional(OTP),
    },
    STRICT,
  ),
  answer: TOKEN_ANSWER,
  status: 201,
  async handle({ ports, body, peer }): Promise<TokenAnswer> {
    const { enrolment, identity, tokens } = ports.identity;
    const record = await enrolment.enrol(
      new Secret(body.code),
      {
        name: body.name,
        displayName: body.displayName ?? body.name,
        password: new Secret(body.password),
        otp: secretOf(body.otp),
      },
      peer,
    );
    // The password is new: it is no proof of before, and no second factor counts beside it.
    const authentication: Authentication = { methods: BY_PASSWORD, atUs: ports.clock.nowUs() };
    const created = await tokens.createLoginToken(record, identity.principalOf(record), authentication);
    return tokenAnswer(record.name, created);
  },
});

const login = route({
  key: 'POST /v1/login',
  summary: 'A name, a password and, of who has a second factor, its code give a token that soon expires',
  body: Type.Object(
    { name: text(256, 'Name at login'), password: PASSWORD, otp: Type.Optional(OTP) },
    STRICT,
  ),
  answer: TOKEN_ANSWER,
  async handle({ ports, body, peer }): Promise<TokenAnswer> {
    const { identity } = ports.identity;
    const password = new Secret(body.password);
    const created = await identity.passwordLogin(body.name, password, peer, secretOf(body.otp));
    return tokenAnswer(created.principal.name, created);
  },
});

const whoami = route({
  key: 'GET /v1/whoami',
  summary: 'Who the token is of',
  answer: object({
    ...texts('name displayName kind tokenId secondFactor authenticatedAt?'),
    amr: Type.Optional(list(Type.String())),
    ...counts('postgresPort'),
    groups: list(Type.String()),
  }),
  async handle(input): Promise<WhoamiAnswer> {
    const { principal, tokenId } = input.caller();
    const { identity, secondFactors } = input.ports.identity;
    const { name: own, displayName, kind, groups } = principal;
    const authentication = await identity.authenticationOf(principal.id, tokenId);
    return {
      name: own,
      displayName,
      kind,
      groups,
      tokenId,
      secondFactor: (await secondFactors.find(principal.id))?.state ?? 'none',
      ...(authentication === undefined ? {} : { amr: authentication.methods }),
      ...optionalTime('authenticatedAt', authentication?.atUs),
      postgresPort: input.ports.postgresPort,
    };
  },
});

const invite = route({
  key: 'POST /v1/invitations',
  summary: 'A one-time code with which a person sets a password',
  body: Type.Object({ name: name('Name of a Person') }, STRICT),
  answer: object(texts('name code expiresAt')),
  status: 201,
  async handle(input): Promise<InvitationAnswer> {
    const { ports, body } = input;
    const make = (): Promise<IssuedCode> => ports.identity.enrolment.invite(body.name);
    if (ports.resources.get('Person', body.name).length === 0)
      throw new CountersignError('NOT_FOUND', { what: 'person of this name' });
    const isOwn = body.name === input.caller().principal.name;
    if (isOwn) await checkLoggedIn(ports, input.caller());
    const act = { kind: 'Person', name: body.name, action: 'invitation' } as const;
    const { code, expiresUs } = isOwn
      ? await make()
      : await ports.resources.letIn(act, {}, await changerOf(input), make);
    return { name: body.name, code: code.reveal(), expiresAt: formatTimeUs(expiresUs) };
  },
});

const createToken = route({
  key: 'POST /v1/tokens',
  summary: 'A personal token, or an access key pair for clients of AWS, shown once',
  body: Type.Object(
    {
      name: text(LIMITS.identity.tokenNameCharactersMax, 'What it is for'),
      owner: Type.Optional(name('Whose; oneself where absent')),
      days: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.identity.tokenLifetimeMs / DAY_MS })),
      aws: Type.Optional(
        Type.Boolean({ description: 'An access key pair, with which requests are signed (AWS SigV4)' }),
      ),
    },
    STRICT,
  ),
  answer: TOKEN_ANSWER,
  status: 201,
  async handle(input): Promise<TokenAnswer> {
    const { ports, body } = input;
    const caller = input.caller();
    const owner = await ownerOf(ports, caller, body.owner);
    const { days = TOKEN_DAYS_DEFAULT, aws = false } = body;
    const make = (): Promise<CreatedToken> =>
      ports.identity.tokens.createToken(owner, {
        name: body.name,
        aws,
        lifetimeMs: days * DAY_MS,
        createdBy: caller.principal,
        madeWith: parseId('token', caller.tokenId),
      });
    if (owner.id === caller.principal.id) return tokenAnswer(owner.name, await make());
    const kind = owner.kind === 'user' || owner.kind === 'auditor' ? 'Person' : 'ServiceAccount';
    const act = { kind, name: owner.name, action: 'token' } as const;
    const facts = {
      diff: [
        { path: 'token', to: body.name },
        { path: 'days', to: days },
        ...(aws ? [{ path: 'aws', to: true }] : []),
      ],
    };
    return tokenAnswer(owner.name, await ports.resources.letIn(act, facts, await changerOf(input), make));
  },
});

const listTokens = route({
  key: 'GET /v1/tokens',
  summary: 'Tokens of oneself, or of another for administrators; never the tokens themselves',
  query: Type.Object({ owner: Type.Optional(name('Whose; oneself where absent')) }, STRICT),
  answer: object({
    tokens: list(object(texts('id owner name state createdAt expiresAt lastUsedAt? accessKeyId?'))),
  }),
  async handle(input): Promise<TokensAnswer> {
    const { ports, query } = input;
    const owner = await ownerOf(ports, input.caller(), query.owner);
    const tokens = await ports.identity.tokens.list(owner.id);
    return { tokens: tokens.map((token) => tokenRow(ports, owner, token)) };
  },
});

const revokeToken = route({
  key: 'DELETE /v1/tokens/:id',
  summary: 'End a token; sessions that it opened end with it',
  params: Type.Object({ id: id('tok') }, STRICT),
  query: Type.Object({ reason: Type.Optional(reason()) }, STRICT),
  answer: object({ revoked: Type.Boolean() }),
  async handle(input): Promise<{ readonly revoked: boolean }> {
    const { ports, params, query } = input;
    const { principal, mayOthers } = input.caller();
    const token = await ports.identity.tokens.find(parseId('token', params.id));
    if (token === undefined || (token.principalId !== principal.id && !mayOthers)) {
      throw new CountersignError('NOT_FOUND', { what: `token ${params.id}` });
    }
    const revocation = { reason: query.reason ?? 'by request', revokedBy: principal };
    return { revoked: await ports.identity.tokens.revoke(token.id, revocation) };
  },
});

export const IDENTITY_ROUTES: readonly Route[] = [
  enrol,
  login,
  whoami,
  invite,
  createToken,
  listTokens,
  revokeToken,
];

/** A new password of one's own: a token that others may have does not make it, only one of a login that is not long ago. */
async function checkLoggedIn(ports: ApiPorts, { principal, tokenId }: Caller): Promise<void> {
  const authentication = await ports.identity.identity.authenticationOf(principal.id, tokenId);
  const ageUs = ports.clock.nowUs() - (authentication?.atUs ?? Number.NEGATIVE_INFINITY);
  if (ageUs >= 0 && ageUs <= SECOND_FACTOR_LIMITS.carriedMsMax * 1000) return;
  const action = 'invite themselves with a token that no login of today gave';
  throw new CountersignError('PERMISSION_DENIED', { principal: principal.name, action });
}

async function ownerOf(
  ports: ApiPorts,
  caller: Caller,
  wanted: string | undefined,
): Promise<PrincipalRecord> {
  const { principal, mayOthers } = caller;
  if (wanted !== undefined && wanted !== principal.name && !mayOthers) {
    const action = 'see or make tokens of others';
    throw new CountersignError('PERMISSION_DENIED', { principal: principal.name, action });
  }
  const owner = await ports.identity.principals.findByName(wanted ?? principal.name);
  if (owner === undefined) {
    throw new CountersignError('NOT_FOUND', { what: 'person or service account of this name' });
  }
  return owner;
}

function tokenAnswer(
  owner: string,
  { id: tokenId, token, accessKeyId, expiresUs, authentication }: CreatedToken,
): TokenAnswer {
  return {
    id: tokenId,
    owner,
    token: token.reveal(),
    ...(accessKeyId === undefined ? {} : { accessKeyId }),
    expiresAt: formatTimeUs(expiresUs),
    ...(authentication === undefined ? {} : { amr: authentication.methods }),
  };
}

function secretOf(code: string | undefined): Secret<string> | undefined {
  return code === undefined ? undefined : new Secret(code);
}

function tokenRow(ports: ApiPorts, owner: PrincipalRecord, token: TokenRecord): TokenRow {
  const live = ports.identity.tokens.isLive(token);
  return {
    id: token.id,
    owner: owner.name,
    name: token.name,
    state: live ? 'live' : token.revokedUs === undefined ? 'expired' : 'revoked',
    createdAt: formatTimeUs(token.createdUs),
    expiresAt: formatTimeUs(token.expiresUs),
    ...optionalTime('lastUsedAt', token.lastUsedUs),
    ...(token.pair === undefined ? {} : { accessKeyId: token.pair.accessKeyId }),
  };
}
