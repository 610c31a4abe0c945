/**
 * What the writer must know of the leaves so far: the next index, the last time, counts per type, and
 * the sessions that are open with their next `seq` and the intents that wait for an outcome.
 *
 * A snapshot of it lies beside each journal segment, so that a start reads one segment and not all.
 */

import type { Leaf } from '@countersign/ledger/leaf';
import { CountersignError } from '../core/errors.ts';

/** What each type of intent is answered by. */
export const OUTCOME_OF: Readonly<Record<string, string>> = {
  'statement.intent': 'statement.outcome',
  'exec.intent': 'exec.outcome',
  'file.intent': 'file.outcome',
  'http.intent': 'http.outcome',
  'rerank.call': 'rerank.result',
};

const OUTCOMES: ReadonlySet<string> = new Set(Object.values(OUTCOME_OF));

export interface OpenSession {
  readonly kind: string;
  readonly actor: string;
  readonly target: string;
  /** Next `seq`. */
  seq: number;
  /** Leaves `recording.segment` so far. */
  segments: number;
  /** Index and type of each intent without an outcome. */
  readonly intents: Map<number, string>;
}

/** What of a leaf changes the state. */
export interface LeafFacts {
  readonly n: number;
  readonly type: string;
  readonly kind: string;
  readonly actor?: string | undefined;
  readonly session?: string | undefined;
  readonly seq?: number | undefined;
  readonly target?: string | undefined;
  readonly ref?: number | undefined;
}

/** A session that was open when the process before this one ended. */
export interface InterruptedSession {
  readonly id: string;
  readonly kind: string;
  readonly actor: string;
  readonly target: string;
  readonly segments: number;
  readonly intents: readonly { readonly index: number; readonly type: string }[];
}

interface Snapshot {
  readonly version: 2;
  readonly nextIndex: number;
  readonly lastTimeUs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly bootIndex: number;
  readonly shreds: readonly number[];
  readonly sessions: readonly {
    readonly id: string;
    readonly kind: string;
    readonly actor: string;
    readonly target: string;
    readonly seq: number;
    readonly segments: number;
    readonly intents: readonly (readonly [number, string])[];
  }[];
}

/** Owned by the writer. */
export class LogState {
  nextIndex = 0;
  lastTimeUs = 0;
  readonly counts: Map<string, number> = new Map<string, number>();
  readonly sessions: Map<string, OpenSession> = new Map<string, OpenSession>();

  /** Index of the newest `ledger.boot`. */
  bootIndex = -1;
  /** Leaves `ledger.shred` whose keys may still be there: no start has been through since. */
  shreds: number[] = [];

  /** Next `seq` of a session; a session that is not open takes nothing but its start. */
  nextSeq(session: string, type: string): number {
    const open = this.sessions.get(session);
    if ((open === undefined) !== (type === 'session.start')) {
      throw new CountersignError(
        'INTERNAL',
        {},
        { cause: new Error(`${type} in a session that is not open for it`) },
      );
    }
    return open?.seq ?? 0;
  }

  /** Takes the next leaf, as it was read back. */
  applyLeaf(leaf: Leaf): void {
    this.apply(leaf, parseTimeUs(leaf.t));
  }

  /** Takes the next leaf. */
  apply(leaf: LeafFacts, timeUs: number): void {
    this.nextIndex = leaf.n + 1;
    this.lastTimeUs = timeUs;
    this.counts.set(leaf.type, (this.counts.get(leaf.type) ?? 0) + 1);
    if (leaf.type === 'ledger.boot') this.bootIndex = leaf.n;
    if (leaf.type === 'ledger.shred') this.shreds.push(leaf.n);
    if (leaf.session === undefined) return;
    // A start destroys what was left before it lets anybody in.
    if (leaf.type === 'session.start') this.#forgetShreds();
    if (leaf.type === 'session.end') {
      this.sessions.delete(leaf.session);
      return;
    }
    const open = this.sessions.get(leaf.session) ?? this.#openSession(leaf.session, leaf);
    open.seq = (leaf.seq ?? 0) + 1;
    if (leaf.type === 'recording.segment') open.segments += 1;
    if (Object.hasOwn(OUTCOME_OF, leaf.type)) open.intents.set(leaf.n, leaf.type);
    if (OUTCOMES.has(leaf.type) && leaf.ref !== undefined) open.intents.delete(leaf.ref);
  }

  interrupted(): InterruptedSession[] {
    return [...this.sessions].map(([id, { kind, actor, target, segments, intents }]) => ({
      id,
      kind,
      actor,
      target,
      segments,
      intents: [...intents].map(([index, type]) => ({ index, type })),
    }));
  }

  snapshot(): string {
    const snapshot: Snapshot = {
      version: 2,
      nextIndex: this.nextIndex,
      lastTimeUs: this.lastTimeUs,
      counts: Object.fromEntries(this.counts),
      bootIndex: this.bootIndex,
      shreds: this.shreds,
      sessions: [...this.sessions].map(([id, open]) => ({ id, ...open, intents: [...open.intents] })),
    };
    return JSON.stringify(snapshot);
  }

  /** Reads a snapshot of this same node; undefined where it is not one for this index. */
  static restore(text: string, nextIndex: number): LogState | undefined {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The node wrote it itself, and version and index are checked.
    const snapshot = JSON.parse(text) as Snapshot;
    if (snapshot.version !== 2 || snapshot.nextIndex !== nextIndex) return undefined;
    const state = new LogState();
    state.nextIndex = nextIndex;
    state.lastTimeUs = snapshot.lastTimeUs;
    state.bootIndex = snapshot.bootIndex;
    state.shreds = [...snapshot.shreds];
    for (const [type, count] of Object.entries(snapshot.counts)) state.counts.set(type, count);
    for (const { id, intents, ...open } of snapshot.sessions) {
      state.sessions.set(id, { ...open, intents: new Map(intents) });
    }
    return state;
  }

  #forgetShreds(): void {
    const [oldest = this.bootIndex] = this.shreds;
    if (oldest < this.bootIndex) this.shreds = this.shreds.filter((index) => index > this.bootIndex);
  }

  #openSession(id: string, leaf: LeafFacts): OpenSession {
    const { kind, actor = '', target = '' } = leaf;
    const open: OpenSession = { kind, actor, target, seq: 0, segments: 0, intents: new Map() };
    this.sessions.set(id, open);
    return open;
  }
}

/** Microseconds of a leaf's time. */
function parseTimeUs(time: string): number {
  return Date.parse(`${time.slice(0, 23)}Z`) * 1000 + Number(time.slice(23, 26));
}
