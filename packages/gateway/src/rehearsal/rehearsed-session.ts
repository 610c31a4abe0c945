/**
 * What policy would say about texts, without a client and without a target.
 *
 * Spec: spec/policy.md §4 to §6. It is the inspection of a real session that decides, for a server that says
 * that it reads UTF-8 and standard strings; what differs is that nothing runs, so that rows are not counted
 * but given.
 */

import type { ReadText } from '../core/effects.ts';
import type { ActorKind, Principal } from '../core/principal.ts';
import { openersOf } from '../policy/break-glass.ts';
import { type Cause, SessionPolicy, type Verdict } from '../policy/decide.ts';
import { causeOfCount, type ObservedTable, overBound } from '../policy/observed.ts';
import { allowedRows, causeOfReturned } from '../policy/returned.ts';
import { withinHours } from '../policy/patterns.ts';
import type { BreakGlassRule, CompiledRule } from '../policy/rule.ts';
import type { ResourceView } from '../resources/view.ts';
import { Inspection, type Judgement } from '../session/postgres/inspection.ts';
import type { SqlReader } from '../session/sql-reader.ts';

/** Who asks, where. */
export interface Asker {
  readonly principal: Pick<Principal, 'name' | 'kind'>;
  readonly connection: string;
  readonly address: string;
  /** `application_name`. */
  readonly client: string;
  /** When a second factor was proved, in microseconds; undefined where none was. */
  readonly mfaUs?: number | undefined;
}

export interface Rehearsed {
  readonly verdict: Verdict;
  /** Of a block or a hold. */
  readonly causes: readonly Cause[];
  /** What the text does; undefined where nothing decides about it, so that nobody reads it. */
  readonly read: ReadText | undefined;
  /** Rules that count rows which nobody has given. */
  readonly uncounted: readonly CompiledRule[];
  /** Rules that are decided on as if too many rows were guessed, because nobody has given a guess. */
  readonly unestimated: readonly CompiledRule[];
  /** Of each rule that holds: the rules by which a person may open it in an emergency, now. */
  readonly openers: readonly (readonly string[])[];
}

/** What a text's transaction would have written, by what the text does; undefined where nobody knows. */
export type RowsOf = (read: ReadText) => readonly ObservedTable[] | undefined;

/** The same of the rows that it would have returned. */
export type ReturnedOf = (read: ReadText) => number | undefined;

/** The message that runs a text. */
export type RunBy = 'Query' | 'Execute';

/** What one session would be told, text after text. */
export class RehearsedSession {
  readonly #inspection: Inspection;
  readonly #denied: Cause | undefined;
  readonly #kind: ActorKind;
  #nowUs = 0;
  #estimate: number | undefined;
  #resumed = Promise.withResolvers<void>();

  constructor(view: ResourceView, reader: SqlReader, asker: Asker) {
    const policy = policyOf(view, asker);
    const masks = view.masks(asker.principal, asker.connection);
    this.#kind = asker.principal.kind;
    this.#denied = view.grant(asker.principal, asker.connection) === undefined ? denial(asker) : undefined;
    this.#inspection = new Inspection({
      policyNow: () => ({ digest: '', policy, masks }),
      reader,
      nowUs: () => this.#nowUs,
      settled: () => true,
      mayBeUnflushed: () => false,
      estimate: () => this.#estimate,
      resumed: () => this.#resumed.resolve(),
    });
    this.#inspection.parameterStatus('client_encoding', 'UTF8');
    this.#inspection.parameterStatus('standard_conforming_strings', 'on');
  }

  /** A text that runs now, by a Query unless it was prepared by the protocol. */
  async decide(
    textBytes: Uint8Array,
    nowUs: number,
    rows: RowsOf,
    { message = 'Query', returned = () => undefined, estimated }: Partial<How> = {},
  ): Promise<Rehearsed> {
    if (this.#denied !== undefined) return refused([this.#denied], undefined);
    this.#estimate = estimated;
    const judgement = await this.#judge(textBytes, nowUs);
    return judgement === undefined
      ? PASSED
      : this.#rehearsed(judgement, rows, { textBytes, message, returned });
  }

  /** Something of which no text is known. */
  decideUnknown(reason: string): Rehearsed {
    if (this.#denied !== undefined) return refused([this.#denied], undefined);
    const judgement = this.#inspection.judgeUnknown(reason);
    return judgement === undefined ? PASSED : this.#rehearsed(judgement, () => undefined, NO_TEXT);
  }

  /** A text that has run in this session: what it prepared is known from here on. */
  async ran(textBytes: Uint8Array, nowUs: number): Promise<void> {
    const judgement = await this.#judge(textBytes, nowUs);
    this.#inspection.forwarded(judgement?.read);
  }

  /** Only people break the glass, within the hours of the rule. */
  #rehearsed(judgement: Judgement, rows: RowsOf, piece: Piece): Rehearsed {
    const { openers, ...rehearsed } = withRows(judgement, rows, piece);
    const mayOpen = ({ hours }: BreakGlassRule): boolean =>
      this.#kind === 'user' && (hours === undefined || withinHours(hours, this.#nowUs));
    return { ...rehearsed, openers: openers.map((rules) => rules.filter(mayOpen).map(({ name }) => name)) };
  }

  async #judge(textBytes: Uint8Array, nowUs: number): Promise<Judgement | undefined> {
    this.#nowUs = nowUs;
    for (;;) {
      this.#resumed = Promise.withResolvers<void>();
      const judgement = this.#inspection.judge(textBytes);
      if (judgement !== 'wait') return judgement;
      await this.#resumed.promise;
    }
  }
}

