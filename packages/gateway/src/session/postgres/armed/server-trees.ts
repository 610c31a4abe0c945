/**
 * What the server says that a text means, before it runs: asked when a ruled session has a text that needs it.
 *
 * Spec: spec/policy.md, "The server's own tree". What was said holds until this session has sent what may change
 * what names stand for, and for ten seconds at most: of texts, and of statements that stay prepared.
 */

import type { ReadText, StatementFacts } from '../../../core/effects.ts';
import { CountersignError } from '../../../core/errors.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { PreparedStatement } from '../../../protocols/postgres/operation.ts';
import type { SessionPolicy } from '../../../policy/decide.ts';
import type { KnownStatements } from '../../../policy/prepared-facts.ts';
import { type ServerQuestion, serverQuestion } from '../../../sql/inner-query.ts';
import { crossCheck } from '../../../sql/server-tree/cross-check.ts';
import { runsHiddenCode, runsWhileAnalyzed, withTree } from '../../../sql/server-tree/with-tree.ts';
import type { ExchangePorts } from '../exchange.ts';
import type { Judgement } from '../inspection.ts';
import { AgedMap, isFresh } from './aged-map.ts';
import {
  AskServer,
  type AskedError,
  type AskedIn,
  type LabelsOf,
  placed,
  type ServerAnswer,
} from './ask-server.ts';
import type { SessionMasking } from '../masked/session-masking.ts';
import { changesNames, mayChangeNames } from './changes-names.ts';
import { Estimates, type EstimatedText } from './estimates.ts';
import { type Plan, planOf } from './plan.ts';

export interface ServerTreesPorts extends ExchangePorts {
  /** `I`, `T` or `E`. */
  readonly transactionStatus: () => string;
  /** For the client, as the target's answer. */
  readonly deliver: (frame: Uint8Array) => void;
  /** 32 hex digits that no client knows. */
  readonly name: string;
  /** Of a clock that only goes on. */
  readonly nowUs: () => number;
}

export interface LookedAt {
  readonly textBytes: Uint8Array;
  readonly parameterTypeOids: readonly number[];
  readonly place: 'Query' | 'extended';
}

interface Pending extends LookedAt {
  readonly read: Read;
  /** Whether a rule allows by name. */
  readonly resolved: boolean;
}

type Read = Extract<ReadText, { readonly kind: 'read' }>;

/** What the server said when it did not take a text. */
interface Refused {
  readonly sqlstate: string;
  readonly message: string;
  readonly frame: Uint8Array;
}

/** `auto`: where what the server says can change what is decided. */
export type AsksForTrees = 'off' | 'auto' | 'ask';

const NOT_ASKED = 'what its names stand for, which a statement before it may change: send it by itself';
const NO_TREE = 'what the server did not tell';
/** `read_only_sql_transaction`: what is asked only reads, so that code that runs meanwhile writes nothing. */
const WROTE_WHILE_ANALYZED = '25006';
/** Not supported; data exceptions; no such schema; syntax errors, and what is not there or not allowed. */
const OF_TEXT = /^(?:0A|22|3F|42)/;

/** Owned by one session. */
export class ServerTrees {
  readonly #asks: Exclude<AsksForTrees, 'off'>;
  readonly #ports: ServerTreesPorts;
  readonly #server: AskServer;
  readonly #name: string;
  readonly #estimates: Estimates;
  readonly #asked = new WeakMap<PreparedStatement, { readonly epoch: number; readonly atUs: number }>();
  /** Readings with all that the server says of them; of any other one nobody knows that. */
  readonly #complete = new WeakSet<ReadText>();
  /** And code of users may run when they are analysed. */
  readonly #runsWhenParsed = new WeakSet<ReadText>();
  readonly #answers: AgedMap<ReadText>;
  /** Absent where no result of the session is masked. */
  readonly #masking: SessionMasking | undefined;
  /** Texts that are stopped whatever rules say, and why. */
  readonly #differing = new WeakMap<ReadText, string>();
  readonly #refused = new WeakMap<ReadText, Refused>();
  readonly #restless = new WeakSet<ReadText>();
  /** Hidden code runs beside something that was prepared with SQL. */
  #preparedRestless = false;
  /** Counts what may have changed what names stand for. */
  #epoch = 0;
  /** It may change once more when the transaction, or a part of it, ends. */
  #isOpen = false;
  #pending: Pending | undefined;
  #answer: { readonly textBytes: Uint8Array; readonly read: ReadText } | undefined;

