/**
 * Resources: what may be reached, and by whom. Every change is a leaf before it has an effect.
 *
 * A change goes: validate → reserve in the store → leaves → one transaction that takes effect. So
 * after a crash a reserved change is either in the ledger, and then it is finished on start, or it
 * is not, and then the reservation goes. While this process lives, a change whose leaves are written
 * and whose transaction failed is finished before the next one; until then it is not in effect, and
 * the caller was told.
 */

import { CountersignError, reasonOf, toCountersignError } from '../core/errors.ts';
import type { Clock } from '../core/clock.ts';
import type { LedgerEvent, LedgerPort } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import type { PolicyAbout } from '../approvals/options.ts';
import type { Principal } from '../core/principal.ts';
import type { Secret } from '../core/secret.ts';
import type { BreakGlassRule } from '../policy/rule.ts';
import { storeConnectionPassword } from '../keys/connection-password.ts';
import { ChangeFeed } from '../store/change-feed.ts';
import type { Store } from '../store/store.ts';
import {
  type ChangeRow,
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
import type { Connection, ResourceDocument, ResourceKind } from './documents.ts';
import { parseKind } from './parse.ts';
import { planApply, planDelete, type PlannedChange } from './plan.ts';
import { checkAdministrators, checkNames, checkReferences, checkReviewers } from './references.ts';
import { SerialQueue } from './serial-queue.ts';
import { digestOf, keyOf, ResourceView, type Ruling, type StoredResource } from './view.ts';

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

/** How a principal was let in. */
export interface AccessGrant {
  readonly connection: Connection;
  /** Name of the Access resource. */
  readonly access: string;
  readonly database: string;
  /** {@link Resources.bundleDigest} at that moment. */
  readonly policy: string;
}

export class Resources {
  readonly #options: ResourcesOptions;
  readonly #feed = new ChangeFeed<ResourceChange>();
  readonly #queue = new SerialQueue(LIMITS.resources.waitingChangesMax);
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

  /** All of them or none. What is unchanged makes no leaf. */
  apply(documents: readonly ResourceDocument[], by: Changer): Promise<readonly PlannedChange[]> {
    return this.#queue.run(async () => {
      await this.#finishWritten();
      return this.#change(planApply(documents, this.#view, this.#versions), by);
    });
  }

  /** Refused where another resource still names it. */
  delete(kind: ResourceKind, name: string, by: Changer): Promise<PlannedChange> {
    return this.#queue.run(async () => {
      await this.#finishWritten();
      const previous = this.#view.find(kind, name);
      if (previous === undefined) throw new CountersignError('NOT_FOUND', { what: `${kind} "${name}"` });
      const planned = planDelete(previous);
      await this.#change([planned], by);
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
   * SHA-256 of what decides about one operation, so that a change of anything else leaves it as it is.
   * Undefined where nothing lets the principal on the connection, and where the bundle is long gone.
   *
   * @param bundle the {@link bundleDigest} under which to look; the one of now where absent
   */
  decidingDigest(
    { requester: name, connection }: PolicyAbout,
    bundle: string = this.#digest,
  ): string | undefined {
    const view = this.#views.findLast(({ digest }) => digest === bundle)?.view;
    const text = view?.deciding({ name }, connection);
    return text === undefined ? undefined : digestOf(text);
  }

  /** What {@link bundleDigest} is the digest of. */
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
        database: database ?? grant.connection.target.database,
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
  stillAllowed(principal: Principal, connectionName: string): boolean {
    return this.#view.grant(principal, connectionName) !== undefined;
  }

  /** What decides about a principal's statements now; undefined where nothing does. */
  ruling(principal: Principal, connectionName: string): Ruling | undefined {
    return this.#view.ruling(principal, connectionName);
  }

  /** By which rules somebody may open their own holds now; none for whom nobody could review. */
  breakGlass(name: string, connectionName: string): readonly BreakGlassRule[] {
    const view = this.#view;
    return view
      .breakGlass({ name }, connectionName)
      .filter(({ terms }) => view.people(terms.reviewers).some((reviewer) => reviewer !== name));
  }

  /** Sets the password of a connection whose credential is `sealed`. */
  setPassword(connectionName: string, password: Secret<string>, by: Changer): Promise<void> {
    return this.#queue.run(async () => {
      const connection = this.#view.connection(connectionName);
      if (connection === undefined) {
        throw new CountersignError('NOT_FOUND', { what: `Connection "${connectionName}"` });
      }
      const source = connection.credential.password;
      if (source === undefined || !('sealed' in source)) {
        throw new CountersignError('RESOURCE_INVALID', {
          kind: 'Connection',
          name: connectionName,
          reason: 'its password is not { sealed: true }',
        });
      }
      const bytes = Buffer.byteLength(password.reveal());
      if (bytes === 0 || bytes > LIMITS.resources.passwordBytesMax) {
        throw new CountersignError('REQUEST_INVALID', {
          reason: `a password has 1 to ${LIMITS.resources.passwordBytesMax} bytes`,
        });
      }
      const { ledger, store, clock } = this.#options;
      await ledger.append(passwordEvent(connectionName, by));
      const change = { connection: connectionName, password, nowUs: clock.nowUs() };
      await storeConnectionPassword(store.db, this.#options, change);
    });
  }

  /** The function that it returns takes the listener off again. */
  onChange(listener: (change: ResourceChange) => void): () => void {
    return this.#feed.onChange(listener);
  }

  async #change(planned: readonly PlannedChange[], by: Changer): Promise<readonly PlannedChange[]> {
    const { changes, next } = this.#validated(planned);
    const real = changes.filter((change) => change.action !== 'unchanged');
    if (real.length === 0) return changes;
    const { store, node, clock, randomBytes } = this.#options;
    const rows = rowsOf(real, {
      change: Buffer.from(randomBytes(16)).toString('hex'),
      node,
      changedUs: clock.nowUs(),
      by: by.name,
    });
    await reserve(store, rows);
    await this.#writeLeaves(real, next, by, rows);
    await this.#takeEffect(rows);
    return changes;
  }

  #validated(changes: readonly PlannedChange[]): {
    readonly changes: readonly PlannedChange[];
    readonly next: ResourceView;
  } {
    const next = new ResourceView(viewAfter(this.#view, changes));
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
    return { changes, next };
  }

  async #writeLeaves(
    changes: readonly PlannedChange[],
    next: ResourceView,
    by: Changer,
    rows: readonly ChangeRow[],
  ): Promise<void> {
    const events: LedgerEvent[] = changes.map((change) => eventOf(change, by));
    const digest = digestOf(next.bundle());
    if (digest !== this.#digest) {
      events.push(bundleEvent({ digest, previous: this.#digest, resources: next.all.length }, by));
    }
    try {
      await this.#options.ledger.appendMany(events);
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

/** The resources as they would be. */
function viewAfter(view: ResourceView, changes: readonly PlannedChange[]): Iterable<StoredResource> {
  const resources = new Map(view.all.map((resource) => [keyOf(resource.document), resource]));
  for (const { kind, name, document, version, digest } of changes) {
    if (document === undefined) resources.delete(keyOf({ kind, name }));
    else resources.set(keyOf(document), { document, version, digest, changedUs: 0, changedBy: '' });
  }
  return resources.values();
}
