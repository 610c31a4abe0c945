/**
 * The second pass over a log: the package's copy of it, its bodies, and the populations.
 *
 * Spec: spec/evidence.md, sections 2 and 3. Memory grows with what is open at once: sessions,
 * statements, one tile of each level.
 */

import { equalBytes, toBase64, utf8 } from '@countersign/ledger/bytes';
import { type Checkpoint, parseCheckpoint } from '@countersign/ledger/checkpoint';
import { MASKING_RULES } from '@countersign/ledger/evidence';
import { jcs } from '@countersign/ledger/jcs';
import { type Leaf, parseLeaf } from '@countersign/ledger/leaf';
import { Frontier, leafHash } from '@countersign/ledger/merkle';
import type { PopulationName } from '@countersign/ledger/population-columns';
import { Parts, type Piece, PopulationFiles } from '@countersign/ledger/population-files';
import {
  type BodyState,
  type Period,
  PopulationFold,
  RESOURCE_CHANGES,
} from '@countersign/ledger/populations';
import type { LogReader, StoredLeaf } from '../audit/log-reader.ts';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Bag } from './bag.ts';
import { bodyLine, type Discloser, discloseFields, type Disclosure } from './disclosure.ts';
import { RotationProofs } from './rotation-proofs.ts';
import { SecondScan, type SecondScanSource } from './second-scan.ts';
import type { Survey } from './survey.ts';
import { TileBag } from './tile-bag.ts';

const SESSION_TYPE: Buffer = Buffer.from('"type":"session.');
const RESOURCE_TYPE: Buffer = Buffer.from('"type":"resource.');
const MASKING_DIRECTORY = 'data/masking';
/** All that a package has of a change before the range that is none of a Mask. */
const KIND_ONLY: ReadonlySet<string> = new Set(['resource_kind']);

