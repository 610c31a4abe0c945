/**
 * Which columns are masked: those that patterns name, and all that hold or show the same values.
 *
 * Values go from a column to the one of its name in heirs, partitions, parents and siblings; to generated columns
 * made of it; to columns of materialized views, through any views; to the table in which PostgreSQL keeps what is
 * long (TOAST). What cannot be read, or calls what nobody knows, is taken to hold all of them. As soon as there is
 * one mask, the system's own columns that show values of other tables are masked too.
 *
 * Not followed: what triggers, functions and applications copy; foreign keys; definitions with literals in them
 * (partition bounds, checks, defaults).
 */

import { type ColumnLabel, columnLabel } from '../../core/column-labels.ts';
import type { Origins } from '../../core/column-labels.ts';
import type { FunctionKnowledge } from '../labels/function-knowledge.ts';
import { FIRST_USER_OID } from '../server-tree/catalog-sql.ts';
import { numberOf, TreeList, TreeNode, type TreeValue } from '../server-tree/nodes.ts';
import { TreeReader } from '../server-tree/read-nodes.ts';
import { expressionColumns } from './expression-columns.ts';
import { bounded, type Definition, type MaskCatalog, type SubjectRelation } from './mask-catalog.ts';
import type { ColumnPattern } from './patterns.ts';

export interface MaskedColumn {
  readonly label: ColumnLabel;
  readonly schema: string;
  readonly table: string;
  /** `*` for a whole row. */
  readonly column: string;
  /** Texts of the patterns that reach it, in their order. */
  readonly masks: readonly string[];
}

/** A pattern by which nothing, or less than somebody may think, is masked. */
export interface UnreachablePattern {
  readonly pattern: string;
  /**
   * - `nothing`: no column has this name.
   * - `view`: these are views, whose columns are masked as those of their tables are, and never by their own names.
   */
  readonly kind: 'nothing' | 'view';
  /** `schema.view`. */
  readonly views: readonly string[];
}

export interface MaskedLabels {
  of(label: ColumnLabel): MaskedColumn | undefined;
  /** Whether the catalog had this relation, and this column of it, when it was asked. */
  knows(relation: number, attnum?: number): boolean;
  /** All of them, for people. */
  readonly columns: readonly MaskedColumn[];
  readonly unreachable: readonly UnreachablePattern[];
}

/** What the columns of a view are made of, in their order, from the queries of its definition. */
export type OutputsOf = (roots: readonly TreeValue[]) => readonly Origins[] | undefined;

export interface ClosureOptions {
  /** In the order in which the catalog was asked about them. */
  readonly patterns: readonly ColumnPattern[];
  /** Those that are in force; all where left out. */
  readonly inForce?: readonly ColumnPattern[];
  readonly functions: FunctionKnowledge;
  /** Undefined for what cannot be told; without it no view can. */
  readonly outputsOf?: OutputsOf;
}

export function closure(catalog: MaskCatalog, options: ClosureOptions): MaskedLabels {
  const inForce = new Set((options.inForce ?? options.patterns).map(({ text }) => text));
  const chosen = options.patterns.flatMap(({ text }, index) => (inForce.has(text) ? [index] : []));
  const flow = new Flow(catalog, new Set(chosen));
  if (chosen.length > 0) {
    flow.inheritance();
    flow.definitions(options);
    flow.settle();
  }
  return flow.labels(options.patterns);
}

/** Values that flow from column to column, until nothing changes. */
class Flow {
  readonly #catalog: MaskCatalog;
  readonly #chosen: ReadonlySet<number>;
  readonly #targets = new Map<ColumnLabel, ColumnLabel[]>();
  /** Patterns that reach a column. */
  readonly #reached = new Map<ColumnLabel, Set<number>>();
  readonly #waiting: ColumnLabel[] = [];
  /** Views whose definitions are known. */
  readonly #defined: ReadonlySet<number>;

  constructor(catalog: MaskCatalog, chosen: ReadonlySet<number>) {
    this.#catalog = catalog;
    this.#chosen = chosen;
    this.#defined = new Set(catalog.definitions.map(({ relation }) => relation));
    for (const subject of catalog.subjects.values()) {
      for (const attnum of subject.showing) this.#reach(columnLabel(subject.oid, attnum), chosen);
      if (subject.relkind === 'v') continue;
      for (const { pattern, attnum } of subject.named) {
        if (chosen.has(pattern)) this.#reach(columnLabel(subject.oid, attnum), new Set([pattern]));
      }
    }
  }

