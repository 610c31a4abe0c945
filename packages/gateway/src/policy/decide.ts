/**
 * What a statement does × who asks, where and when → allow, block or hold, and why.
 *
 * Spec: spec/policy.md §4. A block beats a hold, a hold beats an allow, and what nothing allows is
 * blocked. The same input gives the same decision: rules are in the order of their names, and time comes
 * in as an argument.
 */

import {
  EFFECTS,
  type Effect,
  HTTP_EFFECTS,
  type HttpFacts,
  type ReadText,
  type StatementFacts,
} from '../core/effects.ts';
import type { ActorKind } from '../core/principal.ts';
import { guessOf, isMet } from './estimated.ts';
import { allowedWrites, covers, describe, letsThrough, matches, type Range } from './matches.ts';
import type { Otherwise } from './otherwise.ts';
import { isSeenInCatalog } from './observed.ts';
import { inRange, matchesClient, withinHours } from './patterns.ts';
import { fetches, type KnownStatements, usesNames, withPrepared } from './prepared-facts.ts';
import { type KnownCursors, onlyReads, returnedRules } from './returned.ts';
import type { BreakGlassRule, CompiledRule } from './rule.ts';
import { isMfaMet, mfaSaid } from './second-factor.ts';

export type Verdict = 'allow' | 'hold' | 'block';

/** What holds for a whole session. */
export interface Caller {
  readonly kind: ActorKind;
  /** As the socket has it. */
  readonly address: string;
  /** `application_name`, which clients give themselves. */
  readonly client: string;
  /** When the login behind the session had a second factor, in microseconds; absent where it had none. */
  readonly mfaUs?: number | undefined;
}

/** Why; `from` and `to` are the bytes of the text that caused it. */
export interface Cause {
  /**
   * The rule's name; `access:NAME` where the Access resource does not let it through, and `connection:NAME` where
   * the Connection has somebody asked about that.
   */
  readonly rule: string;
  readonly version: number;
  readonly verdict: Verdict;
  readonly description: string | undefined;
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

export interface Decision {
  readonly kind: Verdict;
  /** Of a block or a hold: what decided, strictest first. */
  readonly causes: readonly Cause[];
  /** Rules that ask for approval, each for itself. */
  readonly holds: readonly CompiledRule[];
  /** What the text does, and which rules may open such a hold (break-glass.ts). */
  readonly statements: readonly StatementFacts[];
  readonly breakGlass: readonly BreakGlassRule[];
  /** Rules that have a say when the rows are counted before COMMIT; none where nothing can be written. */
  readonly counted: readonly CompiledRule[];
  /** Rules that have a say about how many rows it returns. */
  readonly returned: readonly CompiledRule[];
  /** Rules that are decided on as if the target had guessed too many rows, because nobody has asked it. */
  readonly estimated: readonly CompiledRule[];
  /** It leaves nothing that would have to be undone where its rows are withheld. */
  readonly onlyReads: boolean;
  /** The parser's message where the text is no SQL, for the answer that PostgreSQL would have given. */
  readonly syntaxError: { readonly message: string; readonly at: number | undefined } | undefined;
}

/** What an Access resource lets through, and which one it is. */
export interface Allowance {
  readonly access: string;
  readonly version: number;
  readonly effects: ReadonlySet<Effect>;
  /** Of HTTP requests; left out: the same. */
  readonly overHttp?: ReadonlySet<Effect>;
  /** What becomes of HTTP requests that nothing lets through; left out: they are blocked. */
  readonly otherwise?: Otherwise | undefined;
}

const NOTHING_KNOWN: KnownStatements = () => undefined;
const COUNTABLE: ReadonlySet<Effect> = new Set<Effect>(['insert', 'update', 'delete', 'merge', 'copy-in']);
const WRITES_ROWS: ReadonlySet<Effect> = new Set<Effect>([
  ...COUNTABLE,
  'update-unqualified',
  'delete-unqualified',
]);
/** What may do anything that no text shows. */
const OPAQUE: ReadonlySet<Effect> = new Set<Effect>(['code', 'call', 'function-unknown', 'unknown']);

/** What may put other rows under a table's name, where it can be undone; counted for the same reason. */
const MAY_EXCHANGE: ReadonlySet<Effect> = new Set<Effect>([
  'create',
  'alter',
  'alter-drop',
  'drop',
  'rename',
  'refresh',
]);
/** Without it the server counts no rows. */
const COUNTING_SETTING = 'track_counts';

/** What nobody could read, and may run all the same: rules that name nothing else have their say. */
const UNREAD: StatementFacts = {
  node: 'unknown',
  from: 0,
  to: 0,
  effects: [{ effect: 'unknown', from: 0, to: 0, object: undefined }],
  writes: [],
  reads: [],
  functions: [],
  settings: [],
  transaction: undefined,
  prepared: undefined,
  undoable: false,
};

/** What is blocked has nothing that could be counted. */
const NOT_RUN = {
  kind: 'block',
  holds: [],
  statements: [],
  breakGlass: [],
  counted: [],
  returned: [],
  estimated: [],
  onlyReads: false,
} as const;

/** Rules that reach one principal on one connection. */
export class SessionPolicy {
  readonly #rules: readonly CompiledRule[];
  readonly #allowance: Allowance;
  readonly #breakGlass: readonly BreakGlassRule[];
  readonly #known = new WeakMap<ReadText, Decision>();
  readonly #counted: readonly CompiledRule[];
  readonly #returned: readonly CompiledRule[];
  readonly #dependsOnTime: boolean;
  readonly #mfaUs: number | undefined;

