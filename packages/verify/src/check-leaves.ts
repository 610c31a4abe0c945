/**
 * The range, leaf by leaf with its bodies, and the populations that follow: spec/evidence.md, section 5,
 * `leaves`, `bodies` and the computing of `populations`.
 *
 * Memory grows with what is open at once. Untrusted: leaves and bodies.
 */

import { bodyValues, toBody, verifyBody } from '@countersign/ledger/body';
import { utf8 } from '@countersign/ledger/bytes';
import { RangeCheck } from '@countersign/ledger/completeness';
import { EVENTS } from '@countersign/ledger/events';
import { member, type PackageSubject } from '@countersign/ledger/evidence';
import type { Json } from '@countersign/ledger/jcs';
import type { Leaf, ParsedLeaf } from '@countersign/ledger/leaf';
import { leafHash } from '@countersign/ledger/merkle';
import type { PopulationName } from '@countersign/ledger/population-columns';
import { type Piece, PopulationFiles } from '@countersign/ledger/population-files';
import { type BodyState, type PopulationEvent, PopulationFold } from '@countersign/ledger/populations';
import { ENTRY_BYTES_MAX } from '@countersign/ledger/tiles';
import { BodyLines, stateOf } from './body-lines.ts';
import { BOUNDS } from './bounds.ts';
import type { Sessions } from './check-sessions.ts';
import type { TreeFacts } from './check-tree.ts';
import type { Host, StreamingHash } from './host.ts';
import type { PackageFiles } from './package-files.ts';
import { type Findings, reasonOf } from './report.ts';

export interface LeavesOptions {
  readonly files: PackageFiles;
  readonly host: Host;
  readonly directory: string;
  readonly subject: PackageSubject;
  readonly tree: TreeFacts;
  readonly partBytesMax: number;
  /** Minor version of the package. */
  readonly minor: number;
  readonly sessions: Sessions;
}

export interface LeavesFacts {
  readonly count: number;
  readonly types: ReadonlyMap<string, number>;
  readonly bodies: Readonly<Record<Exclude<BodyState, 'none'>, number>>;
  readonly rows: ReadonlyMap<PopulationName, number>;
  /** Hex SHA-256 of each population file as it must be, by file name. */
  readonly populationHashes: ReadonlyMap<string, string>;
  /** Hex SHA-256 of masking-rules.json as it must be. */
  readonly maskingRules: string;
  /** Rows of each population file. */
  readonly populationRows: ReadonlyMap<string, number>;
  readonly firstTime: string | undefined;
  readonly lastTime: string | undefined;
}

/** Reads the range; undefined where the leaves are not what they should be. */
export async function checkLeaves(
  options: LeavesOptions,
  leaves: Findings,
  bodies: Findings,
): Promise<LeavesFacts | undefined> {
  const range = new RangeReader(options, bodies);
  await leaves.run(async () => {
    for await (const line of options.files.lines(`${options.directory}/leaves`, 'jsonl', ENTRY_BYTES_MAX)) {
      await range.take(line);
    }
    range.finish(leaves);
    options.sessions.finish();
  });
  if (leaves.failed) {
    bodies.skip('the leaves are not what they should be');
    return undefined;
  }
  await bodies.run(() => range.finishBodies());
  return range.facts();
}

class RangeReader {
  readonly #options: LeavesOptions;
  readonly #bodiesFindings: Findings;
  readonly #check: RangeCheck;
  readonly #fold: PopulationFold;
  readonly #lines: BodyLines;
  readonly #populations: HashedPopulations;
  readonly #types = new Map<string, number>();
  readonly #bodies = { disclosed: 0, shredded: 0, withheld: 0 };
  readonly #unknownFields = new Set<string>();
  #count = 0;
  #firstTime: string | undefined;
  #last: { readonly boot: string; readonly t: string } | undefined;
  #gaps = 0;
  #firstGap = '';

