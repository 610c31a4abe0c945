/**
 * Where the values of a statement come from, by the server's own account: trees → {@link StatementLabels}.
 *
 * Spec: spec/masking.md, "By origin"; PostgreSQL 15 to 18, src/include/nodes/parsenodes.h, primnodes.h.
 * In a rewritten tree views are sub-selects, and quals of row security stand apart; names are numbers. Every part of
 * it is visited once for what it names and does; what it shows is followed from there (origins-reader.ts).
 * Untrusted: every node. There is no exception: what is not understood, or is too much, is opaque.
 */

import {
  type ColumnLabel,
  columnLabel,
  type LabelUse,
  type LabelWrite,
  type Origins,
  type OutputColumn,
  type StatementLabels,
  type UseKind,
} from '../../core/column-labels.ts';
import { LABEL_LIMITS } from '../../core/label-limits.ts';
import { fieldOf, numberOf, TreeList, TreeNode, type TreeValue } from '../server-tree/nodes.ts';
import { callOf } from './calls.ts';
import { expressionType } from './expression-type.ts';
import type { FunctionKnowledge } from './function-knowledge.ts';
import { type Budget, OriginsReader } from './origins-reader.ts';
import { COMMAND, isQuery, type Output, Scope } from './scope.ts';
import { tellingParts } from './telling-parts.ts';
import { explained, stored } from './utility-labels.ts';

export class LabelsReader {
  /** @param roots the trees of one statement, in order; COPY and PREPARE of a query have two */
  read(roots: readonly TreeValue[], functions: FunctionKnowledge): StatementLabels {
    return new Reading(functions).read(roots);
  }
}

/** Where the walk is. */
interface Place {
  readonly scope: Scope;
  /** Within quals of row security and checks of views, which whoever owns the table or the view wrote. */
  readonly owners: boolean;
  /** Within what a sink, or what nobody knows, is given: what is in there is in that use. */
  readonly within: ReadonlySet<UseKind>;
}

interface Gathered {
  readonly labels: Set<ColumnLabel>;
  opaque: string | undefined;
}

/** What the client gets of a statement, and what a utility statement makes of it. */
interface Shown {
  readonly outputs: readonly OutputColumn[] | undefined;
  readonly by: readonly ('explain' | 'store')[];
  /** Why nobody knows the query. */
  readonly unknown?: string;
}

/** `CmdType`, up to CMD_NOTHING. */
const COMMANDS: ReadonlySet<number | undefined> = new Set([1, 2, 3, 4, 5, 6, 7]);

const NOWHERE: ReadonlySet<UseKind> = new Set();
const NO_LABELS: ReadonlySet<ColumnLabel> = new Set();

class Reading {
  readonly #functions: FunctionKnowledge;
  readonly #budget: Budget = { steps: LABEL_LIMITS.stepsMax };
  readonly #origins: OriginsReader;
  readonly #scopes = new Map<TreeNode, Scope>();
  readonly #uses = new Map<
    string,
    Gathered & { readonly kind: UseKind; readonly view: number | undefined }
  >();
  readonly #writes = new Map<ColumnLabel, Gathered>();
  readonly #relations = new Set<number>();
  readonly #utilities: string[] = [];
  /** Nodes and lists to be looked at, with their places; not on the stack, which a deep tree would exhaust. */
  readonly #waiting: (TreeNode | TreeList)[] = [];
  readonly #places: Place[] = [];
  #queries = 0;
  #misunderstood: string | undefined;

  constructor(functions: FunctionKnowledge) {
    this.#functions = functions;
    this.#origins = new OriginsReader(functions, this.#budget);
  }

