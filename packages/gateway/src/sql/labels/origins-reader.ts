/**
 * Of what an expression is made: follows columns to the tables that they come from.
 *
 * Every node is the union of its parts, known or not, and opaque where it calls what nobody knows, or is not known
 * itself. Only four kinds of nodes are more: a column, a sub-select, a window function, and a parameter that stands for
 * a sub-select. Nothing recurses: the tree is untrusted, and as deep as it likes.
 */

import { type ColumnLabel, columnLabel, type Origins } from '../../core/column-labels.ts';
import { fieldOf, itemsOf, numberOf, TreeList, TreeNode, type TreeValue } from '../server-tree/nodes.ts';
import { opacityOf } from './calls.ts';
import { expressionType } from './expression-type.ts';
import type { FunctionKnowledge } from './function-knowledge.ts';
import { type QueryUse, usesOf, windowKeys } from './query-uses.ts';
import { type Column, isQuery, type Scope } from './scope.ts';

/** What an expression is made of by itself, and the columns whose origins are its own too. */
interface Sources {
  readonly labels: Set<ColumnLabel>;
  readonly columns: Set<Column>;
  opaque: string | undefined;
}

/** Of a statement: how much more may be done for it. */
export interface Budget {
  steps: number;
}

/** `ParamKind`. */
const PARAM = { external: 0, subLink: 2, multiExpr: 3 } as const;
/** `SubLinkType`. */
const MULTIEXPR_SUBLINK = 5;

/** PostgreSQL's text and varchar have the same bytes, and the same mask. */
const TEXT_TYPES: ReadonlySet<number> = new Set([25, 1043]);

/** Values that depend on nothing that a table holds. */
const LEAVES: ReadonlySet<string> = new Set([
  'CONST',
  'SQLVALUEFUNCTION',
  'CASETESTEXPR',
  'COERCETODOMAINVALUE',
  'NEXTVALUEEXPR',
  'CURRENTOFEXPR',
  'MERGESUPPORTFUNC',
  'SETTODEFAULT',
]);

export class OriginsReader {
  readonly #functions: FunctionKnowledge;
  readonly #budget: Budget;
  readonly #sources = new Map<Column, Sources>();
  readonly #written = new Map<Column, Column>();
  readonly #links = new Map<Scope, ReadonlyMap<number, TreeNode>>();
  readonly #uses = new Map<Scope, readonly QueryUse[]>();
  readonly #everything = new Map<Scope, Column>();
  readonly #effects = new Map<Scope, Column>();

  constructor(functions: FunctionKnowledge, budget: Budget) {
    this.#functions = functions;
    this.#budget = budget;
  }

  originsOf(column: Column): Origins {
    const labels = new Set<ColumnLabel>();
    const quiet: Column[] = [];
    const opaque = this.#reach([column], new Set(), labels, quiet);
    // Of what was written by the same query only the labels count; that nobody knows of it is said of the write.
    if (quiet.length > 0) {
      const seen = new Set<Column>();
      for (let more = quiet; more.length > 0; ) {
        const next: Column[] = [];
        this.#reach(more, seen, labels, next);
        more = next.filter((each) => !seen.has(each));
      }
    }
    return { labels, opaque };
  }

