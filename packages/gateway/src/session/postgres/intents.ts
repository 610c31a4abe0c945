/**
 * What a frontend message means, and the leaves that must be durable before it passes.
 *
 * A message that runs something becomes an Operation with its text and bound values: one intent leaf
 * before, one outcome leaf after. A Parse whose statement runs in the same batch needs no leaf of its own.
 */

import type { Clock } from '../../core/clock.ts';
import type { BodyValue, LedgerEvent, LedgerPort } from '../../core/ledger-port.ts';
import { FRONTEND, type FrontendMessage, type MalformedMessage } from '../../protocols/postgres/messages.ts';
import {
  type BoundPortal,
  type BoundValue,
  boundValues,
  type PreparedStatement,
  type WireOperation,
} from '../../protocols/postgres/operation.ts';
import { type Change, PreparedStatements } from '../../protocols/postgres/prepared-statements.ts';
import type { Outcome, RequestKind } from '../../protocols/postgres/states.ts';
import { type Batch, describing, PLAIN, plain, type RunPortal, type Understood } from './batch.ts';
import { type Inspection, type Judgement, mayRunAnything } from './inspection.ts';
import { NEVER_A_NAME, readNames } from './large-names.ts';
import { MALFORMED_KINDS, MESSAGE_NAMES } from './malformed-kinds.ts';
import type { SpooledMessage } from './large-message.ts';
import { InlineBudget, parametersOf, parameterValues, textValue } from './operation-body.ts';
import { refusalOf } from './refusal.ts';
import { type Made, madeBy, type Request, runsOf } from './request.ts';
import { RunningOperation } from './running-operation.ts';
import type { OutcomeStatus, SessionLeaves } from './session-leaves.ts';
import { SpooledMarks } from './spooled-marker.ts';
import { ALL_EFFECTS, copiesIn, isAscii, type NameEffects, nameEffects } from './sql-names.ts';
import { StatementTexts, type TextFacts } from './statement-texts.ts';

type Body = Record<string, BodyValue>;
type Values = () => readonly BoundValue[];
type Message<K extends FrontendMessage['kind']> = Extract<FrontendMessage, { kind: K }>;

/** A text that was not read may do anything to names; no COPY of its is looked for. */
const UNREAD: TextFacts = { effects: ALL_EFFECTS, copyIn: false };

/** How the server's answers appear in an outcome leaf; `failed` is told by the Operation itself. */
const NOT_RUN: Readonly<Partial<Record<Outcome, OutcomeStatus>>> = {
  skipped: 'skipped',
  swallowed: 'skipped',
  abandoned: 'unknown',
};

const NO_TEXT = new Uint8Array(0);
const TOO_LONG = 'it is longer than 1 MiB';
const NOT_KNOWN = 'nobody knows which statement it runs';

/** What is known of something that runs, besides its message. */
interface Running {
  readonly judgement?: Judgement | undefined;
  /** What the ranges of the judgement are of. */
  readonly textBytes?: Uint8Array | undefined;
  readonly runs?: PreparedStatement | undefined;
  readonly portal?: RunPortal | undefined;
  readonly copyIn?: boolean;
}

export interface IntentsOptions {
  readonly ledger: LedgerPort;
  readonly leaves: SessionLeaves;
  readonly clock: Clock;
  /** 16 random bytes. */
  readonly random: Uint8Array;
  readonly inspection: Inspection;
  /** A leaf could not be written: the session must end. */
  readonly failed: (error: unknown) => void;
}

/** Owned by one session. */
export class Intents {
  readonly #options: IntentsOptions;
  readonly #prepared = new PreparedStatements();
  readonly #texts = new StatementTexts();
  readonly #marks: SpooledMarks;
  /** Operations without their outcome leaf. */
  readonly #open = new Set<RunningOperation>();
  readonly #writing = new Set<Promise<unknown>>();
  #count = 0;
  #finished = false;
  #nothingIsKnown = false;

  constructor(options: IntentsOptions) {
    this.#options = options;
    this.#marks = new SpooledMarks(options.random);
  }

  /** Operations whose intent is durable. */
  get count(): number {
    return this.#count;
  }

