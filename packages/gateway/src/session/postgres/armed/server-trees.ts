/**
 * What the server says that a text means, before it runs: asked when a ruled session has a text that needs it.
 *
 * Spec: spec/policy.md, "The server's own tree". A text is asked about each time that it comes; a prepared statement
 * when it is parsed, and again after anything of this session that may change what its names stand for.
 */

import type { Effect, ReadText, StatementFacts } from '../../../core/effects.ts';
import { CountersignError } from '../../../core/errors.ts';
import type { PreparedStatement } from '../../../protocols/postgres/operation.ts';
import type { KnownStatements } from '../../../policy/decide.ts';
import { serverQuestion } from '../../../sql/inner-query.ts';
import { crossCheck } from '../../../sql/server-tree/cross-check.ts';
import { runsHiddenCode, withTree } from '../../../sql/server-tree/with-tree.ts';
import type { ExchangePorts } from '../exchange.ts';
import type { Judgement } from '../inspection.ts';
import { type Asked, type AskedIn, type AskedText, AskServer } from './ask-server.ts';

export interface ServerTreesPorts extends ExchangePorts {
  /** `I`, `T` or `E`. */
  readonly transactionStatus: () => string;
  /** For the client, as the target's answer. */
  readonly deliver: (frame: Uint8Array) => void;
  /** 32 hex digits that no client knows. */
  readonly name: string;
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

/** What may change what a name stands for, besides settings. */
const CHANGES_NAMES: ReadonlySet<Effect> = new Set<Effect>([
  'create',
  'alter',
  'alter-drop',
  'drop',
  'rename',
  'grant',
  'role',
  'two-phase',
  'execute',
  'code',
  'call',
  'function-unknown',
  'host',
  'remote',
  'admin',
  'setting-risky',
  'unknown',
]);
const NAMING_SETTINGS = /^(?:search_path|role|session_authorization|row_security|all|temp|temporary|plans)$/;
const NOT_ASKED = 'what its names stand for, which a statement before it may change: send it by itself';
const NO_TREE = 'what the server did not tell';

/** Owned by one session. */
export class ServerTrees {
  readonly #ports: ServerTreesPorts;
  readonly #server: AskServer;
  readonly #asked = new WeakMap<PreparedStatement, number>();
  /** Texts that are stopped whatever rules say, and why. */
  readonly #differing = new WeakMap<ReadText, string>();
  readonly #refused = new WeakMap<ReadText, { readonly message: string; readonly frame: Uint8Array }>();
  readonly #restless = new WeakSet<ReadText>();
  /** Hidden code runs beside something that was prepared with SQL. */
  #preparedRestless = false;
  /** Counts what may have changed what names stand for. */
  #epoch = 0;
  /** It may change once more when the transaction ends. */
  #isOpen = false;
  #pending: Pending | undefined;
  #answer: { readonly textBytes: Uint8Array; readonly read: ReadText } | undefined;

  constructor(ports: ServerTreesPorts) {
    this.#ports = ports;
    this.#server = new AskServer(ports, `${ports.name} tree`);
  }

  /** Another one than before: what a name stood for then, it may not stand for now. */
  get epoch(): number {
    return this.#epoch;
  }

  get mustAsk(): boolean {
    return this.#pending !== undefined;
  }

  /** `wait`: the server has to be asked first. */
  look(at: LookedAt, text: ReadText, resolved: boolean): ReadText | 'wait' {
    const { responses } = this.#ports;
    const answer = this.#answer;
    this.#answer = undefined;
    if (answer !== undefined && Buffer.compare(answer.textBytes, at.textBytes) === 0) return answer.read;
    if (text.kind !== 'read') return text;
    const read = withUnsure(text);
    // What the target would skip, or end the session for, it hears as it came.
    if (responses.skipping || responses.inCopyIn) return read;
    if (read.statements.every((statement) => serverQuestion(statement, at.textBytes).kind === 'none'))
      return read;
    this.#pending = { ...at, textBytes: at.textBytes.slice(), read, resolved };
    return 'wait';
  }

  /** A statement was parsed, and what it means to the server asked directly before. */
  kept(statement: PreparedStatement): void {
    this.#asked.set(statement, this.#epoch);
  }

  isFresh(statement: PreparedStatement): boolean {
    return !this.#isOpen && this.#asked.get(statement) === this.#epoch;
  }

  /** Something goes to the target. */
  forwarded(read: ReadText | undefined, known: KnownStatements): void {
    const changes =
      read?.kind !== 'read' ||
      this.#restless.has(read) ||
      read.statements.some((one) => this.#mayChangeNames(one, known));
    if (read?.kind === 'read' && read.statements.some(({ prepared }) => prepared?.verb === 'prepare')) {
      this.#preparedRestless ||= this.#restless.has(read);
    }
    if (!changes) return;
    this.#epoch += 1;
    this.#isOpen = true;
  }

  #mayChangeNames(statement: StatementFacts, known: KnownStatements): boolean {
    const { prepared } = statement;
    if (prepared?.verb !== 'execute') return changesNames(statement);
    const inner = prepared.name === undefined ? undefined : known(prepared.name);
    return inner === undefined || this.#preparedRestless || changesNames(inner);
  }