  read(roots: readonly TreeValue[]): StatementLabels {
    const shown: Shown[] = [];
    for (const query of roots.flatMap((root) => (root instanceof TreeList ? root.items : [root]))) {
      // What a rule makes nothing of.
      if (query === null) continue;
      if (!isQuery(query)) {
        this.#misunderstood ??= 'a tree that is not a query';
        continue;
      }
      const scope = Scope.root(query, this.#scopes);
      this.#push(query, { scope, owners: false, within: NOWHERE });
      this.#walk();
      const rows = this.#shownBy(scope);
      if (rows !== undefined) shown.push(rows);
    }
    if (this.#budget.steps <= 0) this.#misunderstood ??= 'too much to follow';
    return this.#misunderstood === undefined ? this.#labels(shown) : this.#nothingKnown(this.#misunderstood);
  }

  #labels(shown: readonly Shown[]): StatementLabels {
    const [only, ...others] = shown;
    let labels: StatementLabels = {
      // Queries that a rule adds may have rows as well; nobody can tell whose come.
      outputs: others.length > 0 ? undefined : only?.outputs,
      uses: [...this.#uses.values()],
      writes: [...this.#writes].map(([target, origins]): LabelWrite => ({ target, ...origins })),
      relations: this.#relations,
      utilities: this.#utilities,
    };
    for (const each of shown) {
      for (const by of each.by) labels = by === 'store' ? stored(labels) : explained(labels, each.unknown);
    }
    return labels;
  }

  /** Rather too much than too little: whoever asks takes it for anything. */
  #nothingKnown(opaque: string): StatementLabels {
    const nothing: Origins = { labels: NO_LABELS, opaque };
    const uses = (['predicate', 'unknown-sink'] as const).map(
      (kind): LabelUse => ({ kind, view: undefined, ...nothing }),
    );
    return {
      outputs: undefined,
      uses,
      writes: [{ target: columnLabel(0, 0), ...nothing }],
      relations: this.#relations,
      utilities: this.#utilities,
    };
  }

  #push(value: TreeNode | TreeList, place: Place): void {
    this.#waiting.push(value);
    this.#places.push(place);
  }

  #walk(): void {
    for (;;) {
      const value = this.#waiting.pop();
      const place = this.#places.pop();
      if (value === undefined || place === undefined) return;
      this.#budget.steps -= 1;
      if (this.#budget.steps <= 0) return;
      if (value instanceof TreeList) {
        if (value.of === 'nodes') this.#pushParts(value.items, place);
      } else if (isQuery(value)) {
        this.#query(value, place);
      } else if (value.tag === 'RANGETBLENTRY') {
        this.#entry(value, place);
      } else {
        this.#pushParts(value.values, this.#node(value, place));
      }
    }
  }

  #pushParts(parts: readonly TreeValue[], place: Place): void {
    for (const part of parts) {
      if (part instanceof TreeNode || part instanceof TreeList) this.#push(part, place);
    }
  }

