/**
 * One-time codes: the first administrator, and people who set their password.
 *
 * A code is shown once and kept as a SHA-256. It is claimed in a transaction, so that of two who
 * bring it one gets through; where what follows fails, the claim is given back.
 * The leaf stands before the effect: `person.enrol`, or `person.password` for somebody who had one.
 */

import type { Clock } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import type { LedgerPort } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import type { Secret } from '../core/secret.ts';
import type { EnrolmentCodesTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { Attempt, Attempts } from './attempts.ts';
import type { HttpPeer } from './login.ts';
import { checkNewPassword, hashPassword, PasswordTurns } from './passwords.ts';
import { isPrincipalName, type PrincipalRecord, type Principals } from './principals.ts';
import { hashSecretText, makeSecretText } from './secret-text.ts';
import type { SecondFactors } from './second-factors.ts';
import type { Tokens } from './tokens.ts';

const PREFIX = 'csenrol_';
/** The name of the first administrator is theirs to choose. */
const FIRST = '';

export interface EnrolmentOptions {
  readonly store: Store;
  readonly ledger: LedgerPort;
  readonly principals: Principals;
  readonly tokens: Tokens;
  readonly attempts: Attempts;
  readonly secondFactors: SecondFactors;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Applies a Person with the group administrators; the resources do it. */
  readonly makeAdministrator: (name: string, displayName: string) => Promise<void>;
}

/** A code that is shown once. */
export interface IssuedCode {
  readonly code: Secret<string>;
  readonly expiresUs: number;
}

export interface EnrolmentRequest {
  readonly name: string;
  readonly displayName: string;
  readonly password: Secret<string>;
  /** Code of the second factor: who has one needs it here too, or an invitation would lead around it. */
  readonly otp?: Secret<string> | undefined;
}

/** The codes of this installation. */
export class Enrolment {
  readonly #options: EnrolmentOptions;
  readonly #turns = new PasswordTurns();

  constructor(options: EnrolmentOptions) {
    this.#options = options;
  }

  /** Whether the first administrator's code was ever used. */
  async hasFirst(): Promise<boolean> {
    const row = await this.#options.store.db
      .selectFrom('enrolment_codes')
      .select('id')
      .where('name', '=', FIRST)
      .where('used_us', 'is not', null)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** A code for the first administrator; an earlier one that nobody used ends. */
  issueFirst(): Promise<IssuedCode> {
    return this.#issue(FIRST);
  }

  /** A code for somebody who exists; an earlier one that nobody used ends. */
  async invite(name: string): Promise<IssuedCode> {
    const principal = await this.#options.principals.findByName(name);
    if (principal?.kind !== 'user' && principal?.kind !== 'auditor') {
      throw new CountersignError('NOT_FOUND', { what: 'person of this name' });
    }
    return this.#issue(name);
  }

  /** Uses a code: the person exists and has the password when this resolves. Untrusted: all of it. */
  async enrol(code: Secret<string>, request: EnrolmentRequest, peer: HttpPeer): Promise<PrincipalRecord> {
    const { attempts, randomBytes } = this.#options;
    const { name, password } = request;
    const attempt: Attempt = { ...peer, name, method: 'enrolment-code' };
    await attempts.admit(attempt);
    const row = await this.#findCode(code);
    const failure = this.#whyNot(row, name);
    if (row === undefined || failure !== undefined) {
      throw await attempts.failed(attempt, failure ?? 'unknown code', {});
    }
    checkNewPassword(password);
    await this.#checkSecondFactor(attempt, request);
    const hash = await this.#turns.run(() => hashPassword(password, randomBytes));
    const claimUs = await this.#claim(row);
    if (claimUs === undefined) throw await attempts.failed(attempt, 'used code', {});
    try {
      return await this.#takeEffect(row, request, hash, peer);
    } catch (error) {
      await this.#giveBack(row, claimUs);
      throw error;
    }
  }

  async #checkSecondFactor(attempt: Attempt, { name, otp }: EnrolmentRequest): Promise<void> {
    const { principals, secondFactors, attempts } = this.#options;
    const principal = await principals.findByName(name);
    const factor = await secondFactors.confirmed(principal?.id ?? '');
    const failure = factor === undefined ? undefined : await secondFactors.use(factor, otp);
    if (failure !== undefined) throw await attempts.failed(attempt, failure, { principal });
  }

  async #takeEffect(
    row: EnrolmentCodesTable,
    { name, displayName }: EnrolmentRequest,
    hash: Secret<string>,
    peer: HttpPeer,
  ): Promise<PrincipalRecord> {
    const { store, ledger, principals, tokens, makeAdministrator } = this.#options;
    const isFirst = row.name === FIRST;
    const person = isFirst ? await this.#makePerson(name, displayName) : await principals.findByName(name);
    if (person === undefined || person.disabled)
      throw new CountersignError('NOT_FOUND', { what: 'person of this name' });
    const actor = await principals.leafActor(person);
    if (actor === undefined) throw new CountersignError('NOT_FOUND', { what: 'person of this name' });
    const common = { name, principal: person.id };
    await ledger.append(
      person.passwordHash === undefined
        ? { type: 'person.enrol', ...actor, body: { ...common, code_id: row.id, address: peer.address } }
        : { type: 'person.password', ...actor, body: { ...common, changed_by: name } },
    );
    if (isFirst) await makeAdministrator(name, displayName);
    await principals.setPasswordHash(store.db, person.id, hash);
    // Whoever had the old one may hold tokens that it gave, and sessions under them.
    if (person.passwordHash !== undefined)
      await tokens.revokeLoginTokens(person.id, 'the password was replaced');
    return { ...person, passwordHash: hash };
  }

  /** The row is needed for the leaf's actor; without a password it lets nobody in. */
  async #makePerson(name: string, displayName: string): Promise<PrincipalRecord> {
    const { store, principals } = this.#options;
    const existing = await principals.findByName(name);
    // Somebody who was disabled does not come back by a code.
    if (existing?.disabled === true)
      throw new CountersignError('STATE_CONFLICT', { reason: `${name} is disabled` });
    const { principal } = await store.transaction(async (tx) => {
      return principals.upsert(tx, { name, kind: 'user', displayName, disabled: false });
    });
    return principal;
  }

  async #issue(name: string): Promise<IssuedCode> {
    const { store, clock, randomBytes } = this.#options;
    const code = makeSecretText(PREFIX, randomBytes);
    const expiresUs = clock.nowUs() + LIMITS.identity.enrolmentCodeLifetimeMs * 1000;
    const row: EnrolmentCodesTable = {
      id: `enr_${Buffer.from(randomBytes(10)).toString('hex')}`,
      name,
      sha256: hashSecretText(code),
      expires_us: expiresUs,
      used_us: null,
    };
    await store.transaction(async (tx) => {
      const unused = tx.deleteFrom('enrolment_codes').where('name', '=', name).where('used_us', 'is', null);
      await unused.execute();
      await tx.insertInto('enrolment_codes').values(row).execute();
    });
    return { code, expiresUs };
  }

  async #findCode(code: Secret<string>): Promise<EnrolmentCodesTable | undefined> {
    const { db } = this.#options.store;
    const sha256 = hashSecretText(code);
    return db.selectFrom('enrolment_codes').selectAll().where('sha256', '=', sha256).executeTakeFirst();
  }

  /** For the leaf only; the client hears one error for all. */
  #whyNot(row: EnrolmentCodesTable | undefined, name: string): string | undefined {
    if (row === undefined) return 'unknown code';
    if (row.used_us !== null) return 'used code';
    if (row.expires_us <= this.#options.clock.nowUs()) return 'expired code';
    if (!isPrincipalName(name)) return 'not a name';
    return row.name === FIRST || row.name === name ? undefined : 'code of another name';
  }

  /** When it was claimed, or undefined where somebody was faster. */
  async #claim(row: EnrolmentCodesTable): Promise<number | undefined> {
    const { store, clock } = this.#options;
    return store.transaction(async (tx) => {
      const nowUs = clock.nowUs();
      const result = await tx
        .updateTable('enrolment_codes')
        .set({ used_us: nowUs })
        .where('id', '=', row.id)
        .where('used_us', 'is', null)
        .where('expires_us', '>', nowUs)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n ? nowUs : undefined;
    });
  }

  async #giveBack(row: EnrolmentCodesTable, claimUs: number): Promise<void> {
    await this.#options.store.db
      .updateTable('enrolment_codes')
      .set({ used_us: null })
      .where('id', '=', row.id)
      .where('used_us', '=', claimUs)
      .execute();
  }
}