  /** @param rules that reach the principal on the connection, in the order of their names */
  constructor(
    rules: readonly CompiledRule[],
    allowance: Allowance,
    caller: Caller,
    breakGlass: readonly BreakGlassRule[] = [],
  ) {
    this.#rules = rules.filter((rule) => reachesCaller(rule, caller));
    this.#breakGlass = breakGlass;
    this.#allowance = allowance;
    this.#counted = this.#rules.filter(isObservable);
    this.#returned = this.#rules.filter(({ returned, http }) => returned !== undefined && http === undefined);
    this.#mfaUs = caller.mfaUs;
    this.#dependsOnTime = this.#rules.some(
      ({ hours, mfa }) => hours !== undefined || (mfa !== undefined && caller.mfaUs !== undefined),
    );
  }

  /** Whether a rule lets something through by the name that it has. */
  get allowsByName(): boolean {
    return this.#rules.some(({ verdict, writes, functions }) => {
      return verdict === 'allow' && (writes !== undefined || functions !== undefined);
    });
  }

  /**
   * Whether a decision may be another one where more is known of what a statement does: something is not let
   * through, or a rule stops what has certain effects, tables, functions or rows.
   */
  get dependsOnServer(): boolean {
    const { effects } = this.#allowance;
    const isMissing = EFFECTS.some((effect) => !HTTP_EFFECTS.has(effect) && !effects.has(effect));
    return isMissing || this.#rules.some(dependsOnFacts);
  }

  /**
   * Decides about a text; one that was decided on costs a look-up, unless a rule depends on the time.
   *
   * @param estimate rows that the target guesses
   */
  decide(
    read: ReadText,
    nowUs: number,
    known: KnownStatements = NOTHING_KNOWN,
    cursors: KnownCursors = NOTHING_KNOWN,
    estimate?: number,
  ): Decision {
    if (estimate !== undefined) return this.#decide(read, nowUs, known, cursors, estimate);
    const before = this.#known.get(read);
    if (before !== undefined) return before;
    const decision = this.#decide(read, nowUs, known, cursors);
    const usesCursors = this.#returned.length > 0 && fetches(read);
    if (!this.#dependsOnTime && !usesCursors && !usesNames(read)) this.#known.set(read, decision);
    return decision;
  }

  /** Rules whose say depends on what was written, for a statement that nobody could read. */
  get counted(): readonly CompiledRule[] {
    return this.#counted;
  }

  #decide(
    read: ReadText,
    nowUs: number,
    known: KnownStatements,
    cursors: KnownCursors,
    estimate?: number,
  ): Decision {
    const timely = this.#rules.filter(
      ({ hours, mfa }) =>
        (hours === undefined || withinHours(hours, nowUs)) && isMfaMet(mfa, this.#mfaUs, nowUs),
    );
    const rules = timely.filter((rule) => isMet(rule, estimate));
    if (read.kind !== 'read' && !this.#mayBeUnread(read.kind, rules)) return this.#unreadable(read);
    const statements =
      read.kind === 'read'
        ? read.statements.flatMap((statement) => withPrepared(statement, known))
        : [UNREAD];
    const causes: Cause[] = [];
    const holds = new Set<CompiledRule>();
    const counted = new Set<CompiledRule>();
    const returned = returnedRules(this.#returned, statements, cursors);
    for (const statement of statements) {
      for (const rule of this.#countedFor(statement)) counted.add(rule);
      const missing = this.#notAllowed(statement, rules);
      causes.push(...missing, ...this.#uncounting(statement));
      const { otherwise } = this.#allowance;
      if (otherwise?.kind === 'hold' && missing.some(({ rule }) => rule === otherwise.rule.name)) {
        holds.add(otherwise.rule);
      }
      for (const rule of rules) {
        if (rule.verdict === 'allow' || !mayDecideNow(rule, statement)) continue;
        const found = matches(rule, statement);
        if (found.length === 0) continue;
        if (rule.verdict === 'hold') holds.add(rule);
        const guess = `${guessOf(rule, estimate)}${numbersOf(rule, statement)}`;
        causes.push(...found.map((range) => causeOf(rule, { ...range, what: `${range.what}${guess}` })));
      }
    }
    return {
      ...strictest(causes, [...holds]),
      statements,
      breakGlass: this.#breakGlass,
      counted: rules.filter((rule) => counted.has(rule)),
      returned: rules.filter((rule) => returned.has(rule)),
      estimated: estimate === undefined ? unestimated(timely, statements, causes) : [],
      onlyReads: onlyReads(statements),
      syntaxError: undefined,
    };
  }

  /** Nobody is asked about a slip of the pen: what is no SQL is not held. */
  #mayBeUnread(kind: ReadText['kind'], rules: readonly CompiledRule[]): boolean {
    const { effects } = this.#allowance;
    const says = (rule: CompiledRule): boolean =>
      rule.effects?.has('unknown') === true &&
      (kind === 'syntax-error' ? rule.verdict === 'allow' : letsThrough(rule));
    return effects.has('unknown') || rules.some(says);
  }

  /** A trigger may write any table; what defines or drops something hides in code only. */
  #countedFor({ effects, undoable, http }: StatementFacts): readonly CompiledRule[] {
    if (http !== undefined) return [];
    if (effects.some(({ effect }) => OPAQUE.has(effect))) return this.#counted;
    const mayWrite = effects.some(
      ({ effect }) =>
        COUNTABLE.has(effect) || effect === 'truncate' || (undoable && MAY_EXCHANGE.has(effect)),
    );
    if (!mayWrite) return [];
    return this.#counted.filter(({ rows, writes }) => rows !== undefined || writes !== undefined);
  }

  /** Effects that neither the Access resource nor a rule lets through, or lets others agree to. */
  #notAllowed(statement: StatementFacts, rules: readonly CompiledRule[]): readonly Cause[] {
    const { access, version, effects, overHttp = effects, otherwise } = this.#allowance;
    const allowed = statement.http === undefined ? effects : overHttp;
    const missing = statement.effects
      .filter((found) => !allowed.has(found.effect))
      .filter((found) => !rules.some((rule) => letsThrough(rule) && covers(rule, statement, found)))
      .map((found) => ({ what: `nothing allows ${describe(found)}`, from: found.from, to: found.to }));
    const own = statement.http === undefined ? undefined : otherwise;
    if (own?.kind === 'hold') return missing.map((found) => causeOf(own.rule, found));
    return missing.map(({ what, ...place }, index) => ({
      rule: `access:${access}`,
      version,
      verdict: 'block',
      description: undefined,
      // Once is enough for all that one request does.
      what: own === undefined || index < missing.length - 1 ? what : `${what}: ${own.why}`,
      ...place,
    }));
  }

  /** No rule about rows would see anything any more. */
  #uncounting({ settings, from, to }: StatementFacts): readonly Cause[] {
    const [rule] = this.#counted;
    if (rule === undefined || !settings.some(({ name }) => name === COUNTING_SETTING)) return [];
    const what = `${COUNTING_SETTING} stays as it is, because rows are counted`;
    return [{ ...causeOf(rule, { what, from, to }), verdict: 'block' }];
  }

  #unreadable(read: Exclude<ReadText, { readonly kind: 'read' }>): Decision {
    const { access, version } = this.#allowance;
    const syntaxError = read.kind === 'syntax-error' ? { message: read.message, at: read.at } : undefined;
    const what =
      read.kind === 'syntax-error'
        ? `it is not PostgreSQL's SQL: ${read.message}`
        : `it cannot be inspected: ${read.reason}`;
    const cause: Cause = {
      rule: `access:${access}`,
      version,
      verdict: 'block',
      description: undefined,
      what,
      from: syntaxError?.at ?? 0,
      to: syntaxError?.at ?? 0,
    };
    return { ...NOT_RUN, causes: [cause], syntaxError };
  }
}

