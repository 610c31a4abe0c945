/**
 * What approvers are told at once: that something waits for them, and where to look. No statement, no values.
 *
 * The form is that of Standard Webhooks (https://www.standardwebhooks.com/): `type`, `timestamp`, `data`.
 */

export interface Notice {
  readonly type: 'hold.asked';
  /** When it was asked, UTC. */
  readonly timestamp: string;
  readonly data: {
    readonly hold: string;
    readonly rule: string;
    readonly rule_version: number;
    readonly approvers: readonly string[];
    readonly count: number;
    readonly requester: string;
    /** Where an operation runs; absent for a change of resources. */
    readonly connection?: string;
    readonly expires: string;
    /** Where it is decided. */
    readonly link: string;
  };
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