  constructor(asks: Exclude<AsksForTrees, 'off'>, ports: ServerTreesPorts, masking?: SessionMasking) {
    this.#asks = asks;
    this.#ports = ports;
    this.#name = `${ports.name} tree`;
    this.#masking = masking;
    const labelsOf: LabelsOf | undefined =
      masking === undefined ? undefined : (roots, catalog) => masking.labelsOf(roots, catalog);
    this.#server = new AskServer(ports, this.#name, ports.nowUs, labelsOf);
    this.#estimates = new Estimates(ports);
    this.#answers = new AgedMap(ports.nowUs, LIMITS.serverTree.cachedAnswersMax);
  }

  /** Another one than before: what a name stood for then, it may not stand for now. */
  get epoch(): number {
    return this.#epoch;
  }

  get mustAsk(): boolean {
    return this.#pending !== undefined || this.#estimates.mustAsk || this.mustArm;
  }

  /** Whether the server may no longer say what results are made of. */
  get mustArm(): boolean {
    if (this.#masking?.arming.mustArm !== true) return false;
    const { responses, transactionStatus } = this.#ports;
    // What the target would skip gives no result.
    return (
      !responses.skipping && !responses.inCopyIn && (transactionStatus() !== 'E' || responses.isOpenPipeline)
    );
  }

  /**
   * How many rows the server guesses; undefined where nobody can tell, `wait` where it has to be asked first. A text
   * is planned only where all is known that it calls: planning runs what says that it is immutable.
   */
  estimated(at: EstimatedText, read: ReadText, statement?: PreparedStatement): number | undefined | 'wait' {
    const isKnown = statement === undefined ? this.isComplete(read) : this.isFresh(statement);
    return isKnown && !this.#runsWhenParsed.has(read) ? this.#estimates.of(at, read, this.#epoch) : undefined;
  }

  /** Whether anything that the server says can change a decision. */
  decides({ decision }: Judgement, policy: SessionPolicy): boolean {
    // What is blocked for want of a guess has to be known before it is guessed.
    if (decision.kind === 'block' && decision.estimated.length === 0) return false;
    return this.#asks === 'ask' || policy.dependsOnServer || this.#masking?.judges === true;
  }

  /** `wait`: the server has to be asked first. */
  look(at: LookedAt, text: ReadText, resolved: boolean): ReadText | 'wait' {
    const { responses } = this.#ports;
    const answer = this.#answer;
    this.#answer = undefined;
    if (answer !== undefined && Buffer.compare(answer.textBytes, at.textBytes) === 0) return answer.read;
    if (text.kind !== 'read') return text;
    const sure = this.#withUnsure(text);
    if (sure.statements.every((statement) => serverQuestion(statement, at.textBytes).kind === 'none')) {
      this.#masking?.heard(sure, at.textBytes);
      this.#complete.add(sure);
      return sure;
    }
    // What was complete at another time is not, in this reading.
    const read = { ...sure };
    // What the target would skip, or end the session for, it hears as it came.
    if (responses.skipping || responses.inCopyIn) return read;
    const known = this.#answers.get(keyOf(at, resolved), this.#epoch);
    if (known !== undefined && this.#ports.transactionStatus() !== 'E') return known;
    this.#pending = { ...at, textBytes: at.textBytes.slice(), read, resolved };
    return 'wait';
  }

  /** What a statement may do by either of two readings: the server may still have a plan of before. */
  either(before: ReadText, now: ReadText): ReadText {
    const both = eitherReading(before, now);
    // What runs is what the server did not take: nobody knows what it does.
    const refused = this.#refused.get(now) ?? this.#refused.get(before);
    if (both === now && refused === this.#refused.get(now)) return now;
    const either = both === now ? { ...now } : both;
    const differing = this.#differing.get(now);
    if (differing !== undefined) this.#differing.set(either, differing);
    if (refused !== undefined) this.#refused.set(either, refused);
    if (this.#restless.has(now) || this.#restless.has(before)) this.#restless.add(either);
    this.#masking?.sameAs(either, now);
    if (this.#runsWhenParsed.has(now)) this.#runsWhenParsed.add(either);
    return either;
  }

  /** Whether the server has said all that it can say about what was read. */
  isComplete(read: ReadText): boolean {
    return this.#complete.has(read);
  }

  /** A statement was parsed, or is run again, and means this. */
  kept(statement: PreparedStatement, read: ReadText): void {
    if (this.isComplete(read)) this.#asked.set(statement, { epoch: this.#epoch, atUs: this.#ports.nowUs() });
  }

  /** Whether what it means was asked so lately that it can be taken to hold. */
  isFresh(statement: PreparedStatement): boolean {
    const asked = this.#asked.get(statement);
    return asked !== undefined && isFresh(asked, { epoch: this.#epoch, atUs: this.#ports.nowUs() });
  }

  /** Something goes to the target. */
  forwarded(read: ReadText | undefined, known: KnownStatements): void {
    this.#masking?.arming.forwarded(read);
    const changes =
      read?.kind !== 'read' ||
      this.#restless.has(read) ||
      read.statements.some((one) => mayChangeNames(one, known, this.#preparedRestless));
    if (read?.kind === 'read' && read.statements.some(({ prepared }) => prepared?.verb === 'prepare')) {
      this.#preparedRestless ||= this.#restless.has(read);
    }
    // A change that is taken back is a change.
    const ends = this.#isOpen && read?.kind === 'read' && read.statements.some(isOfTransaction);
    if (!changes && !ends) return;
    this.#epoch += 1;
    this.#isOpen = true;
  }

  /** Every request is answered, outside of a transaction. */
  idle(): void {
    this.#masking?.arming.idle();
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#epoch += 1;
  }

  /** Stops what the server reads otherwise, or does not take, or what tells of masked values. */
  judged(judgement: Judgement, by: 'text' | 'all'): Judgement {
    const checked = this.#checked(judgement);
    if (by === 'text') return checked;
    return this.#masking?.judged(checked) ?? checked;
  }

  /** With the values that are bound to it. */
  judgedValues(
    judgement: Judgement,
    statement: PreparedStatement,
    values: () => EstimatedText['values'],
  ): Judgement {
    return this.#masking?.judgedValues(judgement, statement, values()) ?? judgement;
  }

  #checked(judgement: Judgement): Judgement {
    const { read, decision } = judgement;
    const refused = this.#refused.get(read);
    const why =
      this.#differing.get(read) ??
      (refused === undefined ? undefined : `the server refuses it: ${refused.message}`);
    if (why === undefined || decision.kind === 'block') return judgement;
    const cause = {
      rule: 'server-tree',
      version: 0,
      verdict: 'block',
      description: undefined,
      what: why,
      from: 0,
      to: 0,
    } as const;
    const blocked = {
      ...decision,
      kind: 'block',
      causes: [cause],
      holds: [],
      counted: [],
      returned: [],
      estimated: [],
    } as const;
    if (refused === undefined) return { ...judgement, decision: blocked };
    const { sqlstate, message, frame } = refused;
    const refusal = { error: new CountersignError('SQL_INVALID', { message }), answer: frame, sqlstate };
    // It would write where it is asked only: that is ours to stop. Anything else is a mistake of its own.
    const stated = sqlstate === WROTE_WHILE_ANALYZED ? {} : { stated: decision };
    return { ...judgement, decision: blocked, refusal, ...stated };
  }

  /** Whether the target must not even parse what is blocked: code of users may run then. */
  refusesParse({ read, decision }: Judgement): boolean {
    return decision.kind === 'block' && this.#runsWhenParsed.has(read);
  }

  /** Everything of the client is answered. */
  async ask(): Promise<void> {
    if (this.mustArm) await this.#masking?.arming.arm(this.#where());
    if (this.#masking !== undefined && !this.#ports.responses.skipping) {
      await this.#masking.refresh(this.#where(), this.#epoch);
    }
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined) return this.#estimates.ask(this.#epoch);
    const read = await this.#answerTo(pending);
    this.#answer = { textBytes: pending.textBytes, read };
    if (!this.#complete.has(read) || this.#differing.has(read)) return;
    if (pending.textBytes.length > LIMITS.serverTree.cachedTextBytesMax) return;
    this.#answers.set(keyOf(pending, pending.resolved), this.#epoch, read);
  }

  async #answerTo(pending: Pending): Promise<ReadText> {
    const { read, place } = pending;
    const { responses, transactionStatus } = this.#ports;
    if (responses.skipping) return read;
    const status = transactionStatus();
    const isPipeline = responses.isOpenPipeline;
    const where = this.#where();
    if (status === 'E' && !isPipeline && !beginsWithTransaction(read)) return read;
    // Behind an aborted block, and behind a pipeline, the server is somewhere else than it says.
    const isAskable = status !== 'E' && !(isPipeline && place === 'Query');
    const plan = planOf(pending, { isAskable, isOpen: this.#isOpen });
    const hiding = await this.#hiding(where, plan);
    if (hiding.kind === 'over') return read;
    if (hiding.kind === 'error') return this.#failed(pending, plan, where, hiding);
    const { texts } = plan;
    const asked =
      texts.length === 0
        ? ({ kind: 'answered', answers: [] } as const)
        : await this.#server.ask(where, texts, this.#epoch);
    if (asked.kind === 'over') return read;
    if (asked.kind === 'error') return this.#failed(pending, plan, where, asked);
    await this.#masking?.learn(where, asked.answers, this.#epoch);
    return this.#together(pending, plan, asked.answers, hiding.hiding);
  }

  #where(): AskedIn {
    if (this.#ports.responses.isOpenPipeline) return 'pipeline';
    return this.#ports.transactionStatus() === 'I' ? 'idle' : 'block';
  }

  /** Behind which names of the text code of users may be; asked where a statement cannot be analysed yet. */
  async #hiding(where: AskedIn, { names }: Plan): Promise<Awaited<ReturnType<AskServer['names']>>> {
    return names === undefined ? { kind: 'named', hiding: [] } : this.#server.names(where, names);
  }

  #failed({ read, textBytes, place }: Pending, plan: Plan, where: AskedIn, error: AskedError): ReadText {
    const said = { ...error.error, frame: placed(error, plan.texts[error.at], textBytes, this.#name) };
    const refused = this.#masking?.withoutLiterals(said) ?? said;
    if (where === 'pipeline') {
      this.#ports.deliver(refused.frame);
      return read;
    }
    // A Parse fails by itself in the same way; should it not, nobody knows what it calls.
    const failsByItself = place === 'extended' && error.error.sqlstate !== WROTE_WHILE_ANALYZED;
    if (failsByItself && !isOfText(error, plan)) {
      const isAsked = plan.steps.map(({ kind }) => kind !== 'none');
      return withUnknown(read, isAsked, NO_TREE);
    }
    const copy = { ...read };
    this.#refused.set(copy, refused);
    if (!failsByItself) this.#runsWhenParsed.add(copy);
    return copy;
  }

  #together(
    { read, resolved, textBytes }: Pending,
    { steps, isAskable }: Plan,
    answers: readonly (ServerAnswer | undefined)[],
    hiding: readonly string[],
  ): ReadText {
    let difference: string | undefined;
    let isRestless = false;
    let runsWhenParsed = false;
    const statements = read.statements.map((statement, at) => {
      const step = steps[at];
      if (step === undefined || step.kind === 'unknown') return unknown(statement, NOT_ASKED);
      if (step.kind === 'none') return statement;
      if (step.kind === 'names') {
        return hiding.length === 0 ? statement : unknown(statement, `${NOT_ASKED} (${hiding.join(', ')})`);
      }
      const said = answers[step.text];
      if (said === undefined) return unknown(statement, NO_TREE);
      const { question } = step;
      const checked = isWhole(question)
        ? crossCheck(statement, said.facts, said.catalog.relations)
        : undefined;
      if (checked?.kind === 'differs') difference ??= checked.reason;
      const tree = { ...said, isPlanned: question.kind === 'query' && question.isPlanned };
      // What PREPARE itself is has no query to expand.
      const facts = question.kind === 'prepare' ? { ...tree.facts, expanded: true } : tree.facts;
      isRestless ||= runsHiddenCode(tree);
      runsWhenParsed ||= runsWhileAnalyzed(tree);
      return withTree(statement, { ...tree, facts }, resolved);
    });
    // Always another object: what was read of the text alone is the same for all who send it, whenever they do.
    const together: Read = { ...read, statements };
    this.#masking?.heard(together, textBytes, steps, answers);
    if (isAskable) this.#complete.add(together);
    if (isRestless) this.#restless.add(together);
    if (runsWhenParsed) this.#runsWhenParsed.add(together);
    if (difference !== undefined) {
      this.#differing.set(together, `the server reads it otherwise (parser_differential): ${difference}`);
    }
    return together;
  }

  /** An EXECUTE may mean something else than when the server was asked about its PREPARE. */
  #withUnsure(read: Read): Read {
    const first = read.statements.findIndex(
      (statement) => changesNames(statement) || (this.#isOpen && isOfTransaction(statement)),
    );
    const isUnsure = read.statements.map(
      ({ prepared }, at) => first !== -1 && at > first && prepared?.verb === 'execute',
    );
    return isUnsure.includes(true) ? withUnknown(read, isUnsure, NOT_ASKED) : read;
  }
}

function keyOf({ textBytes, parameterTypeOids }: LookedAt, resolved: boolean): string {
  const text = Buffer.from(textBytes.buffer, textBytes.byteOffset, textBytes.length).toString('latin1');
  return `${resolved ? 'resolved' : 'as said'} ${parameterTypeOids.join()} ${text}`;
}

/** A mistake in words of the client's own, which they have whenever they are asked about. */
function isOfText({ at, error: { sqlstate } }: AskedError, { texts }: Plan): boolean {
  return texts[at]?.question.from !== undefined && OF_TEXT.test(sqlstate);
}

function isWhole(question: Exclude<ServerQuestion, { readonly kind: 'none' | 'unknown' }>): boolean {
  return question.kind === 'prepare' || question.isWhole;
}

function isOfTransaction({ transaction }: StatementFacts): boolean {
  return transaction !== undefined;
}

function eitherReading(before: ReadText, now: ReadText): ReadText {
  if (before.kind !== 'read' || now.kind !== 'read') return now.kind === 'read' ? before : now;
  const statements = now.statements.map((statement, at) => eitherStatement(before.statements[at], statement));
  return statements.every((one, at) => one === now.statements[at]) ? now : { ...now, statements };
}

function eitherStatement(other: StatementFacts | undefined, statement: StatementFacts): StatementFacts {
  if (other === undefined || other === statement) return statement;
  const effects = other.effects.filter(
    (one) => !statement.effects.some((two) => two.effect === one.effect && two.object === one.object),
  );
  if (effects.length === 0) return statement;
  return {
    ...statement,
    effects: [...statement.effects, ...effects],
    writes: [...statement.writes, ...other.writes.filter((one) => !statement.writes.includes(one))],
    reads: [...statement.reads, ...other.reads.filter((one) => !statement.reads.includes(one))],
    functions: [
      ...statement.functions,
      ...other.functions.filter((one) => !statement.functions.includes(one)),
    ],
  };
}

function beginsWithTransaction({ statements }: Read): boolean {
  return statements.length > 1 && statements.some(({ transaction }) => transaction !== undefined);
}

function withUnknown(read: Read, which: readonly boolean[], why: string): Read {
  return {
    ...read,
    statements: read.statements.map((one, at) => (which[at] === true ? unknown(one, why) : one)),
  };
}

function unknown(statement: StatementFacts, object: string): StatementFacts {
  const { from, to } = statement;
  return {
    ...statement,
    effects: [...statement.effects, { effect: 'unknown', from, to, object }],
    undoable: false,
  };
}
