/**
 * What a statement does by the server's own account: trees → {@link ServerFacts}.
 *
 * A rewritten tree has views, rules and row security in it, and every function and operator by its oid. Every
 * node is walked, whatever it is: what is found does not depend on where it stands, and a node that is not known
 * is said to be unknown, with what was found in it.
 *
 * Not in a tree: what triggers, constraints, generated columns and indexes of a table call (catalog.ts), what
 * a function does inside, and which tables a utility statement names.
 */

import type { NodeShape } from './node-shape.ts';
import { fieldOf, itemsOf, numberOf, TreeList, TreeNode, type TreeValue, textOf, toNumber } from './nodes.ts';
import {
  ACL,
  COMMAND_TYPES,
  type OidRole,
  ON_CONFLICT_UPDATE,
  oidRole,
  QUERY_TAGS,
  RTE_KIND_MAX,
  type ServerVerb,
} from './query-nodes.ts';

export type RelationUse = 'read' | 'insert' | 'update' | 'delete' | 'merge' | 'lock';

/** A column that is set. INSERT sets those that it names, and those that have a default. */
export interface WrittenColumn {
  readonly attno: number;
  readonly name: string;
  readonly verb: 'insert' | 'update';
}

export interface ServerRelation {
  readonly oid: number;
  /** `pg_class.relkind`; undefined where the tree does not say. */
  readonly relkind: string | undefined;
  readonly uses: readonly RelationUse[];
  readonly columns: readonly WrittenColumn[];
}

/** A query that changes rows, by itself or as a part of another. */
export interface ServerWrite {
  readonly verb: 'insert' | 'update' | 'delete' | 'merge';
  /** The table that is changed; behind a view that can be updated, the view's. */
  readonly relation: number | undefined;
}

/** One query that the rewriter gave. */
export interface ServerCommand {
  readonly verb: ServerVerb | undefined;
  /** The statement itself, or what a rule made of it. */
  readonly source: 'original' | 'rule';
  /** Tag of a utility statement, `CREATESTMT`; undefined where PostgreSQL 15 writes `?`. */
  readonly utility: string | undefined;
  readonly writes: readonly ServerWrite[];
}

export interface ServerFacts {
  readonly commands: readonly ServerCommand[];
  readonly relations: readonly ServerRelation[];
  /** Oids of functions, aggregates and window functions. */
  readonly functions: readonly number[];
  /** Oids of operators; in what came out of a view, PostgreSQL 15 has them without their functions. */
  readonly operators: readonly number[];
  /** Oids of types that values are converted to by the type's own input function, or checked for. */
  readonly types: readonly number[];
  /** False where a query is in it that was not rewritten yet: of EXPLAIN, CREATE TABLE AS, DECLARE CURSOR. */
  readonly expanded: boolean;
  /** What was not understood, for people; empty where all was. */
  readonly unknown: readonly string[];
}

/** Where the walk is. */
interface Place {
  readonly command: CommandDraft;
  /** Below a utility statement nodes are as the parser made them, until there is a query. */
  readonly within: 'query' | 'utility' | 'query-of-utility';
}

type CommandDraft = { -readonly [K in keyof ServerCommand]: ServerCommand[K] } & { writes: ServerWrite[] };

interface RelationDraft {
  relkind: string | undefined;
  /** Bits of {@link ACL}. */
  rights: number;
  /** Stands somewhere where it is not what is changed. */
  beside: boolean;
  readonly uses: Set<RelationUse>;
  readonly columns: Map<string, WrittenColumn>;
}

/** A field of a kind of nodes that names something by oid. */
type OidField = readonly [index: number, role: OidRole];

/** Gathers facts. It remembers which fields of nodes have oids. */
export class FactsReader {
  readonly #oidFields = new WeakMap<NodeShape, readonly OidField[]>();

  /** @param roots the trees of one statement, in order; COPY and PREPARE of a query have two */
  read(roots: readonly TreeValue[]): ServerFacts {
    const walk = new Walk(this.#oidFields);
    for (const root of roots) walk.root(root);
    return walk.facts();
  }
}

class Walk {
  readonly #oidFields: WeakMap<NodeShape, readonly OidField[]>;
  readonly #commands: CommandDraft[] = [];
  readonly #relations = new Map<number, RelationDraft>();
  readonly #oids = { functions: new Set<number>(), operators: new Set<number>(), types: new Set<number>() };
  readonly #unknown = new Set<string>();
  /** Entries of range tables that are what their query changes. */
  readonly #targets = new Set<TreeNode>();
  #expanded = true;
  /** Whether anything is updated at all: without that, the right to UPDATE is for a row lock. */
  #updates = false;
  /** Nodes and lists to be looked at, with their places; not on the stack, which a deep tree would exhaust. */
  readonly #waiting: (TreeNode | TreeList)[] = [];
  readonly #places: Place[] = [];

