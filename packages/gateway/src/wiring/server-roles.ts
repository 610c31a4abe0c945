/**
 * Whether the roles of connections hold what Masks of the mode `server-role` rest on: looked at before each session that
 * such a Mask reaches, again and again while there are any, and when resources change. Where it does not hold, or
 * nobody could tell for a while, nothing passes.
 *
 * The one owner of what was found.
 */

import { CountersignError, toCountersignError } from '../core/errors.ts';
import type { BodyValue } from '../core/ledger-port.ts';
import type { Principal } from '../core/principal.ts';
import { SERVER_ROLE_LIMITS } from '../core/server-role-limits.ts';
import type { PostgresConnection } from '../resources/documents.ts';
import type { KeptDefinitions, ServerRoleReport } from '../server-role/verify-role.ts';
import { checkReport, statedProblems, verifyServerRole } from '../server-role/verify-role.ts';
import type { LiveSessions } from '../session/live-sessions.ts';
import type { ServerRoleGround } from '../session/session-ports.ts';
import type { Rooms, RoomsOptions } from './rooms.ts';
import { openTargetOf } from './session-ports.ts';

interface Others extends Pick<RoomsOptions, 'env'> {
  readonly randomBytes: (length: number) => Uint8Array;
  readonly onError: (error: CountersignError, where: string) => void;
}

interface Place {
  readonly connection: PostgresConnection;
  readonly database: string;
}
/** Why it is looked at; it stands in the leaf. */
type Why = 'session' | 'age' | 'change';

/** That everything held. */
interface Found {
  /** The connection and its Masks, each at a version. */
  readonly of: string;
  readonly atUs: number;
  readonly digest: string;
  readonly leaf: number;
}

export class ServerRoles {
  readonly #rooms: Rooms;
  readonly #others: Others;
  readonly #found = new Map<string, Found>();
  /** Looks that run, and those behind them, for which everybody waits who asked meanwhile. */
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #next = new Map<string, Promise<Found>>();
  readonly #definitions: KeptDefinitions = new Map();

  constructor(rooms: Rooms, others: Others) {
    this.#rooms = rooms;
    this.#others = others;
  }

