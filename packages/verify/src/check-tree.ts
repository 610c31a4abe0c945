/**
 * Whether the package's copy of the log is one tree: spec/evidence.md, section 5, `tree`.
 *
 * Reads every entry from the first on; what the other checks need of leaves before the range is taken
 * here. Untrusted: tiles, bundles, frontier, context.
 */

import { bodyValues, toBody, verifyBody } from '@countersign/ledger/body';
import { concat, equalBytes, fromBase64, toHex, utf8Text } from '@countersign/ledger/bytes';
import { member, type PackageSubject, type TreeHead } from '@countersign/ledger/evidence';
import type { Json } from '@countersign/ledger/jcs';
import { type Leaf, parseLeaf } from '@countersign/ledger/leaf';
import { Frontier, leafHash } from '@countersign/ledger/merkle';
import { type PopulationEvent, RESOURCE_CHANGES } from '@countersign/ledger/populations';
import { decodeBundle, type Tile, TILE_WIDTH, tilePath, tileWidth } from '@countersign/ledger/tiles';
import { BodyLines, stateOf } from './body-lines.ts';
import { BOUNDS } from './bounds.ts';
import type { Sessions } from './check-sessions.ts';
import { canonicalJson, type PackageFiles } from './package-files.ts';
import { type Findings, PackageError } from './report.ts';

const TILE_HEIGHT = 8;

export interface TreeOptions {
  readonly files: PackageFiles;
  readonly directory: string;
  readonly subject: PackageSubject;
  /** Other trees that must be this one at their sizes. */
  readonly heads: readonly TreeHead[];
  /** Texts of leaves that must be these ones. */
  readonly expectedLeaves: ReadonlyMap<number, string>;
  readonly sessions: Sessions;
  /** Whether the package has resources.jsonl, as its version says. */
  readonly hasResources: boolean;
  readonly onProgress: (done: number, total: number) => void;
}

export interface TreeFacts {
  /** The tree of size a, as frontier.json has it. */
  readonly frontier: Frontier;
  /** The sessions that are open at a. */
  readonly context: readonly PopulationEvent[];
  /** Changes before a of what is a Mask, or may be one. */
  readonly resources: readonly PopulationEvent[];
  /** Time of the leaf before a. */
  readonly timeBefore: string | undefined;
}

/** Reads the whole log. */
export async function checkTree(options: TreeOptions, findings: Findings): Promise<TreeFacts | undefined> {
  const { files, directory, subject } = options;
  const frontier = await findings.get(() => readFrontier(files, directory));
  const context = await findings.get(() => readContext(files, directory));
  const tree = new TreeReader(options, context ?? new Map(), findings);
  await findings.run(async () => {
    const { size } = subject.end;
    for (let index = 0; index * TILE_WIDTH < size; index++) {
      const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
      const path = `${directory}/${tilePath({ level: 'entries', index, width })}`;
      const entries = decodeBundle(await files.bytes(path, BOUNDS.bundleBytesMax), width);
      for (const entry of entries) await tree.take(entry);
      options.onProgress(index * TILE_WIDTH + width, size);
    }
    await tree.finish();
  });
  refuseStrangers(files, directory, subject.end.size, findings);
  if (frontier === undefined) return undefined;
  const { size, hashes } = frontier;
  if (size !== subject.start.size)
    findings.problem(`frontier.json is of size ${size}, expected ${subject.start.size}`);
  const atStart = tree.frontierAtStart;
  if (atStart !== undefined && !sameHashes(atStart, hashes)) {
    findings.problem(`frontier.json is not the frontier of size ${size} of this tree`);
  }
  return { frontier, context: tree.context, resources: tree.resources, timeBefore: tree.timeBefore };
}

class TreeReader {
  readonly #options: TreeOptions;
  readonly #findings: Findings;
  readonly #frontier = new Frontier();
  /** Hashes of the unfinished tile of each level. */
  readonly #tiles: { index: number; hashes: Uint8Array[] }[] = [];
  #finished: { readonly tile: Tile; readonly hashes: readonly Uint8Array[] }[] = [];
  /** Expected roots by size. */
  readonly #roots = new Map<number, Uint8Array[]>();
  readonly #contextLines: Map<number, Json>;
  readonly #open = new Map<string, PopulationEvent>();
  readonly #resourceLines: BodyLines | undefined;
  readonly #resources: PopulationEvent[] = [];
  #atStart: readonly Uint8Array[] | undefined;
  #timeBefore: string | undefined;

