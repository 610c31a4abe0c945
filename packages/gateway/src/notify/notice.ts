/**
 * What people are told at once, and where to look: approvers that something waits for them, reviewers that the
 * glass was broken, and once more that they are late, or that a model is another one. No statement, no values, no reasons.
 *
 * The form is that of Standard Webhooks (https://www.standardwebhooks.com/): `type`, `timestamp`, `data`.
 */

interface CommonData {
  readonly hold: string;
  readonly rule: string;
  readonly rule_version: number;
  readonly requester: string;
  /** Where an operation runs; absent for a change of resources. */
  readonly connection?: string;
  /** Where it is decided, or looked at. */
  readonly link: string;
}

interface AskedNotice {
  readonly type: 'hold.asked';
  /** When it was asked, UTC. */
  readonly timestamp: string;
  readonly data: CommonData & {
    readonly approvers: readonly string[];
    readonly count: number;
    readonly expires: string;
  };
}

/** `rule` is the one by which it was opened. */
interface BreakGlassNotice {
  readonly type: 'breakglass.used' | 'breakglass.overdue';
  /** When it was opened, UTC. */
  readonly timestamp: string;
  readonly data: CommonData & {
    /** The rule that had held it. */
    readonly held_by: string;
    readonly reviewers: readonly string[];
    /** Until when it can be used. */
    readonly until: string;
    readonly review_by: string;
  };
}

/** Another model, or other answers of one, and nobody had agreed to that. */
export interface ModelNotice {
  readonly type: 'model.changed';
  /** When it was seen, UTC. */
  readonly timestamp: string;
  readonly data: {
    readonly connection: string;
    readonly model?: string;
    /** By what it is known: what the service says of itself, or how it answers. */
    readonly what: 'identity' | 'canary';
    /** In whose log, and where. */
    readonly node: string;
    readonly leaf: number;
    readonly reviewers: readonly string[];
    readonly link: string;
  };
}

export type Notice = AskedNotice | BreakGlassNotice | ModelNotice;

/** The same for every try and target, another for each notice of a hold or of a leaf. */
export function noticeId(notice: Notice): string {
  if (notice.type === 'model.changed') return `msg_${notice.type}.${notice.data.node}.${notice.data.leaf}`;
  const { type, data } = notice;
  return type === 'hold.asked' ? `msg_${data.hold}` : `msg_${data.hold}.${type}`;
}

/** What it is about, for the operator's log. */
export function noticeSubject(notice: Notice): string {
  return notice.type === 'model.changed'
    ? `another model behind ${notice.data.connection}`
    : notice.data.hold;
}

/** The bytes that are sent, the same for every try and target. */
export function noticeBody(notice: Notice): string {
  return JSON.stringify(notice);
}

/** How telling one target ended. */
export type Delivery =
  | { readonly kind: 'delivered'; readonly tries: number }
  | { readonly kind: 'failed'; readonly tries: number; readonly reason: string };

/** One try: undefined where it arrived. */
export interface Attempt {
  readonly reason: string;
  /** Whether another try may go better. */
  readonly again: boolean;
}

/** Somebody who is told. */
export interface Target {
  /** For the log; without a path, which may hold a secret. */
  readonly name: string;
  /** @param signal ends the try */
  send(notice: Notice, body: string, signal: AbortSignal): Promise<Attempt | undefined>;
}