  /** What a message means; `wait` where that depends on answers, undefined where it has no place here. */
  understand(message: FrontendMessage | MalformedMessage): Understood | 'wait' | undefined {
    const { inspection } = this.#options;
    switch (message.kind) {
      case 'Query':
        return this.#query(message.textBytes);
      case 'Parse':
        return this.#parse(message);
      case 'Bind':
        return this.#bind(message);
      case 'Execute':
        return this.#execute(message);
      case 'Close':
        return this.#isRemembered(message.name)
          ? this.#changing('Close', this.#prepared.close(message))
          : plain('Close');
      case 'Describe':
        if (message.target === 'P') return plain('DescribePortal');
        return describing(this.#prepared.statement(message.name), inspection);
      case 'FunctionCall':
        return this.#functionCall('whole', () => ({
          ...parametersOf(boundValues(message)),
          function_oid: message.functionOid,
          protocol_message: 'FunctionCall',
        }));
      case 'Flush':
      case 'Sync':
        return PLAIN[message.kind];
      case 'Malformed':
        return this.#malformed(message);
      case 'AuthenticationResponse':
      case 'CopyData':
      case 'CopyDone':
      case 'CopyFail':
      case 'Terminate':
      case 'Unknown':
        return undefined;
      default:
        return message satisfies never;
    }
  }

  /** The same for a message that lies in the spool: its names are in the head, the rest is a digest. */
  understandLarge(message: SpooledMessage): Understood | 'wait' {
    const mark = this.#marks.make(message.bodyBytes, message.sha256);
    const [first, second] = readNames(message);
    switch (message.type) {
      case FRONTEND.Parse:
        return this.#parse({
          kind: 'Parse',
          statement: first,
          textBytes: mark,
          parameterTypeOids: [],
        });
      case FRONTEND.Bind:
        return this.#bind({
          kind: 'Bind',
          portal: first,
          statement: second,
          valueFormats: [],
          values: [mark],
          resultFormats: [],
        });
      case FRONTEND.FunctionCall:
        return this.#functionCall('too long', () => ({
          parameters: [this.#marks.read(mark) ?? ''],
          function_oid: new DataView(message.head.buffer, message.head.byteOffset).getUint32(0),
          protocol_message: 'FunctionCall',
        }));
      default:
        return this.#query(mark);
    }
  }

  /**
   * What names stand for depends on answers that will not come: from here on, nothing is remembered, so
   * that leaves have the texts of Parse and Query, and none for what an Execute runs.
   */
  stopRemembering(): void {
    this.#nothingIsKnown = true;
  }

  /** A Sync was forwarded. */
  synced(): void {
    this.#prepared.sync();
  }

  /** The target is outside of a transaction: its portals are gone. */
  transactionEnded(): void {
    this.#prepared.transactionEnded();
  }

  /** Appends what a batch needs; undefined where it needs nothing. */
  write(batch: Batch): Promise<unknown> | undefined {
    // Nothing passes a gate that is closed, and nothing follows the end of a session.
    if (this.#finished) return undefined;
    const { leaves, ledger } = this.#options;
    const runs = new Set(batch.admitted.map((admitted) => admitted.runs));
    const events: LedgerEvent[] = [];
    const operations: (RunningOperation | undefined)[] = [];
    for (const { operation, body, decided, judgement, prepare } of batch.admitted) {
      if (prepare !== undefined && !runs.has(prepare.statement)) {
        events.push(leaves.prepare(prepare.body()));
        operations.push(undefined);
      }
      if (operation === undefined) continue;
      this.#open.add(operation);
      events.push(leaves.intent(body, decided, { judgement, operation }));
      operations.push(operation);
    }
    if (events.length === 0) return undefined;
    const written = ledger.appendMany(events).then((appended) => {
      appended.forEach(({ index }, position) => {
        const operation = operations[position];
        if (operation === undefined) return;
        // What the ledger refused is in no leaf, and session.end must say what the leaves say.
        this.#count += 1;
        operation.intent = index;
        if (operation.settled !== undefined) this.#writeOutcome(operation, operation.settled);
      });
    });
    this.#track(written);
    return written;
  }

  /** The batch goes to the target now. */
  forwarded(batch: Batch): void {
    const now = this.#options.clock.monotonicUs();
    for (const { operation } of batch.admitted) {
      if (operation !== undefined && !operation.blocked) operation.forwardedUs = now;
    }
  }

  forwardedOne(operation: RunningOperation | undefined): void {
    if (operation !== undefined) operation.forwardedUs = this.#options.clock.monotonicUs();
  }

  /** The answer to a request is complete, or will never come. */
  settle(request: Request, outcome: Outcome): void {
    request.settled?.(outcome);
    const { operation } = request;
    if (operation === undefined || !this.#open.has(operation)) return;
    const neverSent = outcome === 'abandoned' && operation.forwardedUs === undefined;
    const status = neverSent ? 'skipped' : (NOT_RUN[outcome] ?? operation.status);
    if (operation.intent === undefined) operation.settled = status;
    else this.#writeOutcome(operation, status);
  }

  /** After the sockets are closed: every intent gets its outcome. Resolves when all are durable. */
  async finish(): Promise<void> {
    this.#finished = true;
    await this.#settleWrites();
    for (const operation of this.#open) {
      this.#writeOutcome(operation, operation.forwardedUs === undefined ? 'skipped' : 'unknown');
    }
    await this.#settleWrites();
    this.#prepared.release();
  }

  async #settleWrites(): Promise<void> {
    while (this.#writing.size > 0) await Promise.allSettled(this.#writing);
  }

  #writeOutcome(operation: RunningOperation, status: OutcomeStatus): void {
    const { leaves, ledger, clock, failed } = this.#options;
    this.#open.delete(operation);
    if (operation.intent === undefined) return;
    const event = leaves.outcome(operation.intent, status, operation.outcome(clock.monotonicUs()));
    const written = ledger.append(event);
    this.#track(written);
    written.catch(failed);
  }

  #track(written: Promise<unknown>): void {
    this.#writing.add(written);
    const done = (): void => {
      this.#writing.delete(written);
    };
    written.then(done, done);
  }

  /**
   * The target refuses it, and its intent has all of its bytes. Until that is certain, what names stand
   * for is in doubt, so that no leaf lacks the text that ran, or states another.
   */
  #malformed({ type, body, reason }: MalformedMessage): Understood {
    const changes = this.#nothingIsKnown ? [] : [this.#prepared.doubt()];
    return this.#running(MALFORMED_KINDS[type] ?? 'MalformedExtended', changes, () => ({
      protocol_message: MESSAGE_NAMES.get(type) ?? '',
      malformed: reason,
      parameters: parameterValues([{ format: 'binary', bytes: body }], new InlineBudget()),
    }));
  }

  #functionCall(size: 'whole' | 'too long', body: () => Body): Understood {
    const { inspection } = this.#options;
    const judgement =
      size === 'whole'
        ? inspection.judgeUnknown('it calls a function by its OID')
        : inspection.judgeUncountable(TOO_LONG);
    return this.#running('FunctionCall', [], body, { judgement });
  }

  #query(textBytes: Uint8Array): Understood | 'wait' {
    const { inspection } = this.#options;
    const marked = this.#marks.read(textBytes);
    const judgement =
      marked === undefined ? inspection.judge(textBytes) : inspection.judgeUncountable(TOO_LONG);
    if (judgement === 'wait') return 'wait';
    const unread = marked !== undefined || mayRunAnything(judgement);
    const forgotten = this.#forgotten(unread ? ALL_EFFECTS : nameEffects(textBytes));
    if (forgotten === 'wait') return 'wait';
    const changes = this.#nothingIsKnown ? [] : [...forgotten, this.#prepared.query()];
    const copyIn = marked === undefined && copiesIn(textBytes);
    const body = (): Body => {
      const sql = marked ?? textValue(textBytes, new InlineBudget());
      return { sql, protocol_message: 'Query' };
    };
    return this.#running('Query', changes, body, { judgement, textBytes, copyIn });
  }

  #parse(message: Message<'Parse'>): Understood | 'wait' {
    const { inspection } = this.#options;
    const { textBytes } = message;
    inspection.parsed(message.statement);
    const isMarked = this.#marks.read(textBytes) !== undefined;
    const judgement = isMarked ? inspection.judgeUnknown(TOO_LONG) : inspection.judgeParse(message);
    if (judgement === 'wait') return 'wait';
    if (judgement !== undefined && inspection.refusesParse(judgement)) {
      return this.#unparsed(message, judgement);
    }
    if (!this.#isRemembered(message.statement)) return this.#parseUnknown(message);
    const change = this.#prepared.parse(message);
    const [staged] = change.statements;
    const statement = staged?.value;
    if (statement === undefined) return this.#changing('Parse', change);
    const understood = this.#changing('Parse', change, { kind: 'statement', statement });
    if (judgement !== undefined) inspection.keep(statement, judgement.read);
    return { ...understood, prepare: this.#prepare(statement) };
  }

  /** What nobody can inspect in time would keep the target busy too, and some texts run code: they do not get there. */
  #unparsed({ statement: name, textBytes }: Message<'Parse'>, judgement: Judgement): Understood {
    const text = textBytes.slice();
    const body = (): Body => ({
      sql: this.#marks.read(text) ?? textValue(text, new InlineBudget()),
      statement_name: name,
      protocol_message: 'Parse',
    });
    return this.#running('Parse', [], body, { judgement, textBytes: text });
  }

  /**
   * A name that is not ASCII means another name after a change of client_encoding, so it is not
   * remembered: the leaf of its Parse has the text, and what is bound to it is an Operation without one.
   */
  #parseUnknown({ statement: name, textBytes, parameterTypeOids }: Message<'Parse'>): Understood {
    const statement = { name, textBytes: textBytes.slice(), parameterTypeOids };
    return { ...plain('Parse'), prepare: this.#prepare(statement) };
  }

  #prepare(statement: PreparedStatement): NonNullable<Understood['prepare']> {
    const { textBytes, parameterTypeOids: types } = statement;
    const body = (): Body => ({
      sql: this.#marks.read(textBytes) ?? textValue(textBytes, new InlineBudget()),
      ...(types.length === 0 ? {} : { parameter_types: [...types] }),
      statement_name: statement.name,
    });
    return { statement, body };
  }

  #bind(message: Message<'Bind'>): Understood | 'wait' {
    this.#options.inspection.bound(message.portal);
    const isRemembered = this.#isRemembered(message.portal);
    const known = this.#isRemembered(message.statement) ? message : { ...message, statement: NEVER_A_NAME };
    const statement = this.#prepared.statement(known.statement);
    if (statement === 'wait') return isRemembered || this.#options.inspection.active ? 'wait' : plain('Bind');
    const judgement = this.#judgeRun(statement, () => boundValues(message));
    if (judgement === 'wait') return 'wait';
    const textBytes = statement?.textBytes;
    // What nobody knows may not be there: the target says so, and an Execute of it is refused.
    const isTaken = judgement?.stated === undefined;
    if (judgement?.decision.kind === 'block' && statement !== undefined && isTaken) {
      return this.#running('Bind', [], this.#bodyOfBind(message, statement), { judgement, textBytes });
    }
    const change = isRemembered ? this.#prepared.bind(known) : undefined;
    if (change === 'wait') return 'wait';
    const made = change?.portals[0]?.value;
    const understood = change === undefined ? plain('Bind') : this.#changing('Bind', change, madeBy(made));
    if (judgement === undefined) return understood;
    // Its Parse has failed, as a rule: its Execute has the leaf.
    if (!isTaken) return { ...understood, request: { ...understood.request, refusal: judgement.refusal } };
    const operation = new RunningOperation(this.#options.clock.monotonicUs());
    const body = this.#bodyOfBind(message, statement);
    const intent = { operation, body, judgement, textBytes, portal: undefined };
    return { ...understood, bound: { judgement, portal: made, intent } };
  }

  #bodyOfBind({ portal }: Message<'Bind'>, statement: PreparedStatement | undefined): () => Body {
    const bound = { name: portal, statement, values: [], resultFormats: [] };
    const operation = { kind: 'Execute', portalName: portal, portal: bound, rowsMax: undefined } as const;
    return () => ({ ...this.#executeBody(operation), protocol_message: 'Bind' });
  }

  /** What policy says about a statement that is known by its name. */
  #judgeRun(statement: PreparedStatement | undefined, values: Values): Judgement | 'wait' | undefined {
    const { inspection } = this.#options;
    if (statement === undefined) return inspection.judgeUnknown(NOT_KNOWN);
    if (this.#marks.read(statement.textBytes) !== undefined) return inspection.judgeUnknown(TOO_LONG);
    return inspection.judgeBound(statement, () => {
      const all = values();
      return this.#marks.read(all[0]?.bytes ?? NO_TEXT) === undefined ? all : undefined;
    });
  }

  #execute(message: Message<'Execute'>): Understood | 'wait' {
    const known = this.#isRemembered(message.portal) ? message : { ...message, portal: NEVER_A_NAME };
    const operation = this.#prepared.execute(known);
    if (operation === 'wait') return 'wait';
    if (operation.kind !== 'Execute') return plain('Execute');
    const statement = operation.portal?.statement;
    const unread = statement === undefined || this.#marks.read(statement.textBytes) !== undefined;
    const { effects, copyIn } = unread ? UNREAD : this.#texts.facts(statement);
    const judgement = this.#judgeRun(statement, () => operation.portal?.values ?? []);
    if (judgement === 'wait') return 'wait';
    const forgotten = this.#forgotten(mayRunAnything(judgement) ? ALL_EFFECTS : effects);
    if (forgotten === 'wait') return 'wait';
    const body = (): Body => this.#executeBody({ ...operation, portalName: message.portal });
    const textBytes = statement?.textBytes;
    const first = operation.portal?.values[0]?.bytes ?? undefined;
    const spooled = first === undefined ? undefined : this.#marks.spooled(first);
    const portal = { portalName: message.portal, portal: operation.portal, spooled, isRead: !unread };
    const running = { judgement, textBytes, runs: statement, portal, copyIn };
    return this.#running('Execute', forgotten, body, running);
  }

  #executeBody(operation: Extract<WireOperation, { readonly kind: 'Execute' }>): Body {
    const { portal, portalName, rowsMax } = operation;
    const budget = new InlineBudget();
    const body: Body = { protocol_message: 'Execute' };
    const statement = portal?.statement;
    if (statement !== undefined) {
      const marked = this.#marks.read(statement.textBytes);
      Object.assign(body, marked === undefined ? this.#texts.statement(statement, budget) : { sql: marked });
      if (statement.name !== '') body['statement_name'] = statement.name;
    }
    if (portal !== undefined) Object.assign(body, this.#parameters(portal, budget));
    if (portalName !== '') body['portal'] = portalName;
    if (rowsMax !== undefined) body['row_limit'] = rowsMax;
    return body;
  }

  #parameters(portal: BoundPortal, budget: InlineBudget): Body {
    const bytes = portal.values[0]?.bytes ?? undefined;
    const marked = bytes === undefined ? undefined : this.#marks.read(bytes);
    return marked === undefined ? this.#texts.parameters(portal, budget) : { parameters: [marked] };
  }

  /** What a text makes unknown. */
  #forgotten({ statements, portals }: NameEffects): readonly Change[] | 'wait' {
    if (this.#nothingIsKnown || (!statements && !portals)) return [];
    const change = this.#prepared.forget(statements ? 'all' : [], portals ? 'all' : []);
    return change === 'wait' ? 'wait' : [change];
  }

  #isRemembered(name: string): boolean {
    return !this.#nothingIsKnown && isAscii(name);
  }

  #changing(kind: RequestKind, change: Change, makes?: Made): Understood {
    const request = { operation: undefined, settled: this.#settling([change]), refusal: undefined, makes };
    return { ...plain(kind), request };
  }

  #running(
    kind: RequestKind,
    changes: readonly Change[],
    body: () => Body,
    { judgement, textBytes, runs, portal, copyIn = false }: Running = {},
  ): Understood {
    const operation = new RunningOperation(this.#options.clock.monotonicUs());
    operation.runs = runsOf(kind, judgement?.read, portal);
    const settled = changes.length === 0 ? undefined : this.#settling(changes);
    const isBlocked = judgement?.decision.kind === 'block';
    operation.blocked = isBlocked && judgement.stated === undefined;
    if (!isBlocked) this.#options.inspection.forwarded(judgement?.read);
    const refusal = isBlocked ? refusalOf(judgement, textBytes ?? NO_TEXT) : undefined;
    return {
      kind,
      request: { operation, settled, refusal },
      // What is not sent begins no COPY.
      copyIn: copyIn && !isBlocked,
      intent: { operation, body, judgement, textBytes, portal },
      prepare: undefined,
      runs,
    };
  }

  #settling(changes: readonly Change[]): (outcome: Outcome) => void {
    return (outcome) => {
      for (const change of changes) this.#prepared.settle(change, outcome);
    };
  }
}
