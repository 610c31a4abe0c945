/**
 * What another policy would have decided about operations that were recorded.
 *
 * Spec: spec/policy.md §4 and §5. Each operation is decided on at its own time, for who sent it and from where,
 * with the rows that its answer told. What cannot be decided on is counted by its reason, never guessed.
 */

import { setImmediate } from 'node:timers/promises';
import { isObject } from '@countersign/ledger/jcs';
import type { ReadText } from '../core/effects.ts';
import type { ActorKind } from '../core/principal.ts';
import {
  type Rehearsed,
  RehearsedSession,
  type ReturnedOf,
  type RowsOf,
} from '../rehearsal/rehearsed-session.ts';
import { returnedRows, taggedRows } from '../rehearsal/tagged-rows.ts';
import { digestOf, type ResourceView } from '../resources/view.ts';
import type { SessionsTable } from '../store/schema.ts';
import type { PolicyReplayAnswer, ReplayedRow, Undecidable } from './answers.ts';
import { parseMoment } from './moments.ts';
import type { ApiPorts } from './ports.ts';
import type { RecordedOperation } from './recorded-operations.ts';

/** Decisions between two turns of the thread that all sessions are on: some milliseconds. */
const DECISIONS_A_TURN = 16;

const KINDS: readonly ActorKind[] = ['user', 'ci', 'service', 'agent', 'system', 'auditor'];

/** A session of the page, and what is known of its names. */
interface ReplayedSession {
  readonly row: SessionsTable;
  readonly session: RehearsedSession;
  /** What PREPARE has named since the page began. */
  readonly prepared: Set<string>;
  readonly beganBefore: boolean;
}

/** Decides about one page; owned by one request. */
export class PolicyReplay {
  readonly #ports: ApiPorts;
  readonly #view: ResourceView;
  readonly #from: number;
  readonly #sessions = new Map<string, ReplayedSession | undefined>();
  readonly #undecidable: Record<Undecidable, number> = {
    shredded: 0,
    spooled: 0,
    'no-text': 0,
    'prepared-before': 0,
    'rows-unknown': 0,
    'unknown-session': 0,
  };

  /** @param from first leaf of the page: what stands before it is not known */
  constructor(ports: ApiPorts, view: ResourceView, from: number) {
    this.#ports = ports;
    this.#view = view;
    this.#from = from;
  }

  async run(operations: readonly RecordedOperation[]): Promise<PolicyReplayAnswer> {
    const different: ReplayedRow[] = [];
    let same = 0;
    for (const [index, operation] of operations.entries()) {
      if (index % DECISIONS_A_TURN === DECISIONS_A_TURN - 1) await setImmediate();
      const decided = await this.#decide(operation);
      if (typeof decided === 'string') this.#undecidable[decided] += 1;
      else if (decided.rehearsed.verdict === recordedVerdict(operation)) same += 1;
      else different.push(rowOf(operation, decided.replayed.row, decided.rehearsed));
    }
    return {
      policy: digestOf(this.#view.bundle()),
      statements: operations.length,
      same,
      different,
      undecidable: this.#undecidable,
    };
  }

  async #decide(
    operation: RecordedOperation,
  ): Promise<{ readonly rehearsed: Rehearsed; readonly replayed: ReplayedSession } | Undecidable> {
    const { intent } = operation;
    if (intent === undefined) return 'shredded';
    const replayed = await this.#session(operation);
    if (replayed === undefined) return 'unknown-session';
    if (intent['function_oid'] !== undefined) {
      return { rehearsed: replayed.session.decideUnknown('it calls a function by its OID'), replayed };
    }
    const bytes = textBytesOf(operation);
    if (typeof bytes === 'string') return bytes;
    const nowUs = parseMoment(operation.leaf.t);
    const tags = tagsOf(operation);
    const message = intent['protocol_message'] === 'Execute' ? 'Execute' : 'Query';
    const rowsOf: RowsOf = (read) => (tags === undefined ? undefined : taggedRows(read, tags));
    const returned: ReturnedOf = (read) => (tags === undefined ? undefined : returnedRows(read, tags));
    const rehearsed = await replayed.session.decide(bytes, nowUs, rowsOf, {
      message,
      returned,
      estimated: estimatedOf(operation),
    });
    if (usesUnknownName(rehearsed.read, replayed)) return 'prepared-before';
    if (rehearsed.unestimated.length > 0) return 'rows-unknown';
    if (rehearsed.verdict === 'allow' && rehearsed.uncounted.length > 0 && mayHaveWritten(operation)) {
      return 'rows-unknown';
    }
    if (operation.status !== 'blocked') {
      await replayed.session.ran(bytes, nowUs);
      for (const name of preparedBy(rehearsed.read)) replayed.prepared.add(name);
    }
    return { rehearsed, replayed };
  }

  async #session({ session: id, leaf }: RecordedOperation): Promise<ReplayedSession | undefined> {
    if (this.#sessions.has(id)) return this.#sessions.get(id);
    const { store, sql } = this.#ports;
    const row = await store.db.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst();
    const kind = KINDS.find((known) => known === leaf.kind) ?? 'user';
    const replayed =
      row === undefined
        ? undefined
        : {
            row,
            session: new RehearsedSession(this.#view, sql, {
              principal: { name: row.name, kind },
              connection: row.connection,
              address: row.address,
              client: row.client,
              mfaUs: row.mfa_us ?? undefined,
            }),
            prepared: new Set<string>(),
            beganBefore: row.first_leaf < this.#from,
          };
    this.#sessions.set(id, replayed);
    return replayed;
  }
}

