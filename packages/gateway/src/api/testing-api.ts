/** For tests of the API and the CLI: real rooms in a temporary directory, the real API on loopback. */

import { randomBytes as cryptoRandomBytes } from 'node:crypto';
import { hash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../config/config.ts';
import type { CountersignError } from '../core/errors.ts';
import { makeId, type SessionId } from '../core/ids.ts';
import type { BodyValue } from '../core/ledger-port.ts';
import { Secret } from '../core/secret.ts';
import { encodeBackend, encodeFrontend } from '../protocols/postgres/encode.ts';
import { type EndReason, type LiveSession, LiveSessions } from '../session/live-sessions.ts';
import type { Approvals } from '../approvals/approvals.ts';
import { openApprovals } from '../wiring/approvals.ts';
import { backUp } from '../wiring/backup.ts';
import { maskDdlReader, maskPreviewer } from '../wiring/mask-preview.ts';
import { openModelProbes } from '../wiring/model-probes.ts';
import { revealsOf } from '../wiring/reveals.ts';
import { openRooms, type Rooms } from '../wiring/rooms.ts';
import { storedSessionIndex } from '../wiring/session-index.ts';
import type { ApiPorts } from './ports.ts';
import { startApi } from './server.ts';

export interface TestingPerson {
  readonly name: string;
  readonly token: string;
}

export interface TestingApi extends AsyncDisposable {
  readonly url: string;
  readonly directory: string;
  readonly rooms: Rooms;
  readonly sessions: LiveSessions;
  readonly approvals: Approvals;
  readonly people: {
    readonly admin: TestingPerson;
    readonly auditor: TestingPerson;
    readonly ana: TestingPerson;
  };
  readonly firstCode: string;
  readonly errors: { readonly error: CountersignError; readonly where: string }[];
  /** A session of somebody that is over, with one statement and its recording. */
  readonly makeSession: (name: string, sql: string) => Promise<SessionId>;
  /** A session that is over, of these operations in their order; without a recording. */
  readonly makeOperations: (name: string, operations: readonly TestingOperation[]) => Promise<SessionId>;
  /** A session that is open; the reasons it was ended for come into the list. */
  readonly openSession: (name: string) => Promise<{ readonly id: SessionId; readonly ended: EndReason[] }>;
}

/** An intent and its outcome, with a hold in between where somebody was asked. */
export interface TestingOperation {
  readonly intent: Readonly<Record<string, BodyValue>>;
  readonly decision?: string;
  readonly status?: string;
  readonly tags?: readonly string[];
  readonly held?: true;
}

const randomBytes = (length: number): Uint8Array => new Uint8Array(cryptoRandomBytes(length));

export async function testingOnlyApi(change: Partial<ApiPorts> = {}): Promise<TestingApi> {
  const directory = await mkdtemp(join(tmpdir(), 'countersign-api-'));
  const config = loadConfig(undefined, { data: join(directory, 'data'), apiPort: 0 });
  const rooms = await openRooms(config, { env: {}, randomBytes, software: 'countersign test' });
  const firstCode = (await rooms.identity.enrolment.issueFirst()).code.reveal();
  const people = await makePeople(rooms);
  const sessions = new LiveSessions();
  const errors: { error: CountersignError; where: string }[] = [];
  const onError = (error: CountersignError, where: string): void => void errors.push({ error, where });
  const holds = await openApprovals(config, rooms, {
    randomBytes,
    onError,
    onNotice: () => undefined,
    env: {},
  });
  const notices = { notifier: holds.notifier, onNotice: () => undefined, env: {} };
  const models = openModelProbes(config, rooms, { ...notices, onError });
  const temporaryDirectory = join(directory, 'temporary');
  await mkdir(temporaryDirectory);
  const api = await startApi({
    listen: { host: '127.0.0.1', port: 0 },
    node: config.node,
    baseUrl: undefined,
    postgresPort: 15_432,
    httpPort: 8_441,
    clientTls: { mode: 'optional', isSelfSigned: true },
    origin: config.origin,
    software: 'countersign test',
    ...rooms,
    scopeKeys: rooms.keys,
    sessions,
    recordingsDirectory: config.recording.directory,
    temporaryDirectory,
    randomBytes,
    reveals: revealsOf(rooms, holds.approvals),
    models: models.probes,
    previewMasks: maskPreviewer(rooms, { env: {}, randomBytes }),
    readMaskDdl: maskDdlReader(rooms, { env: {}, randomBytes }),
    exportEvidence: async ({ file, fromUs, toUs }) => {
      const bytes = Buffer.from(`package ${fromUs} ${toUs}`);
      await writeFile(file, bytes, { flag: 'wx' });
      const sha256 = hash('sha256', bytes, 'hex');
      return {
        packageId: `pkg_${sha256.slice(0, 16)}`,
        sha256,
        bytes: bytes.length,
        leaves: 1,
        checkpointStart: 0,
        checkpointEnd: 1,
      };
    },
    backup: async (to) => ({ backupId: 'bkp_test', ...(await backUp(config, rooms.store, to)) }),
    approvals: holds.approvals,
    onError,
    ...change,
  });
  async function dispose(): Promise<void> {
    await api.close();
    await models.close();
    await holds.close();
    await rooms.close('test');
    await rm(directory, { recursive: true });
  }
  return {
    url: `http://127.0.0.1:${api.port}`,
    directory,
    rooms,
    sessions,
    approvals: holds.approvals,
    people,
    firstCode,
    errors,
    makeSession: (name, sql) => makeSession(rooms, name, sql),
    makeOperations: (name, operations) => makeOperations(rooms, name, operations),
    openSession: (name) => openSession(rooms, sessions, name),
    [Symbol.asyncDispose]: dispose,
  };
}

async function makePeople(rooms: Rooms): Promise<TestingApi['people']> {
  const system = { name: 'countersign', kind: 'system', keyId: rooms.bootId } as const;
  const person = { kind: 'Person', disabled: false } as const;
  await rooms.resources.apply(
    [
      { ...person, name: 'root', displayName: 'Root', groups: ['administrators'] },
      { ...person, name: 'aud', displayName: 'Aud', groups: ['auditors'] },
      { ...person, name: 'ana', displayName: 'Ana', groups: [] },
    ],
    system,
  );
  const [admin, auditor, ana] = await Promise.all(
    ['root', 'aud', 'ana'].map((name) => withToken(rooms, name)),
  );
  if (admin === undefined || auditor === undefined || ana === undefined) throw new Error('no people');
  return { admin, auditor, ana };
}

async function withToken(rooms: Rooms, name: string): Promise<TestingPerson> {
  const record = await rooms.identity.principals.findByName(name);
  if (record === undefined) throw new Error(`no ${name}`);
  const request = { name: 'test', lifetimeMs: 3_600_000, createdBy: undefined };
  return { name, token: (await rooms.identity.tokens.createToken(record, request)).token.reveal() };
}

async function begin(
  rooms: Rooms,
  name: string,
): Promise<{ id: SessionId; base: SessionBase; key: Uint8Array }> {
  const record = await rooms.identity.principals.findByName(name);
  if (record === undefined) throw new Error(`no ${name}`);
  const id = makeId('session', Date.now(), randomBytes(10));
  const key = await rooms.keys.create(id);
  rooms.ledger.openScope(id, key);
  const actor = await rooms.identity.principals.actorOf(record);
  const base = { kind: 'user', actor, session: id, target: 'db', keyId: id };
  const start = await rooms.ledger.append({ ...base, type: 'session.start', body: { name } });
  await storedSessionIndex(rooms.store).started({
    mfaUs: undefined,
    id,
    principal: rooms.identity.identity.principalOf(record),
    connection: 'db',
    database: 'rerank',
    address: '127.0.0.1',
    client: 'psql\u001b[31m',
    startedUs: start.timeUs,
    firstLeaf: start.index,
  });
  return { id, base, key };
}

interface SessionBase {
  readonly kind: string;
  readonly actor: string;
  readonly session: string;
  readonly target: string;
  readonly keyId: string;
}

async function makeSession(rooms: Rooms, name: string, sql: string): Promise<SessionId> {
  const { id, base, key } = await begin(rooms, name);
  const { ledger } = rooms;
  const recording = rooms.recorder.open(id, key);
  const segments: Promise<unknown>[] = [];
  recording.onSegment(({ number, sha256 }) => {
    segments.push(
      ledger.append({ ...base, type: 'recording.segment', status: 'ok', body: { number, sha256 } }),
    );
  });
  const intent = await ledger.append({
    ...base,
    type: 'statement.intent',
    decision: 'allow',
    policy: 'a'.repeat(64),
    body: { sql },
  });
  const nowUs = rooms.clock.nowUs();
  recording.record(0, encodeFrontend({ kind: 'Query', textBytes: Buffer.from(sql) }), nowUs);
  recording.record(1, answer(), nowUs + 1_500);
  await ledger.append({
    ...base,
    type: 'statement.outcome',
    ref: intent.index,
    status: 'ok',
    body: { rows: 1 },
  });
  const summary = await recording.close();
  await Promise.all(segments);
  if (summary.segments !== segments.length) throw new Error('a segment without its leaf');
  const end = await ledger.append({ ...base, type: 'session.end', status: 'ok', body: { statements: 1 } });
  ledger.closeScope(id);
  await storedSessionIndex(rooms.store).ended({
    id,
    endedUs: end.timeUs,
    status: 'ok',
    statements: 1,
    lastLeaf: end.index,
  });
  return id;
}

async function makeOperations(
  rooms: Rooms,
  name: string,
  operations: readonly TestingOperation[],
): Promise<SessionId> {
  const { id, base } = await begin(rooms, name);
  const { ledger } = rooms;
  for (const { intent, decision = 'allow', status = 'ok', tags = [], held } of operations) {
    const policy = 'a'.repeat(64);
    const { index: ref } = await ledger.append({
      ...base,
      type: 'statement.intent',
      decision,
      policy,
      body: intent,
    });
    if (held === true) await ledger.append({ ...base, type: 'hold.asked', ref, body: { rule: 'some' } });
    await ledger.append({ ...base, type: 'statement.outcome', ref, status, body: { tags: [...tags] } });
  }
  const statements = operations.length;
  const end = await ledger.append({ ...base, type: 'session.end', status: 'ok', body: { statements } });
  ledger.closeScope(id);
  const ended = { id, endedUs: end.timeUs, status: 'ok', statements, lastLeaf: end.index };
  await storedSessionIndex(rooms.store).ended(ended);
  return id;
}

function answer(): Uint8Array {
  const name = {
    tableOid: 0,
    columnNumber: 0,
    typeOid: 25,
    typeLength: -1,
    typeModifier: -1,
    format: 0,
  } as const;
  return Buffer.concat([
    encodeBackend({ kind: 'RowDescription', fields: [{ ...name, nameBytes: Buffer.from('title') }] }),
    encodeBackend({ kind: 'DataRow', values: [Buffer.from('a \u001b[2J book')] }),
    encodeBackend({ kind: 'CommandComplete', tag: 'SELECT 1' }),
    encodeBackend({ kind: 'ReadyForQuery', status: 'I' }),
  ]);
}

async function openSession(
  rooms: Rooms,
  sessions: LiveSessions,
  name: string,
): Promise<{ readonly id: SessionId; readonly ended: EndReason[] }> {
  const { id } = await begin(rooms, name);
  const record = await rooms.identity.principals.findByName(name);
  if (record === undefined) throw new Error(`no ${name}`);
  const ended: EndReason[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const place = sessions.takePlace();
  const end = (reason: EndReason): void => {
    ended.push(reason);
    sessions.remove(place);
    resolve();
  };
  const session: LiveSession = {
    id,
    principal: rooms.identity.identity.principalOf(record),
    tokenId: 'tok_none',
    connection: 'db',
    access: 'all',
    database: 'rerank',
    address: '127.0.0.1',
    startedUs: rooms.clock.nowUs(),
    end,
    endWhenIdle: end,
    cancel: () => undefined,
    closed,
  };
  sessions.add(place, session, { processId: 1, secret: randomBytes(4) });
  return { id, ended };
}

/** A password that nothing but a test has. */
export const TESTING_PASSWORD: Secret<string> = new Secret('correct horse battery canary-7731');
