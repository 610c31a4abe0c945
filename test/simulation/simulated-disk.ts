/**
 * A disk in memory that keeps what was written and what was synced apart, so that a loss of power can
 * be played at any operation: unsynced writes survive sector by sector or not at all, names that were
 * not synced in their directory are lost, and what was never written may be anything.
 *
 * It promises what POSIX promises and nothing more: a synced file is not there unless its name, and
 * the name of every directory above it, was synced too.
 */

import { dirname } from 'node:path';
import type { LogFiles } from '../../packages/gateway/src/audit/file-port.ts';
import type { Dice } from './dice.ts';

const SECTOR_BYTES = 512;

type Change =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'length'; readonly length: number };

interface Inode {
  content: Buffer;
  durable: Buffer;
  /** Since the last sync, in order. */
  changes: Change[];
}

type Entry = Inode | 'directory';

type NameChange =
  | { readonly kind: 'link'; readonly path: string; readonly entry: Entry }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string };

/** The data directory is there before anybody uses it. */
const EMPTY: ReadonlyMap<string, Entry> = new Map([
  ['/', 'directory'],
  ['/data', 'directory'],
]);

interface OpenFile {
  readonly inode: Inode;
  readonly path: string;
}

/** One mutating call. */
export interface Operation {
  /** Position among the mutating calls, from 0. */
  readonly index: number;
  readonly name: keyof LogFiles;
  readonly path: string;
}

export interface Faults {
  /** Power goes off instead of this operation. */
  readonly crashAt?: number;
  /** What an operation throws instead of working. */
  readonly fail?: (operation: Operation) => Error | undefined;
  /** Syncs say that they worked, and did nothing. */
  readonly lies?: boolean;
  /** Bytes of all files together. */
  readonly capacityBytes?: number;
  /** The most that one write takes. */
  readonly atOnceMax?: number;
}

/** The machine is off: every call after the crash throws it. */
class PowerLoss extends Error {}

/** As Node's errors of the file system. */
export function diskError(code: string, what = 'simulated'): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}

export class SimulatedDisk implements LogFiles {
  #faults: Faults = {};
  readonly #names: Map<string, Entry>;
  readonly #durableNames: Map<string, Entry>;
  #nameChanges: NameChange[] = [];
  readonly #open = new Map<number, OpenFile>();
  #nextDescriptor = 3;
  #operations: Operation[] = [];
  #off = false;

  constructor(names: ReadonlyMap<string, Entry> = EMPTY) {
    this.#names = new Map(names);
    this.#durableNames = new Map(names);
  }

  /** Replaces the faults, and counts operations from 0 again. */
  breakWith(faults: Faults): void {
    this.#faults = faults;
    this.#operations = [];
  }