export interface LogPartOptions {
  readonly bag: Bag;
  /** `data/ledger/<node>`. */
  readonly directory: string;
  readonly survey: Survey;
  readonly period: Period;
  readonly discloser: Discloser;
  readonly verifierKeys: readonly string[];
  readonly partBytesMax: number;
  readonly secondScan: SecondScanSource;
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

/** Writes data/ledger/<node>/, data/populations/, and what of data/masking/ is of leaves and recordings. */
export async function writeLogPart(reader: LogReader, options: LogPartOptions): Promise<LogPartCounts> {
  const part = new LogPart(options);
  for await (const batch of reader.batches(0, part.upTo)) {
    for (const stored of batch) {
      const taken = part.take(stored);
      if (taken !== undefined) await taken;
    }
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
  readonly #resourceParts: Parts;
  readonly #secondScan: SecondScan;
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
    this.#resourceParts = new Parts('resources', 'jsonl', '', partBytesMax);
    this.#secondScan = new SecondScan({
      ...options.secondScan,
      partBytesMax,
      write: (pieces) => this.#write(MASKING_DIRECTORY, pieces),
    });
  }

  get upTo(): number {
    return Math.max(this.#end.size, this.#proofs.upTo);
  }

  get #startSize(): number {
    return this.#start?.size ?? 0;
  }

  /** Takes the next leaf; a promise only where a key has to be asked for. */
  take(stored: StoredLeaf): Promise<void> | undefined {
    if (stored.index === this.#startSize) return this.#begin().then(() => this.#take(stored));
    return this.#take(stored);
  }

  #take(stored: StoredLeaf): Promise<void> | undefined {
    const { index } = stored;
    const hash = leafHash(stored.leaf);
    const inTree = index < this.#end.size;
    this.#frontier.push(hash, (level, nodeIndex, nodeHash) => {
      this.#proofs.node(level, nodeIndex, nodeHash);
      if (inTree) this.#tiles.node(level, nodeHash);
    });
    if (inTree) this.#tiles.entry(stored.leaf);
    if (this.#frontier.size === this.#end.size) this.#checkRoot(this.#end);
    const within = inTree && index >= this.#startSize;
    const rotation = this.#proofs.isRotation(index);
    // Of all others nothing but the hash is needed, and most of a log lies before a period.
    if (!within && !rotation && !isBeforeRange(stored.leaf)) return undefined;
    const parsed = parseLeaf(stored.leaf);
    const leaf = parsed.kind === 'leaf' ? parsed.leaf : undefined;
    if (within) this.#write(this.#options.directory, this.#leafParts.add(withLineFeed(stored.leaf)));
    if (leaf === undefined) return undefined;
    if (index < this.#startSize) this.#before(stored, leaf);
    if (index < this.#startSize && RESOURCE_CHANGES.has(leaf.type)) return this.#resource(stored, leaf, hash);
    if (!within && !rotation) return undefined;
    const take = (disclosure: Disclosure): Promise<void> | undefined => {
      if (within) this.#within(leaf, hash, disclosure);
      if (rotation) this.#proofs.leaf(index, stored.leaf.slice(), disclosure);
      return within ? this.#secondScan.take(leaf, disclosure.values) : undefined;
    };
    const disclosure = this.#options.discloser.disclose(stored, leaf.body);
    return disclosure instanceof Promise ? disclosure.then(take) : take(disclosure);
  }

  async finish(): Promise<LogPartCounts> {
    const { bag, directory, survey, verifierKeys } = this.#options;
    // An empty range begins where the log ends.
    if (!this.#begun && this.#frontier.size === this.#startSize) await this.#begin();
    if (this.#frontier.size < this.upTo) {
      const reason = `expected ${this.upTo} leaves, got ${this.#frontier.size}`;
      throw new CountersignError('LEDGER_INCONSISTENT', { reason });
    }
    await this.#secondScan.finish();
    this.#tiles.finish();
    for (const row of this.#fold.rest()) this.#write('data/populations', this.#populations.add(row));
    bag.put(MASKING_RULES, this.#fold.maskingRules());
    bag.put(`${directory}/checkpoint`, survey.end.note);
    bag.put(`${directory}/checkpoint.end`, survey.end.note);
    if (survey.start !== undefined) bag.put(`${directory}/checkpoint.start`, survey.start.note);
    bag.put(`${directory}/rotations.jsonl`, this.#proofs.format());
    bag.put(`${directory}/vkeys.txt`, verifierKeys.map((key) => `${key}\n`).join(''));
    bag.finishAll();
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
    bag.put(`${directory}/frontier.json`, jcs({ size: this.#frontier.size, hashes }));
    bag.append(`${directory}/context.jsonl`, utf8(''));
    for (const { stored, leaf } of this.#openSessions.values()) {
      const disclosure = await discloser.disclose(stored, leaf.body);
      this.#fold.context({
        leaf,
        hash: leafHash(stored.leaf),
        values: disclosure.values,
        bodyState: disclosure.state,
      });
      bag.append(`${directory}/context.jsonl`, utf8(`${bodyLine(leaf.n, disclosure)}\n`));
      await this.#secondScan.take(leaf, disclosure.values);
    }
    this.#openSessions.clear();
    this.#write(directory, [this.#leafParts.first(), this.#bodyParts.first(), this.#resourceParts.first()]);
    this.#write('data/populations', this.#populations.first());
    this.#secondScan.begin();
  }

  #before(stored: StoredLeaf, leaf: Leaf): void {
    if (leaf.session === undefined) return;
    if (leaf.type === 'session.end') this.#openSessions.delete(leaf.session);
    if (leaf.type !== 'session.start') return;
    // A copy: the bytes are views of a whole chunk of the journal.
    const { index, leaf: entry, sealed } = stored;
    this.#openSessions.set(leaf.session, {
      stored: { index, leaf: entry.slice(), sealed: sealed.slice() },
      leaf,
    });
    if (this.#openSessions.size > LIMITS.evidence.openSessionsMax) {
      const { openSessionsMax: allowed } = LIMITS.evidence;
      throw new CountersignError('LIMIT_EXCEEDED', {
        limit: 'evidence.openSessionsMax',
        allowed,
        actual: this.#openSessions.size,
      });
    }
  }

  /** A change before the range: of a Mask or a Detector it is shown, of all else that it is of something else. */
  #resource(stored: StoredLeaf, leaf: Leaf, hash: Uint8Array): Promise<void> | undefined {
    const take = (whole: Disclosure): void => {
      if (whole.state === 'none') return;
      const kind = whole.values['resource_kind'];
      const shown = kind === 'Mask' || kind === 'Detector' ? whole : discloseFields(whole, KIND_ONLY);
      this.#fold.context({ leaf, hash, values: shown.values, bodyState: shown.state });
      const line = utf8(`${bodyLine(leaf.n, shown)}\n`);
      this.#write(this.#options.directory, this.#resourceParts.add(line));
    };
    const disclosure = this.#options.discloser.disclose(stored, leaf.body);
    if (disclosure instanceof Promise) return disclosure.then(take);
    take(disclosure);
    return undefined;
  }

  #within(leaf: Leaf, hash: Uint8Array, disclosure: Disclosure): void {
    const { directory } = this.#options;
    this.#types.set(leaf.type, (this.#types.get(leaf.type) ?? 0) + 1);
    if (disclosure.state !== 'none') {
      this.#bodies[disclosure.state] += 1;
      this.#write(directory, this.#bodyParts.add(utf8(`${bodyLine(leaf.n, disclosure)}\n`)));
    }
    const event = { leaf, hash, values: disclosure.values, bodyState: disclosure.state };
    for (const row of this.#fold.push(event)) this.#write('data/populations', this.#populations.add(row));
  }

  #write(directory: string, pieces: readonly Piece[]): void {
    for (const { name, bytes, rows } of pieces) {
      const path = `${directory}/${name}`;
      this.#options.bag.append(path, bytes);
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

/** Whether a leaf's type begins with `session.` or `resource.`: the texts stand in no other place of a leaf. */
function isBeforeRange(leaf: Uint8Array): boolean {
  const bytes = Buffer.from(leaf.buffer, leaf.byteOffset, leaf.length);
  return bytes.includes(SESSION_TYPE) || bytes.includes(RESOURCE_TYPE);
}

function withLineFeed(leaf: Uint8Array): Uint8Array {
  const line = new Uint8Array(leaf.length + 1);
  line.set(leaf);
  line[leaf.length] = 0x0a;
  return line;
}