  /** The column of a table that it is, unchanged; undefined where it is made of something, or of several. */
  identityOf(column: Column): ColumnLabel | undefined {
    let identity: ColumnLabel | undefined;
    const seen = new Set<Column>();
    const waiting: Column[] = [column];
    for (;;) {
      const at = waiting.pop();
      if (at === undefined) return identity;
      if (seen.has(at)) continue;
      seen.add(at);
      if (!this.#step() || !at.passes || at.opaque !== undefined) return undefined;
      const before = waiting.length;
      for (const value of at.scope === undefined ? [] : (at.values ?? [])) {
        const passed = at.scope === undefined ? undefined : this.#passed(value, at.scope);
        if (passed === undefined) return undefined;
        waiting.push(passed);
      }
      for (const each of at.columns?.() ?? []) waiting.push(each);
      if (at.label === undefined) {
        if (waiting.length === before) return undefined;
        continue;
      }
      if ((identity ?? at.label) !== at.label || !this.#keeps(at, at.label)) return undefined;
      identity = at.label;
    }
  }

  usesOf(scope: Scope): readonly QueryUse[] {
    let uses = this.#uses.get(scope);
    if (uses === undefined) {
      uses = usesOf(scope);
      this.#uses.set(scope, uses);
    }
    return uses;
  }

  /** Which rows a query gives, how many, and in which order. */
  #effectsOf(scope: Scope): Column {
    let column = this.#effects.get(scope);
    if (column === undefined) {
      const columns = (): readonly Column[] => [
        ...this.usesOf(scope).map((use) => use.column),
        ...itemsOf(scope.query, 'rtable').flatMap((entry): readonly Column[] => {
          if (!(entry instanceof TreeNode)) return [];
          const inner = scope.queryOf(entry);
          if (inner !== undefined) return [this.#effectsOf(inner)];
          return scope.isSubquery(entry)
            ? [{ opaque: 'a sub-select of an unknown kind', passes: false }]
            : [];
        }),
      ];
      column = { columns, passes: false };
      this.#effects.set(scope, column);
    }
    return column;
  }

  /** Whether what was written into it has nothing else in it. */
  #keeps(column: Column, label: ColumnLabel): boolean {
    if (column.written === undefined || column.written.length === 0) return true;
    const { labels } = this.originsOf(this.#writtenInto(column, column.written));
    return labels.size === 0 || (labels.size === 1 && labels.has(label));
  }

  /** Always the same for the same column. */
  #writtenInto(column: Column, values: readonly TreeValue[]): Column {
    let written = this.#written.get(column);
    if (written === undefined) {
      written = { values, passes: false, ...(column.scope === undefined ? {} : { scope: column.scope }) };
      this.#written.set(column, written);
    }
    return written;
  }

  /** The column whose value an expression gives unchanged. */
  #passed(value: TreeValue, scope: Scope): Column | undefined {
    let at: TreeValue | undefined = value;
    while (at instanceof TreeNode) {
      if (at.tag === 'VAR') return columnOf(at, scope);
      if (at.tag === 'FIELDSELECT') return fieldOfRow(at, scope);
      const arg: TreeValue | undefined = fieldOf(at, at.tag === 'RETURNINGEXPR' ? 'retexpr' : 'arg');
      const keeps =
        at.tag === 'COLLATE' ||
        at.tag === 'COLLATEEXPR' ||
        at.tag === 'RETURNINGEXPR' ||
        (at.tag === 'RELABELTYPE' && sameBytes(expressionType(arg).oid, expressionType(at).oid));
      if (!keeps) return undefined;
      at = arg;
    }
    return undefined;
  }

  /** Gathers from columns and all that they are made of; gives why it is opaque. */
  #reach(
    from: readonly Column[],
    seen: Set<Column>,
    labels: Set<ColumnLabel>,
    quiet: Column[],
  ): string | undefined {
    let opaque: string | undefined;
    const waiting = [...from];
    for (;;) {
      const column = waiting.pop();
      if (column === undefined) return opaque;
      if (seen.has(column)) continue;
      seen.add(column);
      const sources = this.#sourcesOf(column);
      opaque ??= sources.opaque;
      for (const label of sources.labels) labels.add(label);
      for (const each of sources.columns) waiting.push(each);
      if (column.written !== undefined && column.scope !== undefined && column.written.length > 0) {
        quiet.push(this.#writtenInto(column, column.written));
      }
      if (!this.#step(sources.labels.size + sources.columns.size)) return 'too much to follow';
    }
  }

  #sourcesOf(column: Column): Sources {
    let sources = this.#sources.get(column);
    if (sources === undefined) {
      const columns = new Set(column.columns?.() ?? []);
      const labels = new Set(column.label === undefined ? [] : [column.label]);
      sources = { labels, columns, opaque: column.opaque };
      if (column.values !== undefined && column.scope !== undefined) {
        this.#collect(column.values, column.scope, sources);
      }
      this.#sources.set(column, sources);
    }
    return sources;
  }

  #collect(values: readonly TreeValue[], scope: Scope, into: Sources): void {
    const waiting = [...values];
    while (waiting.length > 0) {
      const value = waiting.pop() ?? null;
      if (!this.#step()) {
        into.opaque ??= 'too much to follow';
        return;
      }
      if (value instanceof TreeList && value.of === 'nodes') pushParts(value.items, waiting);
      if (value instanceof TreeNode && !this.#special(value, scope, into)) {
        into.opaque ??= opacityOf(value, this.#functions);
        pushParts(value.values, waiting);
      }
    }
  }

  /** @returns whether nothing more is in the node */
  #special(node: TreeNode, scope: Scope, into: Sources): boolean {
    if (LEAVES.has(node.tag)) return true;
    switch (node.tag) {
      case 'VAR':
        into.columns.add(columnOf(node, scope));
        return true;
      case 'QUERY':
        into.columns.add(this.#everythingOf(scope.of(node)));
        return true;
      case 'FIELDSELECT': {
        const field = fieldOfRow(node, scope);
        if (field !== undefined) into.columns.add(field);
        return field !== undefined;
      }
      case 'WINDOWFUNC':
        for (const key of windowKeys(scope, windowOf(node, scope))) into.columns.add(key);
        return false;
      case 'PARAM':
        this.#parameter(node, scope, into);
        return true;
      default:
        return false;
    }
  }

  /** What a sub-select within an expression may tell: what it shows, and which rows it has. */
  #everythingOf(scope: Scope): Column {
    let column = this.#everything.get(scope);
    if (column === undefined) {
      const columns = (): readonly Column[] => [
        ...scope.outputs.map((output) => output.column),
        this.#effectsOf(scope),
      ];
      column = { columns, passes: false };
      this.#everything.set(scope, column);
    }
    return column;
  }

  /** Those of the client are its own; that of a sub-select stands in it; those of `SET (a, b) = (SELECT …)` beside. */
  #parameter(node: TreeNode, scope: Scope, into: Sources): void {
    const kind = numberOf(node, 'paramkind');
    if (kind === PARAM.external || kind === PARAM.subLink) return;
    const number = numberOf(node, 'paramid') ?? 0;
    const link = kind === PARAM.multiExpr ? this.#linksOf(scope).get(number >> 16) : undefined;
    const query = link === undefined ? undefined : fieldOf(link, 'subselect');
    if (isQuery(query)) into.columns.add(this.#everythingOf(scope.of(query)));
    else into.opaque ??= 'a parameter of an unknown kind';
  }

  #linksOf(scope: Scope): ReadonlyMap<number, TreeNode> {
    let links = this.#links.get(scope);
    if (links === undefined) {
      links = multiLinks(scope);
      this.#links.set(scope, links);
    }
    return links;
  }

  #step(steps = 1): boolean {
    this.#budget.steps -= steps + 1;
    return this.#budget.steps > 0;
  }
}

