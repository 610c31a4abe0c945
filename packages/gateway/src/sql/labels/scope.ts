/**
 * A query's names: which column a Var means, and of what that column is made.
 *
 * Spec: PostgreSQL 15 to 18, src/include/nodes/parsenodes.h (RangeTblEntry, CommonTableExpr, SetOperationStmt),
 * primnodes.h (Var). A Var names an entry of the range table of its query, or of one so many levels around it.
 * Nothing is evaluated here: columns say which expressions and columns they are made of, so that a recursive WITH
 * is a circle in a graph, and no loop.
 */

import { type ColumnLabel, columnLabel } from '../../core/column-labels.ts';
import { NodeShapes } from '../server-tree/node-shape.ts';
import {
  fieldOf,
  itemsOf,
  numberOf,
  TreeList,
  TreeNode,
  type TreeValue,
  textOf,
  toNumber,
} from '../server-tree/nodes.ts';

/** `RTEKind`. */
const RTE = {
  relation: 0,
  subquery: 1,
  join: 2,
  function: 3,
  tableFunction: 4,
  values: 5,
  cte: 6,
  group: 9,
} as const;

/** `CmdType`. */
export const COMMAND = { select: 1, update: 2, insert: 3, delete: 4, merge: 5, utility: 6 } as const;

/** Something that has values, and what they are made of. */
export interface Column {
  /** It is this column of a table. */
  readonly label?: ColumnLabel;
  readonly opaque?: string;
  /** It is made of each of these, which stand in `scope`. */
  readonly values?: readonly TreeValue[];
  readonly scope?: Scope;
  /** It is made of each of these. Called once, and late: they may be made of this one. */
  readonly columns?: () => readonly Column[];
  /** What was written into it by the same query: labels only; that nobody knows of it is said of the write. */
  readonly written?: readonly TreeValue[];
  /** What it is made of is also what it is: a column of a sub-select, but not a row as a whole. */
  readonly passes: boolean;
}

/** A column or an expression of a SELECT or RETURNING list. */
export interface Output {
  readonly name: string;
  readonly resno: number;
  readonly entry: TreeValue;
  readonly column: Column;
}

/** An expression, and the number of the column that it is written into. */
export interface Write {
  readonly attno: number;
  readonly value: TreeValue;
}

const CLEAR: Column = { passes: true };
const NONE: readonly TreeValue[] = [];

export class Scope {
  readonly query: TreeNode;
  readonly parent: Scope | undefined;
  /** The view whose definition this is a part of. */
  readonly view: number | undefined;
  /** For RETURNING: columns of the table that is changed have what was written. */
  readonly #afterWrite: boolean;
  readonly #all: Map<TreeNode, Scope>;
  readonly #columns = new Map<number, Map<number, Column>>();
  #outputs: readonly Output[] | undefined;
  #byReference: ReadonlyMap<number, Output> | undefined;
  #writes: readonly Write[] | undefined;
  #returning: Scope | undefined;

  private constructor(query: TreeNode, around: Around, afterWrite: boolean) {
    this.query = query;
    this.parent = around.parent;
    this.view = around.view;
    this.#all = around.all;
    this.#afterWrite = afterWrite;
  }

  static root(query: TreeNode, all: Map<TreeNode, Scope>): Scope {
    const scope = new Scope(query, { parent: undefined, view: undefined, all }, false);
    all.set(query, scope);
    return scope;
  }