  /** Mutating calls since the last {@link SimulatedDisk.breakWith}. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  get isOff(): boolean {
    return this.#off;
  }

  /** What the next process finds: the machine went on, and everything that was written is there. */
  afterKill(): SimulatedDisk {
    const next = new SimulatedDisk();
    const copies = new Map<Inode, Inode>();
    const copy = (entry: Entry): Entry => {
      if (entry === 'directory') return entry;
      const known = copies.get(entry) ?? {
        content: Buffer.from(entry.content),
        durable: Buffer.from(entry.durable),
        changes: [...entry.changes],
      };
      copies.set(entry, known);
      return known;
    };
    next.#names.clear();
    next.#durableNames.clear();
    for (const [path, entry] of this.#names) next.#names.set(path, copy(entry));
    for (const [path, entry] of this.#durableNames) next.#durableNames.set(path, copy(entry));
    next.#nameChanges = this.#nameChanges.map((change) =>
      change.kind === 'link' ? { ...change, entry: copy(change.entry) } : change,
    );
    return next;
  }

  /** What the next start of the machine finds: one of the many things that may be left. */
  afterPowerLoss(dice: Dice): SimulatedDisk {
    const names = new Map(this.#durableNames);
    // A journaling file system keeps the order of names; POSIX does not ask it to.
    const ordered = dice.chance(0.5);
    const kept = dice.below(this.#nameChanges.length + 1);
    this.#nameChanges.forEach((change, position) => {
      if (ordered ? position < kept : dice.chance(0.5)) applyName(names, change);
    });
    const left = new Map<string, Entry>();
    const inodes = new Map<Inode, Inode>();
    for (const [path, entry] of [...names].toSorted(([a], [b]) => a.length - b.length)) {
      if (path !== '/' && left.get(dirname(path)) !== 'directory') continue;
      if (entry === 'directory') left.set(path, entry);
      else {
        const content = inodes.get(entry)?.content ?? contentAfterPowerLoss(entry, dice);
        const inode = inodes.get(entry) ?? { content, durable: Buffer.from(content), changes: [] };
        inodes.set(entry, inode);
        left.set(path, inode);
      }
    }
    return new SimulatedDisk(left);
  }

  /** Every file by its path. */
  files(): ReadonlyMap<string, Uint8Array> {
    const files = new Map<string, Uint8Array>();
    for (const [path, entry] of this.#names) if (entry !== 'directory') files.set(path, entry.content);
    return files;
  }

  makeDirectory(path: string): void {
    if (this.#names.get(path) === 'directory') return;
    if (path !== '/') this.makeDirectory(dirname(path));
    this.#begin('makeDirectory', path);
    this.#change({ kind: 'link', path, entry: 'directory' });
  }

  create(path: string): number {
    this.#begin('create', path);
    if (this.#names.has(path)) throw diskError('EEXIST', path);
    return this.#make(path);
  }

  append(path: string): number {
    this.#alive();
    return this.#descriptor(path, this.#inode(path));
  }

  appendOrCreate(path: string): number {
    if (this.#names.has(path)) return this.append(path);
    return this.create(path);
  }

  rewrite(path: string): number {
    this.#begin('rewrite', path);
    if (!this.#names.has(path)) return this.#make(path);
    const inode = this.#inode(path);
    setLength(inode, 0);
    return this.#descriptor(path, inode);
  }

  update(path: string): number {
    return this.append(path);
  }

  write(descriptor: number, bytes: Uint8Array, position?: number): number {
    const { inode, path } = this.#file(descriptor);
    this.#begin('write', path);
    const at = position ?? inode.content.length;
    const { capacityBytes = Number.POSITIVE_INFINITY, atOnceMax = bytes.length } = this.#faults;
    const grows = Math.max(0, at + bytes.length - inode.content.length);
    const short = Math.max(0, grows - (capacityBytes - this.#bytes()));
    const count = Math.min(bytes.length - short, atOnceMax);
    if (count <= 0 && bytes.length > 0) throw diskError('ENOSPC', path);
    const change: Change = { kind: 'write', at, bytes: Uint8Array.from(bytes.subarray(0, count)) };
    inode.content = applyChange(inode.content, change);
    inode.changes.push(change);
    return count;
  }

  truncate(descriptor: number, length: number): void {
    const { inode, path } = this.#file(descriptor);
    this.#begin('truncate', path);
    setLength(inode, length);
  }

  datasync(descriptor: number): void {
    const { inode, path } = this.#file(descriptor);
    try {
      this.#begin('datasync', path);
    } catch (error) {
      // As on Linux: the pages are clean from now on, and were never written.
      if (!(error instanceof PowerLoss)) inode.changes = [];
      throw error;
    }
    if (this.#faults.lies === true) return;
    inode.durable = inode.changes.reduce(applyChange, inode.durable);
    inode.changes = [];
  }

  close(descriptor: number): void {
    this.#file(descriptor);
    this.#open.delete(descriptor);
  }

  syncDirectory(path: string): void {
    this.#begin('syncDirectory', path);
    if (this.#faults.lies === true) return;
    const own = (change: NameChange): boolean =>
      dirname(change.kind === 'rename' ? change.to : change.path) === path;
    for (const change of this.#nameChanges.filter(own)) applyName(this.#durableNames, change);
    this.#nameChanges = this.#nameChanges.filter((change) => !own(change));
  }

  rename(from: string, to: string): void {
    this.#begin('rename', to);
    if (!this.#names.has(from)) throw diskError('ENOENT', from);
    this.#change({ kind: 'rename', from, to });
  }

  remove(path: string): void {
    this.#alive();
    const all = [...this.#names.keys()].filter((name) => name === path || name.startsWith(`${path}/`));
    for (const name of all.toSorted((a, b) => b.length - a.length)) {
      this.#begin('remove', name);
      this.#change({ kind: 'unlink', path: name });
    }
  }

  exists(path: string): boolean {
    this.#alive();
    return this.#names.has(path);
  }

  length(path: string): number {
    return this.read(path).length;
  }

  read(path: string): Uint8Array {
    this.#alive();
    return Buffer.from(this.#inode(path).content);
  }

  list(path: string): readonly string[] {
    this.#alive();
    return [...this.#names.keys()]
      .filter((name) => name !== '/' && dirname(name) === path)
      .map((name) => name.slice(path === '/' ? 1 : path.length + 1));
  }

  /** Descriptors that are open. */
  get openCount(): number {
    return this.#open.size;
  }

  #begin(name: keyof LogFiles, path: string): void {
    this.#alive();
    const operation = { index: this.#operations.length, name, path };
    this.#operations.push(operation);
    if (this.#faults.crashAt === operation.index) {
      this.#off = true;
      throw new PowerLoss();
    }
    const error = this.#faults.fail?.(operation);
    if (error !== undefined) throw error;
  }

  #alive(): void {
    if (this.#off) throw new PowerLoss();
  }

  #make(path: string): number {
    if (this.#names.get(dirname(path)) !== 'directory') throw diskError('ENOENT', path);
    const inode = { content: Buffer.alloc(0), durable: Buffer.alloc(0), changes: [] };
    this.#change({ kind: 'link', path, entry: inode });
    return this.#descriptor(path, inode);
  }

  #change(change: NameChange): void {
    applyName(this.#names, change);
    this.#nameChanges.push(change);
  }

  #inode(path: string): Inode {
    const entry = this.#names.get(path);
    if (entry === undefined) throw diskError('ENOENT', path);
    if (entry === 'directory') throw diskError('EISDIR', path);
    return entry;
  }

  #descriptor(path: string, inode: Inode): number {
    const descriptor = this.#nextDescriptor++;
    this.#open.set(descriptor, { inode, path });
    return descriptor;
  }

  #file(descriptor: number): OpenFile {
    this.#alive();
    const file = this.#open.get(descriptor);
    if (file === undefined) throw diskError('EBADF', String(descriptor));
    return file;
  }

  #bytes(): number {
    const inodes = new Set([...this.#names.values()].filter((entry) => entry !== 'directory'));
    return [...inodes].reduce((sum, inode) => sum + inode.content.length, 0);
  }
}

function setLength(inode: Inode, length: number): void {
  const change: Change = { kind: 'length', length };
  inode.content = applyChange(inode.content, change);
  inode.changes.push(change);
}

function applyChange(content: Buffer, change: Change): Buffer {
  const length = change.kind === 'length' ? change.length : change.at + change.bytes.length;
  const wanted = change.kind === 'length' ? length : Math.max(length, content.length);
  const next = wanted === content.length ? content : Buffer.alloc(wanted);
  if (next !== content) content.copy(next);
  if (change.kind === 'write') next.set(change.bytes, change.at);
  return next;
}

function applyName(names: Map<string, Entry>, change: NameChange): void {
  if (change.kind === 'link') names.set(change.path, change.entry);
  else if (change.kind === 'unlink') names.delete(change.path);
  else {
    const entry = names.get(change.from);
    if (entry === undefined) return;
    names.delete(change.from);
    names.set(change.to, entry);
  }
}

/** Each sector of each unsynced write is there or not; what lies behind the old end may be anything. */
function contentAfterPowerLoss(inode: Inode, dice: Dice): Buffer {
  if (inode.changes.length === 0) return Buffer.from(inode.durable);
  const share = dice.pick([0, 0.3, 0.5, 0.9, 1]);
  const garbage = dice.chance(0.3);
  let content: Buffer = Buffer.from(inode.durable);
  for (const change of inode.changes) {
    if (change.kind === 'length') {
      if (dice.chance(share)) content = applyChange(content, change);
      continue;
    }
    let at = change.at;
    const end = change.at + change.bytes.length;
    while (at < end) {
      const next = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      const bytes = change.bytes.subarray(at - change.at, next - change.at);
      const beyond = at >= inode.durable.length;
      if (dice.chance(share)) content = applyChange(content, { kind: 'write', at, bytes });
      else if (garbage && beyond)
        content = applyChange(content, { kind: 'write', at, bytes: dice.bytes(bytes.length) });
      at = next;
    }
  }
  // The length is metadata with a time of its own: it may lag behind, or be ahead with zeros.
  const longest = Math.max(inode.content.length, content.length);
  const shortest = Math.min(inode.durable.length, content.length);
  const length = dice.chance(0.5) ? content.length : shortest + dice.below(longest - shortest + 1);
  return applyChange(content, { kind: 'length', length });
}
