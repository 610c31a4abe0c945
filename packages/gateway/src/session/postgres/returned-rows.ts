/**
 * Rows that a session has got, against the rules that have a say about them.
 *
 * Spec: spec/policy.md, "Rows that are returned". A bound is on all that one transaction returns of what the
 * rule is about, and on all that one cursor returns: what is declared WITH HOLD outlives its transaction.
 */

import type { StatementFacts } from '../../core/effects.ts';
import { LIMITS } from '../../core/limits.ts';
import { allowedRows, cursorOf } from '../../policy/returned.ts';
import type { CompiledRule } from '../../policy/rule.ts';
import { BACKEND } from '../../protocols/postgres/messages.ts';
import type { BoundPortal } from '../../protocols/postgres/operation.ts';
import type { Outcome } from '../../protocols/postgres/states.ts';
import type { Judgement } from './inspection.ts';
import type { AnswerMeter } from './request.ts';

/** By name of the rule: one that is applied again goes on where it was. */
type Rows = Map<string, number>;

/** CopyOutResponse's overall format. */
const BINARY = 1;
/** Signature, flags and length of the extension: in front of the first row, or of the trailer. */
const BINARY_HEADER_BYTES = 19;
const BINARY_TRAILER_BYTES = 2;

/** How a statement is counted. */
interface Metered {
  /** Rules that people have agreed to override for it. */
  readonly granted: ReadonlySet<CompiledRule>;
  /** Of an Execute whose portal no Bind has made: it may be a cursor. */
  readonly portalName: string | undefined;
  /** Called once, where much is still to come that nobody gets. */
  readonly stop?: (() => void) | undefined;
}

/** Owned by the conductor of one session. */
export class ReturnedRows {
  #transaction: Rows = new Map();
  /** Rules that people have agreed to override for a portal, in however many portions it gives its rows. */
  readonly #agreed = new WeakMap<BoundPortal, Set<CompiledRule>>();
  /** Since each cursor was declared, by its name. */
  readonly #cursors = new Map<string, Rows>();

  /** The transaction is over: the next one counts from its own beginning. */
  ended(): void {
    this.#transaction = new Map();
  }

  /** What people have agreed to holds for the life of the portal. */
  agreed(portal: BoundPortal | undefined, rules: readonly CompiledRule[]): ReadonlySet<CompiledRule> {
    const before = portal === undefined ? undefined : this.#agreed.get(portal);
    const agreed = new Set([...(before ?? []), ...rules]);
    if (portal !== undefined && agreed.size > 0) this.#agreed.set(portal, agreed);
    return agreed;
  }

  /** Counts what a statement returns. */
  meter({ decision, read }: Judgement, { granted, portalName, stop = () => undefined }: Metered): RowMeter {
    const rules = decision.returned.filter((rule) => !granted.has(rule));
    const statements = read.kind === 'read' ? read.statements : [];
    const names = [...cursorsOf(statements, 'FetchStmt'), ...(portalName === undefined ? [] : [portalName])];
    const fetched = names.map((name) => this.#cursor(name));
    const declared = cursorsOf(statements, 'DeclareCursorStmt').flatMap(
      (name) => this.#cursors.get(name) ?? [],
    );
    return new RowMeter(rules, { counts: [this.#transaction, ...fetched], declared }, stop);
  }

  #cursor(name: string): Rows {
    // Beyond the bound all share one: together they have got at least what each has.
    const key = this.#cursors.size < LIMITS.policy.preparedNamesMax || this.#cursors.has(name) ? name : '';
    const known = this.#cursors.get(key);
    if (known !== undefined) return known;
    const rows: Rows = new Map();
    this.#cursors.set(key, rows);
    return rows;
  }
}

/** What was counted before a statement. */
interface Before {
  /** To which its rows are added. */
  readonly counts: readonly Rows[];
  /** Of cursors that begin again where it succeeds. */
  readonly declared: readonly Rows[];
}

/** Counts the rows of one answer as they pass, and lets none pass beyond the least bound. */
export class RowMeter implements AnswerMeter {
  readonly #rules: readonly CompiledRule[];
  readonly #before: Before;
  readonly #left: ReadonlyMap<CompiledRule, number>;
  readonly #least: number;
  readonly #stop: () => void;
  #rows = 0;
  #isOver = false;
  #isBinary = false;
  /** Messages of the COPY that is under way. */
  #copied = 0;
  /** Bytes that nobody gets. */
  #discarded = 0;

  constructor(rules: readonly CompiledRule[], before: Before, stop: () => void) {
    this.#rules = rules;
    this.#before = before;
    this.#stop = stop;
    this.#left = new Map(
      rules.map((rule) => {
        const counted = before.counts.map((rows) => rows.get(rule.name) ?? 0);
        return [rule, Math.max(0, allowedRows(rule) - Math.max(0, ...counted))];
      }),
    );
    this.#least = Math.min(Number.MAX_SAFE_INTEGER, ...this.#left.values());
  }

  /** Rows that passed. */
  get rows(): number {
    return this.#rows;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Rules whose bound is passed. */
  get over(): readonly CompiledRule[] {
    return this.#isOver ? this.#rules.filter((rule) => this.#left.get(rule) === this.#least) : [];
  }

  passes(type: number, body: Uint8Array, length: number): boolean {
    if (type === BACKEND.CopyOutResponse) {
      this.#isBinary = body[0] === BINARY;
      this.#copied = 0;
    }
    if (this.#isRow(type, body)) {
      if (this.#rows === this.#least) this.#isOver = true;
      if (!this.#isOver) this.#rows += 1;
    }
    if (this.#isOver) this.#discard(length);
    return !this.#isOver;
  }

  /** Nothing more of the answer comes: what passed is counted. */
  close(outcome: Outcome): void {
    const { counts, declared } = this.#before;
    for (const rows of counts) this.#addTo(rows);
    if (outcome !== 'completed') return;
    for (const rows of declared) {
      rows.clear();
      // They may have been fetched from in the same text.
      this.#addTo(rows);
    }
  }

  #addTo(rows: Rows): void {
    for (const { name } of this.#rules) rows.set(name, (rows.get(name) ?? 0) + this.#rows);
  }

  /** PostgreSQL sends a message for each row of a COPY, and for a header line; the binary trailer is none. */
  #isRow(type: number, body: Uint8Array): boolean {
    if (type === BACKEND.DataRow) return true;
    if (type !== BACKEND.CopyData) return false;
    this.#copied += 1;
    if (!this.#isBinary || body.at(-1) !== 0xff || body.at(-2) !== 0xff) return true;
    const header = this.#copied === 1 ? BINARY_HEADER_BYTES : 0;
    return body.length !== header + BINARY_TRAILER_BYTES;
  }

  #discard(length: number): void {
    const { discardedAnswerBytesMax: max } = LIMITS.policy;
    const before = this.#discarded;
    this.#discarded += length;
    if (before <= max && this.#discarded > max) this.#stop();
  }
}

function cursorsOf(statements: readonly StatementFacts[], node: string): readonly string[] {
  return statements.flatMap((statement) => (statement.node === node ? (cursorOf(statement) ?? []) : []));
}