  /** Both ways: a parent shows the rows of its heirs, an heir holds rows of its parent. */
  inheritance(): void {
    for (const heir of this.#catalog.subjects.values()) {
      for (const oid of heir.parents) {
        const parent = this.#catalog.subjects.get(oid);
        if (parent === undefined) continue;
        const byName = new Map([...parent.columns].map(([attnum, name]) => [name, attnum]));
        for (const [attnum, name] of heir.columns) {
          const inherited = byName.get(name);
          if (inherited === undefined) continue;
          this.#edge(columnLabel(oid, inherited), columnLabel(heir.oid, attnum));
          this.#edge(columnLabel(heir.oid, attnum), columnLabel(oid, inherited));
        }
      }
    }
  }

  definitions({ functions, outputsOf }: ClosureOptions): void {
    const trees = new TreeReader();
    for (const definition of this.#catalog.definitions) {
      const read = trees.read(definition.tree);
      const root = read.kind === 'tree' ? read.root : undefined;
      if (definition.attnum === 0) this.#view(definition, root, outputsOf);
      else this.#generated(definition, root, functions);
    }
  }

  #generated(
    { relation, attnum }: Definition,
    root: TreeValue | undefined,
    functions: FunctionKnowledge,
  ): void {
    const target = columnLabel(relation, attnum);
    const made = root === undefined ? undefined : expressionColumns(root, functions);
    if (made === undefined || made.opaque) this.#reach(target, this.#chosen);
    for (const source of made?.attnums ?? []) this.#edge(columnLabel(relation, source), target);
  }

  #view({ relation }: Definition, root: TreeValue | undefined, outputsOf: OutputsOf | undefined): void {
    const columns = this.#catalog.subjects.get(relation)?.columns ?? new Map<number, string>();
    if (root !== undefined) this.#followViews(root);
    const roots = root instanceof TreeList ? root.items : root === undefined ? [] : [root];
    const outputs = roots.length === 0 ? undefined : outputsOf?.(roots);
    for (const attnum of columns.keys()) {
      const origins = outputs?.[attnum - 1];
      const target = columnLabel(relation, attnum);
      if (origins === undefined || origins.opaque !== undefined) this.#reach(target, this.#chosen);
      for (const source of origins?.labels ?? []) this.#edge(source, target);
    }
  }

  /**
   * A definition is stored before it is rewritten: views in it are views, which nobody could follow. Those whose
   * own definitions are here count as tables.
   */
  #followViews(root: TreeValue): void {
    const waiting: TreeValue[] = [root];
    for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
      if (value instanceof TreeList) waiting.push(...value.items);
      if (!(value instanceof TreeNode)) continue;
      waiting.push(...value.values);
      const index = value.tag === 'RANGETBLENTRY' ? value.shape.indexOf('relkind') : undefined;
      if (index === undefined || value.values[index] !== 'v') continue;
      if (this.#defined.has(numberOf(value, 'relid') ?? 0)) value.values[index] = 'r';
    }
  }

  settle(): void {
    for (let label = this.#waiting.pop(); label !== undefined; label = this.#waiting.pop()) {
      const patterns = this.#reached.get(label) ?? new Set();
      for (const target of this.#targets.get(label) ?? []) this.#reach(target, patterns);
      const [relation, attnum] = partsOf(label);
      // Whole rows, and long values: a table for them has an id, a number and the bytes.
      if (attnum !== 0) this.#reach(columnLabel(relation, 0), patterns);
      const toast = this.#catalog.subjects.get(relation)?.toast ?? 0;
      if (toast !== 0) for (const part of [0, 1, 2, 3]) this.#reach(columnLabel(toast, part), patterns);
    }
  }

  labels(patterns: readonly ColumnPattern[]): MaskedLabels {
    const columns = new Map<ColumnLabel, MaskedColumn>();
    const toasts = new Map([...this.#catalog.subjects.values()].map((one) => [one.toast, one]));
    for (const [label, reached] of this.#reached) {
      const [relation, attnum] = partsOf(label);
      const owner = this.#catalog.subjects.get(relation) ?? toasts.get(relation);
      columns.set(label, {
        label,
        schema: owner?.oid === relation ? owner.schema : 'pg_toast',
        table: owner?.oid === relation ? owner.name : `pg_toast_${owner?.oid}`,
        column: attnum === 0 ? '*' : nameOf(owner, relation, attnum),
        masks: textsOf(patterns, reached),
      });
    }
    return new Labels(this.#catalog, columns, this.#unreachable(patterns), textsOf(patterns, this.#chosen));
  }

  #unreachable(patterns: readonly ColumnPattern[]): readonly UnreachablePattern[] {
    const tables = new Set<number>();
    const views = new Map<number, string[]>();
    for (const { named, relkind, schema, name } of this.#catalog.subjects.values()) {
      for (const pattern of new Set(named.map((one) => one.pattern))) {
        if (relkind !== 'v') tables.add(pattern);
        else views.set(pattern, [...(views.get(pattern) ?? []), `${schema}.${name}`]);
      }
    }
    return patterns.flatMap(({ text, table }, index): readonly UnreachablePattern[] => {
      if (!this.#chosen.has(index)) return [];
      const found = views.get(index) ?? [];
      // Who says `*` means tables, and gets the views of them.
      if (found.length > 0 && (table !== undefined || !tables.has(index))) {
        return [{ pattern: text, kind: 'view', views: found }];
      }
      return tables.has(index) ? [] : [{ pattern: text, kind: 'nothing', views: [] }];
    });
  }

  #edge(source: ColumnLabel, target: ColumnLabel): void {
    const targets = this.#targets.get(source);
    if (targets === undefined) this.#targets.set(source, [target]);
    else targets.push(target);
  }

  #reach(label: ColumnLabel, patterns: ReadonlySet<number>): void {
    if (patterns.size === 0) return;
    let reached = this.#reached.get(label);
    if (reached === undefined) {
      reached = new Set();
      this.#reached.set(label, reached);
      bounded('columnsMax', this.#reached.size);
    }
    const before = reached.size;
    for (const pattern of patterns) reached.add(pattern);
    if (reached.size > before) this.#waiting.push(label);
  }
}

class Labels implements MaskedLabels {
  readonly unreachable: readonly UnreachablePattern[];
  readonly #catalog: MaskCatalog;
  readonly #columns: ReadonlyMap<ColumnLabel, MaskedColumn>;
  readonly #all: readonly string[];

  constructor(
    catalog: MaskCatalog,
    columns: ReadonlyMap<ColumnLabel, MaskedColumn>,
    unreachable: readonly UnreachablePattern[],
    all: readonly string[],
  ) {
    this.#catalog = catalog;
    this.#columns = columns;
    this.unreachable = unreachable;
    this.#all = all;
  }

  get columns(): readonly MaskedColumn[] {
    return [...this.#columns.values()];
  }

  of(label: ColumnLabel): MaskedColumn | undefined {
    const [relation] = partsOf(label);
    // A tree has columns of a view only where an INSTEAD OF trigger gives them: they may be anything.
    if (this.#catalog.known.get(relation)?.isView === true && this.#all.length > 0) {
      const { schema = '', name = '' } = this.#catalog.subjects.get(relation) ?? {};
      return this.#columns.get(label) ?? { label, schema, table: name, column: '', masks: this.#all };
    }
    return this.#columns.get(label);
  }

  knows(relation: number, attnum = 0): boolean {
    if (relation < FIRST_USER_OID) return true;
    const known = this.#catalog.known.get(relation);
    return known !== undefined && attnum <= known.attnumMax;
  }
}

function partsOf(label: ColumnLabel): readonly [relation: number, attnum: number] {
  const dot = label.indexOf('.');
  return [Number(label.slice(0, dot)), Number(label.slice(dot + 1))];
}

const TOAST_COLUMNS = ['', 'chunk_id', 'chunk_seq', 'chunk_data'];

function nameOf(owner: SubjectRelation | undefined, relation: number, attnum: number): string {
  const name = owner?.oid === relation ? owner.columns.get(attnum) : TOAST_COLUMNS[attnum];
  return name ?? String(attnum);
}

function textsOf(patterns: readonly ColumnPattern[], numbers: ReadonlySet<number>): readonly string[] {
  return [...new Set(patterns.flatMap(({ text }, index) => (numbers.has(index) ? [text] : [])))];
}
