/** A log on a simulated disk: written, cut off, opened again, and checked as an outsider would. */

import { createHash, randomBytes } from 'node:crypto';
import { CountersignError } from '../../packages/gateway/src/core/errors.ts';
import { makeId } from '../../packages/gateway/src/core/ids.ts';
import type { LedgerEvent } from '../../packages/gateway/src/core/ledger-port.ts';
import type { CheckpointStore } from '../../packages/gateway/src/audit/checkpoint-store.ts';
import {
  firstIndexOf,
  readRecords,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from '../../packages/gateway/src/audit/journal.ts';
import { LogState } from '../../packages/gateway/src/audit/log-state.ts';
import { type OpenedWriter, openWriter } from '../../packages/gateway/src/audit/open-writer.ts';
import { parseCheckpoint } from '../../packages/ledger/src/checkpoint.ts';
import { type Leaf, parseLeaf } from '../../packages/ledger/src/leaf.ts';
import { Frontier, leafHash } from '../../packages/ledger/src/merkle.ts';
import { decodeBundle, newTiles, TILE_WIDTH, tileHashes, tilePath } from '../../packages/ledger/src/tiles.ts';
import type { SimulatedDisk } from './simulated-disk.ts';

const LOG = '/data/ledger';
const ORIGIN = 'countersign.test/ledger/simulated';

/** The second place, whose own disk works. */
class MemorySecondPlace implements CheckpointStore {
  note: string | undefined;
  /** All that ever stood there. */
  readonly notes: string[] = [];

  read(): string | undefined {
    return this.note;
  }

  swap(_origin: string, expected: string | undefined, next: string): boolean {
    if (this.note !== expected) return false;
    this.note = next;
    this.notes.push(next);
    return true;
  }

  close(): void {}
}

/** One log over several lives: what was promised in them. */
export class SimulatedLog {
  readonly secondPlace = new MemorySecondPlace();
  /** Leaves that were said to be durable: the mark of each, by its index. */
  readonly promised = new Map<number, string>();
  readonly #seed: Uint8Array;
  readonly #bootKey: Uint8Array;
  readonly #segmentBytesMax: number;
  #nowUs = 1_764_000_000_000_000;
  #boots = 0;
  #marks = 0;

  constructor(
    segmentBytesMax = 16_384,
    seed: Uint8Array = new Uint8Array(randomBytes(32)),
    bootKey: Uint8Array = new Uint8Array(randomBytes(32)),
  ) {
    this.#segmentBytesMax = segmentBytesMax;
    this.#seed = seed;
    this.#bootKey = bootKey;
  }

  /** The same log in another of the worlds that a loss of power may lead to. */
  copy(): SimulatedLog {
    const copy = new SimulatedLog(this.#segmentBytesMax, this.#seed, this.#bootKey);
    copy.secondPlace.note = this.secondPlace.note;
    copy.secondPlace.notes.push(...this.secondPlace.notes);
    for (const [index, mark] of this.promised) copy.promised.set(index, mark);
    copy.#nowUs = this.#nowUs;
    copy.#boots = this.#boots;
    copy.#marks = this.#marks;
    return copy;
  }

  open(disk: SimulatedDisk, acceptRollback = false): OpenedWriter {
    const bootId = makeId('boot', this.#boots++, new Uint8Array(10));
    return openWriter(
      {
        directory: LOG,
        secondPlace: '/second',
        origin: ORIGIN,
        node: 'simulated',
        software: 'countersign test',
        bootId,
        bootKey: this.#bootKey,
        signingSeed: this.#seed,
        acceptRollback: acceptRollback ? { reason: 'simulated', requestedBy: 'test' } : undefined,
        checkpointDelayMs: 1_000,
        segmentBytesMax: this.#segmentBytesMax,
        ballastBytes: 1_000,
        heartbeatIntervalMs: 60_000,
      },
      {
        files: disk,
        secondPlace: this.secondPlace,
        clock: { nowUs: () => (this.#nowUs += 1_000), monotonicUs: () => this.#nowUs },
        randomBytes: (length) => new Uint8Array(randomBytes(length)),
      },
    );
  }

  /** Appends events with marks of their own, as one group; they are promised when this returns. */
  append({ writer }: OpenedWriter, count: number): void {
    const staged: [number, string][] = [];
    for (let i = 0; i < count; i++) {
      const mark = `mark-${this.#marks++}`;
      staged.push([writer.stage(this.#event(writer.state, mark)).index, mark]);
    }
    writer.commit();
    for (const [index, mark] of staged) this.promised.set(index, mark);
  }

  /** A disk that lies can lose what no checkpoint in the second place covers. */
  forgetUnsigned(): void {
    const { note } = this.secondPlace;
    const signed = note === undefined ? 0 : parseCheckpoint(note).size;
    for (const index of this.promised.keys()) if (index >= signed) this.promised.delete(index);
  }

  /** Now a session begins, now one acts, now one ends. */
  #event(state: LogState, mark: string): LedgerEvent {
    const base = { kind: 'user', actor: 'a'.repeat(32), target: mark, keyId: this.#keyId } as const;
    const turn = this.#marks % 7;
    const [open] = state.sessions;
    if (open === undefined || turn === 0) {
      const session = makeId('session', this.#marks, new Uint8Array(10));
      return { ...base, type: 'session.start', session, body: { name: 'ana' } };
    }
    const [session, { intents }] = open;
    const [intent] = intents.keys();
    if (turn === 6) return { ...base, type: 'session.end', status: 'ok', session };
    if (intent !== undefined && turn % 2 === 0)
      return { ...base, type: 'statement.outcome', status: 'ok', session, ref: intent };
    return { ...base, type: 'statement.intent', decision: 'allow', session, body: { sql: `select ${mark}` } };
  }

  /** Bodies are sealed under the key of the current start. */
  get #keyId(): string {
    return makeId('boot', this.#boots - 1, new Uint8Array(10));
  }
}

/** What a check of a log on disk found. */
export interface LogFindings {
  readonly leaves: readonly Leaf[];
  readonly problems: readonly string[];
}

/** Reads everything from the disk, and compares it with what was promised and what was signed. */
export function checkLog(disk: SimulatedDisk, log: SimulatedLog, opened: OpenedWriter): LogFindings {
  const problems: string[] = [];
  const entries = journalEntries(disk, problems);
  const leaves = entries.map((entry) => {
    const parsed = parseLeaf(entry);
    if (parsed.kind !== 'leaf') throw new Error('a leaf of another version');
    return parsed.leaf;
  });
  leaves.forEach(({ n }, index) => {
    if (n !== index) problems.push(`leaf ${n} at position ${index}`);
  });
  for (const [index, mark] of log.promised) {
    const found = leaves[index]?.target;
    if (found !== mark) problems.push(`leaf ${index} was promised as ${mark} and is ${found ?? 'not there'}`);
  }
  checkRoots(entries, log.secondPlace.notes, problems);
  checkTiles(disk, entries, opened.writer.signedSize, problems);
  checkHistory(disk, problems);
  const recovered = leaves.slice(leaves.findLastIndex(({ type }) => type === 'ledger.boot'));
  if ((opened.cut !== undefined) !== recovered.some(({ type }) => type === 'ledger.recovered')) {
    problems.push('a cut without its leaf, or a leaf without a cut');
  }
  const state = new LogState();
  for (const leaf of leaves) state.applyLeaf(leaf);
  if (state.snapshot() !== opened.writer.state.snapshot()) problems.push('the writer has another state');
  return { leaves, problems };
}

/** The code of one of our errors; anything else is thrown on. */
export function refusalOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  if (error instanceof CountersignError) return error.code;
  throw error;
}

function journalEntries(disk: SimulatedDisk, problems: string[]): Uint8Array[] {
  const entries: Uint8Array[] = [];
  const journal = `${LOG}/journal`;
  const firsts = disk
    .list(journal)
    .map(firstIndexOf)
    .filter((first) => first !== undefined)
    .toSorted((a, b) => a - b);
  for (const first of firsts) {
    if (first !== entries.length) problems.push(`segment ${first} after ${entries.length} leaves`);
    const content = disk.read(`${journal}/${segmentName(first)}`);
    const records = readRecords(content.subarray(SEGMENT_HEADER_BYTES), SEGMENT_HEADER_BYTES);
    for (;;) {
      const step = records.next();
      if (step.done === true) {
        if (step.value !== undefined) problems.push(`${segmentName(first)}: ${step.value.reason}`);
        break;
      }
      entries.push(step.value.leaf.slice());
    }
  }
  return entries;
}

/** Everything that was ever signed is a prefix of what is there. */
function checkRoots(entries: readonly Uint8Array[], notes: readonly string[], problems: string[]): void {
  const tree = new Frontier();
  const roots = [hex(tree.root())];
  for (const entry of entries) {
    tree.push(leafHash(entry));
    roots.push(hex(tree.root()));
  }
  for (const note of notes) {
    const { size, root } = parseCheckpoint(note);
    if (roots[size] !== hex(root)) problems.push(`what was signed at size ${size} is not there`);
  }
}

function checkTiles(
  disk: SimulatedDisk,
  entries: readonly Uint8Array[],
  size: number,
  problems: string[],
): void {
  let row = entries.slice(0, size).map(leafHash);
  const rows: Uint8Array[][] = [];
  for (; row.length > 0; row = row.length < TILE_WIDTH ? [] : roots256(row)) rows.push(row);
  for (const tile of newTiles(0, size)) {
    const path = tilePath(tile);
    const from = tile.index * TILE_WIDTH;
    try {
      const bytes = disk.read(`${LOG}/${path}`);
      const expected =
        tile.level === 'entries'
          ? entries.slice(from, from + tile.width)
          : rows[tile.level]?.slice(from, from + tile.width);
      const found =
        tile.level === 'entries' ? decodeBundle(bytes, tile.width) : tileHashes(bytes, tile.width);
      if (Buffer.compare(Buffer.concat(expected ?? []), Buffer.concat(found)) !== 0) {
        problems.push(`${path} has another content`);
      }
    } catch (error) {
      problems.push(`${path}: ${String(error)}`);
    }
  }
}

/** The roots of the full groups of 256. */
function roots256(row: readonly Uint8Array[]): Uint8Array[] {
  return Array.from({ length: Math.floor(row.length / TILE_WIDTH) }, (_, group) => {
    let level: Uint8Array[] = row.slice(group * TILE_WIDTH, (group + 1) * TILE_WIDTH);
    while (level.length > 1) {
      level = Array.from({ length: level.length / 2 }, (__, i) =>
        createHash('sha256')
          .update(Buffer.of(1))
          .update(level[2 * i] ?? '')
          .update(level[2 * i + 1] ?? '')
          .digest(),
      );
    }
    return level[0] ?? new Uint8Array();
  });
}

function checkHistory(disk: SimulatedDisk, problems: string[]): void {
  const path = `${LOG}/checkpoints.jsonl`;
  const lines = Buffer.from(disk.read(path)).toString('utf8').split('\n');
  if (lines.pop() !== '') problems.push('the history ends within a line');
  for (const line of lines) {
    try {
      parseCheckpoint(String(JSON.parse(line).note));
    } catch {
      problems.push(`the history has the line ${JSON.stringify(line.slice(0, 40))}`);
    }
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
