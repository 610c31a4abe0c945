/**
 * Which statement and which values does an Execute run? Follows Parse, Bind and Close of one session.
 *
 * Spec: PostgreSQL 18, "Message Flow", "Extended Query" (https://www.postgresql.org/docs/18/protocol-flow.html);
 * exec_parse_message, exec_bind_message and exec_simple_query in src/backend/tcop/postgres.c.
 * Grammar: a Parse defines a statement, a Bind makes a portal of it, if the server accepted them. A
 * Query destroys the unnamed ones; portals end with the transaction; statements do not.
 * Refused: more than limits.postgres.preparedStatementsMax names or preparedBytesMax bytes, and more than
 * preparedBytesTotalMax bytes of all sessions. A portal keeps the text that it was bound to.
 * Untrusted: everything from the client. SQL's own PREPARE, DEALLOCATE and DECLARE share these names:
 * whoever reads the SQL has to call `forget`, and an unknown name is an Operation without a statement.
 */

import { CountersignError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { type BytesKeeper, SharedBytes } from '../../core/shared-bytes.ts';
import type { FrontendMessage } from './messages.ts';
import { NameSlots, type PendingChange } from './name-slots.ts';
import { type BoundPortal, boundValues, type PreparedStatement, type WireOperation } from './operation.ts';
import type { Outcome } from './states.ts';

type Message<K extends FrontendMessage['kind']> = Extract<FrontendMessage, { kind: K }>;

const UNNAMED = '';
/** Of an entry besides its text and values. */
const ENTRY_BYTES = 256;
/** Of a value besides its bytes. */
const VALUE_BYTES = 64;

/** What a message changes if the server accepts it; give it to {@link PreparedStatements.settle}. */
export interface Change {
  readonly statements: readonly PendingChange<PreparedStatement>[];
  readonly portals: readonly PendingChange<BoundPortal>[];
  /** What holds when the server refuses the message. */
  readonly onFailure: 'undone' | 'done' | 'gone';
  /** It changes nothing, and until it is settled nobody knows which message is run next. */
  readonly isDoubt?: true;
}

/** How many names and bytes may be remembered. */
export interface PreparedLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** What all sessions have together. */
  readonly shared: SharedBytes;
}

const DEFAULT_LIMITS: PreparedLimits = {
  entriesMax: LIMITS.postgres.preparedStatementsMax,
  bytesMax: LIMITS.postgres.preparedBytesMax,
  shared: new SharedBytes(LIMITS.postgres.preparedBytesTotalMax, LIMITS.postgres.preparedBytesOwn),
};

const NOT_RUN: ReadonlySet<Outcome> = new Set(['skipped', 'swallowed', 'abandoned']);

/**
 * The prepared statements and portals of one session.
 *
 * Call the method of each message in the order in which messages come from the client, and `settle`
 * with its outcome. `wait` means that the server has to answer more before the question has an
 * answer: a name was changed before a Sync that is not answered yet.
 *
 * @example
 * const prepared = new PreparedStatements();
 * const parse = prepared.parse({ kind: 'Parse', statement: '', textBytes, parameterTypeOids: [] });
 * const bind = prepared.bind({ kind: 'Bind', portal: '', statement: '', valueFormats: [], values: [], resultFormats: [] });
 * const operation = prepared.execute({ kind: 'Execute', portal: '', rowsMax: 0 });
 * prepared.sync();
 * prepared.settle(parse, 'completed');
 */
export class PreparedStatements {
  readonly #statements = new NameSlots<PreparedStatement>();
  readonly #portals = new NameSlots<BoundPortal>();
  readonly #limits: PreparedLimits;
  readonly #keeper: BytesKeeper;
  /** Names and portals by which a statement is kept. */
  readonly #holders = new Map<PreparedStatement, number>();
  #closed = false;
  #segment = 0;
  /** Malformed messages without an outcome. */
  #doubts = 0;
  #entries = 0;
  #bytes = 0;

  constructor(limits: Partial<PreparedLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#keeper = this.#limits.shared.keeper();
  }