function pushParts(parts: readonly TreeValue[], waiting: TreeValue[]): void {
  for (const part of parts) {
    if (part instanceof TreeNode || part instanceof TreeList) waiting.push(part);
  }
}

function columnOf(node: TreeNode, scope: Scope): Column {
  const index = numberOf(node, 'varno');
  const attno = numberOf(node, 'varattno');
  const level = numberOf(node, 'varlevelsup');
  if (index === undefined || attno === undefined || level === undefined) {
    return { opaque: 'a column without its number', passes: false };
  }
  return scope.up(level)?.column(index, attno) ?? { opaque: 'a column of no query', passes: false };
}

/** `(row).field`, where the row is one of a table as a whole. */
function fieldOfRow(node: TreeNode, scope: Scope): Column | undefined {
  const field = numberOf(node, 'fieldnum') ?? 0;
  if (field <= 0) return undefined;
  let value = fieldOf(node, 'arg');
  let at = scope;
  // A chain of columns may be a circle.
  for (let hops = 0; hops < HOPS_MAX && value instanceof TreeNode && value.tag === 'VAR'; hops += 1) {
    let column = columnOf(value, at);
    for (let inner = 0; inner < HOPS_MAX && column.columns !== undefined && column.passes; inner += 1) {
      const [only, ...others] = column.columns();
      if (only === undefined || others.length > 0) return undefined;
      column = only;
    }
    const { label, opaque, written, values, scope: next } = column;
    if (opaque !== undefined || written !== undefined) return undefined;
    if (label !== undefined) {
      return label.endsWith('.0')
        ? { label: columnLabel(Number(label.slice(0, -2)), field), passes: true }
        : undefined;
    }
    if (!column.passes || values?.length !== 1 || next === undefined) return undefined;
    value = values[0];
    at = next;
  }
  return undefined;
}

/** Views within views have some; a row that comes from farther is taken as a whole. */
const HOPS_MAX = 64;

function windowOf(node: TreeNode, scope: Scope): TreeValue | undefined {
  const reference = numberOf(node, 'winref');
  return itemsOf(scope.query, 'windowClause').find(
    (window) =>
      window instanceof TreeNode && numberOf(window, 'winref') === reference && reference !== undefined,
  );
}

/** The sub-selects of `SET (a, b) = (SELECT …)` by their numbers: they stand in the list by themselves. */
function multiLinks(scope: Scope): ReadonlyMap<number, TreeNode> {
  const { query } = scope;
  const onConflict = fieldOf(query, 'onConflict');
  const links = new Map<number, TreeNode>();
  const waiting: TreeValue[] = [
    fieldOf(query, 'targetList') ?? null,
    (onConflict instanceof TreeNode ? fieldOf(onConflict, 'onConflictSet') : undefined) ?? null,
    fieldOf(query, 'mergeActionList') ?? null,
  ];
  while (waiting.length > 0) {
    const node = waiting.pop() ?? null;
    if (node instanceof TreeList) pushParts(node.items, waiting);
    if (!(node instanceof TreeNode) || isQuery(node)) continue;
    const number = numberOf(node, 'subLinkId');
    if (
      node.tag === 'SUBLINK' &&
      numberOf(node, 'subLinkType') === MULTIEXPR_SUBLINK &&
      number !== undefined
    ) {
      links.set(number, node);
    }
    pushParts(node.values, waiting);
  }
  return links;
}

function sameBytes(from: number, to: number): boolean {
  return from === to ? from !== 0 : TEXT_TYPES.has(from) && TEXT_TYPES.has(to);
}