  constructor(oidFields: WeakMap<NodeShape, readonly OidField[]>) {
    this.#oidFields = oidFields;
  }

  root(root: TreeValue): void {
    // What a rule makes nothing of.
    if (root === null) return;
    const queries = root instanceof TreeList ? root.items : [root];
    for (const query of queries) {
      if (!(query instanceof TreeNode) || query.tag !== 'QUERY') {
        this.#unknown.add('a tree that is not a query');
        continue;
      }
      const command = this.#command(query);
      this.#push(query, { command, within: 'query' });
      this.#walk();
    }
  }

  facts(): ServerFacts {
    return {
      commands: this.#commands,
      relations: [...this.#relations].map(([oid, draft]) => this.#relation(oid, draft)),
      functions: [...this.#oids.functions],
      operators: [...this.#oids.operators],
      types: [...this.#oids.types],
      expanded: this.#expanded,
      unknown: [...this.#unknown],
    };
  }

  #command(query: TreeNode): CommandDraft {
    const utility = fieldOf(query, 'utilityStmt');
    const command: CommandDraft = {
      verb: this.#verb(query),
      // QSRC_ORIGINAL is 0, QSRC_PARSER, which is not used, 1; the others come from rules.
      source: (numberOf(query, 'querySource') ?? 0) < 2 ? 'original' : 'rule',
      utility: utility instanceof TreeNode ? utility.tag : undefined,
      writes: [],
    };
    this.#commands.push(command);
    return command;
  }

  #verb(query: TreeNode): ServerVerb | undefined {
    const verb = COMMAND_TYPES[numberOf(query, 'commandType') ?? 0];
    if (verb === undefined) this.#unknown.add('a query of an unknown command type');
    return verb;
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
      const inner = value instanceof TreeNode ? this.#node(value, place) : place;
      const members = value instanceof TreeNode ? value.values : value.items;
      for (const member of members) {
        if (member instanceof TreeNode || member instanceof TreeList) this.#push(member, inner);
      }
    }
  }

  /** Takes what a node says by itself; gives the place of what is below it. */
  #node(node: TreeNode, place: Place): Place {
    const { command, within } = place;
    if (node.tag === 'QUERY') {
      this.#query(node, command);
      if (within !== 'utility') {
        return fieldOf(node, 'utilityStmt') === null ? place : { command, within: 'utility' };
      }
      this.#expanded = false;
      return { command, within: 'query-of-utility' };
    }
    if (within !== 'utility' && !QUERY_TAGS.has(node.tag)) this.#unknown.add(node.tag);
    // CALL is a utility statement with an analysed call in it.
    for (const [index, role] of this.#oidFieldsOf(node)) this.#addOids(role, node.values[index]);
    this.#relationOf(node);
    return place;
  }

  #query(query: TreeNode, command: CommandDraft): void {
    const verb = this.#verb(query);
    if (verb === undefined || verb === 'select' || verb === 'utility' || verb === 'nothing') {
      this.#rowLocks(query);
      return;
    }
    const target = entryOf(query, numberOf(query, 'resultRelation'));
    const oid = target === undefined ? undefined : numberOf(target, 'relid');
    if (target === undefined || oid === undefined) this.#unknown.add('a change without a table');
    else this.#targets.add(target);
    command.writes.push({ verb, relation: oid });
    if (verb === 'update' || verb === 'merge') this.#updates = true;
    if (oid !== undefined) {
      this.#draft(oid).uses.add(verb);
      this.#writtenColumns(query, verb, oid);
    }
    this.#rowLocks(query);
  }

  #writtenColumns(query: TreeNode, verb: ServerWrite['verb'], oid: number): void {
    if (verb === 'insert' || verb === 'update') this.#columns(oid, verb, itemsOf(query, 'targetList'));
    const onConflict = fieldOf(query, 'onConflict');
    if (onConflict instanceof TreeNode && numberOf(onConflict, 'action') === ON_CONFLICT_UPDATE) {
      this.#updates = true;
      this.#columns(oid, 'update', itemsOf(onConflict, 'onConflictSet'));
    }
    for (const action of itemsOf(query, 'mergeActionList')) {
      if (!(action instanceof TreeNode)) continue;
      const merged = COMMAND_TYPES[numberOf(action, 'commandType') ?? 0];
      if (merged === 'insert' || merged === 'update')
        this.#columns(oid, merged, itemsOf(action, 'targetList'));
      if (merged === 'insert' || merged === 'update' || merged === 'delete')
        this.#draft(oid).uses.add(merged);
    }
  }