  /** The scope of a query within this one; always the same for the same query. */
  of(query: TreeNode, view: number | undefined = this.view): Scope {
    let scope = this.#all.get(query);
    if (scope === undefined) {
      scope = new Scope(query, { parent: this, view, all: this.#all }, false);
      this.#all.set(query, scope);
    }
    return scope;
  }

  /** The scope in which the RETURNING list of this query stands. */
  get returning(): Scope {
    this.#returning ??= new Scope(this.query, { parent: this.parent, view: this.view, all: this.#all }, true);
    return this.#returning;
  }

  get command(): number | undefined {
    return numberOf(this.query, 'commandType');
  }

  /** The scope so many levels around this one. */
  up(levels: number): Scope | undefined {
    if (levels <= 0) return this;
    let scope = this.parent;
    for (let level = 1; level < levels && scope !== undefined; level += 1) scope = scope.parent;
    return scope;
  }

  /** The columns of its rows, in their order, also those that are not shown. */
  get outputs(): readonly Output[] {
    this.#outputs ??= this.#readOutputs();
    return this.#outputs;
  }

  /** Its columns by `ressortgroupref`, by which clauses mean them. */
  get byReference(): ReadonlyMap<number, Output> {
    this.#byReference ??= new Map(
      this.outputs.flatMap((output) => {
        const reference =
          output.entry instanceof TreeNode ? numberOf(output.entry, 'ressortgroupref') : undefined;
        return reference === undefined || reference === 0 ? [] : [[reference, output]];
      }),
    );
    return this.#byReference;
  }

  /** Whether there is a list of its columns, or it is said that there is none. */
  get hasOutputs(): boolean {
    const list = fieldOf(this.query, this.command === COMMAND.select ? 'targetList' : 'returningList');
    return list === null || list instanceof TreeList;
  }

  /** A column of its rows by its number. */
  output(resno: number): Column {
    const found = this.outputs[resno - 1];
    if (found?.resno === resno) return found.column;
    return (
      this.outputs.find((output) => output.resno === resno)?.column ?? opaque('a column that no list has')
    );
  }

  /** What a Var of this query's level means. */
  column(index: number, attno: number): Column {
    let columns = this.#columns.get(index);
    if (columns === undefined) {
      columns = new Map();
      this.#columns.set(index, columns);
    }
    let column = columns.get(attno);
    if (column === undefined) {
      column = this.#readColumn(index, attno);
      columns.set(attno, column);
    }
    return column;
  }

  /** Whether an entry of the range table ought to have a query. */
  isSubquery(entry: TreeNode): boolean {
    const kind = numberOf(entry, 'rtekind');
    return kind === RTE.subquery || kind === RTE.cte;
  }

  /** The query of an entry of the range table that has one. */
  queryOf(entry: TreeNode): Scope | undefined {
    const kind = numberOf(entry, 'rtekind');
    if (kind === RTE.cte) return this.#withQuery(entry);
    const query = fieldOf(entry, 'subquery');
    if (kind !== RTE.subquery || !isQuery(query)) return undefined;
    return this.of(query, viewOf(entry, query) ?? this.view);
  }

  /** What it writes into the columns of the table that it changes. */
  get writes(): readonly Write[] {
    this.#writes ??= this.#readWrites();
    return this.#writes;
  }

  /** The relation that the query changes; 0 where nobody can tell. */
  get target(): number {
    const entry = this.entry(numberOf(this.query, 'resultRelation') ?? 0);
    return entry instanceof TreeNode ? (numberOf(entry, 'relid') ?? 0) : 0;
  }

  entry(index: number): TreeValue | undefined {
    return itemsOf(this.query, 'rtable')[index - 1];
  }

  /** The entries that the arms of UNION, INTERSECT and EXCEPT stand for; undefined where it is none of them. */
  get arms(): readonly number[] | undefined {
    const root = fieldOf(this.query, 'setOperations') ?? null;
    if (root === null) return undefined;
    const arms: number[] = [];
    const waiting: (TreeValue | undefined)[] = [root];
    while (waiting.length > 0) {
      const node = waiting.pop();
      if (node instanceof TreeNode && node.tag === 'SETOPERATIONSTMT') {
        waiting.push(fieldOf(node, 'rarg'), fieldOf(node, 'larg'));
      } else if (node instanceof TreeNode && node.tag === 'RANGETBLREF') {
        arms.push(numberOf(node, 'rtindex') ?? 0);
      } else {
        // An entry that is not there is opaque.
        arms.push(0);
      }
    }
    return arms;
  }

  #readWrites(): readonly Write[] {
    const { query, command } = this;
    const entries = [
      ...(command === COMMAND.insert || command === COMMAND.update ? partsOf(query, 'targetList') : NONE),
      ...(command === COMMAND.insert
        ? partsOf(query, 'onConflict').flatMap((each) => listIn(each, 'ONCONFLICTEXPR', 'onConflictSet'))
        : NONE),
      ...(command === COMMAND.merge
        ? partsOf(query, 'mergeActionList').flatMap((action) => listIn(action, 'MERGEACTION', 'targetList'))
        : NONE),
    ];
    return entries.flatMap((entry) => {
      if (entry instanceof TreeNode && fieldOf(entry, 'resjunk') === 'true') return [];
      // A column that nobody can name is the row as a whole.
      return [
        { attno: entry instanceof TreeNode ? (numberOf(entry, 'resno') ?? 0) : 0, value: entry ?? null },
      ];
    });
  }

