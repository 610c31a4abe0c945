/**
 * Second factors of people: one secret each, whose codes are used once.
 *
 * Spec: RFC 6238, section 5.2 for drift and for codes that are used once; RFC 4226, section 7.3 for guessing. Codes are
 * looked at only beside a password that is right, so that a stranger can neither use one up nor lock anybody out.
 * What is counted stands in the store: a restart and a second gateway forget nothing.
 */

import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import { type PrincipalId, parseId } from '../core/ids.ts';
import { SECOND_FACTOR_LIMITS } from '../core/second-factor-limits.ts';
import { Secret } from '../core/secret.ts';
import { openTotpSecret, sealTotpSecret } from '../keys/totp-secret.ts';
import type { Schema, SecondFactorsTable } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { stepOfCode } from './totp.ts';

export interface SecondFactorsOptions {
  readonly store: Store;
  readonly installationKey: Secret<Uint8Array>;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** A person's factor; `confirmed` once they have shown that they have it. */
export interface SecondFactor {
  readonly id: string;
  readonly principalId: PrincipalId;
  readonly state: 'pending' | 'confirmed';
}

/** A factor that counts for nothing yet, and its secret. */
export interface OfferedFactor {
  readonly secret: Secret<Uint8Array>;
  readonly expiresUs: number;
}

/** The factors of all people. Leaves, and who may change which, are for the caller. */
export class SecondFactors {
  readonly #options: SecondFactorsOptions;

  constructor(options: SecondFactorsOptions) {
    this.#options = options;
  }

  /** Of somebody, or of nobody after the same query; one that was offered too long ago is none. */
  async find(principalId: PrincipalId | ''): Promise<SecondFactor | undefined> {
    const { store, clock } = this.#options;
    const row = await store.db
      .selectFrom('second_factors')
      .selectAll()
      .where('principal_id', '=', principalId)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const { pendingMs } = SECOND_FACTOR_LIMITS;
    if (row.confirmed_us === null && row.created_us + pendingMs * 1000 <= clock.nowUs()) return undefined;
    const principal = parseId('principal', row.principal_id);
    return {
      id: row.id,
      principalId: principal,
      state: row.confirmed_us === null ? 'pending' : 'confirmed',
    };
  }

  /** The factor without whose code nobody logs in as this person. */
  async confirmed(principalId: PrincipalId | ''): Promise<SecondFactor | undefined> {
    const factor = await this.find(principalId);
    return factor?.state === 'confirmed' ? factor : undefined;
  }

  /** A new secret, in the place of one that was never confirmed; STATE_CONFLICT where one was. */
  async offer(principalId: PrincipalId): Promise<OfferedFactor> {
    const { store, clock, randomBytes, installationKey } = this.#options;
    const id = `fac_${Buffer.from(randomBytes(10)).toString('hex')}`;
    const secret = new Secret(randomBytes(SECOND_FACTOR_LIMITS.secretBytes));
    const place = { principal: principalId, factor: id };
    const wrapped = sealTotpSecret({ installationKey, randomBytes }, place, secret);
    const nowUs = clock.nowUs();
    const fresh = { id, wrapped, created_us: nowUs, last_step: null, failures: 0, failed_us: null };
    const result = await store.db
      .insertInto('second_factors')
      .values({ principal_id: principalId, confirmed_us: null, ...fresh })
      .onConflict((conflict) =>
        conflict.column('principal_id').doUpdateSet(fresh).where('second_factors.confirmed_us', 'is', null),
      )
      .executeTakeFirst();
    if (result.numInsertedOrUpdatedRows !== 1n) throw alreadyThere();
    return { secret, expiresUs: nowUs + SECOND_FACTOR_LIMITS.pendingMs * 1000 };
  }

  /**
   * Uses a code up; undefined, or for the leaf why it is not good. Untrusted: the code.
   *
   * Counted first and looked at then, in one transaction: of many that come at once none is looked at that the
   * count does not know, and of two with the same code the second sees that it was used.
   */
  async use(factor: SecondFactor, code: Secret<string> | undefined): Promise<string | undefined> {
    if (code === undefined) return 'no code of the second factor';
    const { store, clock, installationKey } = this.#options;
    const nowUs = clock.nowUs();
    return store.transaction(async (tx) => {
      const counted = await tx
        .updateTable('second_factors')
        .set((fields) => ({ failures: fields('failures', '+', 1), failed_us: nowUs }))
        .where('id', '=', factor.id)
        .where((fields) => mayTry(fields, nowUs))
        .executeTakeFirst();
      if (counted.numUpdatedRows !== 1n) return 'second factor locked or removed';
      const row = await tx
        .selectFrom('second_factors')
        .selectAll()
        .where('id', '=', factor.id)
        .executeTakeFirstOrThrow();
      const secret = openTotpSecret(installationKey, placeOf(row), row.wrapped);
      const step = stepOfCode(secret, code, nowUs);
      secret.reveal().fill(0);
      if (step === undefined) return 'wrong code of the second factor';
      if (row.last_step !== null && step <= row.last_step) return 'used code of the second factor';
      await tx
        .updateTable('second_factors')
        .set({ last_step: step, failures: 0, failed_us: null })
        .where('id', '=', factor.id)
        .execute();
      return undefined;
    });
  }

  /** From here on nobody logs in as this person without a code; false where it was replaced or removed meanwhile. */
  async confirm({ id }: SecondFactor): Promise<boolean> {
    const { store, clock } = this.#options;
    const result = await store.db
      .updateTable('second_factors')
      .set({ confirmed_us: clock.nowUs() })
      .where('id', '=', id)
      .where('confirmed_us', 'is', null)
      .executeTakeFirst();
    return result.numUpdatedRows === 1n;
  }

  /** False where it is gone already. */
  async remove({ id }: SecondFactor): Promise<boolean> {
    const { db } = this.#options.store;
    const result = await db.deleteFrom('second_factors').where('id', '=', id).executeTakeFirst();
    return result.numDeletedRows === 1n;
  }
}

/** What somebody who has a factor is told who wants another. */
export function alreadyThere(): CountersignError {
  const reason = 'there is a second factor already; remove it first';
  return new CountersignError('STATE_CONFLICT', { reason });
}

/** A clock that went back lets nobody try before it has caught up. */
function mayTry(fields: ExpressionBuilder<Schema, 'second_factors'>, nowUs: number): Expression<SqlBool> {
  const { codeFailuresMax, codeFailuresInARowMax, codeLockMs } = SECOND_FACTOR_LIMITS;
  return fields.and([
    fields('failures', '<', codeFailuresInARowMax),
    fields.or([
      fields('failures', '<', codeFailuresMax),
      fields('failed_us', '<=', nowUs - codeLockMs * 1000),
    ]),
  ]);
}

function placeOf({ principal_id: principal, id: factor }: SecondFactorsTable): {
  readonly principal: string;
  readonly factor: string;
} {
  return { principal, factor };
}