  #columns(oid: number, verb: 'insert' | 'update', entries: readonly TreeValue[]): void {
    const { columns } = this.#draft(oid);
    for (const entry of entries) {
      if (!(entry instanceof TreeNode) || fieldOf(entry, 'resjunk') === 'true') continue;
      const attno = numberOf(entry, 'resno');
      if (attno === undefined) this.#unknown.add('a column without its number');
      else columns.set(`${verb} ${attno}`, { attno, name: textOf(entry, 'resname') ?? '', verb });
    }
  }

  #rowLocks(query: TreeNode): void {
    for (const mark of itemsOf(query, 'rowMarks')) {
      if (!(mark instanceof TreeNode)) continue;
      const entry = entryOf(query, numberOf(mark, 'rti'));
      // A view's entry has no table of its own in PostgreSQL 15; those below it have marks too.
      const oid = entry === undefined ? undefined : numberOf(entry, 'relid');
      if (oid !== undefined && oid !== 0) this.#draft(oid).uses.add('lock');
    }
  }

  /** Tables are in entries of range tables and, since 16, in those that list rights; both have `relid`. */
  #relationOf(node: TreeNode): void {
    if (node.tag === 'RANGETBLENTRY' && (numberOf(node, 'rtekind') ?? RTE_KIND_MAX + 1) > RTE_KIND_MAX) {
      this.#unknown.add('an unknown kind of range table entry');
    }
    const oid = numberOf(node, 'relid');
    if (oid === undefined || oid === 0) return;
    const draft = this.#draft(oid);
    // EXCLUDED is the table once more, as a composite type.
    if (draft.relkind === undefined || draft.relkind === 'c') draft.relkind = textOf(node, 'relkind');
    draft.rights |= numberOf(node, 'requiredPerms') ?? 0;
    if (!this.#targets.has(node) && node.tag !== 'RTEPERMISSIONINFO') draft.beside = true;
  }

  #draft(oid: number): RelationDraft {
    let draft = this.#relations.get(oid);
    if (draft === undefined) {
      draft = { relkind: undefined, rights: 0, beside: false, uses: new Set(), columns: new Map() };
      this.#relations.set(oid, draft);
    }
    return draft;
  }

  #relation(oid: number, { relkind, rights, beside, uses, columns }: RelationDraft): ServerRelation {
    const all = new Set(uses);
    if ((rights & ACL.select) !== 0 || (beside && rights === 0)) all.add('read');
    if ((rights & ACL.insert) !== 0) all.add('insert');
    if ((rights & ACL.delete) !== 0) all.add('delete');
    if ((rights & ACL.update) !== 0) all.add(this.#updates ? 'update' : 'lock');
    return { oid, relkind, uses: [...all], columns: [...columns.values()] };
  }

  #oidFieldsOf(node: TreeNode): readonly OidField[] {
    let fields = this.#oidFields.get(node.shape);
    if (fields === undefined) {
      fields = node.names.flatMap((name, index) => {
        const role = oidRole(name);
        return role === undefined ? [] : [[index, role] as const];
      });
      this.#oidFields.set(node.shape, fields);
    }
    return fields;
  }

  #addOids(role: OidRole, value: TreeValue | undefined): void {
    for (const item of value instanceof TreeList ? value.items : [value]) {
      const oid = toNumber(item);
      if (oid !== undefined && oid > 0) this.#oids[role].add(oid);
    }
  }
}

/** Range tables are counted from 1; 0 is none. */
function entryOf(query: TreeNode, index: number | undefined): TreeNode | undefined {
  if (index === undefined) return undefined;
  const entry = itemsOf(query, 'rtable')[index - 1];
  return entry instanceof TreeNode ? entry : undefined;
}
