/**
 * Rules as they are written, and as they are decided on.
 *
 * Spec: spec/policy.md §3.
 */

import type { Effect } from '../core/effects.ts';
import { LIMITS } from '../core/limits.ts';
import type { ActorKind } from '../core/principal.ts';
import { SECOND_FACTOR_LIMITS } from '../core/second-factor-limits.ts';
import { effectsOf, WRITE_EFFECTS } from './effect-classes.ts';
import { checkEstimated } from './estimated.ts';
import { compileHttp, HTTP_CONDITIONS, type HttpConditions, type HttpWhen } from './http-conditions.ts';
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
import { type MfaBound, type MfaWhen, parseMfa } from './second-factor.ts';

const DAY_MS = 86_400_000;

/** Conditions; all that stand there must hold, of a list any one. */
export interface When extends HttpWhen {
  readonly effects?: readonly string[];
  readonly writes?: readonly string[];
  readonly reads?: readonly string[];
  readonly functions?: readonly string[];
  /** Rows that the transaction has written, counted before COMMIT. */
  readonly rows?: string;
  /** Effects of which one row is too many, whatever `rows` says. */
  readonly anyRows?: readonly string[];
  /** Rows that the transaction has got, counted as they pass. */
  readonly returned?: string;
  /** Rows that the target guesses that the statement writes or returns, before it runs. */
  readonly estimated?: string;
  readonly kinds?: readonly ActorKind[];
  readonly address?: readonly string[];
  readonly client?: readonly string[];
  /** How long ago the login had a second factor. */
  readonly mfa?: MfaWhen;
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
  /** How long ago the login of an approver may have had a second factor; left out, it needs none. */
  readonly mfa?: string;
  /** Nobody opens it in an emergency; left out, a rule of that kind may say who does. */
  readonly breakGlass?: 'never';
}

/** Who looks at it afterwards, and for how long a hold is open that somebody opened in an emergency. */
export interface BreakGlassTerms {
  /** `group:NAME`, or the NAME of a person. */
  readonly reviewers: readonly string[];
  /** How long what was opened may be used. */
  readonly within: string;
  /** How long a review may take. */
  readonly review: string;
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
  readonly then: 'allow' | 'block' | { readonly hold: HoldTerms } | { readonly breakGlass: BreakGlassTerms };
}

/** What a rule is about. */
interface RuleConditions {
  readonly name: string;
  readonly version: number;
  readonly description: string | undefined;
  readonly effects: ReadonlySet<Effect> | undefined;
  readonly writes: readonly NamePattern[] | undefined;
  readonly reads: readonly NamePattern[] | undefined;
  readonly functions: readonly NamePattern[] | undefined;
  readonly kinds: readonly ActorKind[] | undefined;
  readonly address: readonly AddressRange[] | undefined;
  readonly client: readonly string[] | undefined;
  readonly hours: Hours | undefined;
}

/** A rule that decides. */
export interface CompiledRule extends RuleConditions {
  readonly rows: RowBound | undefined;
  readonly anyRows: ReadonlySet<Effect> | undefined;
  readonly returned: RowBound | undefined;
  readonly estimated: RowBound | undefined;
  readonly mfa: MfaBound | undefined;
  /** Of HTTP requests; where they stand, the rule is about no statement. */
  readonly http: HttpConditions | undefined;
  readonly verdict: 'allow' | 'block' | 'hold';
  readonly hold: HoldTerms | undefined;
}

/** A rule that decides nothing: it says whose holds may be opened in an emergency (break-glass.ts). */
export interface BreakGlassRule extends RuleConditions {
  readonly terms: BreakGlassTerms;
}

/** Throws a PatternProblem that names the condition. */
export function compileRule(rule: Rule, version: number): CompiledRule | BreakGlassRule {
  const { when, then: consequence } = rule;
  // It names nothing that a statement does: as a rule on statements it would hold every one.
  if (when.changes !== undefined) throw new PatternProblem('when.changes is about no statement');
  if (typeof consequence === 'object' && 'breakGlass' in consequence) {
    return compileBreakGlass(rule, version, consequence.breakGlass);
  }
  const hold = typeof consequence === 'object' ? consequence.hold : undefined;
  if (hold !== undefined) checkTerms(hold);
  const compiled = uncheckedRule(rule, version);
  for (const check of TOGETHER) check(compiled, when);
  return compiled;
}

/** Every condition by itself; throws a PatternProblem that names the first that cannot be read. */
export function uncheckedRule(rule: Rule, version: number): CompiledRule {
  const { when, then: consequence } = rule;
  return {
    ...conditionsOf(rule, version),
    rows: one(when.rows, 'when.rows', parseRowBound),
    anyRows: when.anyRows === undefined ? undefined : effectsOf(when.anyRows),
    returned: one(when.returned, 'when.returned', parseRowBound),
    estimated: one(when.estimated, 'when.estimated', parseRowBound),
    mfa: one(when.mfa, 'when.mfa', parseMfa),
    http: compileHttp(when),
    verdict: typeof consequence === 'object' ? 'hold' : consequence,
    hold: typeof consequence === 'object' && 'hold' in consequence ? consequence.hold : undefined,
  };
}

function conditionsOf({ name, description, when }: Rule, version: number): RuleConditions {
  return {
    name,
    version,
    description,
    effects: when.effects === undefined ? undefined : effectsOf(when.effects),
    writes: each(when.writes, 'when.writes', parseNamePattern),
    reads: each(when.reads, 'when.reads', parseNamePattern),
    functions: each(when.functions, 'when.functions', parseNamePattern),
    kinds: when.kinds,
    address: each(when.address, 'when.address', parseAddressRange),
    client: when.client,
    hours: one(when.hours, 'when.hours', parseHours),
  };
}

