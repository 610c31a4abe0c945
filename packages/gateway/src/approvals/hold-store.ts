/**
 * The store's side of a hold. Every change is a compare-and-swap on the row's version, so that of two
 * gateways, or two requests, one changes it; the other is told and looks again.
 *
 * A change with a leaf goes: {@link HoldStore.reserve} → leaf → {@link HoldStore.takeEffect}. A grant is
 * taken in one step ({@link HoldStore.take}), before its leaf: `executing` lets nobody do anything.
 */

import type { Kysely, Transaction, Updateable } from 'kysely';
import { CountersignError } from '../core/errors.ts';
import { type HoldId, parseId, type PrincipalId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { HoldsTable, Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import {
  type HoldDocument,
  type HoldRecord,
  parseDocument,
  parseHold,
  parseVote,
  type Pending,
  type VoteRecord,
} from './hold-record.ts';

type Change = Updateable<HoldsTable>;

/** Those that wait or can be used, those that were opened and that nobody has looked at, or all. */
export type WhichHolds = 'open' | 'unreviewed' | 'all';

const OPEN_STATES = ['asked', 'granted'] as const;

export class HoldStore {
  readonly #store: Store;
  readonly #node: string;

  constructor(store: Store, node: string) {
    this.#store = store;
    this.#node = node;
  }

  async find(id: HoldId): Promise<HoldRecord | undefined> {
    const row = await this.#rows().where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : parseHold(row);
  }

  async findMany(ids: readonly HoldId[]): Promise<readonly HoldRecord[]> {
    if (ids.length === 0) return [];
    return (await this.#rows().where('id', 'in', ids).execute()).map(parseHold);
  }

  async findOpen(openKey: string): Promise<HoldRecord | undefined> {
    const row = await this.#rows().where('open_key', '=', openKey).executeTakeFirst();
    return row === undefined ? undefined : parseHold(row);
  }

  /** What somebody may use, as it was asked. */
  async grantedTo(principal: PrincipalId): Promise<readonly HoldDocument[]> {
    const rows = await this.#store.db
      .selectFrom('holds')
      .select('document')
      .where('state', '=', 'granted')
      .where('principal_id', '=', principal)
      .limit(LIMITS.approvals.openPerPrincipalMax)
      .execute();
    return rows.map(({ document }) => parseDocument(document));
  }

  async votes(id: HoldId): Promise<readonly VoteRecord[]> {
    const rows = await this.#store.db
      .selectFrom('hold_votes')
      .selectAll()
      .where('hold_id', '=', id)
      .orderBy('voted_us')
      .execute();
    return rows.map(parseVote);
  }

  /** Newest first: ids sort by time. */
  async page(before: string | undefined, which: WhichHolds, limit: number): Promise<readonly HoldRecord[]> {
    let query = this.#rows();
    if (before !== undefined) query = query.where('id', '<', before);
    if (which === 'open') query = query.where('state', 'in', OPEN_STATES);
    if (which === 'unreviewed') query = query.where('review_by_us', 'is not', null);
    return (await query.orderBy('id', 'desc').limit(limit).execute()).map(parseHold);
  }

  /** What has to be expired. */
  async overdue(nowUs: number, limit: number): Promise<readonly HoldRecord[]> {
    const rows = await this.#rows()
      .where((eb) =>
        eb.or([
          eb.and([eb('state', '=', 'asked'), eb('expires_us', '<=', nowUs)]),
          eb.and([eb('state', '=', 'granted'), eb('use_until_us', '<=', nowUs)]),
        ]),
      )
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map(parseHold);
  }

  /** What was opened, of which it is not written down that its reviewers were told. */
  async untold(limit: number): Promise<readonly HoldRecord[]> {
    const rows = await this.#rows()
      .where('notice_due_us', 'is not', null)
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map(parseHold);
  }

  async findUntold(id: HoldId): Promise<HoldRecord | undefined> {
    const row = await this.#rows()
      .where('id', '=', id)
      .where('notice_due_us', 'is not', null)
      .executeTakeFirst();
    return row === undefined ? undefined : parseHold(row);
  }

  async markTold(id: HoldId): Promise<void> {
    await this.#store.db.updateTable('holds').set({ notice_due_us: null }).where('id', '=', id).execute();
  }

  /** What was opened, has to be looked at by now, and of which nobody was told that. */
  async lateReviews(nowUs: number, limit: number): Promise<readonly HoldRecord[]> {
    const rows = await this.#rows()
      .where('review_by_us', '<=', nowUs)
      .where('overdue_told_us', 'is', null)
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map(parseHold);
  }

  /** True for the one gateway that tells of it. */
  async claimLate(id: HoldId, nowUs: number): Promise<boolean> {
    const { numUpdatedRows } = await this.#store.db
      .updateTable('holds')
      .set({ overdue_told_us: nowUs })
      .where('id', '=', id)
      .where('review_by_us', '<=', nowUs)
      .where('overdue_told_us', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** Under which policy this gateway asked what is still open; without what is sealed. */
  async openPolicies(): Promise<readonly Pick<HoldRecord, 'id' | 'policy' | 'document'>[]> {
    const rows = await this.#store.db
      .selectFrom('holds')
      .select(['id', 'policy', 'document'])
      .where('state', 'in', OPEN_STATES)
      .where('node', '=', this.#node)
      .execute();
    return rows.map(({ id, policy, document }) => ({
      id: parseId('hold', id),
      policy,
      document: parseDocument(document),
    }));
  }

  /** What this gateway asked and is still open. */
  async openOfNode(): Promise<readonly HoldRecord[]> {
    const rows = await this.#rows()
      .where('state', 'in', OPEN_STATES)
      .where('node', '=', this.#node)
      .execute();
    return rows.map(parseHold);
  }

  /** Changes of this gateway whose leaf may or may not be there, and grants it took and never finished. */
  async unfinished(): Promise<readonly HoldRecord[]> {
    const rows = await this.#rows()
      .where((eb) =>
        eb.or([
          eb('pending_node', '=', this.#node),
          eb.and([eb('state', '=', 'executing'), eb('taken_node', '=', this.#node)]),
        ]),
      )
      .execute();
    return rows.map(parseHold);
  }

  /** Whether a session is in the index as open; one that is not there is over. */
  async isSessionOpen(id: string): Promise<boolean> {
    const row = await this.#store.db
      .selectFrom('sessions')
      .select('ended_us')
      .where('id', '=', id)
      .executeTakeFirst();
    return row !== undefined && row.ended_us === null;
  }

  /**
   * Keeps the time of this room where the system clock is behind it, so that a start does not take the
   * system clock for the truth.
   */
  async rememberTime(us: number): Promise<void> {
    const value = String(us);
    await this.#store.db
      .insertInto('meta')
      .values({ key: this.#timeKey, value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute();
  }

  /** 0 where none was kept. */
  async rememberedTime(): Promise<number> {
    const row = await this.#store.db
      .selectFrom('meta')
      .select('value')
      .where('key', '=', this.#timeKey)
      .executeTakeFirst();
    return row === undefined || !/^[0-9]{1,16}$/.test(row.value) ? 0 : Number(row.value);
  }

  /** False where the same thing is open already; LIMIT_EXCEEDED where too much is. */
  async insert(row: HoldsTable, nowUs: number): Promise<boolean> {
    return this.#store.transaction(async (tx) => {
      // One gateway after the other, so that none counts past another: this row is there in every store.
      await tx
        .updateTable('meta')
        .set((eb) => ({ value: eb.ref('value') }))
        .where('key', '=', 'schema_version')
        .execute();
      await expectRoom(tx, row.principal_id, nowUs);
      const { numInsertedOrUpdatedRows } = await tx
        .insertInto('holds')
        .values(row)
        .onConflict((conflict) => conflict.column('open_key').doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    });
  }

  /**
   * Keeps every other change away while a leaf is written. Undefined where somebody was faster.
   *
   * @param over takes the place of a change that another gateway began and abandoned
   */
  async reserve(
    record: HoldRecord,
    pending: Pending,
    leaf: number,
    nowUs: number,
    over = false,
  ): Promise<HoldRecord | undefined> {
    const reservation = {
      version: record.version + 1,
      pending: JSON.stringify(pending),
      pending_node: this.#node,
      pending_leaf: leaf,
      pending_us: nowUs,
    };
    let query = this.#swap(this.#store.db, record, reservation);
    if (!over) query = query.where('pending', 'is', null);
    if ((await query.executeTakeFirst()).numUpdatedRows !== 1n) return undefined;
    return {
      ...record,
      version: record.version + 1,
      pending,
      pendingNode: this.#node,
      pendingLeaf: leaf,
      pendingUs: nowUs,
    };
  }

  /** Undoes a reservation whose leaf was not written. */
  async release(reserved: HoldRecord): Promise<void> {
    if (reserved.pending?.kind === 'ask') {
      await this.#store.db
        .deleteFrom('holds')
        .where('id', '=', reserved.id)
        .where('version', '=', reserved.version)
        .execute();
      return;
    }
    await this.#swap(this.#store.db, reserved, {
      ...NOTHING_PENDING,
      version: reserved.version + 1,
    }).execute();
  }

  /** Makes a reserved change real, with the vote that it is. False where it is not reserved any more. */
  async takeEffect(reserved: HoldRecord, change: Change, vote?: VoteRecord): Promise<boolean> {
    return this.#store.transaction(async (tx) => {
      const values = { ...NOTHING_PENDING, ...change, version: reserved.version + 1 };
      const { numUpdatedRows } = await this.#swap(tx, reserved, values).executeTakeFirst();
      if (numUpdatedRows !== 1n) return false;
      if (vote !== undefined) await this.#writeVote(tx, reserved.id, vote);
      return true;
    });
  }

  /**
   * Takes a grant, once: false for everybody but one.
   *
   * @param leaf what is said of it in the log stands at this index or after it
   */
  async take(record: HoldRecord, nowUs: number, leaf: number): Promise<boolean> {
    const values = {
      version: record.version + 1,
      state: 'executing',
      open_key: null,
      taken_node: this.#node,
      taken_leaf: leaf,
      changed_us: nowUs,
    };
    const { numUpdatedRows } = await this.#swap(this.#store.db, record, values)
      .where('state', '=', 'granted')
      .where('pending', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** How a grant went that this gateway took; nothing where that is known already. */
  async end(id: HoldId, change: Change): Promise<void> {
    await this.#store.db
      .updateTable('holds')
      .set((eb) => ({ ...change, version: eb('version', '+', 1) }))
      .where('id', '=', id)
      .where('state', '=', 'executing')
      .where('taken_node', '=', this.#node)
      .execute();
  }

  get #timeKey(): string {
    return `holds_time/${this.#node}`;
  }

  #swap(db: Kysely<Schema>, { id, version, state }: HoldRecord, values: Change) {
    return db
      .updateTable('holds')
      .set(values)
      .where('id', '=', id)
      .where('version', '=', version)
      .where('state', '=', state);
  }

  async #writeVote(tx: Transaction<Schema>, holdId: HoldId, vote: VoteRecord): Promise<void> {
    const values = {
      issuer: vote.issuer,
      subject: vote.subject,
      name: vote.name,
      groups: JSON.stringify(vote.groups),
      decision: vote.decision,
      sealed_comment: vote.sealedComment ?? null,
      voted_us: vote.votedUs,
      node: vote.node,
      leaf: vote.leaf,
    };
    await tx
      .insertInto('hold_votes')
      .values({ hold_id: holdId, principal_id: vote.id, ...values })
      .onConflict((conflict) => conflict.columns(['hold_id', 'principal_id']).doUpdateSet(values))
      .execute();
  }

  #rows() {
    return this.#store.db.selectFrom('holds').selectAll();
  }
}

const NOTHING_PENDING = { pending: null, pending_node: null, pending_leaf: null, pending_us: null } as const;

/** What is overdue and not expired yet takes no place: nobody can approve or use it. */
async function expectRoom(tx: Transaction<Schema>, principalId: string, nowUs: number): Promise<void> {
  const open = await tx
    .selectFrom('holds')
    .select(['principal_id'])
    .where((eb) =>
      eb.or([
        eb.and([eb('state', '=', 'asked'), eb('expires_us', '>', nowUs)]),
        eb.and([eb('state', '=', 'granted'), eb('use_until_us', '>', nowUs)]),
      ]),
    )
    .execute();
  const own = open.filter((row) => row.principal_id === principalId).length;
  atMost('approvals.openMax', LIMITS.approvals.openMax, open.length + 1);
  atMost('approvals.openPerPrincipalMax', LIMITS.approvals.openPerPrincipalMax, own + 1);
}

function atMost(limit: string, allowed: number, actual: number): void {
  if (actual > allowed) throw new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual });
}
