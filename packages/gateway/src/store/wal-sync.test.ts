import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openWal, WalSync } from './wal-sync.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-wal-'));
});
afterEach(() => rm(directory, { recursive: true }));

/** A log whose flushes end when the test says so. */
function slowFile(): { wal: WalSync; flushes: PromiseWithResolvers<void>[] } {
  const flushes: PromiseWithResolvers<void>[] = [];
  const datasync = (): Promise<void> => {
    const flush = Promise.withResolvers<void>();
    flushes.push(flush);
    return flush.promise;
  };
  return { wal: new WalSync(async () => ({ datasync, close: async () => undefined })), flushes };
}

async function turn(): Promise<void> {
  for (let at = 0; at < 20; at++) await Promise.resolve();
}

it('waits for a flush that began after the call, which those who came meanwhile share', async () => {
  const { wal, flushes } = slowFile();
  const ended: string[] = [];
  const ask = (name: string): void => void wal.durable().then(() => ended.push(name));
  ask('first');
  await turn();
  expect(flushes).toHaveLength(1);
  for (const name of ['second', 'third', 'fourth']) ask(name);
  await turn();
  expect(flushes).toHaveLength(1);
  flushes[0]?.resolve();
  await turn();
  expect(ended).toEqual(['first']);
  expect(flushes).toHaveLength(2);
  flushes[1]?.resolve();
  await turn();
  expect(ended).toEqual(['first', 'second', 'third', 'fourth']);
});

it('believes nothing after a flush that failed', async () => {
  const { wal, flushes } = slowFile();
  const first = wal.durable();
  await turn();
  const second = wal.durable();
  flushes[0]?.reject(new Error('EIO'));
  await expect(first).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await expect(second).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await expect(wal.durable()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  expect(flushes).toHaveLength(1);
  expect(wal.failure?.code).toBe('STORE_FAILED');
});

it('opens the log of a SQLite file, and its locks survive that it is closed', async () => {
  const file = join(directory, 'store.db');
  const database = new DatabaseSync(file);
  database.exec('pragma journal_mode = wal; create table t (x)');
  const { ino } = await stat(`${file}-wal`);
  const wal = new WalSync(() => openWal(file));
  database.exec('begin immediate; insert into t values (1)');
  await wal.durable();
  await wal.close();
  const other = new DatabaseSync(file, { timeout: 0 });
  expect(() => other.exec('insert into t values (2)')).toThrow(/locked/);
  database.exec('commit');
  expect((await stat(`${file}-wal`)).ino).toBe(ino);
  other.close();
  database.close();
});
