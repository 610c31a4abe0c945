/**
 * Rules as they are written, and as they are decided on.
 *
 * Spec: spec/policy.md §3.
 */

import type { Effect } from '../core/effects.ts';
import type { ActorKind } from '../core/principal.ts';
import { effectsOf, WRITE_EFFECTS } from './effect-classes.ts';
import {
  type AddressRange,
  type Hours,
  type NamePattern,
  parseAddressRange,
  parseDurationMs,
  parseHours,
  parseNamePattern,
  parseRowBound,
  PatternProblem,
  type RowBound,
} from './patterns.ts';

/** Conditions; all that stand there must hold, of a list any one. */
export interface When {
  readonly effects?: readonly string[];
  readonly writes?: readonly string[];
  readonly reads?: readonly string[];
  readonly functions?: readonly string[];
  /** Rows that the transaction has written, counted before COMMIT. */
  readonly rows?: string;
  readonly kinds?: readonly ActorKind[];
  readonly address?: readonly string[];
  readonly client?: readonly string[];
  readonly hours?: { readonly days?: readonly string[]; readonly from: string; readonly to: string };
  /** Kinds of resources: the rule is about changes of them, and about no statement (policy/guard.ts). */
  readonly changes?: readonly string[];
}

/** Who has to approve, and for how long that is good. */
export interface HoldTerms {
  /** `group:NAME`, or the NAME of a person. */
  readonly approvers: readonly string[];
  readonly count: number;
  /** How long the request waits. */
  readonly expires: string;
  /** How long what was approved may be used. */
  readonly within: string;
  readonly reason: 'required' | 'optional';
  /** What becomes of a client that asks inside of its own transaction, whose locks others would wait for. */
  readonly inTransaction: 'refuse' | 'wait';
}

/** A Rule after parsing: every default filled in. */
export interface Rule {
  readonly kind: 'Rule';
  readonly name: string;
  /** Why it is there; shown to whom it stops. */
  readonly description?: string;
  /** `NAME` of a connection or `label:KEY=VALUE`; empty: every one. */
  readonly on: readonly string[];
  /** As in an Access resource; empty: everybody. */
  readonly who: readonly string[];
  /** Whom it does not concern. */
  readonly unless: readonly string[];
  readonly when: When;
  // oxlint-disable-next-line unicorn/no-thenable -- The word of the policy language; nothing awaits a rule.
  readonly then: 'allow' | 'block' | { readonly hold: HoldTerms };
}

export interface CompiledRule {
  readonly name: string;
  readonly version: number;
  readonly description: string | undefined;
  readonly effects: ReadonlySet<Effect> | undefined;
  readonly writes: readonly NamePattern[] | undefined;
  readonly reads: readonly NamePattern[] | undefined;
  readonly functions: readonly NamePattern[] | undefined;
  readonly rows: RowBound | undefined;
  readonly kinds: readonly ActorKind[] | undefined;
  readonly address: readonly AddressRange[] | undefined;
  readonly client: readonly string[] | undefined;
  readonly hours: Hours | undefined;
  readonly verdict: 'allow' | 'block' | 'hold';
  readonly hold: HoldTerms | undefined;
}

/** Throws a PatternProblem that names the condition. */
export function compileRule(rule: Rule, version: number): CompiledRule {
  const { when, then: consequence } = rule;
  // It names nothing that a statement does: as a rule on statements it would hold every one.
  if (when.changes !== undefined) throw new PatternProblem('when.changes is about no statement');
  const hold = typeof consequence === 'object' ? consequence.hold : undefined;
  if (hold !== undefined) checkTerms(hold);
  const compiled: CompiledRule = {
    name: rule.name,
    version,
    description: rule.description,
    effects: when.effects === undefined ? undefined : effectsOf(when.effects),
    writes: each(when.writes, 'when.writes', parseNamePattern),
    reads: each(when.reads, 'when.reads', parseNamePattern),
    functions: each(when.functions, 'when.functions', parseNamePattern),
    rows: one(when.rows, 'when.rows', parseRowBound),
    kinds: when.kinds,
    address: each(when.address, 'when.address', parseAddressRange),
    client: when.client,
    hours: one(when.hours, 'when.hours', parseHours),
    verdict: typeof consequence === 'object' ? 'hold' : consequence,
    hold,
  };
  checkTogether(compiled, when);
  return compiled;
}

/** Throws a PatternProblem for a duration that is none. */
export function checkTerms(hold: HoldTerms): void {
  one(hold.expires, 'then.hold.expires', parseDurationMs);
  one(hold.within, 'then.hold.within', parseDurationMs);
}

/** Combinations that would promise what cannot be held. */
function checkTogether(rule: CompiledRule, when: When): void {
  const writesOnly = (when.effects ?? []).every((word) => WRITE_EFFECTS.has(word) || word === 'write');
  if (rule.writes !== undefined && !writesOnly) {
    throw new PatternProblem('when.writes goes with effects that write rows, and with no other');
  }
  if (rule.rows !== undefined && (!writesOnly || rule.reads !== undefined || rule.functions !== undefined)) {
    throw new PatternProblem(
      'when.rows counts rows that are written: it goes with writes and their effects only',
    );
  }
  if (rule.rows !== undefined && rule.verdict === 'allow') {
    throw new PatternProblem('when.rows stops what is too much; it cannot allow');
  }
  const names = rule.effects ?? rule.writes ?? rule.reads ?? rule.functions;
  if (rule.verdict === 'allow' && names === undefined) {
    throw new PatternProblem('a rule that allows must say what: effects, writes, reads or functions');
  }
  const columns = [...(rule.reads ?? []), ...(rule.functions ?? [])].find(
    (name) => name.columns !== undefined,
  );
  if (columns !== undefined) {
    throw new PatternProblem(`"${columns.text}": columns can be named in when.writes only`);
  }
}

function each<A, B>(
  values: readonly A[] | undefined,
  where: string,
  parse: (value: A) => B,
): readonly B[] | undefined {
  return values?.map((value) => parseAt(value, where, parse));
}

function one<A, B>(value: A | undefined, where: string, parse: (value: A) => B): B | undefined {
  return value === undefined ? undefined : parseAt(value, where, parse);
}

function parseAt<A, B>(value: A, where: string, parse: (value: A) => B): B {
  try {
    return parse(value);
  } catch (error) {
    if (error instanceof PatternProblem) throw new PatternProblem(`${where}: ${error.message}`);
    throw error;
  }
}
