/** For tests of this room: a real store in a temporary directory, time by hand, a ledger that records. */

import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EVENTS } from '@countersign/ledger/events';
import type { Clock } from '../core/clock.ts';
import { CountersignError } from '../core/errors.ts';
import { makeId } from '../core/ids.ts';
import type { Appended, LedgerEvent, LedgerPort } from '../core/ledger-port.ts';
import { Secret } from '../core/secret.ts';
import { StoredScopeKeys } from '../keys/scope-keys.ts';
import { openStore, type Store } from '../store/store.ts';
import { type IdentityRoom, makeIdentityRoom } from './identity.ts';
import type { PrincipalDocument, PrincipalRecord } from './principals.ts';

/** Time that stands until it is moved. */
export class HandClock implements Clock {
  us = 1_790_000_000_000_000;

  nowUs(): number {
    return this.us;
  }

  monotonicUs(): number {
    return this.us;
  }

  pass(ms: number): void {
    this.us += ms * 1000;
  }
}

/** Keeps what is appended, and holds it against the event catalogue. */
export class RecordingLedger implements LedgerPort {
  readonly events: LedgerEvent[] = [];
  halted = false;
  /** Called before an event is kept: what was true in the store then? */
  before: (event: LedgerEvent) => Promise<void> = async () => {};

  async append(event: LedgerEvent): Promise<Appended> {
    if (this.halted) throw new CountersignError('LEDGER_HALTED', { reason: 'test' });
    check(event);
    await this.before(event);
    this.events.push(event);
    return { index: this.events.length - 1, timeUs: 0 };
  }

  async appendMany(events: readonly LedgerEvent[]): Promise<readonly Appended[]> {
    const appended: Appended[] = [];
    for (const event of events) appended.push(await this.append(event));
    return appended;
  }

  types(): string[] {
    return this.events.map(({ type, status }) => (status === undefined ? type : `${type} ${status}`));
  }
}

export interface TestingRoom extends IdentityRoom, AsyncDisposable {
  readonly store: Store;
  readonly ledger: RecordingLedger;
  readonly clock: HandClock;
  readonly scopeKeys: StoredScopeKeys;
  readonly bootId: string;
  readonly administrators: string[];
  readonly addPerson: (document: Partial<PrincipalDocument> & { name: string }) => Promise<PrincipalRecord>;
}

/** A room of its own for one test. */
export async function testingOnlyRoom(): Promise<TestingRoom> {
  const directory = await mkdtemp(join(tmpdir(), 'identity-'));
  const store = await openStore({ kind: 'sqlite', file: join(directory, 'store.sqlite') });
  const clock = new HandClock();
  const ledger = new RecordingLedger();
  const randomBytes = countedBytes();
  const installationKey = new Secret(new Uint8Array(32).fill(7));
  const scopeKeys = new StoredScopeKeys({ store, installationKey, clock, randomBytes });
  const bootId = makeId('boot', 1, new Uint8Array(10));
  const administrators: string[] = [];
  const room = makeIdentityRoom({
    store,
    ledger,
    scopeKeys,
    installationKey,
    bootId,
    clock,
    randomBytes,
    groupsOf: (name) => [`group-of-${name}`],
    makeAdministrator: async (name) => {
      administrators.push(name);
    },
  });
  async function addPerson(
    document: Partial<PrincipalDocument> & { name: string },
  ): Promise<PrincipalRecord> {
    const whole = { kind: 'user', displayName: '', disabled: false, ...document } as const;
    const upserted = await store.transaction((tx) => room.principals.upsert(tx, whole));
    room.principals.announce(upserted);
    return upserted.principal;
  }
  async function dispose(): Promise<void> {
    await store.close();
    await rm(directory, { recursive: true });
  }
  const parts = { store, ledger, clock, scopeKeys, bootId, administrators, addPerson };
  return { ...room, ...parts, [Symbol.asyncDispose]: dispose };
}

/** Bytes that differ at every call and are the same in every run. */
function countedBytes(): (length: number) => Uint8Array {
  let count = 0;
  return (length) => {
    count += 1;
    return new Uint8Array(createHash('shake256', { outputLength: length }).update(`${count}`).digest());
  };
}

function check({ type, status, body, kind, actor }: LedgerEvent): void {
  const row = EVENTS[type];
  const fields = Object.keys(body ?? {});
  const known = row !== undefined && fields.every((field) => row.body.includes(field));
  const stated = row?.status === undefined ? status === undefined : row.status.includes(status ?? '');
  const named = kind === 'system' ? actor === undefined : /^[0-9a-f]{32}$/.test(actor ?? '');
  if (!known || !stated || !named) {
    throw new Error(
      `not an event of the catalogue: ${JSON.stringify({ type, status, fields, kind, actor })}`,
    );
  }
}
