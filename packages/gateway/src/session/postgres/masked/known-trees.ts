/**
 * What the server's own trees say of where values come from, by what stands for them in one session.
 *
 * A tree comes when a statement is analysed: with a Query before its result, with a Parse, and with a Bind where
 * the server had to analyse anew. What runs later under a name is what the server last said of that name.
 * Untrusted: every byte of a tree.
 */

import type { StatementLabels } from '../../../core/column-labels.ts';
import { MASKED_SESSION_LIMITS } from '../../../core/masking-limits.ts';
import type { BoundPortal, PreparedStatement } from '../../../protocols/postgres/operation.ts';
import type { FunctionKnowledge } from '../../../sql/labels/function-knowledge.ts';
import { LabelsReader } from '../../../sql/labels/labels-reader.ts';
import { isCommand, TreeList, type TreeValue } from '../../../sql/server-tree/nodes.ts';
import { TreeReader } from '../../../sql/server-tree/read-nodes.ts';

/** One tree, read; `unread`: nobody can tell what it says. */
export type KnownTree =
  | { readonly kind: 'query'; readonly labels: StatementLabels }
  /** A command: a query in it has a tree of its own, or stands in it as it was written, with views as they are. */
  | { readonly kind: 'utility'; readonly labels: StatementLabels }
  | { readonly kind: 'unread' };

const UNREAD: KnownTree = { kind: 'unread' };

/**
 * What the server last said of a prepared statement. One for the protocol's name and for SQL's, because the server
 * has one statement, analyses it anew for whichever comes first, and then says nothing to the other.
 */
interface Analysis {
  trees: readonly KnownTree[];
}

const treeReader = new TreeReader();
const labelsReader = new LabelsReader();

/** Reads trees of one session; the same bytes are read once. */
export class KnownTrees {
  readonly #functions: FunctionKnowledge;
  readonly #read = new Map<string, KnownTree>();
  #statements = new WeakMap<PreparedStatement, Analysis>();
  readonly #portals = new WeakMap<BoundPortal, readonly KnownTree[]>();
  /** What SQL and the protocol have put under a name, for EXECUTE and for FETCH. */
  readonly #prepared = new Map<string, Analysis>();
  readonly #cursors = new Map<string, readonly KnownTree[]>();

  constructor(functions: FunctionKnowledge) {
    this.#functions = functions;
  }

  /** Where values of a statement come from, by trees that were taken from the server before it runs. */
  labelsOf(roots: readonly TreeValue[]): StatementLabels {
    return labelsReader.read(roots, this.#functions);
  }

  read(bytes: Uint8Array): KnownTree {
    if (bytes.length > MASKED_SESSION_LIMITS.rememberedTreeBytesMax) return this.#readNow(bytes);
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    const known = this.#read.get(key);
    if (known !== undefined) return known;
    const tree = this.#readNow(bytes);
    if (this.#read.size >= MASKED_SESSION_LIMITS.rememberedTreesMax) {
      const [oldest] = this.#read.keys();
      if (oldest !== undefined) this.#read.delete(oldest);
    }
    this.#read.set(key, tree);
    return tree;
  }

  /** The server took a Parse. */
  parsed(statement: PreparedStatement, trees: readonly KnownTree[]): void {
    const analysis: Analysis = { trees };
    this.#statements.set(statement, analysis);
    if (statement.name !== '') this.#put(this.#prepared, statement.name, analysis);
  }

  /** The server may have analysed it anew, for a Describe or for a Bind: it says so once. */
  analysed(statement: PreparedStatement, trees: readonly KnownTree[]): void {
    if (trees.length === 0) return;
    const analysis = this.#statements.get(statement);
    if (analysis === undefined) this.#statements.set(statement, { trees });
    else analysis.trees = trees;
  }

  /** The same for an EXECUTE; false where nobody knows what has that name. */
  executed(name: string, trees: readonly KnownTree[]): boolean {
    const analysis = this.#prepared.get(name);
    if (analysis !== undefined && trees.length > 0) analysis.trees = trees;
    return analysis !== undefined;
  }

  /** The server has analysed something anew, and nobody knows what: it says nothing more of that. */
  forgetAnalyses(): void {
    this.#statements = new WeakMap();
    this.#prepared.clear();
  }

  /** The server took a Bind; where it had to analyse the statement anew, that is what it is now. */
  bound(portal: BoundPortal, trees: readonly KnownTree[]): void {
    const { statement, name } = portal;
    if (statement !== undefined) this.analysed(statement, trees);
    const now = statement === undefined ? trees : this.#statements.get(statement)?.trees;
    this.#portals.set(portal, now ?? []);
    if (name !== '') this.#put(this.#cursors, name, now ?? []);
  }

  /** A portal is bound again, to its text as the server understands it now. */
  again(portal: BoundPortal, trees: readonly KnownTree[]): void {
    this.#portals.set(portal, trees);
    if (portal.name !== '') this.#put(this.#cursors, portal.name, trees);
  }

  ofPortal(portal: BoundPortal): readonly KnownTree[] {
    return this.#portals.get(portal) ?? [];
  }

  /** The server took a PREPARE or a DECLARE. */
  named(kind: 'prepared' | 'cursor', name: string, trees: readonly KnownTree[]): void {
    if (kind === 'prepared') this.#put(this.#prepared, name, { trees });
    else this.#put(this.#cursors, name, trees);
  }

  ofName(kind: 'prepared' | 'cursor', name: string): readonly KnownTree[] {
    return (kind === 'prepared' ? this.#prepared.get(name)?.trees : this.#cursors.get(name)) ?? [];
  }

  /** Something ran that may have put anything under any name. */
  forgetNames(): void {
    this.#prepared.clear();
    this.#cursors.clear();
  }

  /** A transaction has ended, and its cursors with it. */
  forgetCursors(): void {
    this.#cursors.clear();
  }

  #put<V>(map: Map<string, V>, name: string, value: V): void {
    // What is forgotten is not known: what comes under it is masked whole.
    if (map.size >= MASKED_SESSION_LIMITS.namesMax && !map.has(name)) map.clear();
    map.set(name, value);
  }

  #readNow(bytes: Uint8Array): KnownTree {
    const tree = treeReader.read(bytes);
    if (tree.kind !== 'tree') return UNREAD;
    const roots = tree.root instanceof TreeList ? tree.root.items : [tree.root];
    const isUtility = roots.some(isCommand);
    if (isUtility && roots.length > 1) return UNREAD;
    const labels = labelsReader.read(roots, this.#functions);
    return { kind: isUtility ? 'utility' : 'query', labels };
  }
}
