/**
 * A person gets a second factor, or loses it: each with its leaf before the effect.
 *
 * Spec: spec/events.md, `person.factor`. Who takes a factor on shows the password first, and who takes it off
 * password and code, so that a token alone, which others may have, changes neither. An administrator takes it off
 * for somebody who has lost it. Tokens that say that a second factor was proved end with the factor.
 */

import { secondFactorUs } from '../core/authentication.ts';
import { CountersignError } from '../core/errors.ts';
import type { TokenId } from '../core/ids.ts';
import type { LedgerPort } from '../core/ledger-port.ts';
import type { Principal } from '../core/principal.ts';
import type { Secret } from '../core/secret.ts';
import type { Attempt, Attempts } from './attempts.ts';
import type { HttpPeer, Identity } from './login.ts';
import type { LeafActor, PrincipalRecord, Principals } from './principals.ts';
import { alreadyThere, type SecondFactor, type SecondFactors } from './second-factors.ts';
import type { Tokens } from './tokens.ts';
import { otpauthURI } from './totp.ts';

export interface FactorChangesOptions {
  readonly ledger: LedgerPort;
  readonly principals: Principals;
  readonly tokens: Tokens;
  readonly attempts: Attempts;
  readonly secondFactors: SecondFactors;
  readonly identity: Identity;
}

/** Somebody who is known by a token, and where they stand. */
export interface FactorOwner {
  readonly principal: Principal;
  readonly tokenId: TokenId;
  readonly peer: HttpPeer;
}

/** What is shown once. */
export interface FactorOffer {
  /** `otpauth://totp/…`: has the secret. */
  readonly uri: Secret<string>;
  readonly expiresUs: number;
}

/** Who may call which is for the caller to check. */
export class FactorChanges {
  readonly #options: FactorChangesOptions;

  constructor(options: FactorChangesOptions) {
    this.#options = options;
  }

  /** A secret that counts for nothing until it is confirmed. Untrusted: the password. */
  async enrol({ principal, peer }: FactorOwner, password: Secret<string>): Promise<FactorOffer> {
    const { secondFactors, identity } = this.#options;
    if ((await secondFactors.confirmed(principal.id)) !== undefined) throw alreadyThere();
    await identity.prove({ ...peer, name: principal.name, method: 'totp-enrol' }, { password });
    const { secret, expiresUs } = await secondFactors.offer(principal.id);
    const uri = otpauthURI(principal.name, secret);
    secret.reveal().fill(0);
    return { uri, expiresUs };
  }

  /** The first code: the factor counts when this resolves. Logins by a password alone end, but for this one. */
  async confirm({ principal, tokenId, peer }: FactorOwner, code: Secret<string>): Promise<void> {
    const { secondFactors, attempts, ledger, principals, tokens } = this.#options;
    const attempt: Attempt = { ...peer, name: principal.name, method: 'totp-confirm' };
    await attempts.admit(attempt);
    const factor = await secondFactors.find(principal.id);
    if (factor === undefined) throw new CountersignError('NOT_FOUND', { what: 'second factor to confirm' });
    if (factor.state === 'confirmed') throw alreadyThere();
    const failure = await secondFactors.use(factor, code);
    if (failure !== undefined) {
      const record = await principals.findById(principal.id);
      throw await attempts.failed(attempt, failure, { principal: record });
    }
    const actor = await this.#actorOf(principal);
    const body = { ...bodyOf(principal, factor, principal.name), address: peer.address };
    await ledger.append({ type: 'person.factor', status: 'enrolled', ...actor, body });
    if (!(await secondFactors.confirm(factor))) {
      throw new CountersignError('STATE_CONFLICT', { reason: 'another second factor was offered meanwhile' });
    }
    await tokens.revokeLoginTokens(principal.id, 'a second factor was enrolled', tokenId);
  }

  /** Somebody's own, with what they would log in with. Untrusted: password and code. */
  async removeOwn(
    { principal, peer }: FactorOwner,
    proof: { readonly password: Secret<string>; readonly code: Secret<string> | undefined },
    reason: string,
  ): Promise<void> {
    const { identity } = this.#options;
    await this.found(principal);
    const attempt = { ...peer, name: principal.name, method: 'totp-remove' };
    const { record } = await identity.prove(attempt, proof);
    await this.remove(record, principal, { reason, address: peer.address });
  }

  /** Somebody's factor without their code; the leaf says by whom, and why. */
  async remove(
    owner: PrincipalRecord,
    by: Principal,
    { reason, address }: { readonly reason: string; readonly address: string },
  ): Promise<void> {
    const { ledger, secondFactors } = this.#options;
    const factor = await this.found(owner);
    const actor = await this.#actorOf(by);
    const body = { ...bodyOf(owner, factor, by.name), address, reason: reason.toWellFormed() };
    await ledger.append({ type: 'person.factor', status: 'removed', ...actor, body });
    // Before it is gone, so that a crash leaves no token that says more than there is; and again for those that were
    // made meanwhile, also with one that was just being ended, until there is none.
    await this.#endTokens(owner);
    await secondFactors.remove(factor);
    while ((await this.#endTokens(owner)) > 0);
  }

  /** NOT_FOUND where somebody has none that counts. */
  async found({ id }: Pick<Principal, 'id'>): Promise<SecondFactor> {
    const factor = await this.#options.secondFactors.confirmed(id);
    if (factor === undefined)
      throw new CountersignError('NOT_FOUND', { what: 'second factor of this person' });
    return factor;
  }

  #endTokens({ id }: PrincipalRecord): Promise<number> {
    const { tokens } = this.#options;
    const reason = 'the second factor was removed';
    return tokens.revokeWhere(
      id,
      ({ authentication }) => secondFactorUs(authentication) !== undefined,
      reason,
    );
  }

  async #actorOf(principal: Principal): Promise<LeafActor> {
    const actor = await this.#options.principals.leafActor(principal);
    if (actor !== undefined) return actor;
    throw new CountersignError('STATE_CONFLICT', { reason: `${principal.id} was forgotten` });
  }
}

function bodyOf(
  owner: Pick<Principal, 'id' | 'name'>,
  { id }: SecondFactor,
  changedBy: string,
): Readonly<Record<string, string>> {
  return {
    name: owner.name,
    principal: owner.id,
    factor_id: id,
    factor_kind: 'totp',
    changed_by: changedBy,
  };
}