  constructor(options: TreeOptions, contextLines: Map<number, Json>, findings: Findings) {
    this.#options = options;
    this.#findings = findings;
    this.#contextLines = contextLines;
    const { files, directory, hasResources } = options;
    if (hasResources) {
      const lines = files.lines(`${directory}/resources`, 'jsonl', BOUNDS.lineBytesMax);
      this.#resourceLines = new BodyLines(lines, 'resources.jsonl');
    }
    const { start, end } = options.subject;
    for (const { size, root } of [start, end, ...options.heads]) {
      this.#roots.set(size, [...(this.#roots.get(size) ?? []), root]);
    }
    this.#compareRoots();
  }

  get frontierAtStart(): readonly Uint8Array[] | undefined {
    return this.#atStart;
  }

  get context(): readonly PopulationEvent[] {
    return [...this.#open.values()];
  }

  get resources(): readonly PopulationEvent[] {
    return this.#resources;
  }

  get timeBefore(): string | undefined {
    return this.#timeBefore;
  }

  async take(entry: Uint8Array): Promise<void> {
    const index = this.#frontier.size;
    const hash = leafHash(entry);
    const expected = this.#options.expectedLeaves.get(index);
    if (expected !== undefined && expected !== utf8Text(entry)) {
      this.#findings.problem(`leaf ${index} is not the one that rotations.jsonl has`);
    }
    const before = index < this.#options.subject.start.size ? this.#before(index, entry, hash) : undefined;
    if (before !== undefined) await before;
    this.#frontier.push(hash, (level, _, node) => this.#node(level, node));
    const finished = this.#finished;
    this.#finished = [];
    for (const { tile, hashes } of finished) await this.#compareTile(tile, hashes);
    this.#compareRoots();
  }

  /** Compares what is partial. */
  async finish(): Promise<void> {
    await this.#findings.run(async () => this.#resourceLines?.finish());
    for (const [level, { index, hashes }] of this.#tiles.entries()) {
      if (hashes.length > 0) await this.#compareTile({ level, index, width: hashes.length }, hashes);
    }
  }

  #node(level: number, node: Uint8Array): void {
    if (level % TILE_HEIGHT !== 0) return;
    const tileLevel = level / TILE_HEIGHT;
    this.#tiles[tileLevel] ??= { index: 0, hashes: [] };
    const { index, hashes } = this.#tiles[tileLevel];
    hashes.push(node);
    if (hashes.length < TILE_WIDTH) return;
    this.#finished.push({ tile: { level: tileLevel, index, width: TILE_WIDTH }, hashes });
    this.#tiles[tileLevel] = { index: index + 1, hashes: [] };
  }

