/**
 * How many rows the server guesses that a statement writes or returns, asked before anything is decided about it.
 *
 * Spec: spec/policy.md, "Rows that are estimated". The server plans the text and never runs it: EXPLAIN without
 * ANALYZE, where nothing of it stays and for a bounded time outside of a client's pipeline. Planning calls functions
 * that say they are immutable, so whoever asks has to know what the text calls. What goes wrong here is no guess,
 * which stops more than any guess would.
 */

import { createHash } from 'node:crypto';
import type { Effect, ReadText } from '../../../core/effects.ts';
import { LIMITS } from '../../../core/limits.ts';
import { decodeBackend } from '../../../protocols/postgres/decode.ts';
import { encodeBackend } from '../../../protocols/postgres/encode.ts';
import { HEADER_LENGTH } from '../../../protocols/postgres/frames.ts';
import { BACKEND } from '../../../protocols/postgres/messages.ts';
import type { BoundValue } from '../../../protocols/postgres/operation.ts';
import { serverQuestion } from '../../../sql/inner-query.ts';
import { guessedRows } from '../estimate.ts';
import { type ExchangePorts, type KeptAnswer, rowsOf } from '../exchange.ts';
import { AgedMap } from './aged-map.ts';
import { type AskedIn, type Asking, Inside } from './inside.ts';

interface EstimatesPorts extends ExchangePorts {
  /** `I`, `T` or `E`. */
  readonly transactionStatus: () => string;
  /** For the client, as the target's answer. */
  readonly deliver: (frame: Uint8Array) => void;
  /** 32 hex digits that no client knows. */
  readonly name: string;
  /** Of a clock that only goes on. */
  readonly nowUs: () => number;
}

export interface EstimatedText {
  readonly textBytes: Uint8Array;
  readonly parameterTypeOids: readonly number[];
  /** Undefined where nobody has them. */
  readonly values: readonly BoundValue[] | undefined;
}

interface Pending {
  readonly key: string;
  /** The query that is planned. */
  readonly textBytes: Uint8Array;
  readonly parameterTypeOids: readonly number[];
  readonly values: readonly BoundValue[];
}

/** What it does besides is nothing that planning could begin. */
const PLAIN: ReadonlySet<Effect> = new Set<Effect>([
  'read',
  'export',
  'lock',
  'sequence',
  'insert',
  'update',
  'update-unqualified',
  'delete',
  'delete-unqualified',
  'merge',
  'create',
  'explain',
  'cursor',
]);

const EXPLAIN = new TextEncoder().encode('EXPLAIN (FORMAT JSON) ');
const IN_TIME = `SELECT pg_catalog.set_config('statement_timeout', '${LIMITS.policy.lookTimeoutMs}', true)`;
/** Of the messages of {@link Estimates}. */
const EXECUTE_INDEX = 2;

/** Owned by one session. */
export class Estimates {
  readonly #ports: EstimatesPorts;
  readonly #inside: Inside;
  readonly #known: AgedMap<{ readonly rows: number | undefined }>;
  #pending: Pending | undefined;

  constructor(ports: EstimatesPorts) {
    this.#ports = ports;
    this.#inside = new Inside(ports, `${ports.name} estimate`);
    this.#known = new AgedMap(ports.nowUs, LIMITS.serverTree.cachedAnswersMax);
  }

  get mustAsk(): boolean {
    return this.#pending !== undefined;
  }

  /**
   * Undefined where nobody can tell; `wait` where the server has to be asked first.
   *
   * @param epoch what names stand for, as far as the session knows
   */
  of(at: EstimatedText, read: ReadText, epoch: number): number | undefined | 'wait' {
    const textBytes = plannedText(read, at.textBytes);
    const { parameterTypeOids, values } = at;
    const { responses, transactionStatus } = this.#ports;
    if (textBytes === undefined || values === undefined) return undefined;
    const key = keyOf(textBytes, parameterTypeOids, values);
    const known = this.#known.get(key, epoch);
    if (known !== undefined) return known.rows;
    // What the target would skip, or has failed already, it does not plan.
    if (responses.skipping || responses.inCopyIn || transactionStatus() === 'E') return undefined;
    // Views of what is read into again.
    const kept = values.map(({ format, bytes }) => ({ format, bytes: bytes?.slice() ?? null }));
    this.#pending = { key, textBytes, parameterTypeOids, values: kept };
    return 'wait';
  }