  /** The session is over: what it kept is no longer counted, and nothing more is taken. */
  release(): void {
    this.#closed = true;
    this.#keeper.give(this.#bytes);
  }

  /** Defines a statement. Keeps its own copy of the text. */
  parse(message: Message<'Parse'>): Change {
    const { statement: name, parameterTypeOids } = message;
    const value = { name, textBytes: message.textBytes.slice(), parameterTypeOids };
    this.#reserve(statementBytes(value));
    this.#holders.set(value, 1);
    // exec_parse_message drops the unnamed statement before it looks at the new one.
    const onFailure = name === UNNAMED ? 'gone' : 'undone';
    return this.#stage({ statements: [{ name, segment: this.#segment, value }], portals: [], onFailure });
  }

  /** Makes a portal. Keeps its own copy of the values. */
  bind(message: Message<'Bind'>): Change | 'wait' {
    const statement = this.statement(message.statement);
    if (statement === 'wait') return 'wait';
    const { portal: name, resultFormats, valueFormats } = message;
    const values = boundValues({ values: copyOf(message.values), valueFormats });
    const value = { name, statement, values, resultFormats };
    this.#reserve(portalBytes(value));
    if (statement !== undefined) this.#holders.set(statement, (this.#holders.get(statement) ?? 0) + 1);
    const onFailure = name === UNNAMED ? 'gone' : 'undone';
    return this.#stage({ statements: [], portals: [{ name, segment: this.#segment, value }], onFailure });
  }

