/**
 * Statements and requests over HTTP that may have changed something, with what let them: spec/evidence.md, section 3, `changes` and
 * `changes-unapproved`.
 *
 * A row is complete at the outcome. What people granted is joined by `hold.taken`, which is signed before the
 * target hears of the statement. State grows with the statements that are open. Untrusted: bodies.
 */

import { saysBroken } from './breakglass-rows.ts';
import { type ChangeKind, kindsOfEffects, kindsOfTags } from './change-kinds.ts';
import type { Row } from './csv.ts';
import { isObject, type Json, jcs } from './jcs.ts';
import type { Leaf } from './leaf.ts';
import type { TakenUse } from './model-rows.ts';
import { COMMON_COLUMNS } from './population-columns.ts';

type Values = Readonly<Record<string, Json>>;

/** What is known of a request for approval that the fold has. */
export interface AskedFor {
  /** What its rule is called. */
  readonly rule: Json | undefined;
  readonly version: Json | undefined;
  /** Enough people had approved it, and who asked was none of them. */
  readonly isGranted: boolean;
  /** Who asked had opened it, in an emergency. */
  readonly isOpened: boolean;
}

export interface ChangeEvent {
  readonly leaf: Leaf;
  readonly values: Values;
  readonly isDisclosed: boolean;
}

/** A row, and why it is one of `changes-unapproved` too. */
export interface ChangeRow {
  readonly row: Row;
  readonly why: string | undefined;
}

interface Taken {
  readonly holdId: Json | undefined;
  readonly isGranted: boolean;
  readonly isOpened: boolean;
  readonly approvers: readonly Json[];
  readonly approvals: readonly Json[];
}

interface Change {
  /** Of the statement, with columns that are not those of a change. */
  readonly row: Row;
  /** What session and intent say. */
  readonly said: Row;
  readonly isDisclosed: boolean;
  /** Undefined where nobody has read the statement. */
  readonly kinds: ReadonlySet<ChangeKind> | undefined;
  readonly isFunctionCall: boolean;
  /** A request over HTTP: nobody can take back what it did, and it has no tags. */
  readonly isRequest: boolean;
  readonly decision: string | undefined;
  /** Rules that called for something, each once. */
  readonly rules: Map<string, Json>;
  /** Leaf indexes of its `hold.asked`. */
  readonly asked: number[];
  readonly taken: Taken[];
}

/** The owner of the statements and requests that are open. */
export class ChangeRows {
  readonly #open = new Map<number, Change>();
  /** The intent that a `hold.asked` is about. */
  readonly #intentOf = new Map<number, number>();

  /**
   * @param row that of the statement or request
   * @param session columns of its session
   */
  begin({ leaf, values, isDisclosed }: ChangeEvent, row: Row, session: Row): void {
    const said = own(values, 'effects', 'tables', 'method', 'path', 'operation', 'reason');
    const { effects } = said;
    const rules = new Map(listOf(values, 'rules').map((rule) => [jcs(rule), rule]));
    this.#open.set(leaf.n, {
      row,
      said: { ...session, ...said },
      isDisclosed,
      kinds: Array.isArray(effects) ? kindsOfEffects(effects) : undefined,
      isFunctionCall: own(values, 'protocol_message').protocol_message === 'FunctionCall',
      isRequest: leaf.type === 'http.intent',
      decision: leaf.decision,
      rules,
      asked: [],
      taken: [],
    });
  }

  /** `hold.asked`: its `ref` is the intent. */
  asked({ leaf, values }: ChangeEvent): void {
    const change = leaf.ref === undefined ? undefined : this.#open.get(leaf.ref);
    if (change === undefined || leaf.ref === undefined) return;
    const { rule, rule_version: version } = own(values, 'rule', 'rule_version');
    addRule(change, rule, version);
    change.asked.push(leaf.n);
    this.#intentOf.set(leaf.n, leaf.ref);
  }

  /** `hold.taken`: its statement is about to run. */
  taken({ leaf, values }: ChangeEvent, request: AskedFor | undefined): TakenUse {
    const { hold_id: holdId, intent_leaf: intent } = own(values, 'hold_id', 'intent_leaf');
    const n = typeof intent === 'number' ? intent : this.#intentOf.get(leaf.ref ?? -1);
    const change = n === undefined ? undefined : this.#open.get(n);
    const votes = listOf(values, 'votes');
    const isOpened = request?.isOpened === true || saysBroken(values);
    // What was asked before the range, or at another gateway, is approved by the word of this leaf.
    const isGranted = !isOpened && (request?.isGranted ?? votes.length > 0);
    if (change === undefined) return { isGranted, isModel: undefined };
    if (request !== undefined) addRule(change, request.rule, request.version);
    change.taken.push({
      holdId,
      isOpened,
      isGranted,
      approvers: votes.flatMap((vote) => (isObject(vote) ? (own(vote, 'approver').approver ?? []) : [])),
      approvals: listOf(values, 'approvals'),
    });
    return { isGranted, isModel: change.kinds?.has('model') === true };
  }

  /** What let the statement or request of this intent, while it is open. */
  letOf(intent: number | undefined): Row {
    const change = intent === undefined ? undefined : this.#open.get(intent);
    return change === undefined ? {} : letCells(change);
  }

  /** `statement.outcome`, `http.outcome`: the row, where it may have been a change. */
  outcome({ leaf, values, isDisclosed }: ChangeEvent): ChangeRow | undefined {
    const change = this.#take(leaf.ref);
    if (change === undefined) return undefined;
    const tags = listOf(values, 'tags');
    const tagged = new Set(
      kindsOfTags(tags, own(values, 'bytes_from_client').bytes_from_client !== undefined),
    );
    const isRead = change.kinds !== undefined;
    const unreadable = !change.isDisclosed || (!isRead && !isDisclosed);
    const mayBeAny =
      !isRead &&
      (change.isFunctionCall ||
        change.isRequest ||
        leaf.status === 'unknown' ||
        own(values, 'command').command !== undefined);
    if (mayBeAny) tagged.add('unknown');
    const kinds = unreadable
      ? new Set<ChangeKind>(['undisclosed'])
      : new Set([...(change.kinds ?? []), ...tagged]);
    if (kinds.size === 0) return undefined;
    const row = {
      ...rowOf(change, kinds),
      status: leaf.status,
      outcome_leaf_index: leaf.n,
      outcome_time_utc: leaf.t,
      ...own(values, 'tags', 'rows', 'sqlstate', 'http_status'),
    };
    const isUnforeseen = isRead && change.kinds.size === 0;
    const inDoubt = leaf.status === 'unknown' || (change.isRequest && mayHaveRun(leaf, values));
    const hasRun = leaf.status === 'ok' || inDoubt || tags.includes('COMMIT');
    return { row, why: hasRun ? whyOf(change, inDoubt, isUnforeseen) : undefined };
  }

  /** After the last leaf: what has no outcome. It may be waiting, and may never have run. */
  *rest(): Generator<Row> {
    for (const change of this.#open.values()) {
      const unread = change.isDisclosed ? 'unknown' : 'undisclosed';
      const kinds = change.kinds ?? new Set<ChangeKind>([unread]);
      if (kinds.size > 0) yield rowOf(change, kinds);
    }
    this.#open.clear();
    this.#intentOf.clear();
  }

  #take(n: number | undefined): Change | undefined {
    const change = n === undefined ? undefined : this.#open.get(n);
    if (change === undefined || n === undefined) return undefined;
    this.#open.delete(n);
    for (const asked of change.asked) this.#intentOf.delete(asked);
    return change;
  }
}

