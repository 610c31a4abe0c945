/** What is found in one statement, as it is found; owns the lists until they are facts. */

import type {
  CalledFunction,
  CommandOption,
  Effect,
  FoundEffect,
  QualifiedName,
  StatementFacts,
  TransactionVerb,
  WriteVerb,
  WrittenTable,
} from '../core/effects.ts';
import { endOfName } from './tokens.ts';
import { locationOf, type TreeNode, textOf } from './tree.ts';

/** Bytes of a text; undefined stands for the whole statement. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What an EXPLAIN that does not run its statement may still do: planning folds calls of functions. */
const WHILE_PLANNING: ReadonlySet<Effect> = new Set([
  'read',
  'explain',
  'execute',
  'function-unknown',
  'unknown',
]);

/**
 * Effects after which a ROLLBACK leaves something behind, or which cannot be in a transaction that is rolled
 * back: sequences go on; files, other servers, processes and the server's own state do not come back; who
 * knows what a function or a procedure does; BEGIN and COMMIT are the transaction; names of prepared
 * statements outlive it.
 */
const LASTING: ReadonlySet<Effect> = new Set([
  'sequence',
  'host',
  'remote',
  'admin',
  'function-unknown',
  'unknown',
  'call',
  'transaction',
  'two-phase',
  'prepare',
  'execute',
]);

export class Findings {
  readonly #bytes: Uint8Array;
  readonly #statement: Span;
  readonly #effects = new Map<string, FoundEffect>();
  readonly #writes = new Map<string, WrittenTable>();
  readonly #reads = new Map<string, QualifiedName>();
  readonly #functions = new Map<string, CalledFunction>();
  readonly #settings: { readonly name: string; readonly value: string | undefined }[] = [];
  #transaction: TransactionVerb | undefined;
  #prepared: StatementFacts['prepared'];
  #copyOut: readonly CommandOption[] | undefined;
  #copyIn: readonly CommandOption[] | undefined;
  #undoable = true;
  #onlyPlanned = false;
  /** Calls of set_config whose setting the SELECT around them tells. */
  readonly settingNames: Map<TreeNode, string> = new Map();

  constructor(bytes: Uint8Array, statement: Span) {
    this.#bytes = bytes;
    this.#statement = statement;
  }

  /** An effect, once for each object: the first place is kept. */
  effect(effect: Effect, span?: Span, object?: string): void {
    if (this.#onlyPlanned && !WHILE_PLANNING.has(effect)) return;
    if (LASTING.has(effect)) this.#undoable = false;
    const key = `${effect} ${object ?? ''}`;
    if (this.#effects.has(key)) return;
    const { from, to } = span ?? this.#statement;
    this.#effects.set(key, { effect, from, to, object });
  }

  effects(effects: readonly Effect[], span?: Span, object?: string): void {
    for (const effect of effects) this.effect(effect, span, object);
  }

  /** A table that is read, at the location of its RangeVar. */
  read(relation: TreeNode): void {
    const name = qualifiedName(relation);
    if (name === undefined) return;
    this.#reads.set(nameKey(name), name);
    this.effect('read', this.nameSpan(relation), nameText(name));
  }

  write(verb: WriteVerb, relation: TreeNode, columns: readonly string[] | 'all'): void {
    const name = qualifiedName(relation);
    if (name === undefined || this.#onlyPlanned) return;
    const key = `${verb} ${nameKey(name)}`;
    const before = this.#writes.get(key)?.columns ?? [];
    const all = columns === 'all' || before === 'all' ? 'all' : [...new Set([...before, ...columns])];
    this.#writes.set(key, { ...name, verb, columns: all });
  }

  call(name: QualifiedName, span: Span): void {
    const key = nameKey(name);
    if (!this.#functions.has(key)) this.#functions.set(key, { ...name, ...span });
  }

  setting(name: string, value: string | undefined): void {
    if (!this.#onlyPlanned) this.#settings.push({ name, value });
  }

  transaction(verb: TransactionVerb): void {
    this.#transaction = verb;
  }

  prepared(prepared: NonNullable<StatementFacts['prepared']>): void {
    if (!this.#onlyPlanned) this.#prepared = prepared;
  }

  copyOut(options: readonly CommandOption[]): void {
    this.#copyOut = options;
  }

  copyIn(options: readonly CommandOption[]): void {
    this.#copyIn = options;
  }

  lasting(): void {
    if (!this.#onlyPlanned) this.#undoable = false;
  }

  /** From here on nothing is run: the rest of the statement is only planned. */
  onlyPlanned(): void {
    this.#onlyPlanned = true;
  }

  /** The name at a node's location; undefined where PostgreSQL does not tell where it stands. */
  nameSpan(fields: TreeNode): Span | undefined {
    const from = locationOf(fields);
    // No name is a statement's first token, so that 0 is one that was left out.
    if (from === undefined || from === 0) return undefined;
    const to = endOfName(this.#bytes, from);
    return to > from ? { from, to } : undefined;
  }

  get span(): Span {
    return this.#statement;
  }

  facts(node: string): StatementFacts {
    return {
      node,
      ...this.#statement,
      effects: [...this.#effects.values()],
      writes: [...this.#writes.values()],
      reads: [...this.#reads.values()],
      functions: [...this.#functions.values()],
      settings: this.#settings,
      transaction: this.#transaction,
      prepared: this.#prepared,
      ...(this.#copyOut === undefined ? {} : { copyOut: this.#copyOut }),
      ...(this.#copyIn === undefined ? {} : { copyIn: this.#copyIn }),
      undoable: this.#undoable,
    };
  }
}

/** The name of a RangeVar. */
export function qualifiedName(relation: TreeNode): QualifiedName | undefined {
  const name = textOf(relation['relname']);
  return name === undefined ? undefined : { schema: textOf(relation['schemaname']), name };
}

/** As people write it. */
export function nameText({ schema, name }: QualifiedName): string {
  return schema === undefined ? name : `${schema}.${name}`;
}

/** A dot may be in a name; a zero may not. */
function nameKey({ schema, name }: QualifiedName): string {
  return `${schema ?? ''}\0${name}`;
}