  /** Every request is answered, outside of a transaction. */
  idle(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#epoch += 1;
  }

  /** Stops what the server reads otherwise, or does not take. */
  judged(judgement: Judgement): Judgement {
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
    } as const;
    if (refused === undefined) return { ...judgement, decision: blocked };
    const error = new CountersignError('SQL_INVALID', { message: refused.message });
    return { ...judgement, decision: blocked, refusal: { error, answer: refused.frame } };
  }

  /** Everything of the client is answered. */
  async ask(): Promise<void> {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined) return;
    this.#answer = { textBytes: pending.textBytes, read: await this.#answerTo(pending) };
  }

  async #answerTo(pending: Pending): Promise<ReadText> {
    const { read, textBytes, parameterTypeOids, place } = pending;
    const { responses, transactionStatus, deliver } = this.#ports;
    if (responses.skipping) return read;
    const status = transactionStatus();
    const isPipeline = responses.isOpenPipeline;
    if (status === 'E' && !isPipeline && !beginsWithTransaction(read)) return read;
    const where: AskedIn = isPipeline ? 'pipeline' : status === 'I' ? 'idle' : 'block';
    // Behind an aborted block, and behind a pipeline, the server is somewhere else than it says.
    const isAskable = status !== 'E' && !(isPipeline && place === 'Query');
    const texts: AskedText[] = [];
    const asked = new Map<number, number>();
    let isSure = isAskable;
    const questions = read.statements.map((statement) => serverQuestion(statement, textBytes));
    for (const [at, statement] of read.statements.entries()) {
      const question = questions[at];
      if (isSure && (question?.kind === 'query' || question?.kind === 'prepare')) {
        asked.set(at, texts.length);
        texts.push({ question, parameterTypeOids });
      }
      if (changesNames(statement) || (statement.transaction !== undefined && this.#isOpen)) isSure = false;
    }
    const answer = texts.length === 0 ? undefined : await this.#server.ask(where, texts);
    if (answer?.kind === 'over') return read;
    if (answer?.kind === 'error') {
      if (where === 'pipeline') {
        deliver(answer.frame);
        return read;
      }
      // A Parse fails by itself in the same way; should it not, nobody knows what it calls.
      if (place === 'extended') {
        const isAsked = questions.map(({ kind }) => kind !== 'none');
        return withUnknown(read, isAsked, NO_TREE);
      }
      const copy = { ...read };
      this.#refused.set(copy, { message: answer.error.message, frame: answer.frame });
      return copy;
    }
    return this.#together(pending, questions, asked, answer);
  }

  #together(
    { read, resolved }: Pending,
    questions: readonly ReturnType<typeof serverQuestion>[],
    asked: ReadonlyMap<number, number>,
    answer: Extract<Asked, { readonly kind: 'answered' }> | undefined,
  ): ReadText {
    const answers = answer?.answers ?? [];
    let difference: string | undefined;
    let isRestless = false;
    const statements = read.statements.map((statement, at) => {
      const question = questions[at];
      if (question === undefined || question.kind === 'none') return statement;
      const number = asked.get(at);
      if (number === undefined || question.kind === 'unknown') return unknown(statement, NOT_ASKED);
      const said = answers[number];
      if (said === undefined) return unknown(statement, NO_TREE);
      const isWhole = question.kind === 'prepare' || question.isWhole;
      const checked = isWhole ? crossCheck(statement, said.facts, said.catalog.relations) : undefined;
      if (checked?.kind === 'differs') difference ??= checked.reason;
      const tree = { ...said, isPlanned: question.kind === 'query' && question.isPlanned };
      // What PREPARE itself is has no query to expand.
      const facts = question.kind === 'prepare' ? { ...tree.facts, expanded: true } : tree.facts;
      isRestless ||= runsHiddenCode(tree);
      return withTree(statement, { ...tree, facts }, resolved);
    });
    const isSame = statements.every((statement, at) => statement === read.statements[at]);
    if (isSame && !isRestless && difference === undefined) return read;
    const together: Read = { ...read, statements };
    if (isRestless) this.#restless.add(together);
    if (difference !== undefined) {
      this.#differing.set(together, `the server reads it otherwise (parser_differential): ${difference}`);
    }
    return together;
  }
}

/** What a statement may do by either of two readings. */
export function eitherReading(before: ReadText, now: ReadText): ReadText {
  if (before.kind !== 'read' || now.kind !== 'read') return now.kind === 'read' ? before : now;
  return {
    ...now,
    statements: now.statements.map((statement, at) => {
      const other = before.statements[at];
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
    }),
  };
}

function changesNames({ effects }: StatementFacts): boolean {
  return effects.some(
    ({ effect, object }) =>
      CHANGES_NAMES.has(effect) ||
      (effect === 'setting' && (object === undefined || NAMING_SETTINGS.test(object))),
  );
}

/** An EXECUTE may mean something else than when the server was asked about its PREPARE. */
function withUnsure(read: Read): Read {
  const first = read.statements.findIndex((statement) => changesNames(statement));
  const isUnsure = read.statements.map(
    ({ prepared }, at) => first !== -1 && at > first && prepared?.verb === 'execute',
  );
  return isUnsure.includes(true) ? withUnknown(read, isUnsure, NOT_ASKED) : read;
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