  close(message: Message<'Close'>): Change {
    const gone = { name: message.name, segment: this.#segment, value: undefined };
    const isStatement = message.target === 'S';
    return this.#stage({
      statements: isStatement ? [gone] : [],
      portals: isStatement ? [] : [gone],
      onFailure: 'undone',
    });
  }

  /** A simple Query: it destroys the unnamed statement and portal, whether it succeeds or not. */
  query(): Change {
    const gone = { name: UNNAMED, segment: this.#segment, value: undefined };
    return this.#stage({ statements: [gone], portals: [gone], onFailure: 'done' });
  }

  /**
   * SQL that defines or destroys names behind the protocol's back: PREPARE, DEALLOCATE, DISCARD for
   * statements, DECLARE, CLOSE for portals. From the message that runs it on, nothing is known of them.
   */
  forget(statements: readonly string[] | 'all', portals: readonly string[] | 'all'): Change | 'wait' {
    const segment = this.#segment;
    if (this.#doubts > 0) return 'wait';
    // Bounds what is on its way: each name is forgotten once in a segment, and one segment at a time.
    if (this.#statements.hasUnsettled(segment) || this.#portals.hasUnsettled(segment)) return 'wait';
    return this.#stage({
      statements: forgotten(this.#statements.names(), statements, segment),
      portals: forgotten(this.#portals.names(), portals, segment),
      onFailure: 'done',
    });
  }

  /**
   * A message that the server refuses, or reads over in copy-in mode: what follows it is skipped or run.
   * Until it is settled, what a name stands for is in doubt, and questions about it wait.
   */
  doubt(): Change {
    this.#doubts += 1;
    return { statements: [], portals: [], onFailure: 'undone', isDoubt: true };
  }

  /** A Sync: what follows it is run even if what came before it failed. */
  sync(): void {
    this.#segment++;
  }

  /** What an Execute runs. */
  execute(message: Message<'Execute'>): WireOperation | 'wait' {
    const portal = this.portal(message.portal);
    if (portal === 'wait') return 'wait';
    const rowsMax = message.rowsMax > 0 ? message.rowsMax : undefined;
    return { kind: 'Execute', portalName: message.portal, portal, rowsMax };
  }

  /** What a name stands for, for a Describe or for SQL's EXECUTE. */
  statement(name: string): PreparedStatement | undefined | 'wait' {
    return this.#certain(this.#statements.find(name, this.#segment));
  }

  /** What a name stands for, for a Describe. */
  portal(name: string): BoundPortal | undefined | 'wait' {
    return this.#certain(this.#portals.find(name, this.#segment));
  }

  /** The server's answer to the message of a change, as ResponseQueue tells it. */
  settle(change: Change, outcome: Outcome): void {
    if (change.isDoubt === true) this.#doubts -= 1;
    const to = NOT_RUN.has(outcome) ? 'undone' : outcome === 'failed' ? change.onFailure : 'done';
    for (const pending of change.statements) {
      if (to === 'gone') this.#releaseStatement(pending.value);
      this.#releaseStatement(this.#statements.settle(pending, to));
    }
    for (const pending of change.portals) {
      if (to === 'gone') this.#releasePortal(pending.value);
      this.#releasePortal(this.#portals.settle(pending, to));
    }
  }

  /** ReadyForQuery with status `I`: every portal that the server had is gone. */
  transactionEnded(): void {
    for (const portal of this.#portals.clear()) this.#releasePortal(portal);
  }

  /** A malformed message may take away what a name stands for, and never gives it anything. */
  #certain<V>(found: V | undefined | 'unsettled'): V | undefined | 'wait' {
    if (found === 'unsettled') return 'wait';
    return found !== undefined && this.#doubts > 0 ? 'wait' : found;
  }

  #stage(change: Change): Change {
    for (const pending of change.statements) this.#statements.stage(pending);
    for (const pending of change.portals) this.#portals.stage(pending);
    return change;
  }

  #reserve(bytes: number): void {
    const { entriesMax, bytesMax, shared } = this.#limits;
    if (this.#entries >= entriesMax)
      throw exceeded('prepared statements and portals', entriesMax, this.#entries + 1);
    if (this.#bytes + bytes > bytesMax) {
      throw exceeded('bytes of prepared statements and portals', bytesMax, this.#bytes + bytes);
    }
    if (this.#closed || !this.#keeper.take(bytes)) {
      throw new CountersignError('PREPARED_TOO_MUCH', { allowed: shared.bytesMax });
    }
    this.#entries++;
    this.#bytes += bytes;
  }

  #releasePortal(portal: BoundPortal | undefined): void {
    if (portal === undefined) return;
    this.#entries--;
    this.#giveBack(portalBytes(portal));
    if (portal.statement !== undefined) this.#letGo(portal.statement);
  }

  #releaseStatement(statement: PreparedStatement | undefined): void {
    if (statement === undefined) return;
    this.#entries--;
    this.#letGo(statement);
  }

  /** A name or a portal keeps it no longer; its bytes are free when none does. */
  #letGo(statement: PreparedStatement): void {
    const holders = (this.#holders.get(statement) ?? 1) - 1;
    if (holders > 0) {
      this.#holders.set(statement, holders);
      return;
    }
    this.#holders.delete(statement);
    this.#giveBack(statementBytes(statement));
  }

  #giveBack(bytes: number): void {
    this.#bytes -= bytes;
    if (!this.#closed) this.#keeper.give(bytes);
  }
}

function forgotten(
  known: readonly string[],
  which: readonly string[] | 'all',
  segment: number,
): readonly PendingChange<never>[] {
  const chosen = which === 'all' ? known : known.filter((name) => which.includes(name));
  return chosen.map((name) => ({ name, segment, value: undefined }));
}

function statementBytes(statement: PreparedStatement): number {
  return ENTRY_BYTES + statement.textBytes.length + statement.parameterTypeOids.length * 8;
}

function portalBytes(portal: BoundPortal): number {
  let bytes = ENTRY_BYTES + portal.resultFormats.length * 8;
  for (const value of portal.values) bytes += VALUE_BYTES + (value.bytes?.length ?? 0);
  return bytes;
}

/** All values in one piece of memory, so that a small value does not keep a large chunk alive. */
function copyOf(values: readonly (Uint8Array | null)[]): readonly (Uint8Array | null)[] {
  let length = 0;
  for (const value of values) length += value?.length ?? 0;
  const memory = new Uint8Array(length);
  let offset = 0;
  return values.map((value) => {
    if (value === null) return null;
    memory.set(value, offset);
    offset += value.length;
    return memory.subarray(offset - value.length, offset);
  });
}

function exceeded(limit: string, allowed: number, actual: number): CountersignError {
  return new CountersignError('LIMIT_EXCEEDED', { limit, allowed, actual });
}
