/**
 * A recording as lines of JSON: the session, then its statements or requests with their results and leaves.
 *
 * `recording.view` is signed before the first byte is given out. Each line is one object with `kind`:
 * `session`, `statement`, `request`, `event`, `note`; a recording that turns out not to verify ends in `error`.
 */

import { toCountersignError } from '../core/errors.ts';
import type { SessionId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { recordedText } from '../literals/recorded-text.ts';
import { readHttpTranscript, type ReplayedHttpItem } from '../recording/http-transcript.ts';
import { type ExpectedSegment, readRecording } from '../recording/recording-reader.ts';
import type { ReplayedItem, ReplayedStatement } from '../recording/replayed-statement.ts';
import { readTranscript } from '../recording/transcript.ts';
import type { SessionRow } from './answers.ts';
import { errorAnswer } from './http-errors.ts';
import type { ApiPorts } from './ports.ts';
import { OutcomeWindow } from './outcome-window.ts';
import { type LeafRange, type SessionLeaf, sessionLeaves } from './session-leaves.ts';

export interface ReplayRequest {
  readonly session: SessionRow;
  readonly sessionId: SessionId;
  readonly range: LeafRange;
  readonly key: Uint8Array;
}

/** The lines of a replay, each with its line feed; the key is zeroed at the end. */
export async function* replayLines(
  ports: ApiPorts,
  { session, sessionId, range, key }: ReplayRequest,
): AsyncGenerator<string, void> {
  const intents = new IntentWindow(sessionLeaves(ports.reader, range, key));
  const outcomes = new OutcomeWindow(ports.reader, range);
  try {
    yield line({ kind: 'session', session });
    const { isHttp, expected } = await recordedIn(ports, range, key);
    const directory = ports.recordingsDirectory;
    const entries = readRecording({ directory, sessionId, scopeKey: key, expected });
    const items = isHttp ? readHttpTranscript(entries) : withLeaves(readTranscript(entries), intents);
    for await (const item of items) yield line(await withStatus(item, outcomes));
  } catch (thrown) {
    // The status is sent already; a reader that stops at an unexpected end sees why.
    const error = toCountersignError(thrown);
    ports.onError(error, 'GET /v1/sessions/:id/replay');
    yield line({ kind: 'error', ...errorAnswer(error) });
  } finally {
    await intents.close();
    await outcomes.close();
    key.fill(0);
  }
}

/** What its leaves say of a recording. */
async function recordedIn(
  ports: ApiPorts,
  range: LeafRange,
  key: Uint8Array,
): Promise<{ readonly isHttp: boolean; readonly expected: ReadonlyMap<number, ExpectedSegment> }> {
  const expected = new Map<number, ExpectedSegment>();
  let isHttp = false;
  for await (const { leaf, body } of sessionLeaves(ports.reader, range, key)) {
    if (leaf.type === 'session.start') isHttp = body?.['protocol'] === 'http';
    if (leaf.type !== 'recording.segment') continue;
    const number = body?.['number'];
    const sha256 = body?.['sha256'];
    if (typeof number !== 'number' || typeof sha256 !== 'string') continue;
    expected.set(number, { sha256, status: leaf.status === 'truncated' ? 'truncated' : 'ok' });
  }
  return { isHttp, expected };
}

/** What became of it by its outcome leaf, in the words of `sessions show`. */
async function withStatus(item: LeafedItem | ReplayedHttpItem, outcomes: OutcomeWindow): Promise<unknown> {
  const leaf = 'leaf' in item ? item.leaf : undefined;
  const leafStatus = leaf === undefined ? undefined : await outcomes.statusOf(leaf);
  return leafStatus === undefined ? item : { ...item, leafStatus };
}

type LeafedItem = ReplayedItem & { readonly leaf?: number };

async function* withLeaves(
  items: AsyncIterable<ReplayedItem>,
  intents: IntentWindow,
): AsyncGenerator<LeafedItem, void> {
  for await (const item of items) yield await withLeaf(item, intents);
}

async function withLeaf(item: ReplayedItem, intents: IntentWindow): Promise<LeafedItem> {
  if (item.kind !== 'statement') return item;
  const intent = await intents.find(item);
  if (intent === undefined) return item;
  // The recording hides every literal; the leaf those that may tell something.
  const { leaf, sql = item.sql, isHidden } = intent;
  return isHidden && !item.sqlCut ? { ...item, sql, leaf } : { ...item, leaf };
}

/**
 * Which leaf a statement of a recording is about: the next intent with its text.
 *
 * Both come in the order of the session, but a recording also shows messages that failed before they
 * ran, which have no intent; so a few intents are looked at, and what is passed over is let go.
 */
class IntentWindow {
  readonly #leaves: AsyncGenerator<SessionLeaf, void>;
  #waiting: WaitingIntent[] = [];
  #ended = false;

  constructor(leaves: AsyncGenerator<SessionLeaf, void>) {
    this.#leaves = leaves;
  }

  async find(statement: ReplayedStatement): Promise<WaitingIntent | undefined> {
    await this.#fill();
    const at = this.#waiting.findIndex((intent) => isAbout(intent, statement));
    if (at < 0) return undefined;
    const intent = this.#waiting[at];
    this.#waiting = this.#waiting.slice(at + 1);
    return intent;
  }

  async close(): Promise<void> {
    await this.#leaves.return();
  }

  async #fill(): Promise<void> {
    const { replayWindowMax, replayWindowBytesMax } = LIMITS.api;
    let bytes = 0;
    for (const { sql } of this.#waiting) bytes += sql?.length ?? 0;
    while (!this.#ended && this.#waiting.length < replayWindowMax && bytes < replayWindowBytesMax) {
      const next = await this.#leaves.next();
      if (next.done === true) this.#ended = true;
      else if (next.value.leaf.type === 'statement.intent') {
        const intent = waitingIntent(next.value);
        bytes += intent.sql?.length ?? 0;
        this.#waiting.push(intent);
      }
    }
  }
}

/** What a statement is compared with; its values may be megabytes. */
interface WaitingIntent {
  readonly leaf: number;
  readonly isFunction: boolean;
  readonly hasText: boolean;
  readonly sql: string | undefined;
  /** The text as the recording has it; undefined where there is none to compare. */
  readonly recorded: string | undefined;
  /** Whether that hides what the leaf shows. */
  readonly isHidden: boolean;
}

function waitingIntent({ leaf, body }: SessionLeaf): WaitingIntent {
  const sql = body?.['sql'];
  const text = typeof sql === 'string' ? sql : undefined;
  const recorded = text === undefined ? undefined : recordedText(text, body?.['masks']);
  return {
    leaf: leaf.n,
    isFunction: body?.['function_oid'] !== undefined,
    hasText: sql !== undefined,
    sql: text,
    recorded,
    isHidden: recorded !== text,
  };
}

function isAbout({ isFunction, hasText, recorded }: WaitingIntent, statement: ReplayedStatement): boolean {
  if (statement.protocol === 'function') return isFunction;
  // A text that is too long for a body, or is not UTF-8, is not there to be compared.
  return recorded === undefined ? hasText : recorded === statement.sql;
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
