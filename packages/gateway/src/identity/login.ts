/**
 * Somebody at a door becomes a Principal, or is refused; either way a leaf says so first.
 *
 * Spec: RFC 5802 for the wire, RFC 6750 for HTTP. An unknown name, somebody disabled or forgotten, a
 * wrong, expired or revoked token: one error for all, at the same cost.
 */

import { hkdfSync } from 'node:crypto';
import { type Authentication, BY_PASSWORD, BY_SECOND_FACTOR } from '../core/authentication.ts';
import type { Clock } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import { type PrincipalId, parseId, type TokenId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Principal } from '../core/principal.ts';
import { Secret } from '../core/secret.ts';
import { mockVerifier } from '../protocols/postgres/scram.ts';
import type { Attempt, Attempts } from './attempts.ts';
import { PasswordTurns, verifyPassword } from './passwords.ts';
import type { PrincipalRecord, Principals } from './principals.ts';
import type { SecondFactor, SecondFactors } from './second-factors.ts';
import type { CreatedToken, TokenRecord, Tokens } from './tokens.ts';

const MOCK_INFO = 'countersign/identity/scram-mock/v1';

export interface IdentityOptions {
  readonly principals: Principals;
  readonly tokens: Tokens;
  readonly attempts: Attempts;
  readonly secondFactors: SecondFactors;
  readonly installationKey: Secret<Uint8Array>;
  readonly clock: Clock;
  /** The groups of a name; the resources know them. */
  readonly groupsOf: (name: string) => readonly string[];
}

/** Tokens of one name that a client may prove it has; the same shape for a name that is unknown. */
export interface NamedCandidates {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly candidates: readonly {
    readonly tokenId: string;
    readonly storedKey: Uint8Array;
    readonly serverKey: Uint8Array;
  }[];
}

/** What the wire knows at the end of its dialogue. */
export interface WireAttempt extends Attempt {
  readonly name: string;
  /** The token that was proved; undefined where none was. */
  readonly tokenId: string | undefined;
  readonly failure?: string;
}

/** Where an HTTP client stands. */
export interface HttpPeer {
  readonly address: string;
  readonly port: number;
  readonly client: string;
  readonly tls: string;
}

/** What a signed request says of itself, and how its signature is checked. Untrusted: the id. */
export interface SignatureProof {
  readonly accessKeyId: string;
  readonly isSignedBy: (secret: Secret<string>) => boolean;
}

/** Who came in over HTTP, and with which token. */
export interface BearerLogin {
  readonly principal: Principal;
  readonly tokenId: TokenId;
}

export interface PasswordLogin extends CreatedToken {
  readonly principal: Principal;
}

/** What somebody brings who has no token. Untrusted: both. */
export interface Proof {
  readonly password: Secret<string>;
  /** Of the second factor, where they have one. */
  readonly code?: Secret<string> | undefined;
}

/** Somebody who has proved who they are. */
export interface Proved {
  readonly record: PrincipalRecord;
  readonly authentication: Authentication;
  /** The one beside the password, where they have one. */
  readonly factor: SecondFactor | undefined;
}

/** The doors: SCRAM on the wire, bearer tokens, signatures, and passwords on the API. */
export class Identity {
  readonly #options: IdentityOptions;
  readonly #turns = new PasswordTurns();
  /** The same after a restart and on every gateway of an installation, as real salts are. */
  readonly #mockSecret: Uint8Array;

  constructor(options: IdentityOptions) {
    this.#options = options;
    const key = options.installationKey.reveal();
    this.#mockSecret = new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), MOCK_INFO, 32));
  }