  #query(query: TreeNode, { scope: around, owners, within }: Place): void {
    this.#queries += 1;
    if (this.#queries > LABEL_LIMITS.queriesMax) this.#budget.steps = 0;
    const scope = around.query === query ? around : around.of(query);
    if (!COMMANDS.has(scope.command)) this.#misunderstood ??= 'a query of an unknown command type';
    if (!owners) {
      for (const { kind, column } of this.#origins.usesOf(scope))
        this.#use(kind, scope.view, this.#origins.originsOf(column));
      this.#writesOf(scope);
    }
    for (const [index, name] of query.names.entries()) {
      const value = query.values[index];
      if (!(value instanceof TreeNode || value instanceof TreeList)) continue;
      if (name === 'utilityStmt' && value instanceof TreeNode) this.#utilities.push(value.tag);
      this.#push(value, {
        scope: name === 'returningList' ? scope.returning : scope,
        owners: owners || name === 'withCheckOptions',
        within,
      });
    }
    // PostgreSQL 15 does not print most of them.
    if (fieldOf(query, 'utilityStmt') === '?') this.#utilities.push('?');
  }

  #entry(entry: TreeNode, place: Place): void {
    this.#relation(entry);
    // Makes its scope, which knows of which view it is.
    place.scope.queryOf(entry);
    for (const [index, name] of entry.names.entries()) {
      const value = entry.values[index];
      if (!(value instanceof TreeNode || value instanceof TreeList)) continue;
      const isSecurity = name === 'securityQuals';
      if (isSecurity && !place.owners) this.#compared(value, place.scope);
      this.#push(value, { ...place, owners: place.owners || isSecurity });
    }
  }

  /** By row security: whoever can write what it compares with, or set it, can tell by the rows that are left. */
  #compared(quals: TreeNode | TreeList, scope: Scope): void {
    const origins = this.#origins.originsOf({ values: [quals], scope, passes: false });
    this.#use('predicate', scope.view, { ...origins, opaque: undefined });
  }

  #relation(node: TreeNode): void {
    const oid = numberOf(node, 'relid') ?? 0;
    if (oid > 0) this.#relations.add(oid);
  }

  /** Takes what a node says by itself; gives the place of what is below it. */
  #node(node: TreeNode, place: Place): Place {
    if (node.tag === 'RTEPERMISSIONINFO') this.#relation(node);
    if (place.owners) return place;
    const { scope } = place;
    const given = { values: node.values, scope, passes: false };
    if (node.tag === 'COERCETODOMAIN') {
      // Whether its checks let it through.
      this.#use('constraint', scope.view, this.#origins.originsOf(given));
      return place;
    }
    for (const { kind, values } of tellingParts(node)) {
      const origins = this.#origins.originsOf({ values, scope, passes: false });
      // What nobody knows is told of where it goes.
      this.#use(kind, scope.view, { ...origins, opaque: undefined });
    }
    const called = callOf(node, this.#functions)?.kind ?? 'pure';
    const kind = called === 'sink' ? 'sink' : called === 'opaque' ? 'unknown-sink' : undefined;
    if (kind === undefined || place.within.has(kind)) return place;
    this.#use(kind, scope.view, this.#origins.originsOf(given));
    return { ...place, within: new Set([...place.within, kind]) };
  }

  #use(kind: UseKind, view: number | undefined, origins: Origins): void {
    if (origins.labels.size === 0 && origins.opaque === undefined) return;
    const key = `${kind} ${view ?? ''}`;
    let use = this.#uses.get(key);
    if (use === undefined) {
      use = { kind, view, labels: new Set(), opaque: undefined };
      this.#uses.set(key, use);
    }
    this.#add(use, origins);
  }

  #writesOf(scope: Scope): void {
    const { target, writes } = scope;
    for (const { attno, value } of writes) {
      const label = columnLabel(target, attno);
      let write = this.#writes.get(label);
      if (write === undefined) {
        write = { labels: new Set(), opaque: undefined };
        this.#writes.set(label, write);
      }
      if (target === 0 || attno === 0) write.opaque ??= 'a column without its number';
      this.#add(write, this.#origins.originsOf({ values: [value], scope, passes: false }));
    }
  }

  #add(to: Gathered, { labels, opaque }: Origins): void {
    for (const label of labels) to.labels.add(label);
    to.opaque ??= opaque;
    this.#budget.steps -= labels.size;
  }

  /** @returns undefined where it has no rows for the client */
  #shownBy(root: Scope): Shown | undefined {
    const by: Shown['by'][number][] = [];
    let scope = root;
    // EXPLAIN may have CREATE TABLE AS in it.
    for (let inner = innerQuery(scope.query); inner !== undefined; inner = innerQuery(scope.query)) {
      by.unshift(...inner.by);
      if (inner.query === undefined) return unknownQuery(by);
      scope = scope.of(inner.query);
    }
    if (scope.command === COMMAND.utility) return unknownQuery(by);
    if (!scope.hasOutputs) return { outputs: undefined, by, unknown: 'a query without its columns' };
    const shown = scope.outputs.filter(({ entry }) => !isJunk(entry));
    const isSelect = scope.command === COMMAND.select;
    if (shown.length === 0 && !isSelect) return by.length === 0 ? undefined : { outputs: undefined, by };
    return { outputs: shown.map((output) => this.#output(output)), by };
  }

  #output({ name, entry, column }: Output): OutputColumn {
    const { oid: typeOid, typmod } = expressionType(
      entry instanceof TreeNode ? fieldOf(entry, 'expr') : undefined,
    );
    const { labels, opaque } = this.#origins.originsOf(column);
    const identity = opaque === undefined ? this.#origins.identityOf(column) : undefined;
    return { name, typeOid, typmod, identity, labels, opaque };
  }
}

/** @returns undefined where there is no query to know */
function unknownQuery(by: Shown['by']): Shown | undefined {
  return by.length === 0 ? undefined : { outputs: undefined, by, unknown: 'a query that is not shown' };
}

interface Inner {
  readonly by: readonly ('explain' | 'store')[];
  /** Undefined where the tree does not have it: EXECUTE. */
  readonly query: TreeNode | undefined;
}

/** The analysed query in a utility statement that shows or keeps what it gives. */
function innerQuery(query: TreeNode): Inner | undefined {
  const utility = fieldOf(query, 'utilityStmt');
  if (!(utility instanceof TreeNode)) return undefined;
  const inner = fieldOf(utility, 'query');
  const found = isQuery(inner) ? inner : undefined;
  if (utility.tag === 'EXPLAINSTMT') return { by: ['explain'], query: found };
  if (utility.tag === 'CREATETABLEASSTMT') return { by: ['store'], query: found };
  // COPY and PREPARE have theirs in a tree of its own.
  return utility.tag === 'DECLARECURSORSTMT' ? { by: [], query: found } : undefined;
}

function isJunk(entry: TreeValue): boolean {
  return entry instanceof TreeNode && fieldOf(entry, 'resjunk') === 'true';
}
