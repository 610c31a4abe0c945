/** Operations of a period with what became of each, out of the log, a page at a time. */

import { bodyValues } from '@countersign/ledger/body';
import type { Json } from '@countersign/ledger/jcs';
import { type Leaf, parseLeaf } from '@countersign/ledger/leaf';
import type { LogReader, StoredLeaf } from '../audit/log-reader.ts';
import { unsealBody } from '../audit/sealed-body.ts';
import { formatTimeUs } from '../core/clock.ts';
import { LIMITS } from '../core/limits.ts';

type Values = Readonly<Record<string, Json>>;

export interface RecordedOperation {
  readonly leaf: Leaf;
  readonly session: string;
  /** Undefined where the key of its session was destroyed. */
  readonly intent: Values | undefined;
  readonly outcome: Values | undefined;
  /** Of the outcome; undefined while there is none. */
  readonly status: string | undefined;
  /** People were asked about it. */
  readonly wasHeld: boolean;
}

export interface OperationsRequest {
  /** Index of the first leaf that is looked at, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  readonly sinceUs: number;
  readonly untilUs: number;
  readonly connection: string | undefined;
  readonly limit: number;
}

export interface OperationsPage {
  readonly operations: readonly RecordedOperation[];
  readonly next: number | undefined;
}

/** Keys of sessions by id. */
export interface SessionKeys {
  find(session: string): Promise<Uint8Array | undefined>;
}

/**
 * At most `limit` operations, limits.api.leavesScannedMax leaves looked at, and no more than the first of them
 * whose bodies have limits.api.pageBytesMax together.
 */
export async function recordedOperations(
  reader: LogReader,
  keys: SessionKeys,
  request: OperationsRequest,
): Promise<OperationsPage> {
  const page = new Page(keys, request);
  const to = Math.min(request.to, request.from + LIMITS.api.leavesScannedMax);
  for await (const stored of reader.leaves(request.from, to)) {
    await page.take(stored);
    if (page.isComplete) break;
  }
  const cut = to < request.to && !page.isOver ? to : undefined;
  return { operations: page.operations, next: page.next ?? cut };
}

/** Where to begin: the newest signed checkpoint before the period. */
export async function firstLeafBefore(reader: LogReader, sinceUs: number): Promise<number> {
  const since = formatTimeUs(sinceUs);
  // A checkpoint is signed after its leaves were written.
  return (await reader.checkpoints()).findLast(({ t }) => t < since)?.size ?? 0;
}

/** Owned by one request. */
class Page {
  readonly #keys: SessionKeys;
  readonly #request: OperationsRequest;
  readonly #since: string;
  readonly #until: string;
  readonly #operations = new Map<number, RecordedOperation>();
  #open = 0;
  #bytes = 0;
  #next: number | undefined;
  #isOver = false;

  constructor(keys: SessionKeys, request: OperationsRequest) {
    this.#keys = keys;
    this.#request = request;
    this.#since = formatTimeUs(request.sinceUs);
    this.#until = formatTimeUs(request.untilUs);
  }

  get operations(): readonly RecordedOperation[] {
    return [...this.#operations.values()];
  }

  /** The first operation that has no room any more. */
  get next(): number | undefined {
    return this.#next;
  }

  /** The period has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Nothing more is looked for: what is there has its outcomes. */
  get isComplete(): boolean {
    return this.#open === 0 && (this.#isOver || this.#next !== undefined);
  }

  async take({ leaf: bytes, sealed }: StoredLeaf): Promise<void> {
    const parsed = parseLeaf(bytes);
    if (parsed.kind !== 'leaf') return;
    const { leaf } = parsed;
    this.#isOver ||= leaf.t >= this.#until;
    if (leaf.type === 'statement.intent') return this.#takeIntent(leaf, sealed);
    const about = leaf.ref === undefined ? undefined : this.#operations.get(leaf.ref);
    if (about === undefined) return undefined;
    if (leaf.type === 'hold.asked') this.#operations.set(about.leaf.n, { ...about, wasHeld: true });
    if (leaf.type !== 'statement.outcome') return undefined;
    this.#open -= 1;
    const outcome = await this.#values(leaf, sealed, about.session);
    const current = this.#operations.get(about.leaf.n) ?? about;
    this.#operations.set(about.leaf.n, { ...current, outcome, status: leaf.status });
    return undefined;
  }

  async #takeIntent(leaf: Leaf, sealed: Uint8Array): Promise<void> {
    const { connection, limit } = this.#request;
    const { session, target } = leaf;
    if (session === undefined || leaf.t < this.#since || this.#isOver || this.#next !== undefined) return;
    if (connection !== undefined && target !== connection) return;
    if (this.#operations.size >= limit || this.#bytes >= LIMITS.api.pageBytesMax) {
      this.#next = leaf.n;
      return;
    }
    this.#bytes += sealed.length;
    this.#open += 1;
    const intent = await this.#values(leaf, sealed, session);
    this.#operations.set(leaf.n, {
      leaf,
      session,
      intent,
      outcome: undefined,
      status: undefined,
      wasHeld: false,
    });
  }

  async #values({ body }: Leaf, sealed: Uint8Array, session: string): Promise<Values | undefined> {
    if (body === undefined || sealed.length === 0) return undefined;
    const key = await this.#keys.find(session);
    return key === undefined ? undefined : bodyValues(unsealBody(sealed, body, key));
  }
}