  #readOutputs(): readonly Output[] {
    const shows = this.command === COMMAND.select || this.command === undefined;
    const list = partsOf(this.query, shows ? 'targetList' : 'returningList');
    const arms = shows ? this.arms : undefined;
    return list.map((entry, index) => this.#output(entry, index, arms));
  }

  #output(entry: TreeValue, index: number, arms: readonly number[] | undefined): Output {
    const known = entry instanceof TreeNode && entry.tag === 'TARGETENTRY';
    const resno = (known ? numberOf(entry, 'resno') : undefined) ?? index + 1;
    const name = (known ? textOf(entry, 'resname') : undefined) ?? '';
    const scope = this.command === COMMAND.select ? this : this.returning;
    if (arms !== undefined) {
      const columns = (): readonly Column[] => arms.map((arm) => this.column(arm, resno));
      return { name, resno, entry, column: { columns, passes: true } };
    }
    const value = known ? fieldOf(entry, 'expr') : undefined;
    const column: Column =
      value === undefined
        ? { opaque: 'a list entry of an unknown kind', values: [entry], scope, passes: false }
        : { values: [value], scope, passes: true };
    return { name, resno, entry, column };
  }

  #readColumn(index: number, attno: number): Column {
    const entry = this.entry(index);
    if (!(entry instanceof TreeNode) || entry.tag !== 'RANGETBLENTRY') {
      return {
        opaque: 'a range table entry of an unknown kind',
        values: [entry ?? null],
        scope: this,
        passes: false,
      };
    }
    switch (numberOf(entry, 'rtekind')) {
      case RTE.relation:
        return this.#relationColumn(entry, index, attno);
      case RTE.subquery:
      case RTE.cte:
        return this.#queryColumn(entry, attno);
      case RTE.join:
        return this.#listed(fieldOf(entry, 'joinaliasvars'), attno);
      case RTE.group:
        return this.#listed(fieldOf(entry, 'groupexprs'), attno);
      case RTE.values:
        return this.#valuesColumn(entry, attno);
      case RTE.function:
        return { values: functionsOf(entry, attno), scope: this, passes: false };
      case RTE.tableFunction:
        return { values: partsOf(entry, 'tablefunc'), scope: this, passes: false };
      default:
        return {
          opaque: 'a range table entry of an unknown kind',
          values: [entry],
          scope: this,
          passes: false,
        };
    }
  }

  #relationColumn(entry: TreeNode, index: number, attno: number): Column {
    const relation = numberOf(entry, 'relid');
    if (relation === undefined || relation <= 0) return opaque('a table without its number');
    // ctid, xmin, tableoid and their like.
    if (attno < 0) return CLEAR;
    const label = columnLabel(relation, attno);
    const onConflict = fieldOf(this.query, 'onConflict');
    if (onConflict instanceof TreeNode && numberOf(onConflict, 'exclRelIndex') === index) {
      // EXCLUDED is what was to be inserted, and what triggers and generated columns made of it.
      return {
        label,
        written: this.#writtenTo(attno, partsOf(this.query, 'targetList')),
        scope: this,
        passes: false,
      };
    }
    // A view is a sub-select by now, unless a trigger does its work, or the query was not rewritten.
    if (fieldOf(entry, 'relkind') === 'v') return { label, opaque: `view ${relation}`, passes: false };
    if (!this.#afterWrite || index !== numberOf(this.query, 'resultRelation')) {
      return { label, passes: attno > 0 };
    }
    const written = this.writes
      .filter((write) => attno === 0 || write.attno === attno || write.attno === 0)
      .map(({ value }) => value);
    return { label, written, scope: this, passes: attno > 0 };
  }

  #writtenTo(attno: number, entries: readonly TreeValue[]): readonly TreeValue[] {
    return entries.filter(
      (entry) => !(entry instanceof TreeNode) || attno === 0 || (numberOf(entry, 'resno') ?? attno) === attno,
    );
  }

  #queryColumn(entry: TreeNode, attno: number): Column {
    const inner = this.queryOf(entry);
    if (inner === undefined) {
      return { opaque: 'a sub-select of an unknown kind', values: [entry], scope: this, passes: false };
    }
    if (attno > 0) return { columns: () => [inner.output(attno)], passes: true };
    return { columns: () => inner.outputs.map(({ column }) => column), passes: false };
  }

  #withQuery(entry: TreeNode): Scope | undefined {
    const name = fieldOf(entry, 'ctename');
    const scope = this.up(numberOf(entry, 'ctelevelsup') ?? Number.MAX_SAFE_INTEGER);
    if (scope === undefined || name === undefined) return undefined;
    for (const item of itemsOf(scope.query, 'cteList')) {
      if (!(item instanceof TreeNode) || fieldOf(item, 'ctename') !== name) continue;
      const query = fieldOf(item, 'ctequery');
      return isQuery(query) ? scope.of(query) : undefined;
    }
    return undefined;
  }

  #listed(list: TreeValue | undefined, attno: number): Column {
    if (!(list instanceof TreeList)) return opaque('columns that are not listed');
    if (attno === 0) return { values: list.items, scope: this, passes: false };
    const value = list.items[attno - 1];
    return value === undefined
      ? { opaque: 'a column that no list has', values: list.items, scope: this, passes: false }
      : { values: [value], scope: this, passes: true };
  }

  #valuesColumn(entry: TreeNode, attno: number): Column {
    const values = partsOf(entry, 'values_lists').flatMap((row) => {
      if (attno === 0 || !(row instanceof TreeList)) return [row];
      const value = row.items[attno - 1];
      return value === undefined ? row.items : [value];
    });
    return { values, scope: this, passes: attno > 0 };
  }
}

