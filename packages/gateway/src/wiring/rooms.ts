/** Opens the rooms in the order in which they depend on each other. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findLeaf } from '../audit/find-leaf.ts';
import { Ledger } from '../audit/ledger.ts';
import { LogReader } from '../audit/log-reader.ts';
import { systemClock } from '../audit/system-clock.ts';
import type { Config } from '../config/config.ts';
import type { Clock } from '../core/clock.ts';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { type BootId, makeId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import { makeDirectory } from '../files/make-directory.ts';
import { type IdentityRoom, makeIdentityRoom } from '../identity/identity.ts';
import { loadInstallationKey } from '../keys/installation-key.ts';
import { StoredScopeKeys } from '../keys/scope-keys.ts';
import { readSecretSource } from '../keys/secret-source.ts';
import { loadOrCreateSigningKey } from '../keys/signing-key.ts';
import { Recorder } from '../recording/recorder.ts';
import { Spool } from '../recording/spool.ts';
import { Resources } from '../resources/resources.ts';
import { SqlReading } from '../session/sql-reading.ts';
import { openStore, type Store } from '../store/store.ts';
import { MaskingKeys } from './masking-keys.ts';
import { finishRotation } from './rotate-key.ts';

export interface RoomsOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Name and version of this software. */
  readonly software: string;
  readonly acceptRollback?: { readonly reason: string; readonly requestedBy: string };
}

/** Everything that is open; the owner closes it in the reverse order. */
export interface Rooms {
  readonly bootId: BootId;
  readonly clock: Clock;
  readonly installationKey: Secret<Uint8Array>;
  readonly store: Store;
  readonly keys: StoredScopeKeys;
  readonly ledger: Ledger;
  readonly reader: LogReader;
  readonly identity: IdentityRoom;
  readonly resources: Resources;
  readonly maskingKeys: MaskingKeys;
  readonly recorder: Recorder;
  readonly spool: Spool;
  readonly sql: SqlReading;
  close(reason: string): Promise<void>;
}

export async function openRooms(config: Config, options: RoomsOptions): Promise<Rooms> {
  const { env, randomBytes, software } = options;
  const clock = systemClock();
  await makeDataDirectory(config.data);
  // A key that is missing beside a log was lost, and another one must not take its place in silence.
  const firstStart = !existsSync(join(config.ledger.directory, 'journal'));
  const { key: installationKey } = await loadInstallationKey(config.installationKey, {
    env,
    randomBytes,
    firstStart,
  });
  const store = await openConfiguredStore(config, env);
  const undo: (() => Promise<unknown>)[] = [() => store.close()];
  try {
    const keys = new StoredScopeKeys({ store, installationKey, clock, randomBytes });
    const keyOptions = { file: config.ledger.keyFile, installationKey, randomBytes };
    const signing = await loadOrCreateSigningKey(keyOptions, firstStart);
    const bootId = makeId('boot', Math.floor(clock.nowUs() / 1000), randomBytes(10));
    const ledger = await Ledger.open({
      directory: config.ledger.directory,
      secondPlace: config.checkpoints.secondPlace,
      origin: config.origin,
      node: config.node,
      software,
      bootId,
      signingSeed: signing.seed.reveal(),
      keys,
      checkpointDelayMs: config.ledger.checkpointDelayMs,
      segmentBytesMax: config.ledger.segmentBytesMax,
      ballastBytes: config.ledger.ballastBytes,
      ...(options.acceptRollback === undefined ? {} : { acceptRollback: options.acceptRollback }),
    });
    undo.push(() => ledger.close('start-up failed'));
    const reader = new LogReader(config.ledger.directory);
    await finishRotation(ledger, reader, keys, config.origin, keyOptions);
    const rooms = await openControl({
      store,
      ledger,
      reader,
      keys,
      installationKey,
      clock,
      randomBytes,
      bootId,
      node: config.node,
    });
    const sealing = { store, installationKey, randomBytes };
    const maskingKeys = await MaskingKeys.open({ ...sealing, ledger, reader, keys, clock, bootId });
    const recorder = new Recorder({ directory: config.recording.directory, clock, randomBytes });
    undo.push(() => recorder.close());
    const spool = await Spool.prepare({ directory: join(config.data, 'spool'), randomBytes });
    const sql = new SqlReading();
    const close = async (reason: string): Promise<void> => {
      await sql.close();
      await rooms.identity.attempts.flush('all').catch(() => undefined);
      await recorder.close();
      await ledger.close(reason);
      await store.close();
    };
    return {
      bootId,
      clock,
      installationKey,
      store,
      keys,
      ledger,
      reader,
      ...rooms,
      maskingKeys,
      recorder,
      spool,
      sql,
      close,
    };
  } catch (error) {
    for (const step of undo.toReversed()) await step().catch(() => undefined);
    throw error;
  }
}

async function makeDataDirectory(directory: string): Promise<void> {
  try {
    await makeDirectory(directory);
  } catch (error) {
    const reason = `the data directory cannot be made (${reasonOf(error)})`;
    throw new CountersignError('CONFIG_INVALID', { reason }, { cause: error });
  }
}

async function openConfiguredStore(config: Config, env: RoomsOptions['env']): Promise<Store> {
  const { store } = config;
  if (store.kind === 'sqlite') return openStore(store);
  const source = { env, bytesMax: LIMITS.resources.passwordBytesMax, modeRefused: 0o077 } as const;
  return openStore({ kind: 'postgres', url: await readSecretSource(store.url, source) });
}

type ControlOptions = Pick<Rooms, 'store' | 'ledger' | 'reader' | 'keys' | 'installationKey' | 'clock'> & {
  readonly randomBytes: (length: number) => Uint8Array;
  readonly bootId: BootId;
  readonly node: string;
};

/** Identity asks the resources for groups, and the resources make people through identity. */
async function openControl(options: ControlOptions): Promise<Pick<Rooms, 'identity' | 'resources'>> {
  const { store, ledger, reader, keys, bootId } = options;
  const system = { name: 'countersign', kind: 'system', keyId: bootId } as const;
  const identity: IdentityRoom = makeIdentityRoom({
    ...options,
    scopeKeys: keys,
    groupsOf: (name) => resources.groupsOf(name),
    makeAdministrator: async (name, displayName) => {
      await resources.apply(
        [{ kind: 'Person', name, displayName, groups: ['administrators'], disabled: false }],
        system,
      );
    },
  });
  const resources: Resources = await Resources.open({
    ...options,
    store,
    ledger,
    principals: {
      upsert: async (account, tx) => {
        const upserted = await identity.principals.upsert(tx, account);
        return () => identity.principals.announce(upserted);
      },
    },
    written: {
      wasWritten: async ({ kind, name, version, sinceUs }) => {
        const types = new Set(['resource.apply', 'resource.delete']);
        const found = await findLeaf(reader, keys, {
          types,
          sinceUs,
          matches: (body) =>
            body['resource_kind'] === kind && body['name'] === name && body['version'] === version,
        });
        return found !== undefined;
      },
    },
  });
  return { identity, resources };
}

/** Whether anybody can administer this installation. */
export function hasAdministrator(resources: Resources): boolean {
  return resources.get('Person').some(({ document }) => {
    const active = document.kind === 'Person' && !document.disabled;
    return active && resources.groupsOf(document.name).includes('administrators');
  });
}