function reachesCaller({ kinds, address, client }: CompiledRule, caller: Caller): boolean {
  return (
    (kinds === undefined || kinds.includes(caller.kind)) &&
    (address === undefined || address.some((range) => inRange(range, caller.address))) &&
    (client === undefined || client.some((pattern) => matchesClient(pattern, caller.client)))
  );
}

/** Whether it stops what a statement does, and not who sends it, or when. */
function dependsOnFacts(rule: CompiledRule): boolean {
  const { verdict, effects, writes, reads, functions, rows, returned, estimated } = rule;
  if (estimated !== undefined) return true;
  if (verdict === 'allow') return false;
  return [effects, writes, reads, functions, rows, returned].some((one) => one !== undefined);
}

/** Whether the rule has a say about rows that were written by whatever path. */
function isObservable(rule: CompiledRule): boolean {
  const { verdict, reads, functions, returned, estimated, http } = rule;
  if (verdict === 'allow' || reads !== undefined || functions !== undefined) return false;
  if (http !== undefined) return false;
  if (returned !== undefined || estimated !== undefined) return false;
  if (rule.rows !== undefined || (rule.writes !== undefined && rule.effects === undefined)) return true;
  return [...(rule.effects ?? [])].some((effect) => COUNTABLE.has(effect) || isSeenInCatalog(effect));
}

