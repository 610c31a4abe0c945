/**
 * Resources: what may be reached, and by whom. Every change is a leaf before it has an effect.
 *
 * A change goes: validate → reserve in the store → leaves → one transaction that takes effect. So after a crash a
 * reserved change is finished on start where it is in the ledger, and given up where it is not. While this process
 * lives, a change whose leaves are written and whose transaction failed is finished before the next one. What a rule
 * holds passes the gate first (gate.ts): its grants are taken between the reservation and the leaves.
 */

import { CountersignError, reasonOf, toCountersignError } from '../core/errors.ts';
import type { Clock } from '../core/clock.ts';
import type { BodyValue, LedgerEvent, LedgerPort } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import { jcs } from '@countersign/ledger/jcs';
import type { ResourceName } from '../approvals/binding.ts';
import type { HoldsPort } from '../approvals/holds-port.ts';
import type { PolicyAbout } from '../approvals/options.ts';
import type { Principal } from '../core/principal.ts';
import type { Secret } from '../core/secret.ts';
import type { SessionMasks } from '../masking/plan/session-masks.ts';
import type { BreakGlassRule } from '../policy/rule.ts';
import {
  connectionPasswordDigest,
  connectionPasswordSetUs,
  storeConnectionPassword,
} from '../keys/connection-password.ts';
import { ChangeFeed } from '../store/change-feed.ts';
import type { Store } from '../store/store.ts';
import {
  type ChangeRow,
  expectJudged,
  type Judged,
  loadResources,
  type PrincipalsPort,
  release,
  reserve,
  resourcesAfter,
  rowsOf,
  takeEffect,
  unfinished,
} from './change-store.ts';
import { bundleEvent, type Changer, eventOf, passwordEvent } from './change-events.ts';
import { actsOf, changeSetOf, credentialSetOf } from './change-set.ts';
import type { ResourceDocument, ResourceKind } from './documents.ts';
import { ChangeGate, type Granted, type Passage } from './gate.ts';
import { type Act, checkGuards, guardsHolding, type Holding } from './guards.ts';
import { parseKind } from './parse.ts';
import { planApply, planDelete, type PlannedChange, viewAfter } from './plan.ts';
import {
  checkAdministrators,
  checkNames,
  checkPassword,
  checkReferences,
  checkReviewers,
} from './references.ts';
import { SerialQueue } from './serial-queue.ts';
import { type AccessGrant, digestOf, keyOf, ResourceView, type Ruling, type StoredResource } from './view.ts';

/** Asks the ledger, on start, whether a change that was reserved came to be a leaf. */
export interface WrittenChanges {
  /** A `resource.apply` or `resource.delete` leaf with this kind, name and version, not before the time. */
  wasWritten(change: {
    readonly kind: string;
    readonly name: string;
    readonly version: number;
    readonly sinceUs: number;
  }): Promise<boolean>;
}

export interface ResourcesOptions {
  readonly store: Store;
  readonly ledger: LedgerPort;
  readonly principals: PrincipalsPort;
  readonly written: WrittenChanges;
  readonly installationKey: Secret<Uint8Array>;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Name of this gateway. */
  readonly node: string;
}

/** A resource that was changed; told after it is in effect. */
export interface ResourceChange {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly action: 'created' | 'updated' | 'deleted';
}

export class Resources {
  readonly #options: ResourcesOptions;
  readonly #feed = new ChangeFeed<ResourceChange>();
  readonly #queue = new SerialQueue(LIMITS.resources.waitingChangesMax);
  readonly #gate = new ChangeGate();
  #view = new ResourceView([]);
  #versions: ReadonlyMap<string, number> = new Map();
  #digest = '';
  /** The last ones, the newest behind: what was judged a moment ago is asked for now. */
  #views: readonly { readonly digest: string; readonly view: ResourceView }[] = [];
  #revision = 0;
  /** Changes of this process that are in the ledger and not in effect. */
  #written: (readonly ChangeRow[])[] = [];

  private constructor(options: ResourcesOptions) {
    this.#options = options;
  }

  /** Loads everything, and finishes or gives up what a crash left. The ledger is recovered before. */
  static async open(options: ResourcesOptions): Promise<Resources> {
    const resources = new Resources(options);
    const afterwards: (() => void)[] = [];
    for (const rows of await unfinished(options.store, options.node)) {
      const [first] = rows;
      if (first === undefined) continue;
      const { kind, name, version, changed_us: sinceUs } = first;
      // All leaves of a change are one group, so that one of them speaks for all.
      if (await options.written.wasWritten({ kind, name, version, sinceUs })) {
        afterwards.push(...(await takeEffect(options.store, rows, options.principals)));
      } else await release(options.store, first.change);
    }
    await resources.reload();
    for (const afterward of afterwards) afterward();
    return resources;
  }

