/**
 * The second pass over a log: the package's copy of it, its bodies, and the populations.
 *
 * Spec: spec/evidence.md, sections 2 and 3. Memory grows with what is open at once: sessions,
 * statements, one tile of each level.
 */

import { setImmediate } from 'node:timers/promises';
import { equalBytes, toBase64, utf8 } from '@countersign/ledger/bytes';
import { type Checkpoint, parseCheckpoint } from '@countersign/ledger/checkpoint';
import { jcs } from '@countersign/ledger/jcs';
import { type Leaf, parseLeaf } from '@countersign/ledger/leaf';
import { Frontier, leafHash } from '@countersign/ledger/merkle';
import type { PopulationName } from '@countersign/ledger/population-columns';
import { Parts, type Piece, PopulationFiles } from '@countersign/ledger/population-files';
import { type BodyState, type Period, PopulationFold } from '@countersign/ledger/populations';
import type { LogReader, StoredLeaf } from '../audit/log-reader.ts';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Bag } from './bag.ts';
import { bodyLine, type Discloser } from './disclosure.ts';
import { RotationProofs } from './rotation-proofs.ts';
import type { Survey } from './survey.ts';
import { TileBag } from './tile-bag.ts';

export interface LogPartOptions {
  readonly bag: Bag;
  /** `data/ledger/<node>`. */
  readonly directory: string;
  readonly survey: Survey;
  readonly period: Period;
  readonly discloser: Discloser;
  readonly verifierKeys: readonly string[];
  readonly partBytesMax: number;
}

/** What was counted while it was written. */
export interface LogPartCounts {
  readonly leaves: number;
  readonly types: ReadonlyMap<string, number>;
  readonly bodies: Readonly<Record<Exclude<BodyState, 'none'>, number>>;
  readonly rows: ReadonlyMap<PopulationName, number>;
  /** Lines by path, headers not counted, of files that have lines. */
  readonly lines: ReadonlyMap<string, number>;
}

/** Writes data/ledger/<node>/ and data/populations/. */
export async function writeLogPart(reader: LogReader, options: LogPartOptions): Promise<LogPartCounts> {
  const part = new LogPart(options);
  for await (const stored of reader.leaves(0, part.upTo)) {
    await part.take(stored);
    if (stored.index % LIMITS.evidence.leavesPerTurn === 0) await setImmediate();
  }
  return part.finish();
}

class LogPart {
  readonly #options: LogPartOptions;
  readonly #start: Checkpoint | undefined;
  readonly #end: Checkpoint;
  readonly #frontier = new Frontier();
  readonly #tiles: TileBag;
  readonly #proofs: RotationProofs;
  readonly #fold: PopulationFold;
  readonly #populations: PopulationFiles;
  readonly #leafParts: Parts;
  readonly #bodyParts: Parts;
  /** First leaves of the sessions that are open, before the range. */
  readonly #openSessions = new Map<string, { readonly stored: StoredLeaf; readonly leaf: Leaf }>();
  readonly #types = new Map<string, number>();
  readonly #bodies = { disclosed: 0, shredded: 0, withheld: 0 };
  readonly #lines = new Map<string, number>();
  #begun = false;

  constructor(options: LogPartOptions) {
    const { bag, directory, survey, period, partBytesMax } = options;
    this.#options = options;
    this.#start = survey.start === undefined ? undefined : parseCheckpoint(survey.start.note);
    this.#end = parseCheckpoint(survey.end.note);
    this.#tiles = new TileBag(bag, directory);
    this.#proofs = new RotationProofs(survey.rotations);
    this.#fold = new PopulationFold(period);
    this.#populations = new PopulationFiles(partBytesMax);
    this.#leafParts = new Parts('leaves', 'jsonl', '', partBytesMax);
    this.#bodyParts = new Parts('bodies', 'jsonl', '', partBytesMax);
  }

  get upTo(): number {
    return Math.max(this.#end.size, this.#proofs.upTo);
  }

  get #startSize(): number {
    return this.#start?.size ?? 0;
  }

