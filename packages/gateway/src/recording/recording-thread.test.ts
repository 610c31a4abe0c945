import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { FilePort } from './file-port.ts';
import type { FromRecorder, ToRecorder } from './recorder-messages.ts';
import { RecordingThread } from './recording-thread.ts';
import { BASE_BYTES } from './segment-format.ts';

/** A disk in memory that takes so many bytes, and as few at a time as it likes. */
class SmallDisk implements FilePort {
  readonly written = new Map<number, number>();
  readonly paths = new Map<string, number>();
  readonly open = new Set<number>();
  syncs = 0;
  bytesLeft: number;
  atOnceMax = Number.MAX_SAFE_INTEGER;
  failSync = false;
  #next = 0;

  constructor(bytes: number) {
    this.bytesLeft = bytes;
  }

  makeDirectory(): void {}
  create(path: string): number {
    if (this.paths.has(path)) throw new Error('EEXIST: file already exists');
    return this.#open(path);
  }
  append(path: string): number {
    if (!this.paths.has(path)) throw new Error('ENOENT: no such file');
    return this.#open(path);
  }
  write(descriptor: number, bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.bytesLeft, this.atOnceMax);
    if (count === 0) throw new Error('ENOSPC: no space left on device');
    this.bytesLeft -= count;
    this.written.set(descriptor, (this.written.get(descriptor) ?? 0) + count);
    return count;
  }
  datasync(): void {
    this.syncs += 1;
    if (this.failSync) throw new Error('EIO: i/o error');
  }
  close(descriptor: number): void {
    if (!this.open.delete(descriptor)) throw new Error('EBADF: bad file descriptor');
  }
  syncDirectory(): void {}
  #open(path: string): number {
    const descriptor = this.#next++;
    this.paths.set(path, descriptor);
    this.open.add(descriptor);
    return descriptor;
  }
}

function start(disk: SmallDisk, openFilesMax = 8): { thread: RecordingThread; replies: FromRecorder[] } {
  const replies: FromRecorder[] = [];
  const data = { directory: '/r', segmentBytesMax: 100_000, openFilesMax };
  const thread = new RecordingThread(data, disk, (message) => replies.push(message));
  return { thread, replies };
}

function open(session: number): ToRecorder {
  const sessionId = `ses_0123456789abcdefghjkmn${String(session).padStart(4, '0')}`;
  return { kind: 'open', session, sessionId, key: new Uint8Array(randomBytes(32)) };
}

function block(session: number, bytes: number, final = false): ToRecorder {
  const buffer = new ArrayBuffer(BASE_BYTES + bytes);
  new Uint8Array(buffer).set(randomBytes(bytes), BASE_BYTES);
  const nonce = randomBytes(12);
  const times = { firstUs: 0, lastUs: 0 };
  return {
    kind: 'block',
    session,
    buffer,
    length: buffer.byteLength,
    nonce,
    ...times,
    final,
    hurried: final,
  };
}

describe('the thread on a broken disk', () => {
  it('tells the session of a full disk once, and writes nothing more of it', () => {
    const disk = new SmallDisk(10_000);
    const { thread, replies } = start(disk);
    for (const message of [open(1), block(1, 4_000), block(1, 8_000), block(1, 10), block(1, 0, true)]) {
      thread.take(message);
    }
    expect(replies.map(({ kind }) => kind)).toEqual(['written', 'failed']);
    expect(replies.at(-1)).toMatchObject({ session: 1, reason: 'ENOSPC: no space left on device' });
    expect(disk.open.size).toBe(0);
  });

  it('does not flush again after a flush that failed', () => {
    const disk = new SmallDisk(1_000_000);
    const { thread, replies } = start(disk);
    disk.failSync = true;
    thread.take(open(1));
    thread.take(block(1, 100));
    thread.take({ kind: 'flush', session: 1, flush: 0 });
    disk.failSync = false;
    thread.take({ kind: 'flush', session: 1, flush: 1 });
    thread.take(block(1, 0, true));
    expect(replies.map(({ kind }) => kind)).toEqual(['written', 'failed']);
    expect(disk.syncs).toBe(1);
  });

  it('goes on writing where the disk takes fewer bytes than it was given', () => {
    const disk = new SmallDisk(1_000_000);
    disk.atOnceMax = 7;
    const { thread, replies } = start(disk);
    for (const message of [open(1), block(1, 500, true)]) thread.take(message);
    const segment = replies.find((reply) => reply.kind === 'segment')?.segment;
    expect([...disk.written.values()]).toEqual([segment?.bytes]);
    expect(replies.map(({ kind }) => kind)).toEqual(['written', 'segment', 'closed']);
  });

  it('blames the session whose file could not be flushed when room was made for another', () => {
    const disk = new SmallDisk(1_000_000);
    const { thread, replies } = start(disk, 1);
    thread.take(open(1));
    thread.take(block(1, 100));
    disk.failSync = true;
    thread.take(open(2));
    thread.take(block(2, 100));
    disk.failSync = false;
    thread.take(block(2, 0, true));
    thread.take(block(1, 0, true));
    const told = replies.map(({ kind, session }) => `${kind} ${session}`);
    expect(told).toEqual(['written 1', 'written 2', 'written 2', 'segment 2', 'closed 2', 'failed 1']);
    expect(disk.open.size).toBe(0);
  });
});