  /** Reads the store again: another gateway may have changed it. */
  async reload(): Promise<void> {
    const { resources, versions } = await loadResources(this.#options.store.db);
    this.#setView(new ResourceView(resources), versions);
  }

  /** What {@link apply} would do; throws what it would throw. */
  diff(documents: readonly ResourceDocument[]): readonly PlannedChange[] {
    return this.#validated(planApply(documents, this.#view, this.#versions)).changes;
  }

  /** All resources as they would be; throws what {@link apply} would throw. */
  preview(documents: readonly ResourceDocument[]): ResourceView {
    return this.#validated(planApply(documents, this.#view, this.#versions)).next;
  }

  /** Where people are asked about what a rule holds; until then that is refused. */
  holdWith(holds: HoldsPort): void {
    this.#gate.open(holds);
  }

  /** The rules that would hold an {@link apply}. */
  heldBy(documents: readonly ResourceDocument[], by: Changer): readonly Holding[] {
    const { changes, next } = this.#validated(planApply(documents, this.#view, this.#versions));
    return this.#holding(actsOf(changes), next, by);
  }

  /**
   * All of them or none; what is unchanged makes no leaf. POLICY_HELD where others have to agree first: then the
   * identical documents pass once.
   */
  apply(documents: readonly ResourceDocument[], by: Changer): Promise<readonly PlannedChange[]> {
    return this.#queue.run(async () => {
      await this.#finishWritten();
      return this.#change('apply', planApply(documents, this.#view, this.#versions), by);
    });
  }

  /** Refused where another resource still names it. */
  delete(kind: ResourceKind, name: string, by: Changer): Promise<PlannedChange> {
    return this.#queue.run(async () => {
      await this.#finishWritten();
      const previous = this.#view.find(kind, name);
      if (previous === undefined) throw new CountersignError('NOT_FOUND', { what: `${kind} "${name}"` });
      const planned = planDelete(previous);
      await this.#change('delete', [planned], by);
      return planned;
    });
  }

  /** The resources of a kind, or one of them, by name. */
  get(kind: ResourceKind, name?: string): readonly StoredResource[] {
    return this.#view.all.filter(
      ({ document }) => document.kind === kind && (name === undefined || document.name === name),
    );
  }

  get all(): readonly StoredResource[] {
    return this.#view.all;
  }

  /** Every group that a person or service account is in. */
  groupsOf(name: string): readonly string[] {
    return this.#view.groupsOf(name);
  }

  /** Another number after each change; of this process only. */
  get revision(): number {
    return this.#revision;
  }

  /** SHA-256 of everything that decides about access: `policy` in leaves. */
  bundleDigest(): string {
    return this.#digest;
  }

  /**
   * SHA-256 of what decides about one operation: a change of anything else leaves it as it is. Undefined where
   * nothing lets the principal on the connection, and where the bundle is long gone.
   *
   * @param bundle the {@link bundleDigest} under which to look; the one of now where absent
   */
  decidingDigest(about: PolicyAbout, bundle: string = this.#digest): string | undefined {
    if ('resources' in about) return this.#guardingDigest(about.resources);
    const { requester: name, connection } = about;
    const view = this.#views.findLast(({ digest }) => digest === bundle)?.view;
    const text = view?.deciding({ name }, connection);
    return text === undefined ? undefined : digestOf(text);
  }

  /** Every guard as it is, and the version of what would be changed: a change of any voids what was asked. */
  #guardingDigest(resources: readonly ResourceName[]): string {
    const guards = this.#view.guards().map(({ name }) => {
      const found = this.#view.find('Rule', name);
      return [name, found?.version ?? 0, found?.digest ?? ''];
    });
    const versions = resources.map(([kind, name]) => [
      kind,
      name,
      this.#versions.get(`${kind}/${name}`) ?? 0,
    ]);
    return digestOf(jcs({ guards, versions }));
  }

  /** What {@link bundleDigest} is of. */
  bundle(): string {
    return this.#view.bundle();
  }

  /**
   * Lets a principal in, or throws ACCESS_DENIED. Only an administrator hears that a connection does
   * not exist; anybody else could try out names.
   */
  accessFor(principal: Principal, connectionName: string, database: string | undefined): AccessGrant {
    const grant = this.#view.grant(principal, connectionName);
    if (grant !== undefined) {
      return {
        connection: grant.connection,
        access: grant.access,
        database: database ?? grant.connection.target.database ?? '',
        policy: this.#digest,
      };
    }
    const isAdministrator = this.groupsOf(principal.name).includes('administrators');
    if (isAdministrator && this.#view.connection(connectionName) === undefined) {
      throw new CountersignError('CONNECTION_UNKNOWN', { connection: connectionName });
    }
    throw new CountersignError('ACCESS_DENIED', { principal: principal.name, connection: connectionName });
  }

  /** Whether a session that is open would be let in now. */
  stillAllowed(principal: Pick<Principal, 'name'>, connectionName: string): boolean {
    return this.#view.grant(principal, connectionName) !== undefined;
  }

  /** What decides about a principal's statements now; undefined where nothing does. */
  ruling(principal: Principal, connection: string, over?: 'sql' | 'http'): Ruling | undefined {
    return this.#view.ruling(principal, connection, over);
  }

  /** What hides values from a principal on a connection now; from anybody where none is given: no exception holds. */
  masks(principal: Pick<Principal, 'name'> | undefined, connectionName: string): SessionMasks {
    return this.#view.masks(principal ?? { name: '' }, connectionName);
  }

  /** By which rules somebody may open their own holds now; none for whom nobody could review. */
  breakGlass(name: string, connectionName: string): readonly BreakGlassRule[] {
    return this.#view.reviewableBreakGlass({ name }, connectionName);
  }

  /** Sets the password of a connection whose credential is `sealed`. Held as a change of the connection is. */
  setPassword(connectionName: string, password: Secret<string>, by: Changer): Promise<void> {
    return this.#queue.run(async () => {
      await this.#finishWritten();
      checkPassword(this.#view, connectionName, password);
      const { ledger, store, clock, installationKey } = this.#options;
      const act = { kind: 'Connection', name: connectionName, action: 'password' } as const;
      const who = { connection: connectionName, principal: by.keyId };
      const facts = {
        credential: connectionPasswordDigest(installationKey, who, password),
        previous_us: await connectionPasswordSetUs(store.db, connectionName),
      };
      await this.#useCredential(act, facts, by, async (passage) => {
        const { index } = await ledger.append(passwordEvent(connectionName, by, passage));
        const change = { connection: connectionName, password, nowUs: clock.nowUs() };
        await storeConnectionPassword(store.db, this.#options, change);
        return { result: undefined, leaf: index };
      });
    });
  }

  /**
   * Lets somebody in as another: a token or an invitation that they did not make themselves, or one factor less.
   * Held as a change of that account is, and where a guard stands on the account.
   *
   * @param facts what of it people are asked about
   */
  letIn<T>(
    act: Act & { readonly action: 'token' | 'invitation' | 'second-factor' },
    facts: Readonly<Record<string, BodyValue>>,
    by: Changer,
    make: () => Promise<T>,
  ): Promise<T> {
    return this.#queue.run(async () => {
      await this.#finishWritten();
      return this.#useCredential(act, facts, by, async () => ({ result: await make() }));
    });
  }

  /** The function that it returns takes the listener off again. */
  onChange(listener: (change: ResourceChange) => void): () => void {
    return this.#feed.onChange(listener);
  }

  async #useCredential<T>(
    act: Act & { readonly action: 'password' | 'token' | 'invitation' | 'second-factor' },
    facts: Readonly<Record<string, BodyValue>>,
    by: Changer,
    effect: (passage: Passage | undefined) => Promise<{ readonly result: T; readonly leaf?: number }>,
  ): Promise<T> {
    const version = this.#view.find(act.kind, act.name)?.version ?? 0;
    const set = credentialSetOf(act, version, facts);
    const granted = await this.#gate.ask(this.#holding([act], this.#view, by), set, by, this.#digest);
    await this.#knowing(() => this.#options.store.transaction((tx) => expectJudged(tx, this.#judged)));
    const passage = await granted?.take();
    let done: { readonly result: T; readonly leaf?: number };
    try {
      done = await effect(passage);
    } catch (error) {
      await passage?.done('unknown');
      throw error;
    }
    await passage?.done('ok', done.leaf);
    return done.result;
  }

  #holding(acts: readonly Act[], after: ResourceView, by: Changer): readonly Holding[] {
    return guardsHolding({
      before: this.#view,
      after,
      acts,
      by: by.kind === 'system' ? undefined : by.name,
    });
  }

  get #judged(): Judged {
    const hasGuards = this.#view.guards().length > 0;
    return { versions: this.#versions, hasGuards, node: this.#options.node };
  }

  /** What another gateway changed meanwhile is known at the next try. */
  async #knowing(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (toCountersignError(error).code === 'STATE_CONFLICT') await this.reload();
      throw error;
    }
  }

  async #change(
    message: 'apply' | 'delete',
    planned: readonly PlannedChange[],
    by: Changer,
  ): Promise<readonly PlannedChange[]> {
    const { changes, next } = this.#validated(planned);
    const real = changes.filter((change) => change.action !== 'unchanged');
    if (real.length === 0) return changes;
    const { node, clock, randomBytes } = this.#options;
    const rows = rowsOf(real, {
      change: Buffer.from(randomBytes(16)).toString('hex'),
      node,
      changedUs: clock.nowUs(),
      by: by.name,
    });
    const holding = this.#holding(actsOf(real), next, by);
    const granted = await this.#gate.ask(holding, changeSetOf(message, real), by, this.#digest);
    const passage = await this.#reserveAndTake(granted, rows);
    let leaf: number;
    try {
      leaf = await this.#writeLeaves(real, next, by, rows, passage);
      await this.#takeEffect(rows);
    } catch (error) {
      const { code } = toCountersignError(error);
      // Then it may be in the ledger, and in effect by the next start.
      const inDoubt = code === 'LEDGER_HALTED' || code === 'STORE_FAILED';
      await passage?.done(inDoubt ? 'unknown' : 'failed');
      throw error;
    }
    await passage?.done('ok', leaf);
    return changes;
  }

  async #reserveAndTake(
    granted: Granted | undefined,
    rows: readonly ChangeRow[],
  ): Promise<Passage | undefined> {
    const { store } = this.#options;
    try {
      await this.#knowing(() => reserve(store, rows, this.#judged));
      return await granted?.take();
    } catch (error) {
      const [first] = rows;
      // Also where only the answer to the commit was lost; no leaf of it is written.
      if (first !== undefined) await release(store, first.change);
      throw error;
    }
  }

  #validated(changes: readonly PlannedChange[]): {
    readonly changes: readonly PlannedChange[];
    readonly next: ResourceView;
  } {
    const next = viewAfter(this.#view, changes);
    if (next.all.length > LIMITS.resources.totalMax) {
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'resources.totalMax',
        allowed: LIMITS.resources.totalMax,
        actual: next.all.length,
      });
    }
    checkNames(changes, this.#versions);
    checkReferences(next);
    checkAdministrators(this.#view, next);
    checkReviewers(changes, next);
    checkGuards(next);
    return { changes, next };
  }

  async #writeLeaves(
    changes: readonly PlannedChange[],
    next: ResourceView,
    by: Changer,
    rows: readonly ChangeRow[],
    passage: Passage | undefined,
  ): Promise<number> {
    const events: LedgerEvent[] = changes.map((change) => eventOf(change, by, passage));
    const digest = digestOf(next.bundle());
    if (digest !== this.#digest) {
      events.push(bundleEvent({ digest, previous: this.#digest, resources: next.all.length }, by));
    }
    try {
      const [appended] = await this.#options.ledger.appendMany(events);
      return appended?.index ?? 0;
    } catch (error) {
      const failure = toCountersignError(error);
      const [first] = rows;
      // A ledger that halted may have written them: then the reservation stays for the next start.
      if (failure.code !== 'LEDGER_HALTED' && first !== undefined) {
        await release(this.#options.store, first.change);
      }
      throw failure;
    }
  }

  async #takeEffect(rows: readonly ChangeRow[]): Promise<void> {
    const { store, principals } = this.#options;
    if (!this.#written.includes(rows)) this.#written.push(rows);
    let afterwards: readonly (() => void)[];
    try {
      afterwards = await takeEffect(store, rows, principals);
    } catch (error) {
      throw new CountersignError(
        'STORE_FAILED',
        { reason: `the change is in the ledger and not in effect yet: ${reasonOf(error)}` },
        { cause: error },
      );
    }
    this.#written = this.#written.filter((other) => other !== rows);
    // From memory: while the store was read again, somebody could be let in whom this shuts out.
    const versions = new Map(this.#versions);
    for (const row of rows) versions.set(keyOf(row), row.version);
    this.#setView(new ResourceView(resourcesAfter(this.#view.all, rows)), versions);
    for (const afterward of afterwards) afterward();
    for (const row of rows) this.#tell(row);
    store.changes.notify('resources');
  }

  async #finishWritten(): Promise<void> {
    for (const rows of this.#written) await this.#takeEffect(rows);
  }

  #tell(row: ChangeRow): void {
    const action = row.document === null ? 'deleted' : row.previous_version === 0 ? 'created' : 'updated';
    this.#feed.notify({ kind: parseKind(row.kind), name: row.name, action });
  }

  #setView(view: ResourceView, versions: ReadonlyMap<string, number>): void {
    this.#view = view;
    this.#versions = versions;
    const digest = digestOf(view.bundle());
    this.#digest = digest;
    this.#views = [...this.#views, { digest, view }].slice(-LIMITS.resources.viewsKeptMax);
    this.#revision += 1;
  }
}