/** Throws a PatternProblem for a duration that is none, or too long to mean anything. */
export function checkTerms({ expires, within, mfa }: HoldTerms, where = 'then.hold'): void {
  one(expires, `${where}.expires`, parseDurationMs);
  one(within, `${where}.within`, parseDurationMs);
  if (mfa !== undefined) durationAtMost(mfa, `${where}.mfa`, SECOND_FACTOR_LIMITS.ageMsMax);
}

function durationAtMost(text: string, where: string, msMax: number): void {
  if ((one(text, where, parseDurationMs) ?? 0) <= msMax) return;
  throw new PatternProblem(`${where}: expected at most ${msMax / DAY_MS}d, not "${text}"`);
}

/** What it opens is one thing, once, by one person: whatever is less exact than that is refused. */
function compileBreakGlass(rule: Rule, version: number, terms: BreakGlassTerms): BreakGlassRule {
  checkBreakGlass(terms);
  const compiled: BreakGlassRule = { ...conditionsOf(rule, version), terms };
  const [wrong] = breakGlassProblems(rule, compiled);
  if (wrong !== undefined) throw new PatternProblem(wrong);
  return compiled;
}

/** Throws a PatternProblem for a duration that is none, or too long. */
export function checkBreakGlass({ within, review }: BreakGlassTerms): void {
  const { useWithinMsMax, reviewMsMax } = LIMITS.approvals;
  durationAtMost(within, 'then.breakGlass.within', useWithinMsMax);
  durationAtMost(review, 'then.breakGlass.review', reviewMsMax);
}

/** What is less exact than that, each in a sentence. */
export function breakGlassProblems({ who, when }: Rule, conditions: RuleConditions): readonly string[] {
  const { writes = [], reads = [], functions = [] } = conditions;
  const extra = (
    [
      'rows',
      'anyRows',
      'returned',
      'estimated',
      'kinds',
      'address',
      'client',
      'mfa',
      ...HTTP_CONDITIONS,
    ] as const
  ).filter((key) => when[key] !== undefined);
  const columns = [...writes, ...reads, ...functions].filter((name) => name.columns !== undefined);
  return [
    ...(who.length === 0 ? ['a rule with breakGlass must say who may'] : []),
    ...who
      .filter((name) => name.startsWith('service:'))
      .map((account) => `"${account}": only people break the glass`),
    ...extra.map((key) => `when.${key} has no place beside breakGlass: it is about who, what and when`),
    ...columns.map(({ text }) => `"${text}": no columns beside breakGlass`),
  ];
}

/** Combinations that would promise what cannot be held: each throws a PatternProblem. */
export const TOGETHER: readonly ((rule: CompiledRule, when: When) => void)[] = [
  checkWrites,
  checkRows,
  checkAnyRows,
  checkAllowing,
  checkColumns,
  checkReturned,
  checkEstimated,
  checkHttp,
];

function checkWrites(rule: CompiledRule, when: When): void {
  if (rule.writes === undefined || areWrites(when)) return;
  throw new PatternProblem('when.writes goes with effects that write rows, and with no other');
}

function areWrites({ effects = [] }: Pick<When, 'effects'>): boolean {
  return effects.every((word) => WRITE_EFFECTS.has(word) || word === 'write');
}

function checkRows(rule: CompiledRule, when: When): void {
  if (rule.rows === undefined) return;
  if (!areWrites(when) || rule.reads !== undefined || rule.functions !== undefined) {
    throw new PatternProblem(
      'when.rows counts rows that are written: it goes with writes and their effects only',
    );
  }
  if (rule.verdict === 'allow') {
    throw new PatternProblem('when.rows stops what is too much; it cannot allow');
  }
}

/** Without a bound there is nothing that it would be stricter than. */
function checkAnyRows({ rows }: CompiledRule, { anyRows }: When): void {
  if (anyRows === undefined || (rows !== undefined && areWrites({ effects: anyRows }))) return;
  throw new PatternProblem('when.anyRows has effects that write rows, and goes with when.rows only');
}

function checkAllowing({ effects, writes, reads, functions, http, verdict }: CompiledRule): void {
  if (verdict !== 'allow' || (effects ?? writes ?? reads ?? functions ?? http?.paths) !== undefined) return;
  throw new PatternProblem('a rule that allows must say what: effects, writes, reads, functions or paths');
}

function checkColumns({ reads = [], functions = [] }: CompiledRule): void {
  const columns = [...reads, ...functions].find((name) => name.columns !== undefined);
  if (columns === undefined) return;
  throw new PatternProblem(`"${columns.text}": columns can be named in when.writes only`);
}

/** What would promise that something is asked of a request which only statements have. */
function checkHttp({ http, functions, estimated }: CompiledRule): void {
  if (http === undefined) return;
  const other = functions === undefined ? (estimated === undefined ? undefined : 'estimated') : 'functions';
  if (other === undefined) return;
  throw new PatternProblem(
    `when.${other} is about SQL, and has no place beside ${HTTP_CONDITIONS.join(', ')}, which are about HTTP`,
  );
}

/** What would promise that rows are counted which nobody counts. */
function checkReturned({ returned, writes, rows, functions, verdict }: CompiledRule, when: When): void {
  if (returned === undefined) return;
  const readsOnly = (when.effects ?? []).every((word) => word === 'read' || word === 'export');
  if (!readsOnly || writes !== undefined || rows !== undefined || functions !== undefined) {
    throw new PatternProblem(
      'when.returned counts rows that are read: it goes with reads, and with the effects read and export',
    );
  }
  if (verdict === 'allow') {
    throw new PatternProblem('when.returned stops what is too much; it cannot allow');
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
