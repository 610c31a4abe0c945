import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { openCheckpoint } from '@countersign/ledger/checkpoint';
import { RangeCheck } from '@countersign/ledger/completeness';
import { parseLeaf } from '@countersign/ledger/leaf';
import { Frontier } from '@countersign/ledger/merkle';
import { type Ed25519Verify, parseVerifierKey } from '@countersign/ledger/note';
import { bodyValues } from '@countersign/ledger/body';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeId } from '../core/ids.ts';
import type { LedgerEvent, ScopeKeys } from '../core/ledger-port.ts';
import { historyPath, parseHistoryLine, type SignedCheckpoint } from './checkpoint-history.ts';
import { Ledger, type LedgerOptions } from './ledger.ts';
import { LogReader } from './log-reader.ts';
import { keyIdOf, unsealBody } from './sealed-body.ts';

const ORIGIN = 'countersign.test/ledger/gw1';

function memoryKeys(): ScopeKeys & { readonly map: Map<string, Uint8Array> } {
  const map = new Map<string, Uint8Array>();
  return {
    map,
    create: async (scope) => {
      const key = randomBytes(32);
      map.set(scope, key);
      return key;
    },
    find: async (scope) => map.get(scope),
    destroy: async (scope) => map.delete(scope),
  };
}

export const verifyEd25519: Ed25519Verify = (publicKey, message, signature) => {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
};

let directory: string;
let options: LedgerOptions;
let keys: ReturnType<typeof memoryKeys>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'countersign-ledger-'));
  keys = memoryKeys();
  options = {
    directory: join(directory, 'ledger'),
    secondPlace: join(directory, 'second'),
    origin: ORIGIN,
    node: 'gw1',
    software: 'countersign test',
    bootId: boot(),
    signingSeed: randomBytes(32),
    keys,
  };
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function signedIn(log: string): readonly SignedCheckpoint[] {
  const lines = readFileSync(historyPath(log), 'utf8').trimEnd().split('\n');
  return lines.flatMap((line) => parseHistoryLine(line) ?? []);
}

function boot(): LedgerOptions['bootId'] {
  return makeId('boot', Date.now(), randomBytes(10));
}

const session = makeId('session', Date.now(), randomBytes(10));
const actor = 'a'.repeat(32);

function event(type: string, extra: Partial<LedgerEvent> = {}): LedgerEvent {
  return { type, kind: 'user', actor, session, target: 'db', keyId: session, ...extra };
}

async function startSession(ledger: Ledger): Promise<void> {
  ledger.openScope(session, await keys.create(session));
  await ledger.append(event('session.start', { body: { name: 'ana' } }));
}

/** Checks the whole log as an outsider would; returns the types in order. */
async function check(ledger: Pick<Ledger, 'verifierKey'>): Promise<string[]> {
  const reader = new LogReader(options.directory);
  const note = (await reader.checkpoint()) ?? '';
  const { size, root } = await openCheckpoint(note, [parseVerifierKey(ledger.verifierKey)], verifyEd25519);
  const range = new RangeCheck(new Frontier(), ORIGIN);
  const types: string[] = [];
  for await (const { leaf, sealed } of reader.leaves(0, size)) {
    const parsed = range.push(leaf);
    if (parsed.kind !== 'leaf') throw new Error('version');
    types.push(parsed.leaf.type);
    if (parsed.leaf.body !== undefined) {
      const key = keys.map.get(keyIdOf(sealed));
      if (key !== undefined) unsealBody(sealed, parsed.leaf.body, key);
    }
  }
  range.finish(size, root);
  return types;
}