  async take(stored: StoredLeaf): Promise<void> {
    const { index } = stored;
    if (index === this.#startSize) await this.#begin();
    const hash = leafHash(stored.leaf);
    const inTree = index < this.#end.size;
    this.#frontier.push(hash, (level, nodeIndex, nodeHash) => {
      this.#proofs.node(level, nodeIndex, nodeHash);
      if (inTree) this.#tiles.node(level, nodeHash);
    });
    const parsed = parseLeaf(stored.leaf);
    const leaf = parsed.kind === 'leaf' ? parsed.leaf : undefined;
    if (inTree) await this.#tiles.entry(stored.leaf);
    if (leaf !== undefined && index < this.#startSize) this.#before(stored, leaf);
    if (inTree && index >= this.#startSize) await this.#within(stored, leaf, hash);
    if (leaf !== undefined && this.#proofs.isRotation(index)) {
      this.#proofs.leaf(index, stored.leaf, await this.#options.discloser.disclose(stored, leaf.body));
    }
    if (this.#frontier.size === this.#end.size) this.#checkRoot(this.#end);
  }

  async finish(): Promise<LogPartCounts> {
    const { bag, directory, survey, verifierKeys } = this.#options;
    // An empty range begins where the log ends.
    if (!this.#begun && this.#frontier.size === this.#startSize) await this.#begin();
    if (this.#frontier.size < this.upTo) {
      const reason = `expected ${this.upTo} leaves, got ${this.#frontier.size}`;
      throw new CountersignError('LEDGER_INCONSISTENT', { reason });
    }
    await this.#tiles.finish();
    for (const row of this.#fold.rest()) await this.#write('data/populations', this.#populations.add(row));
    await bag.put(`${directory}/checkpoint`, survey.end.note);
    await bag.put(`${directory}/checkpoint.end`, survey.end.note);
    if (survey.start !== undefined) await bag.put(`${directory}/checkpoint.start`, survey.start.note);
    await bag.put(`${directory}/rotations.jsonl`, this.#proofs.format());
    await bag.put(`${directory}/vkeys.txt`, verifierKeys.map((key) => `${key}\n`).join(''));
    await bag.finishAll();
    return {
      leaves: this.#end.size - this.#startSize,
      types: this.#types,
      bodies: this.#bodies,
      rows: this.#populations.rows,
      lines: this.#lines,
    };
  }

  /** The tree has reached the range. */
  async #begin(): Promise<void> {
    const { bag, directory, discloser } = this.#options;
    this.#begun = true;
    if (this.#start !== undefined) this.#checkRoot(this.#start);
    const hashes = this.#frontier.hashes.map((hash) => toBase64(hash));
    await bag.put(`${directory}/frontier.json`, jcs({ size: this.#frontier.size, hashes }));
    await bag.append(`${directory}/context.jsonl`, utf8(''));
    for (const { stored, leaf } of this.#openSessions.values()) {
      const disclosure = await discloser.disclose(stored, leaf.body);
      this.#fold.context({
        leaf,
        hash: leafHash(stored.leaf),
        values: disclosure.values,
        bodyState: disclosure.state,
      });
      await bag.append(`${directory}/context.jsonl`, utf8(`${bodyLine(leaf.n, disclosure)}\n`));
    }
    this.#openSessions.clear();
    await this.#write(directory, [this.#leafParts.first(), this.#bodyParts.first()]);
    await this.#write('data/populations', this.#populations.first());
  }

  #before(stored: StoredLeaf, leaf: Leaf): void {
    if (leaf.session === undefined) return;
    if (leaf.type === 'session.end') this.#openSessions.delete(leaf.session);
    if (leaf.type !== 'session.start') return;
    this.#openSessions.set(leaf.session, { stored, leaf });
    if (this.#openSessions.size > LIMITS.evidence.openSessionsMax) {
      const { openSessionsMax: allowed } = LIMITS.evidence;
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'evidence.openSessionsMax',
        allowed,
        actual: this.#openSessions.size,
      });
    }
  }

  async #within(stored: StoredLeaf, leaf: Leaf | undefined, hash: Uint8Array): Promise<void> {
    const { directory, discloser } = this.#options;
    await this.#write(directory, this.#leafParts.add(withLineFeed(stored.leaf)));
    if (leaf === undefined) return;
    this.#types.set(leaf.type, (this.#types.get(leaf.type) ?? 0) + 1);
    const disclosure = await discloser.disclose(stored, leaf.body);
    if (disclosure.state !== 'none') {
      this.#bodies[disclosure.state] += 1;
      await this.#write(directory, this.#bodyParts.add(utf8(`${bodyLine(leaf.n, disclosure)}\n`)));
    }
    const row = this.#fold.push({ leaf, hash, values: disclosure.values, bodyState: disclosure.state });
    if (row !== undefined) await this.#write('data/populations', this.#populations.add(row));
  }

  async #write(directory: string, pieces: readonly Piece[]): Promise<void> {
    for (const { name, bytes, rows } of pieces) {
      const path = `${directory}/${name}`;
      await this.#options.bag.append(path, bytes);
      this.#lines.set(path, (this.#lines.get(path) ?? 0) + rows);
    }
  }

  #checkRoot(checkpoint: Checkpoint): void {
    if (this.#frontier.size === checkpoint.size && equalBytes(this.#frontier.root(), checkpoint.root)) return;
    throw new CountersignError('LEDGER_INCONSISTENT', {
      reason: `the leaves do not give the root of size ${checkpoint.size}`,
    });
  }
}

function withLineFeed(leaf: Uint8Array): Uint8Array {
  const line = new Uint8Array(leaf.length + 1);
  line.set(leaf);
  line[leaf.length] = 0x0a;
  return line;
}
