/**
 * Every attempt to log in becomes a leaf, durable before the answer; those in a lock are bounded.
 *
 * Spec: spec/events.md, `auth.login` and `auth.lockout`. The body of an attempt for a known name is
 * sealed for that principal, so that it goes when they are forgotten; the rest under the boot's key.
 * The actor of a failed login is the one it was for: nobody else is known.
 */

import { type Authentication, authenticationBody } from '../core/authentication.ts';
import { CountersignError } from '../core/errors.ts';
import type { BootId, TokenId } from '../core/ids.ts';
import type { BodyValue, LedgerEvent, LedgerPort } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import type { Admission, Lockout, LockoutKey } from './lockout.ts';
import { isPrincipalName, type LeafActor, type PrincipalRecord, type Principals } from './principals.ts';

/** Where a client stands and what it says of itself. Untrusted: name and client. */
export interface Attempt {
  /** Undefined where a bearer token is all there is. */
  readonly name: string | undefined;
  readonly method: string;
  readonly address: string;
  readonly port: number;
  readonly client: string;
  readonly tls: string;
}

/** Who it turned out to be, as far as that is known. */
export interface Claimed {
  readonly principal?: PrincipalRecord | undefined;
  readonly tokenId?: TokenId | undefined;
  /** Of an attempt that succeeded: how, and when it was proved that this is who it is. */
  readonly authentication?: Authentication | undefined;
}

export interface AttemptsOptions {
  readonly ledger: LedgerPort;
  readonly principals: Principals;
  readonly lockout: Lockout;
  readonly bootId: BootId;
}

type Locked = Extract<Admission, { readonly kind: 'locked' }>;

/** Counts attempts and writes them down. */
export class Attempts {
  readonly #options: AttemptsOptions;

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  /** AUTHENTICATION_LOCKED where the name or address has to wait, whatever secret it brought. */
  async admit(attempt: Attempt): Promise<void> {
    const admission = this.#options.lockout.admit(keyOf(attempt));
    if (admission.kind === 'locked') throw await this.#locked(attempt, admission);
  }

  /** Counts a failure and writes it down; what to throw, the same whatever the failure was. */
  async failed(attempt: Attempt, failure: string, claimed: Claimed): Promise<CountersignError> {
    const { ledger, lockout } = this.#options;
    // Again, and counted in the same turn: of many who came at once, those behind the limit are locked out.
    const admission = lockout.admit(keyOf(attempt));
    if (admission.kind === 'locked') return this.#locked(attempt, admission);
    // Counted first: who comes while the ledger writes is already behind the lock.
    const begun = lockout.fail(keyOf(attempt));
    const leaf = await this.#leaf('failed', attempt, claimed, failure);
    const actor = await this.#actor(claimed.principal);
    const locks = begun.map(({ name, address, failures, seconds }): LedgerEvent => {
      const common = { address, failures, seconds };
      // The lock of an address is about nobody by name, least of all the last one that was tried.
      if (name === undefined) return { type: 'auth.lockout', ...this.#nobody(), body: common };
      return { type: 'auth.lockout', ...actor, body: { name: stated(name), ...common } };
    });
    await ledger.appendMany([leaf, ...locks]);
    return new CountersignError('AUTHENTICATION_FAILED', { user: stated(attempt.name ?? '') });
  }

  async succeeded(attempt: Attempt, claimed: Claimed): Promise<void> {
    const { ledger, lockout } = this.#options;
    await ledger.append(await this.#leaf('ok', attempt, claimed));
    lockout.succeed(keyOf(attempt));
  }

  /**
   * Writes down how many refused attempts have no leaf of their own.
   *
   * @param which `due` now and then, `all` before a shutdown
   */
  async flush(which: 'due' | 'all'): Promise<void> {
    const { ledger, lockout, principals } = this.#options;
    const leaves: LedgerEvent[] = [];
    for (const { name, address, count } of lockout.drain(which)) {
      const principal = await principals.findByName(name ?? '');
      const attempt = { name, address, method: 'any', port: 0, client: '', tls: '' };
      leaves.push(await this.#leaf('locked', attempt, { principal }, unreported(count)));
    }
    if (leaves.length > 0) await ledger.appendMany(leaves);
  }

  async #locked(attempt: Attempt, admission: Locked): Promise<CountersignError> {
    const { ledger, principals } = this.#options;
    if (admission.writeLeaf) {
      const principal = await principals.findByName(attempt.name ?? '');
      const failure = admission.unreported === 0 ? 'locked' : `locked, ${unreported(admission.unreported)}`;
      await ledger.append(await this.#leaf('locked', attempt, { principal }, failure));
    }
    return new CountersignError('AUTHENTICATION_LOCKED', {
      user: stated(attempt.name ?? ''),
      seconds: admission.secondsLeft,
    });
  }

  async #leaf(status: string, attempt: Attempt, claimed: Claimed, failure?: string): Promise<LedgerEvent> {
    const { principal, tokenId, authentication } = claimed;
    const { method, address, port, tls } = attempt;
    const name = attempt.name ?? principal?.name;
    const body: Record<string, BodyValue> = { method, address, port, client: short(attempt.client), tls };
    if (name !== undefined) body['name'] = stated(name);
    if (principal !== undefined) {
      body['principal'] = principal.id;
      body['issuer'] = principal.issuer;
      body['subject'] = principal.subject;
    }
    if (tokenId !== undefined) body['token_id'] = tokenId;
    if (failure !== undefined) body['failure'] = short(failure);
    Object.assign(body, authenticationBody(authentication));
    return { type: 'auth.login', status, ...(await this.#actor(principal)), body };
  }

  async #actor(principal: PrincipalRecord | undefined): Promise<LeafActor> {
    const known = principal?.hasPersonKey === true ? principal : undefined;
    const actor = known === undefined ? undefined : await this.#options.principals.leafActor(known);
    return actor ?? this.#nobody();
  }

  #nobody(): LeafActor {
    return { kind: 'system', keyId: this.#options.bootId };
  }
}

/** Names that nobody can have are counted as one, so that none of them takes memory. */
function keyOf({ name, address }: Attempt): LockoutKey {
  return { name: name === undefined || isPrincipalName(name) ? name : '', address };
}

function unreported(count: number): string {
  return `${count} refused attempts before this have no leaf of their own`;
}

/** A token or code that was typed as the name is a secret that somebody may still use. */
function stated(name: string): string {
  return /^\s*cs(?:enrol|aws)?_/i.test(name) ? '(withheld: it looks like a token)' : short(name);
}

function short(text: string): string {
  return text.slice(0, LIMITS.identity.attemptTextCharactersMax).toWellFormed();
}