/**
 * A rule on rows decides when they are counted, and at once where that would be too late, or where nobody
 * can count them: those that TRUNCATE takes away.
 */
function mayDecideNow(rule: CompiledRule, statement: StatementFacts): boolean {
  if (statement.http !== undefined) return !isWithin(rule, statement, statement.http);
  if (rule.returned !== undefined) return false;
  if (rule.rows === undefined) return true;
  if (statement.writes.some(({ verb }) => verb === 'truncate')) return true;
  return !statement.undoable && statement.effects.some(({ effect }) => WRITES_ROWS.has(effect));
}

/** Whether a request says by itself that it stays below a rule's numbers; of what it does not say, nobody knows. */
function isWithin(rule: CompiledRule, statement: StatementFacts, http: HttpFacts): boolean {
  const { rows, returned } = rule;
  if (rows !== undefined) return http.rows !== undefined && http.rows <= allowedWrites(rule, [statement]);
  return returned !== undefined && http.returned !== undefined && http.returned <= returned.allowed;
}

function said(number: number | undefined, allowed: number, what: string): string {
  return number === undefined
    ? `, and nobody can tell how many rows it ${what}`
    : `, and it ${what} ${number} rows, where up to ${allowed} are not held up by it`;
}

/** What is said of these numbers in a cause. */
function numbersOf(rule: CompiledRule, statement: StatementFacts): string {
  const { rows, returned, http: conditions } = rule;
  const { http } = statement;
  if (http === undefined) return '';
  if (rows !== undefined) return said(http.rows, allowedWrites(rule, [statement]), 'writes');
  if (returned !== undefined) return said(http.returned, returned.allowed, 'asks for');
  if (conditions?.documents === undefined) return '';
  return http.documents === 'unknown'
    ? ', and nobody can tell how many documents it has'
    : `, and it has ${http.documents ?? 0} documents, where up to ${conditions.documents.allowed} are not held up by it`;
}

/** Rules that a guess would decide about; none where it makes no difference. */
function unestimated(
  rules: readonly CompiledRule[],
  statements: readonly StatementFacts[],
  causes: readonly Cause[],
): readonly CompiledRule[] {
  const open = rules.filter(
    (rule) => rule.estimated !== undefined && statements.some((one) => matches(rule, one).length > 0),
  );
  const isOpen = (cause: Cause): boolean => open.some(({ name }) => name === cause.rule);
  const isBlocked = causes.some((cause) => cause.verdict === 'block' && !isOpen(cause));
  return isBlocked && open.every(({ verdict }) => verdict !== 'allow') ? [] : open;
}

function causeOf(rule: CompiledRule, { what, from, to }: Range): Cause {
  const { name, version, verdict, description } = rule;
  return { rule: name, version, verdict, description, what: `${what}${mfaSaid(rule)}`, from, to };
}

function strictest(
  causes: readonly Cause[],
  holds: readonly CompiledRule[],
): Pick<Decision, 'kind' | 'causes' | 'holds'> {
  const blocks = causes.filter(({ verdict }) => verdict === 'block');
  if (blocks.length > 0) return { kind: 'block', causes: blocks, holds: [] };
  return { kind: causes.length > 0 ? 'hold' : 'allow', causes, holds };
}