/** What was decided then: by its intent, or when its rows were counted. */
function recordedVerdict({ leaf, status, wasHeld }: RecordedOperation): string {
  if (leaf.decision === 'block' || leaf.decision === 'hold') return leaf.decision;
  if (wasHeld) return 'hold';
  return status === 'blocked' ? 'block' : 'allow';
}

/** The bytes of its text, where the leaf has them. */
function textBytesOf({ intent }: RecordedOperation): Uint8Array | Undecidable {
  const sql = intent?.['sql'];
  if (typeof sql === 'string') return Buffer.from(sql);
  if (typeof sql !== 'object' || sql === null) return 'no-text';
  const base64 = isObject(sql) ? sql['base64'] : undefined;
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : 'spooled';
}

/** Of an answer that was given out. */
function tagsOf({ outcome, status }: RecordedOperation): readonly string[] | undefined {
  if (status !== 'ok') return undefined;
  const tags = outcome?.['tags'];
  return Array.isArray(tags) ? tags.map(String) : undefined;
}

/** What the target guessed then. */
function estimatedOf({ intent }: RecordedOperation): number | undefined {
  const rows = intent?.['estimated_rows'];
  return typeof rows === 'number' ? rows : undefined;
}

/** What failed or was skipped has written nothing. */
function mayHaveWritten({ status }: RecordedOperation): boolean {
  return status !== 'error' && status !== 'skipped' && status !== 'cancelled';
}

function usesUnknownName(read: ReadText | undefined, { beganBefore, prepared }: ReplayedSession): boolean {
  if (!beganBefore || read?.kind !== 'read') return false;
  return read.statements.some(
    (statement) => statement.prepared?.verb === 'execute' && !prepared.has(statement.prepared.name ?? ''),
  );
}

function preparedBy(read: ReadText | undefined): readonly string[] {
  if (read?.kind !== 'read') return [];
  return read.statements.flatMap(({ prepared }) =>
    prepared?.verb === 'prepare' && prepared.name !== undefined ? [prepared.name] : [],
  );
}

function rowOf(
  operation: RecordedOperation,
  { name, connection }: SessionsTable,
  { verdict, causes }: Rehearsed,
): ReplayedRow {
  const { leaf, session } = operation;
  const bytes = textBytesOf(operation);
  return {
    leaf: leaf.n,
    at: leaf.t,
    session,
    name,
    connection,
    recorded: recordedVerdict(operation),
    decided: verdict,
    ...(typeof bytes === 'string' ? {} : { sql: Buffer.from(bytes).toString() }),
    causes: causes.map(({ rule, version, verdict: own, what, from, to }) => ({
      rule,
      version,
      verdict: own,
      what,
      from,
      to,
    })),
  };
}