  /** What SCRAM needs for a name. Untrusted: the name. */
  async scramFor(name: string): Promise<NamedCandidates> {
    const { principals, tokens } = this.#options;
    const { scramIterations: iterations, scramCandidatesMin } = LIMITS.identity;
    const principal = await principals.findByName(name);
    const usable = principal !== undefined && mayLogIn(principal);
    const all = await tokens.liveTokens(usable ? principal.id : '');
    const live = all.filter(({ pair }) => pair === undefined);
    const candidates: NamedCandidates['candidates'][number][] = live.map((token) => {
      return { tokenId: token.id, storedKey: token.storedKey, serverKey: token.serverKey };
    });
    const mock = mockVerifier(this.#mockSecret, name, iterations);
    while (candidates.length < scramCandidatesMin) {
      // Nobody knows a preimage of these keys; the empty id would be refused besides.
      candidates.push({ tokenId: '', storedKey: mock.storedKey, serverKey: mock.serverKey });
    }
    return { salt: principal?.scramSalt ?? mock.salt, iterations, candidates };
  }

  /** The end of a SCRAM dialogue. What was true at its beginning is looked at again. */
  async finishLogin(attempt: WireAttempt): Promise<Principal> {
    const { principals, tokens, attempts } = this.#options;
    await attempts.admit(attempt);
    const principal = await principals.findByName(attempt.name);
    const proved = attempt.failure === undefined ? attempt.tokenId : undefined;
    const token = await this.#findToken(proved);
    const failure = attempt.failure ?? this.#whyNot(principal, token);
    if (principal === undefined || token === undefined || failure !== undefined) {
      throw await attempts.failed(attempt, failure ?? 'wrong token', { principal });
    }
    return this.#welcome(attempt, principal, tokens, token);
  }

  /** A bearer token of an HTTP request. Untrusted: its text. */
  async bearer(text: Secret<string>, peer: HttpPeer): Promise<BearerLogin> {
    const { tokens, attempts } = this.#options;
    const attempt: Attempt = { ...peer, name: undefined, method: 'bearer' };
    await attempts.admit(attempt);
    return this.#comeIn(attempt, await tokens.findByText(text));
  }

  /** Whether an access key pair of this id is there, whose signatures are worth looking at. */
  async hasPair(accessKeyId: string): Promise<boolean> {
    const { token, principal } = await this.#findPair(accessKeyId);
    return this.#whyNot(principal, token) === undefined;
  }

  /**
   * Whose signature it is; throws AUTHENTICATION_FAILED, with its leaf. One that is good has no leaf here: whoever
   * opens a session with it comes in by {@link signedLogin}.
   */
  async signature({ accessKeyId, isSignedBy }: SignatureProof, peer: HttpPeer): Promise<TokenId> {
    const { tokens, attempts } = this.#options;
    const { token, principal } = await this.#findPair(accessKeyId);
    const secret = token === undefined ? undefined : tokens.secretOf(token);
    // The same work for an id that there is not.
    const isSigned = isSignedBy(secret ?? new Secret(Buffer.from(this.#mockSecret).toString('hex')));
    const wrong = secret !== undefined && isSigned ? undefined : 'wrong signature';
    const failure = this.#whyNot(principal, token) ?? wrong;
    if (token !== undefined && failure === undefined) return token.id;
    const attempt: Attempt = { ...peer, name: undefined, method: 'sigv4' };
    throw await attempts.failed(attempt, failure ?? 'wrong signature', { principal, tokenId: token?.id });
  }

  /** Whoever has signed with an access key pair comes in; what was true of it is looked at again. */
  async signedLogin(tokenId: TokenId, peer: HttpPeer): Promise<BearerLogin> {
    const { tokens, attempts } = this.#options;
    const attempt: Attempt = { ...peer, name: undefined, method: 'sigv4' };
    await attempts.admit(attempt);
    return this.#comeIn(attempt, await tokens.find(tokenId));
  }

  /** A name, a password and the code of a second factor give a token that soon expires. Untrusted: all of it. */
  async passwordLogin(
    name: string,
    password: Secret<string>,
    peer: HttpPeer,
    code?: Secret<string>,
  ): Promise<PasswordLogin> {
    const { principals, tokens, attempts, secondFactors } = this.#options;
    const attempt = { ...peer, name, method: 'password' };
    const { record, factor, authentication } = await this.prove(attempt, { password, code });
    await attempts.succeeded(attempt, { principal: record, authentication });
    const principal = this.principalOf(record);
    const token = await tokens.createLoginToken(record, principal, authentication);
    // Hashing took time: what was replaced or removed meanwhile gives no token that outlives it.
    const now = await principals.findById(record.id);
    const isSame = now?.passwordHash?.reveal() === record.passwordHash?.reveal();
    if (!isSame || (await secondFactors.confirmed(record.id))?.id !== factor?.id) {
      const reason = isSame ? 'the second factor was changed' : 'the password was replaced';
      await tokens.revoke(token.id, { reason, revokedBy: undefined });
      throw new CountersignError('AUTHENTICATION_FAILED', { user: name });
    }
    return { principal, ...token };
  }

  /**
   * Somebody's password, and the code of the second factor that they have: one error for all, and a leaf that says
   * which it was. A code is looked at only beside the right password.
   */
  async prove(attempt: Attempt & { readonly name: string }, { password, code }: Proof): Promise<Proved> {
    const { principals, attempts, secondFactors, clock } = this.#options;
    await attempts.admit(attempt);
    return this.#turns.run(async () => {
      // Again: those who waited together are not all looked at when the first ones lock.
      await attempts.admit(attempt);
      const principal = await principals.findByName(attempt.name);
      const factor = await secondFactors.confirmed(principal?.id ?? '');
      const matches = await verifyPassword(password, principal?.passwordHash);
      if (principal === undefined) throw await attempts.failed(attempt, 'unknown name', {});
      const failure = matches ? whyNotPrincipal(principal) : 'wrong password';
      const why = failure ?? (factor === undefined ? undefined : await secondFactors.use(factor, code));
      if (why !== undefined) throw await attempts.failed(attempt, why, { principal });
      const methods = factor === undefined ? BY_PASSWORD : BY_SECOND_FACTOR;
      return { record: principal, factor, authentication: { methods, atUs: clock.nowUs() } };
    });
  }

  /** How the owner of a token had logged in who made it; undefined where that is not known. */
  async authenticationOf(owner: PrincipalId, tokenId: string): Promise<Authentication | undefined> {
    const token = await this.#findToken(tokenId);
    return token?.principalId === owner ? token.authentication : undefined;
  }

  /** Whether somebody may still be in with this token. */
  async isActive(principalId: PrincipalId, tokenId: string): Promise<boolean> {
    const principal = await this.#options.principals.findById(principalId);
    const token = await this.#findToken(tokenId);
    return this.#whyNot(principal, token) === undefined;
  }

  /** A row with the groups it has now. */
  principalOf(record: PrincipalRecord): Principal {
    const { id, name, kind, displayName, issuer, subject } = record;
    return { id, name, kind, displayName, issuer, subject, groups: this.#options.groupsOf(name) };
  }

  /** The owner of a token that was shown, where both are good. */
  async #comeIn(attempt: Attempt, token: TokenRecord | undefined): Promise<BearerLogin> {
    const { principals, tokens, attempts } = this.#options;
    const principal = token === undefined ? undefined : await principals.findById(token.principalId);
    const failure = this.#whyNot(principal, token);
    if (principal === undefined || token === undefined || failure !== undefined) {
      throw await attempts.failed(attempt, failure ?? 'wrong token', { principal, tokenId: token?.id });
    }
    return { principal: await this.#welcome(attempt, principal, tokens, token), tokenId: token.id };
  }

  async #welcome(
    attempt: Attempt,
    record: PrincipalRecord,
    tokens: Tokens,
    token: TokenRecord,
  ): Promise<Principal> {
    // Again: a guess that is right is no better than the ones that came with it and were wrong.
    await this.#options.attempts.admit(attempt);
    await tokens.touch(token);
    const { id: tokenId, authentication } = token;
    await this.#options.attempts.succeeded(attempt, { principal: record, tokenId, authentication });
    // The leaf took time: who was disabled or revoked meanwhile is not let in any more.
    if (!(await this.isActive(record.id, token.id))) {
      throw new CountersignError('AUTHENTICATION_FAILED', { user: record.name });
    }
    return this.principalOf(record);
  }

  async #findPair(accessKeyId: string): Promise<{
    readonly token: TokenRecord | undefined;
    readonly principal: PrincipalRecord | undefined;
  }> {
    const { principals, tokens } = this.#options;
    const token = await tokens.findByAccessKeyId(accessKeyId);
    return { token, principal: token && (await principals.findById(token.principalId)) };
  }

  async #findToken(id: string | undefined): Promise<TokenRecord | undefined> {
    return id === undefined || id === '' ? undefined : this.#options.tokens.find(parseId('token', id));
  }

  /** For the leaf only; the client hears one error for all. */
  #whyNot(principal: PrincipalRecord | undefined, token: TokenRecord | undefined): string | undefined {
    if (principal === undefined) return token === undefined ? 'unknown name or token' : 'unknown principal';
    const failure = whyNotPrincipal(principal);
    if (failure !== undefined) return failure;
    if (token === undefined || token.principalId !== principal.id) return 'wrong token';
    if (token.revokedUs !== undefined) return 'revoked token';
    return this.#options.tokens.isLive(token) ? undefined : 'expired token';
  }
}

function whyNotPrincipal(principal: PrincipalRecord): string | undefined {
  if (principal.disabled) return 'disabled';
  return principal.hasPersonKey ? undefined : 'forgotten';
}

function mayLogIn(principal: PrincipalRecord): boolean {
  return whyNotPrincipal(principal) === undefined;
}