/** Statuses below 500 of what began, and stopped or was given up in its middle: RFC 9110 §15.5, RFC 4918 §11.4. */
const STOPPED: ReadonlySet<Json> = new Set([408, 409, 424, 499]);

/**
 * A service that fails may have done it; one that refuses, by most statuses below 500, has not. What its client gave
 * up may have been done too, once any of it was on its way.
 */
function mayHaveRun({ status }: Leaf, values: Values): boolean {
  const { http_status: http, bytes_from_client: sent } = own(values, 'http_status', 'bytes_from_client');
  if (status === 'cancelled') return sent !== undefined;
  return status === 'error' && (typeof http !== 'number' || http >= 500 || STOPPED.has(http));
}

function rowOf(change: Change, kinds: ReadonlySet<ChangeKind>): Row {
  const { row, said } = change;
  return {
    ...Object.fromEntries(COMMON_COLUMNS.map((column) => [column, row[column]])),
    ...said,
    kinds: [...kinds].toSorted(),
    ...letCells(change),
  };
}

function letCells(change: Change): Row {
  const { rules, taken } = change;
  return {
    rules: listed([...rules.values()]),
    hold_ids: listed(taken.flatMap(({ holdId }) => holdId ?? [])),
    approvers: listed([...new Set(taken.flatMap(({ approvers }) => approvers))]),
    approvals: listed(taken.flatMap(({ approvals }) => approvals)),
    approved_before_executed: isApproved(change),
  };
}

/** Undefined where nothing called for it. */
function isApproved(change: Change): boolean | undefined {
  const { taken } = change;
  const needed = neededOf(change);
  if (needed === 0 && taken.length === 0) return undefined;
  return taken.length >= Math.max(needed, 1) && taken.every(({ isGranted }) => isGranted);
}

/** All that was not approved was opened in an emergency. */
function isBroken(change: Change): boolean {
  const { taken } = change;
  return (
    taken.length >= Math.max(neededOf(change), 1) &&
    taken.every(({ isGranted, isOpened }) => isGranted || isOpened)
  );
}

function neededOf({ decision, rules, asked }: Change): number {
  const holding = [...rules.values()].filter(
    (rule) => isObject(rule) && own(rule, 'verdict').verdict === 'hold',
  );
  return Math.max(holding.length, asked.length, decision === 'hold' ? 1 : 0);
}

function whyOf(change: Change, inDoubt: boolean, isUnforeseen: boolean): string | undefined {
  if (isApproved(change) === false) return isBroken(change) ? 'break-glass' : inDoubt ? 'in-doubt' : 'held';
  if (change.decision === 'block') return inDoubt ? 'in-doubt' : 'blocked';
  if (isUnforeseen) return 'unforeseen';
  if (change.kinds === undefined && change.isDisclosed) return 'unruled';
  return change.isRequest && change.kinds?.has('model') === true && isApproved(change) === undefined
    ? 'unasked'
    : undefined;
}

function addRule({ rules }: Change, rule: Json | undefined, version: Json | undefined): void {
  if (rule === undefined) return;
  const entry = { rule, ...(version === undefined ? {} : { version }), verdict: 'hold' };
  rules.set(jcs(entry), entry);
}

/** An empty list is no value. */
function listed(values: readonly Json[]): Json | undefined {
  return values.length === 0 ? undefined : [...values];
}

function listOf(values: Values, field: string): readonly Json[] {
  const value = own(values, field)[field];
  return Array.isArray(value) ? value : [];
}

// Field names are untrusted, and an object has members that nobody gave it.
function own<Field extends string>(
  values: Values,
  ...fields: readonly Field[]
): Readonly<Partial<Record<Field, Json>>> {
  const found: Partial<Record<Field, Json>> = {};
  for (const field of fields) {
    const value = Object.hasOwn(values, field) ? values[field] : undefined;
    if (value !== undefined) found[field] = value;
  }
  return found;
}