  async #compareTile(tile: Tile, hashes: readonly Uint8Array[]): Promise<void> {
    const path = `${this.#options.directory}/${tilePath(tile)}`;
    await this.#findings.run(async () => {
      const bytes = await this.#options.files.bytes(path, BOUNDS.tileBytesMax);
      if (!equalBytes(bytes, concat(...hashes))) {
        this.#findings.problem(`${path} is not the tile that the entries give`);
      }
    });
  }

  #compareRoots(): void {
    const { size } = this.#frontier;
    if (size === this.#options.subject.start.size) this.#atStart = [...this.#frontier.hashes];
    for (const root of this.#roots.get(size) ?? []) {
      if (!equalBytes(root, this.#frontier.root())) {
        this.#findings.problem(
          `the entries have the root ${toHex(this.#frontier.root())} at size ${size}, a checkpoint ${toHex(root)}`,
        );
      }
    }
    if (size === this.#options.subject.start.size) this.#checkContext();
  }

  /** A promise only where a line has to be read. */
  #before(index: number, entry: Uint8Array, hash: Uint8Array): Promise<void> | undefined {
    const parsed = parseLeaf(entry);
    this.#timeBefore = parsed.kind === 'leaf' ? parsed.leaf.t : parsed.t;
    if (parsed.kind !== 'leaf') return undefined;
    const { leaf } = parsed;
    if (RESOURCE_CHANGES.has(leaf.type)) return this.#resource(leaf, hash);
    if (leaf.session === undefined) return undefined;
    this.#options.sessions.before(leaf);
    if (leaf.n !== index) this.#findings.problem(`leaf ${leaf.n} at position ${index}`);
    if (leaf.type === 'session.end') this.#open.delete(leaf.session);
    if (leaf.type !== 'session.start') return undefined;
    this.#open.set(leaf.session, contextEvent(leaf, hash, this.#contextLines.get(index)));
    if (this.#open.size > BOUNDS.openSessionsMax) throw new PackageError('too many open sessions');
    return undefined;
  }

  /** Each change before the range has its line; of those that are of something else than a Mask or a Detector nothing is kept. */
  async #resource(leaf: Leaf, hash: Uint8Array): Promise<void> {
    const lines = this.#resourceLines;
    if (lines === undefined || leaf.body === undefined) return;
    await this.#findings.run(async () => {
      const line = await lines.take(leaf.n);
      if (stateOf(line) === undefined) throw new PackageError(`resources.jsonl: leaf ${leaf.n} is malformed`);
      const event = contextEvent(leaf, hash, line);
      const { resource_kind: kind } = event.values;
      if (kind === undefined || kind === 'Mask' || kind === 'Detector') this.#resources.push(event);
      if (this.#resources.length > BOUNDS.resourceChangesMax)
        throw new PackageError('too many changes of resources');
    });
  }

  /** Each open session has its line, and nothing else has one. */
  #checkContext(): void {
    for (const { leaf, bodyState } of this.#open.values()) {
      if (leaf.body !== undefined && bodyState === 'none') {
        this.#findings.problem(`context.jsonl has no line for leaf ${leaf.n}, whose session is open`);
      }
      this.#contextLines.delete(leaf.n);
    }
    for (const n of this.#contextLines.keys()) {
      this.#findings.problem(`context.jsonl has a line for leaf ${n}, which opened no session that is open`);
    }
  }
}

function contextEvent(leaf: Leaf, hash: Uint8Array, line: Json | undefined): PopulationEvent {
  const body = member(line, 'body');
  if (line === undefined || leaf.body === undefined) return { leaf, hash, values: {}, bodyState: 'none' };
  if (body === undefined) return { leaf, hash, values: {}, bodyState: 'shredded' };
  const opened = toBody(body);
  verifyBody(opened, leaf.body);
  return { leaf, hash, values: bodyValues(opened), bodyState: 'disclosed' };
}

async function readFrontier(files: PackageFiles, directory: string): Promise<Frontier> {
  const value = await files.json(`${directory}/frontier.json`);
  const size = member(value, 'size');
  const hashes = member(value, 'hashes');
  if (typeof size !== 'number' || !Array.isArray(hashes)) {
    throw new PackageError('frontier.json: expected size and hashes');
  }
  return Frontier.from(
    size,
    hashes.map((hash) => fromBase64(typeof hash === 'string' ? hash : '')),
  );
}

async function readContext(files: PackageFiles, directory: string): Promise<Map<number, Json>> {
  const lines = new Map<number, Json>();
  for await (const line of files.lines(`${directory}/context`, 'jsonl', BOUNDS.lineBytesMax)) {
    const value = canonicalJson(utf8Text(line), 'context.jsonl');
    const n = member(value, 'n');
    if (typeof n !== 'number' || lines.has(n)) throw new PackageError('context.jsonl: a malformed line');
    lines.set(n, value);
    if (lines.size > BOUNDS.openSessionsMax) throw new PackageError('context.jsonl has too many lines');
  }
  return lines;
}

function sameHashes(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return equalBytes(concat(...a), concat(...b));
}

/** Files below tile/ that the tree does not have. */
function refuseStrangers(files: PackageFiles, directory: string, size: number, findings: Findings): void {
  const prefix = `${directory}/tile/`;
  const expected = new Set<string>();
  for (let level = 0; tileWidth(level, 0, size) > 0; level++) {
    for (let index = 0; tileWidth(level, index, size) > 0; index++) {
      const width = tileWidth(level, index, size);
      expected.add(`${directory}/${tilePath({ level, index, width })}`);
      if (level === 0) expected.add(`${directory}/${tilePath({ level: 'entries', index, width })}`);
    }
  }
  for (const path of files.paths) {
    if (path.startsWith(prefix) && !expected.has(path)) findings.problem(`not a tile of this tree: ${path}`);
  }
}