interface Around {
  readonly parent: Scope | undefined;
  readonly view: number | undefined;
  readonly all: Map<TreeNode, Scope>;
}

type QueryNode = TreeNode & { readonly tag: 'QUERY' };

export function isQuery(value: TreeValue | undefined): value is QueryNode {
  return value instanceof TreeNode && value.tag === 'QUERY';
}

function opaque(reason: string): Column {
  return { opaque: reason, passes: false };
}

/** The members of a node's list, where the node is what it ought to be; itself otherwise. */
function listIn(node: TreeValue, tag: string, name: string): readonly TreeValue[] {
  return node instanceof TreeNode && node.tag === tag ? partsOf(node, name) : [node];
}

/** Of several functions side by side, the one whose column it is; all of them for a row, and for its number. */
function functionsOf(entry: TreeNode, attno: number): readonly TreeValue[] {
  const functions = partsOf(entry, 'functions');
  let last = 0;
  for (const each of functions) {
    const count = each instanceof TreeNode ? numberOf(each, 'funccolcount') : undefined;
    if (count === undefined) return functions;
    last += count;
    if (attno > 0 && attno <= last) return [each];
  }
  return functions;
}

/** Since 16 the entry names the view; in 15 its definition begins with two entries for OLD and NEW. */
function viewOf(entry: TreeNode, query: TreeNode): number | undefined {
  const relation = numberOf(entry, 'relid') ?? 0;
  if (relation > 0) return relation;
  const [first] = itemsOf(query, 'rtable');
  if (!(first instanceof TreeNode) || fieldOf(first, 'relkind') !== 'v') return undefined;
  return fieldOf(first, 'inFromCl') === 'false' ? numberOf(first, 'relid') : undefined;
}

/** The members of a list; what is no list is one member of an unknown kind, and so is a list that is not there. */
export function partsOf(node: TreeNode, name: string): readonly TreeValue[] {
  const value = fieldOf(node, name);
  if (value instanceof TreeList) return value.items;
  return value === null ? NONE : [value ?? MISSING];
}

/** Stands for a field that a node ought to have. */
const MISSING = new TreeNode(new NodeShapes(0).ofTag('MISSING'));

/** The numbers of a list of oids. */
export function oidsOf(value: TreeValue | undefined): readonly (number | undefined)[] {
  return (value instanceof TreeList ? value.items : NONE).map(toNumber);
}