describe('Ledger', () => {
  it('writes genesis, boot, what was appended, and shutdown, and signs it', async () => {
    const ledger = await Ledger.open(options);
    await startSession(ledger);
    const { index } = await ledger.append(
      event('statement.intent', { decision: 'allow', body: { sql: 'select 1' } }),
    );
    await ledger.append(event('statement.outcome', { ref: index, status: 'ok', body: { rows: 1 } }));
    await ledger.append(event('session.end', { status: 'ok' }));
    await ledger.close('test');
    expect(await check(ledger)).toEqual([
      'ledger.genesis',
      'ledger.boot',
      'session.start',
      'statement.intent',
      'statement.outcome',
      'session.end',
      'ledger.shutdown',
    ]);
    const stored = await new LogReader(options.directory).leaf(3);
    const parsed = parseLeaf(stored?.leaf ?? new Uint8Array());
    if (parsed.kind !== 'leaf' || stored === undefined) throw new Error('no leaf');
    const body = unsealBody(stored.sealed, parsed.leaf.body ?? '', keys.map.get(session) ?? new Uint8Array());
    expect(bodyValues(body)).toEqual({ sql: 'select 1' });
    expect(Buffer.from(stored.leaf).includes('select 1')).toBe(false);
  });

  it('refuses large requests where its queue is full of bytes, takes small ones, and goes on', async () => {
    const ledger = await Ledger.open({ ...options, testingOnlyQueueBytesMax: 1_000_000 });
    await startSession(ledger);
    const large = event('statement.intent', { body: { sql: 'x'.repeat(300_000) } });
    const small = event('statement.intent', { body: { sql: 'select 1' } });
    // More than one message to the writer, which takes 16 MiB at once.
    const all = Array.from({ length: 80 }, () => [ledger.append(large), ledger.append(small)]).flat();
    const settled = await Promise.allSettled(all);
    const refused = settled.flatMap((each, i) => (each.status === 'rejected' ? [{ i, ...each }] : []));
    expect(refused.map(({ i }) => i)).toEqual(Array.from({ length: 77 }, (_, i) => 6 + 2 * i));
    expect(refused[0]?.reason).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await ledger.append(large);
    await ledger.close('test');
    expect((await check(ledger)).filter((type) => type === 'statement.intent')).toHaveLength(84);
  });

  it('hands the writer in pieces what is much at once', async () => {
    const ledger = await Ledger.open(options);
    await startSession(ledger);
    const sql = 'x'.repeat(7_000_000);
    const all = await Promise.all(
      Array.from({ length: 12 }, () => ledger.append(event('statement.intent', { body: { sql } }))),
    );
    expect(all.map(({ index }) => index)).toEqual(Array.from({ length: 12 }, (_, i) => i + 3));
    await ledger.close('test');
  });

  it('keeps the order of concurrent appends and signs thousands of them', async () => {
    const ledger = await Ledger.open(options);
    await startSession(ledger);
    const appended = await Promise.all(
      Array.from({ length: 3_000 }, (_, i) =>
        ledger.append(event('statement.intent', { body: { sql: `select ${i}` } })),
      ),
    );
    expect(appended.map(({ index }) => index)).toEqual(Array.from({ length: 3_000 }, (_, i) => i + 3));
    await ledger.checkpoint();
    expect((await check(ledger)).length).toBe(3_003);
    await ledger.close('test');
    const bundles = readdirSync(join(options.directory, 'tile', 'entries')).toSorted();
    expect(bundles).toEqual([...Array.from({ length: 11 }, (_, i) => String(i).padStart(3, '0')), '011.p']);
  });

  it('sends an outcome with the next intent, or soon alone, and in its place', async () => {
    const ledger = await Ledger.open(options);
    await startSession(ledger);
    const intent = (): ReturnType<Ledger['append']> =>
      ledger.append(event('http.intent', { decision: 'allow', body: { path: '/' } }));
    const outcome = (ref: number): ReturnType<Ledger['append']> =>
      ledger.append(event('http.outcome', { ref, status: 'ok', body: { http_status: 200 } }));
    const first = await intent();
    const posted = vi.spyOn(Worker.prototype, 'postMessage');
    try {
      const waiting = outcome(first.index);
      for (let turns = 0; turns < 8; turns += 1) await Promise.resolve();
      expect(posted).not.toHaveBeenCalled();
      const second = intent();
      const [told, next] = await Promise.all([waiting, second]);
      expect(posted).toHaveBeenCalledTimes(1);
      expect(next.index).toBe(told.index + 1);
      // Nobody comes whose message it could share.
      const alone = await outcome(next.index);
      expect(alone.index).toBe(next.index + 1);
      const third = await intent();
      // What ends the log takes it along.
      const last = outcome(third.index);
      await ledger.append(event('session.end', { status: 'ok' }));
      await ledger.close('test');
      await last;
    } finally {
      posted.mockRestore();
    }
    expect((await check(ledger)).slice(-5)).toEqual([
      'http.outcome',
      'http.intent',
      'http.outcome',
      'session.end',
      'ledger.shutdown',
    ]);
  });

  it('goes on where it was after a restart and reports what was interrupted', async () => {
    const first = await Ledger.open(options);
    await startSession(first);
    const { index } = await first.append(event('statement.intent', { body: { sql: 'select 1' } }));
    await first.close('test');
    const second = await Ledger.open({ ...options, bootId: boot() });
    expect(second.interrupted).toEqual([
      {
        id: session,
        kind: 'user',
        actor,
        target: 'db',
        segments: 0,
        intents: [{ index, type: 'statement.intent' }],
      },
    ]);
    await second.append(event('statement.outcome', { ref: index, status: 'unknown' }));
    await second.append(event('session.end', { status: 'interrupted' }));
    await second.close('test');
    const third = await Ledger.open({ ...options, bootId: boot() });
    expect(third.interrupted).toEqual([]);
    await third.close('test');
    expect((await check(third)).filter((type) => type === 'ledger.boot').length).toBe(3);
  });

  it('cuts a torn tail and says so', async () => {
    const first = await Ledger.open(options);
    await startSession(first);
    await first.close('test');
    const segment = join(options.directory, 'journal', '000000000000.seg');
    appendFileSync(segment, Buffer.from([0, 0, 1, 0, 1, 2, 3]));
    const second = await Ledger.open({ ...options, bootId: boot() });
    await second.close('test');
    expect(await check(second)).toContain('ledger.recovered');
  });

  it('builds the tiles again where they are lost', async () => {
    const first = await Ledger.open(options);
    await startSession(first);
    await Promise.all(
      Array.from({ length: 600 }, () => first.append(event('statement.intent', { body: { sql: 'x' } }))),
    );
    await first.close('test');
    rmSync(join(options.directory, 'tile'), { recursive: true });
    const second = await Ledger.open({ ...options, bootId: boot() });
    await second.close('test');
    await check(second);
    expect(readdirSync(join(options.directory, 'tile', '0')).toSorted()).toEqual(['000', '001', '002.p']);
  });

  it('refuses a log that is smaller than what was signed, until that is recorded', async () => {
    const first = await Ledger.open(options);
    await first.close('test');
    const segment = join(options.directory, 'journal', '000000000000.seg');
    const checkpoint = join(options.directory, 'checkpoint');
    const old = { segment: readFileSync(segment), checkpoint: readFileSync(checkpoint) };
    const second = await Ledger.open({ ...options, bootId: boot() });
    await startSession(second);
    await second.close('test');
    writeFileSync(segment, old.segment);
    writeFileSync(checkpoint, old.checkpoint);
    const again = { ...options, bootId: boot() };
    await expect(Ledger.open(again)).rejects.toMatchObject({ code: 'LEDGER_INCONSISTENT' });
    const accepted = await Ledger.open({
      ...again,
      bootId: boot(),
      acceptRollback: { reason: 'disk restored', requestedBy: 'ops' },
    });
    await accepted.close('test');
    expect(await check(accepted)).toContain('ledger.rollback');
    const after = await Ledger.open({ ...options, bootId: boot() });
    await after.close('test');
  });

  it('refuses a second process on the same log', async () => {
    const ledger = await Ledger.open(options);
    await expect(Ledger.open({ ...options, bootId: boot() })).rejects.toMatchObject({
      code: 'LEDGER_LOCKED',
    });
    await ledger.close('test');
  });

  it('refuses to seal a body whose key was destroyed', async () => {
    const ledger = await Ledger.open(options);
    const gone = ledger.append({
      type: 'auth.login',
      kind: 'user',
      actor,
      status: 'ok',
      body: { name: 'x' },
      keyId: 'prn_x',
    });
    await expect(gone).rejects.toMatchObject({ code: 'SHREDDED' });
    await ledger.close('test');
  });

  it('signs with the new key after a rotation, and names it under the old one', async () => {
    const ledger = await Ledger.open(options);
    const oldKey = ledger.verifierKey;
    const note = await ledger.rotateKey(randomBytes(32), 'yearly', 'ops');
    expect(ledger.verifierKey).not.toBe(oldKey);
    const inForce = [parseVerifierKey(ledger.verifierKey)];
    const { size } = await openCheckpoint(note, inForce, verifyEd25519);
    // Also where nothing follows: whoever asks gets what the key in force has signed.
    await openCheckpoint(await ledger.checkpoint(), inForce, verifyEd25519);
    const before = signedIn(options.directory).find((entry) => entry.size === size - 1);
    await openCheckpoint(before?.note ?? '', [parseVerifierKey(oldKey)], verifyEd25519);
    await ledger.append({
      type: 'ledger.gap',
      kind: 'system',
      keyId: options.bootId,
      body: { reason: 'test' },
    });
    await ledger.close('test');
    await check(ledger);
  });

  it('keeps each session complete: nothing but its start opens it', async () => {
    const ledger = await Ledger.open(options);
    ledger.openScope(session, await keys.create(session));
    await expect(ledger.append(event('statement.intent', { body: { sql: 'x' } }))).rejects.toMatchObject({
      code: 'INTERNAL',
    });
    await ledger.append(event('session.start'));
    await ledger.close('test');
  });

  it('beats, with the counts of all types so far', async () => {
    const ledger = await Ledger.open({ ...options, heartbeatIntervalMs: 20 });
    const reader = new LogReader(options.directory);
    let beats = 0;
    while (beats < 2) {
      beats = 0;
      await new Promise((resolve) => setTimeout(resolve, 20));
      for await (const { leaf } of reader.leaves(0))
        if (Buffer.from(leaf).includes('ledger.heartbeat')) beats += 1;
    }
    await ledger.close('test');
    expect((await check(ledger)).filter((type) => type === 'ledger.heartbeat').length).toBeGreaterThanOrEqual(
      2,
    );
  });

  it('signs within a second of the last leaf, without being asked', async () => {
    const ledger = await Ledger.open(options);
    await startSession(ledger);
    const started = performance.now();
    const reader = new LogReader(options.directory);
    for (;;) {
      const note = (await reader.checkpoint()) ?? '';
      if (note.split('\n')[1] === String(ledger.size)) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(performance.now() - started).toBeLessThan(1_000);
    await ledger.close('test');
  });

  it.each(['a flipped bit', 'a cut'])(
    'refuses a journal that lost signed leaves by %s, and changes nothing',
    async (harm) => {
      const first = await Ledger.open(options);
      await startSession(first);
      await Promise.all(
        Array.from({ length: 40 }, () => first.append(event('statement.intent', { body: { sql: 'x' } }))),
      );
      await first.close('test');
      const segment = join(options.directory, 'journal', '000000000000.seg');
      const bytes = readFileSync(segment);
      const at = Math.floor(bytes.length / 3);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      const harmed = harm === 'a cut' ? bytes.subarray(0, at) : bytes;
      writeFileSync(segment, harmed);
      await expect(Ledger.open({ ...options, bootId: boot() })).rejects.toMatchObject({
        code: 'LEDGER_INCONSISTENT',
      });
      expect(readFileSync(segment).equals(harmed)).toBe(true);
      const acceptRollback = { reason: 'the disk is broken', requestedBy: 'ops' };
      const accepted = await Ledger.open({ ...options, bootId: boot(), acceptRollback });
      await accepted.close('test');
      expect(await check(accepted)).toContain('ledger.rollback');
    },
  );

  it('goes on over many journal segments, with and without their snapshots', async () => {
    const small = { ...options, segmentBytesMax: 20_000 };
    const first = await Ledger.open(small);
    await startSession(first);
    let index = 0;
    for (let i = 0; i < 150; i++) {
      ({ index } = await first.append(event('statement.intent', { body: { sql: `select ${i}` } })));
    }
    await first.close('test');
    const journal = join(options.directory, 'journal');
    const names = readdirSync(journal);
    expect(names.filter((name) => name.endsWith('.seg')).length).toBeGreaterThan(4);
    const second = await Ledger.open({ ...small, bootId: boot() });
    expect(second.interrupted[0]?.intents.length).toBe(150);
    expect(second.interrupted[0]?.intents.at(-1)?.index).toBe(index);
    await second.close('test');
    for (const name of names.filter((file) => file.endsWith('.open'))) rmSync(join(journal, name));
    const third = await Ledger.open({ ...small, bootId: boot() });
    expect(third.interrupted[0]?.intents.length).toBe(150);
    await third.close('test');
    await check(third);
    expect((await new LogReader(options.directory).leaf(index))?.index).toBe(index);
  });
});