  /** Before a session begins. Throws where the role does not hold. */
  async admit(principal: Pick<Principal, 'name'>, place: Place): Promise<ServerRoleGround> {
    const { resources } = this.#rooms;
    const { name } = place.connection;
    const version = versionOf(this.#rooms, name);
    const leaf = this.#isConcerned(principal, name) ? (await this.#look(place, 'session')).leaf : undefined;
    let revision = -1;
    let wanted: string | undefined;
    let isChanged = false;
    return {
      leaf,
      stopped: () => {
        if (revision !== resources.revision) {
          ({ revision } = resources);
          wanted = this.#isConcerned(principal, name) ? this.#of(name) : undefined;
          isChanged = versionOf(this.#rooms, name) !== version;
        }
        if (wanted === undefined) return undefined;
        if (isChanged) return 'its connection has changed since it began; connect again';
        return this.#whyStopped(keyOf(place), wanted);
      },
    };
  }

  /** Looks while there are sessions; gives what stops it. */
  watch(sessions: LiveSessions): () => void {
    const round = (why: Why): void => {
      for (const [key, place] of this.#places(sessions)) {
        if (!this.#running.has(key) || why === 'change') void this.#again(sessions, key, place, why);
      }
      this.#forget(sessions);
    };
    const timer = setInterval(() => round('age'), SERVER_ROLE_LIMITS.everyMs);
    timer.unref();
    const stop = this.#rooms.resources.onChange(() => round('change'));
    return () => {
      clearInterval(timer);
      stop();
    };
  }

  async #again(sessions: LiveSessions, key: string, place: Place, why: Why): Promise<void> {
    try {
      await this.#look(place, why);
    } catch (thrown) {
      const error = toCountersignError(thrown);
      this.#others.onError(error, `server-role ${key}`);
      // Where nobody could tell, what was found last holds for a while.
      if (error.code !== 'SERVER_ROLE_UNSAFE') return;
      const { name } = place.connection;
      sessions.endWhere(
        (session) =>
          session.connection === name &&
          session.database === place.database &&
          this.#isConcerned(session.principal, name),
        { reason: error.message, error },
      );
    }
  }

  /** Connections and databases with a session that such a Mask reaches. */
  #places(sessions: LiveSessions): ReadonlyMap<string, Place> {
    const places = new Map<string, Place>();
    for (const { principal, connection: name, database } of sessions.list()) {
      const connection = connectionOf(this.#rooms, name);
      if (connection === undefined || !this.#isConcerned(principal, name)) continue;
      const place = { connection, database };
      places.set(keyOf(place), place);
    }
    return places;
  }

  #forget(sessions: LiveSessions): void {
    const live = this.#places(sessions);
    for (const key of this.#found.keys()) {
      if (!live.has(key) && !this.#isFresh(key) && !this.#running.has(key)) this.#found.delete(key);
    }
  }

  /** One look at a time, and one behind it: a look that began before somebody asked says nothing to them. */
  #look(place: Place, why: Why): Promise<Found> {
    const key = keyOf(place);
    const waiting = this.#next.get(key);
    if (waiting !== undefined) return waiting;
    const before = this.#running.get(key);
    if (before === undefined) return this.#run(key, place, why);
    const next = before
      .catch(() => undefined)
      .then(() => {
        this.#next.delete(key);
        return this.#run(key, place, why);
      });
    this.#next.set(key, next);
    return next;
  }

  #run(key: string, place: Place, why: Why): Promise<Found> {
    const run = this.#verify(key, place, why);
    this.#running.set(key, run);
    const over = (): void => {
      if (this.#running.get(key) === run) this.#running.delete(key);
    };
    run.then(over, over);
    return run;
  }

  async #verify(key: string, place: Place, why: Why): Promise<Found> {
    const { resources, clock } = this.#rooms;
    const { env, randomBytes } = this.#others;
    const { name } = place.connection;
    const of = this.#of(name);
    const masks = resources.masks(undefined, name);
    // What was found holds from the moment on at which it was asked for.
    const atUs = clock.monotonicUs();
    const target = await openTargetOf(place, this.#rooms, env);
    const report = await verifyServerRole(target, masks, { randomBytes, definitions: this.#definitions });
    const before = this.#found.get(key);
    if (report.problems.length > 0) this.#found.delete(key);
    const leaf = await this.#leaf(before, name, report, why);
    checkReport(report, name);
    const found = { of, atUs, digest: report.digest, leaf };
    this.#found.set(key, found);
    return found;
  }

  /** Of every look for a session, and of every other one that found something else than the one before. */
  async #leaf(
    before: Found | undefined,
    connection: string,
    report: ServerRoleReport,
    why: Why,
  ): Promise<number> {
    const { ledger, bootId } = this.#rooms;
    const isSame = before?.digest === report.digest && report.problems.length === 0;
    if (why !== 'session' && isSame) return before.leaf;
    const { index } = await ledger.append({
      type: 'mask.role',
      kind: 'system',
      keyId: bootId,
      status: report.problems.length === 0 ? 'ok' : 'failed',
      target: connection,
      body: bodyOf(report, why),
    });
    return index;
  }

  #whyStopped(key: string, wanted: string): string | undefined {
    const found = this.#found.get(key);
    if (found === undefined || found.of !== wanted)
      return 'what its role may read has to be looked at again; connect again';
    return this.#isFresh(key) ? undefined : 'nobody could tell for a while what its role may read';
  }

  #isFresh(key: string): boolean {
    const found = this.#found.get(key);
    return (
      found !== undefined &&
      this.#rooms.clock.monotonicUs() - found.atUs <= SERVER_ROLE_LIMITS.ageMaxMs * 1000
    );
  }

  #isConcerned(principal: Pick<Principal, 'name'>, connection: string): boolean {
    return this.#rooms.resources.masks(principal, connection).by('target').columns.length > 0;
  }

  #of(connection: string): string {
    const masks = this.#rooms.resources.masks(undefined, connection).by('target');
    const versions = masks.columns.map(({ mask, version }) => [mask, version]);
    return JSON.stringify([versionOf(this.#rooms, connection), versions]);
  }
}

function keyOf({ connection, database }: Place): string {
  return `${connection.name}/${database}`;
}

function versionOf({ resources }: Rooms, connection: string): number {
  return resources.get('Connection', connection)[0]?.version ?? 0;
}

function connectionOf({ resources }: Rooms, name: string): PostgresConnection | undefined {
  const document = resources.get('Connection', name)[0]?.document;
  return document?.kind === 'Connection' && document.protocol === 'postgres' ? document : undefined;
}

function bodyOf(report: ServerRoleReport, why: Why): Readonly<Record<string, BodyValue>> {
  const { user, database, serverVersion, masks, maskedColumns, maskingViews, digest, problems } = report;
  return {
    database: database.toWellFormed(),
    target_user: user.toWellFormed(),
    target_version: serverVersion,
    masks: masks.map(({ mask, version }) => ({ mask, version })),
    masked_columns: maskedColumns,
    masking_views: maskingViews,
    digest,
    why,
    ...(problems.length === 0 ? {} : { problems: statedProblems(problems).map((one) => one.toWellFormed()) }),
  };
}