  constructor(options: LeavesOptions, bodiesFindings: Findings) {
    const { files, host, directory, subject, tree, partBytesMax, minor } = options;
    this.#options = options;
    this.#bodiesFindings = bodiesFindings;
    this.#check = new RangeCheck(tree.frontier, subject.origin);
    this.#fold = new PopulationFold(subject);
    for (const event of [...tree.resources, ...tree.context]) this.#fold.context(event);
    this.#lines = new BodyLines(
      files.lines(`${directory}/bodies`, 'jsonl', BOUNDS.lineBytesMax),
      'bodies.jsonl',
    );
    this.#populations = new HashedPopulations(new PopulationFiles(partBytesMax, minor), host);
  }

  async take(entry: Uint8Array): Promise<void> {
    const parsed = this.#check.push(entry);
    this.#count += 1;
    this.#times(parsed);
    if (parsed.kind !== 'leaf') {
      // Whether a leaf of an unknown version has a body is not known either.
      await this.#body(() => this.#lines.skip(parsed.n));
      return;
    }
    const { leaf } = parsed;
    this.#types.set(leaf.type, (this.#types.get(leaf.type) ?? 0) + 1);
    const event = await this.#event(leaf, leafHash(entry));
    this.#options.sessions.within(leaf, event.values);
    for (const row of this.#fold.push(event)) this.#populations.add(row);
  }

  finish(findings: Findings): void {
    const { end } = this.#options.subject;
    const { notInterpreted, unknownKeys } = this.#check.finish(end.size, end.root);
    if (notInterpreted > 0)
      findings.note(`${notInterpreted} leaves of an unknown version or type: not interpreted`);
    for (const key of unknownKeys) findings.note(`unknown key in leaves: ${key}`);
    if (this.#gaps > 0) {
      findings.note(
        `${this.#gaps} gaps of more than ${BOUNDS.gapSeconds} s within a boot, the first at ${this.#firstGap}`,
      );
    }
  }

  async finishBodies(): Promise<void> {
    await this.#lines.finish();
    const { disclosed, shredded, withheld } = this.#bodies;
    this.#bodiesFindings.note(`${disclosed} disclosed`);
    if (shredded > 0)
      this.#bodiesFindings.note(`${shredded} shredded, says the package: their content is gone`);
    if (withheld > 0) this.#bodiesFindings.note(`${withheld} withheld, says the package`);
    for (const field of this.#unknownFields) this.#bodiesFindings.note(`unknown body field: ${field}`);
  }

  async facts(): Promise<LeavesFacts> {
    for (const row of this.#fold.rest()) this.#populations.add(row);
    const rules = this.#options.host.makeHash();
    rules.update(utf8(this.#fold.maskingRules()));
    return {
      maskingRules: await rules.digest(),
      count: this.#count,
      types: this.#types,
      bodies: this.#bodies,
      rows: this.#populations.rows,
      populationHashes: await this.#populations.hashes(),
      populationRows: this.#populations.fileRows,
      firstTime: this.#firstTime,
      lastTime: this.#last?.t,
    };
  }

  async #event(leaf: Leaf, hash: Uint8Array): Promise<PopulationEvent> {
    const nothing: PopulationEvent = { leaf, hash, values: {}, bodyState: 'none' };
    if (leaf.body === undefined) return nothing;
    const line = await this.#body(() => this.#lines.take(leaf.n));
    if (line === undefined) return nothing;
    const state = stateOf(line);
    if (state === undefined) {
      this.#bodiesFindings.problem(`bodies.jsonl: the line of leaf ${leaf.n} is malformed`);
      return nothing;
    }
    this.#bodies[state] += 1;
    if (state !== 'disclosed') return { leaf, hash, values: {}, bodyState: state };
    const values = await this.#body(async () => this.#open(leaf, member(line, 'body') ?? null));
    return { leaf, hash, values: values ?? {}, bodyState: state };
  }

  #open(leaf: Leaf, body: Json): Readonly<Record<string, Json>> {
    const opened = toBody(body);
    try {
      verifyBody(opened, leaf.body ?? '');
    } catch (error) {
      this.#bodiesFindings.problem(`leaf ${leaf.n} (${leaf.type}): ${reasonOf(error)}`);
    }
    const known = EVENTS[leaf.type]?.body;
    for (const name of Object.keys(opened.fields)) {
      if (known?.includes(name) === false) this.#unknownFields.add(`${leaf.type} ${name}`.slice(0, 100));
    }
    return bodyValues(opened);
  }

  /** What is wrong with bodies must not stop the leaves. */
  #body<T>(part: () => Promise<T>): Promise<T | undefined> {
    return this.#bodiesFindings.get(part);
  }

  #times(parsed: ParsedLeaf): void {
    const t = parsed.kind === 'leaf' ? parsed.leaf.t : parsed.t;
    this.#firstTime ??= t;
    const boot = parsed.kind === 'leaf' ? parsed.leaf.boot : '';
    const last = this.#last;
    this.#last = { boot, t };
    if (last === undefined || last.boot !== boot) return;
    if (Date.parse(t) - Date.parse(last.t) <= BOUNDS.gapSeconds * 1000) return;
    if (this.#gaps === 0) this.#firstGap = last.t;
    this.#gaps += 1;
  }
}

/** Population files that are never kept, only hashed. */
class HashedPopulations {
  readonly #files: PopulationFiles;
  readonly #host: Host;
  readonly #hashes = new Map<string, StreamingHash>();
  readonly fileRows: Map<string, number> = new Map<string, number>();

  constructor(files: PopulationFiles, host: Host) {
    this.#host = host;
    this.#files = files;
    this.#take(this.#files.first());
  }

  get rows(): ReadonlyMap<PopulationName, number> {
    return this.#files.rows;
  }

  add(row: Parameters<PopulationFiles['add']>[0]): void {
    this.#take(this.#files.add(row));
  }

  async hashes(): Promise<ReadonlyMap<string, string>> {
    const digests = new Map<string, string>();
    for (const [name, hash] of this.#hashes) digests.set(name, await hash.digest());
    return digests;
  }

  #take(pieces: readonly Piece[]): void {
    for (const { name, bytes, rows } of pieces) {
      let hash = this.#hashes.get(name);
      if (hash === undefined) {
        hash = this.#host.makeHash();
        this.#hashes.set(name, hash);
      }
      hash.update(bytes);
      this.fileRows.set(name, (this.fileRows.get(name) ?? 0) + rows);
    }
  }
}