  /** Everything of the client is answered; nothing else is sent until this resolves. */
  async ask(epoch: number): Promise<void> {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined) return;
    const { responses, transactionStatus } = this.#ports;
    const status = transactionStatus();
    const isPipeline = responses.isOpenPipeline;
    const isAskable = !responses.skipping && (isPipeline || status !== 'E');
    const where = isPipeline ? 'pipeline' : status === 'I' ? 'idle' : 'block';
    this.#known.set(pending.key, epoch, { rows: isAskable ? await this.#rows(where, pending) : undefined });
  }

  async #rows(where: AskedIn, pending: Pending): Promise<number | undefined> {
    const asking = this.#explain(pending);
    // A setting of ours would stay in a pipeline, which nobody rolls back.
    const before = where === 'pipeline' ? [] : [this.#inside.statement(IN_TIME)];
    const heard = await this.#inside.run(where, [...before, asking]);
    if (heard.kind === 'error' && where === 'pipeline') this.#deliver(heard.answer);
    const answer = heard.kind === 'heard' ? heard.answers.at(-1)?.[EXECUTE_INDEX] : undefined;
    if (answer === undefined || asking.keepers.some(({ tooMuch }) => tooMuch)) return undefined;
    return guessedRows(
      rowsOf(answer)
        .map(([line]) => line ?? '')
        .join('\n'),
    );
  }

  #explain({ textBytes, parameterTypeOids, values }: Pending): Asking {
    const { name } = this.#inside;
    return this.#inside.asking([
      {
        kind: 'Parse',
        statement: name,
        textBytes: Buffer.concat([EXPLAIN, textBytes]),
        parameterTypeOids,
      },
      {
        kind: 'Bind',
        portal: name,
        statement: name,
        valueFormats: values.map(({ format }) => (format === 'binary' ? 1 : 0)),
        values: values.map(({ bytes }) => bytes),
        resultFormats: [],
      },
      { kind: 'Execute', portal: name, rowsMax: 0 },
      { kind: 'Close', target: 'P', name },
      { kind: 'Close', target: 'S', name },
    ]);
  }

  /** The client's pipeline has failed by it; its place is one in our text. */
  #deliver({ frames }: KeptAnswer): void {
    const frame = frames.find(({ type }) => type === BACKEND.ErrorResponse)?.bytes;
    if (frame === undefined) return;
    const message = decodeBackend(BACKEND.ErrorResponse, frame.subarray(HEADER_LENGTH));
    if (message.kind !== 'ErrorResponse') return;
    const fields = message.fields.filter(({ code }) => code !== 'P');
    this.#ports.deliver(encodeBackend({ kind: 'ErrorResponse', fields }));
  }
}

/** The one query of a text; undefined where there is none, or something stands in it that could run meanwhile. */
function plannedText(read: ReadText, textBytes: Uint8Array): Uint8Array | undefined {
  if (read.kind !== 'read') return undefined;
  const [statement, second] = read.statements;
  if (statement === undefined || second !== undefined) return undefined;
  // The rows of a COPY FROM are the client's, and those of EXECUTE the prepared statement's.
  if (!statement.effects.every(({ effect }) => PLAIN.has(effect))) return undefined;
  const question = serverQuestion(statement, textBytes);
  if (question.kind !== 'query' || question.from === undefined) return undefined;
  return question.textBytes;
}

function keyOf(
  textBytes: Uint8Array,
  parameterTypeOids: readonly number[],
  values: readonly BoundValue[],
): string {
  const hash = createHash('sha256')
    .update(`${parameterTypeOids.join()} ${textBytes.length} `)
    .update(textBytes);
  for (const { format, bytes } of values) {
    hash.update(`${format} ${bytes?.length ?? 'null'} `);
    if (bytes !== null) hash.update(bytes);
  }
  return hash.digest('base64');
}
