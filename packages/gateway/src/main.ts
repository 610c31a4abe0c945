/** Config → store → listeners → orderly shutdown: the gateway as one thing that runs. */

import type { Approvals } from './approvals/approvals.ts';
import type { Config } from './config/config.ts';
import type { CountersignError } from './core/errors.ts';
import type { Secret } from './core/secret.ts';
import { pooledRandom } from './keys/pooled-random.ts';
import { LiveSessions } from './session/live-sessions.ts';
import { startConfiguredApi } from './wiring/api.ts';
import { openApprovals } from './wiring/approvals.ts';
import { finishInterrupted } from './wiring/finish-interrupted.ts';
import { finishShreds } from './wiring/finish-shreds.ts';
import { drain, endWhatLostItsGround, keepFlushing } from './wiring/live-effects.ts';
import { startListeners } from './wiring/listeners.ts';
import { openModelProbes } from './wiring/model-probes.ts';
import { hasAdministrator, openRooms, type Rooms, type RoomsOptions } from './wiring/rooms.ts';
import { storedSessionIndex } from './wiring/session-index.ts';
import { ServerRoles } from './wiring/server-roles.ts';
import { sessionPorts } from './wiring/session-ports.ts';

export interface GatewayOptions extends Partial<RoomsOptions> {
  /** What went wrong, for the operator's log. */
  readonly onError?: (error: CountersignError, where: string) => void;
  /** How telling somebody of a hold ended, for the operator's log. */
  readonly onNotice?: (line: string) => void;
}

export interface RunningGateway {
  readonly rooms: Rooms;
  readonly sessions: LiveSessions;
  readonly approvals: Approvals;
  readonly postgres: { readonly host: string; readonly port: number };
  readonly http: { readonly host: string; readonly port: number };
  readonly api: { readonly host: string; readonly port: number };
  /** The code that makes the first administrator, while there is none. */
  readonly firstCode: Secret<string> | undefined;
  /** Resolves when the ledger can no longer be written: the process should end. */
  readonly halted: Promise<CountersignError>;
  close(reason: string): Promise<void>;
}

/** Starts everything; rejects without leaving anything behind. */
export async function startGateway(config: Config, options: GatewayOptions = {}): Promise<RunningGateway> {
  const randomBytes = options.randomBytes ?? pooledRandom();
  const onError = options.onError ?? ((): void => undefined);
  const software = options.software ?? 'countersign 0.1.0';
  const env = options.env ?? process.env;
  const rooms = await openRooms(config, { ...options, env, software, randomBytes });
  const closers: (() => Promise<void>)[] = [];
  try {
    const { ledger, keys, identity, resources } = rooms;
    const index = storedSessionIndex(rooms.store);
    await finishShreds(ledger, rooms.reader, keys);
    await finishInterrupted(ledger, keys, config.recording.directory, index);
    const onNotice = options.onNotice ?? ((): void => undefined);
    const holds = await openApprovals(config, rooms, { randomBytes, onError, onNotice, env });
    closers.push(() => holds.close());
    const { approvals } = holds;
    const sessions = new LiveSessions();
    endWhatLostItsGround(sessions, identity, resources);
    const { promise: halted, resolve } = Promise.withResolvers<CountersignError>();
    ledger.onHalt((error) => {
      for (const session of sessions.list()) session.end({ reason: error.message, error });
      resolve(error);
    });
    const serverRoles = new ServerRoles(rooms, { randomBytes, onError, env });
    const stopWatching = serverRoles.watch(sessions);
    closers.push(async () => stopWatching());
    const shared = { sessions, approvals, randomBytes, software, onError, env };
    const ports = sessionPorts(config, rooms, { ...shared, index, holds: approvals, serverRoles });
    const listeners = await startListeners(config, rooms, ports, { randomBytes, onError, env });
    closers.push(() => listeners.close());
    const { postgres, http } = listeners;
    const models = openModelProbes(config, rooms, { notifier: holds.notifier, onNotice, onError, env });
    closers.push(() => models.close());
    const apiOptions = { ...shared, models: models.probes, postgres, http };
    const api = await startConfiguredApi(config, rooms, apiOptions);
    closers.push(() => api.close());
    const firstCode = hasAdministrator(resources) ? undefined : (await identity.enrolment.issueFirst()).code;
    const stopFlushing = keepFlushing(identity);
    const closeAll = async (reason: string): Promise<void> => {
      stopFlushing();
      stopWatching();
      const closing = [listeners.close(), api.close()];
      await drain(sessions, reason);
      listeners.dropAll();
      await Promise.all([...closing, models.close()]);
      await holds.close();
      await rooms.close(reason);
    };
    let closed: Promise<void> | undefined;
    const close = (reason: string): Promise<void> => (closed ??= closeAll(reason));
    return { rooms, sessions, approvals, postgres, http, api, firstCode, halted, close };
  } catch (error) {
    for (const closer of closers.toReversed()) await closer();
    await rooms.close('start-up failed');
    throw error;
  }
}