/** What kind of caller an account of the resources is. */
export function kindOf(account: { readonly kind: string; readonly type?: string }): ActorKind {
  if (account.kind !== 'ServiceAccount') return 'user';
  return account.type === 'ci' ? 'ci' : 'service';
}

/** How a text runs, and what it returns. */
interface How {
  readonly message: RunBy;
  readonly returned: ReturnedOf;
  /** Rows that the target guesses. */
  readonly estimated?: number | undefined;
}

interface Piece extends How {
  readonly textBytes: Uint8Array;
}

const decoder = new TextDecoder();
const NO_TEXT: Piece = { textBytes: new Uint8Array(0), message: 'Execute', returned: () => undefined };
const NOTHING_OPEN = { uncounted: [], unestimated: [], openers: [] } as const;
const PASSED = { verdict: 'allow', causes: [], read: undefined, ...NOTHING_OPEN } as const;

function policyOf(view: ResourceView, asker: Asker): SessionPolicy | undefined {
  const ruling = view.ruling(asker.principal, asker.connection);
  const { address, client, mfaUs, principal } = asker;
  return ruling === undefined
    ? undefined
    : new SessionPolicy(
        ruling.rules,
        ruling.allowance,
        { kind: principal.kind, address, client, mfaUs },
        ruling.breakGlass,
      );
}

/** Of whom no Access resource lets in. */
export function denial({ principal, connection }: Asker): Cause {
  const what = `no Access resource lets ${principal.name} use ${connection}`;
  return {
    rule: 'access',
    version: 0,
    verdict: 'block',
    description: undefined,
    what,
    from: 0,
    to: 0,
  };
}

function refused(causes: readonly Cause[], read: ReadText | undefined) {
  return { verdict: 'block', causes, read, ...NOTHING_OPEN } as const;
}

function withRows(
  { decision, read }: Judgement,
  rowsOf: RowsOf,
  piece: Piece,
): Omit<Rehearsed, 'openers'> & { readonly openers: readonly (readonly BreakGlassRule[])[] } {
  const { kind, causes, counted, holds, returned, onlyReads, estimated: unestimated, statements } = decision;
  if (kind === 'block') return { ...refused(causes, read), unestimated };
  const [first] = [...holds, ...counted, ...(onlyReads ? [] : returned)];
  const why = first === undefined ? undefined : notConducted(read, piece);
  if (first !== undefined && why !== undefined) return refused([causeOf(first, why)], read);
  const rows = counted.length === 0 ? [] : rowsOf(read);
  const over = overBound(counted, rows ?? [], statements);
  const blocked = over.filter(({ rule }) => rule.verdict === 'block');
  const given = returned.length === 0 ? 0 : piece.returned(read);
  const beyond = returned.filter((rule) => (given ?? 0) > allowedRows(rule));
  const withheld = beyond.filter(({ verdict }) => verdict === 'block');
  if (blocked.length > 0 || withheld.length > 0) {
    return refused([...blocked.map(causeOfCount), ...withheld.map(causeOfReturned)], read);
  }
  const all = [...causes, ...over.map(causeOfCount), ...beyond.map(causeOfReturned)];
  const uncounted = [...(rows === undefined ? counted : []), ...(given === undefined ? returned : [])];
  const openers = [
    ...[...holds, ...beyond].map((rule) => openersOf(decision, rule)),
    ...over
      .filter(({ rule }) => !holds.includes(rule))
      .map(({ rule, tables }) => openersOf(decision, rule, tables)),
  ];
  return { verdict: all.length > 0 ? 'hold' : 'allow', causes: all, read, uncounted, unestimated, openers };
}

/** Why the conductor of a session neither counts nor holds it; undefined where it does. */
function notConducted(read: ReadText, { textBytes, message }: Piece): string | undefined {
  if (read.kind !== 'read') {
    return message === 'Query' ? 'it has to be counted or held, and nobody has read it' : undefined;
  }
  const { statements } = read;
  if (statements.length > 1 && statements.some(({ transaction }) => transaction !== undefined)) {
    return 'it has to be counted or held, and the text begins or ends a transaction in its middle';
  }
  const textOf = (from: number, to: number): string => decoder.decode(textBytes.subarray(from, to));
  return statements.some(
    ({ node, from, to }) => node === 'DeclareCursorStmt' && /\bhold\b/i.test(textOf(from, to)),
  )
    ? 'it has to be counted or held, and a cursor WITH HOLD runs while its transaction is committed'
    : undefined;
}

function causeOf({ name, version, description }: CompiledRule, what: string): Cause {
  return { rule: name, version, verdict: 'block', description, what, from: 0, to: 0 };
}
