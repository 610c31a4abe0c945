/**
 * A signed webhook: Standard Webhooks 1.0.0
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 *
 * ```
 * webhook-id: msg_hld_…              the same for every try: whoever gets it twice knows
 * webhook-timestamp: 1795000000      seconds, of this try
 * webhook-signature: v1,<base64>     HMAC-SHA256(secret, id "." timestamp "." body)
 * ```
 * Refused: redirects, which would take the notice elsewhere. Untrusted: the answer, of which only the
 * status is looked at.
 */

import { createHmac } from 'node:crypto';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';
import { type Attempt, type Notice, noticeId, type Target } from './notice.ts';

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
/** Of the specification. */
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;

/** Statuses after which another try may go better. */
const AGAIN: ReadonlySet<number> = new Set([408, 425, 429]);

/** The key in a `whsec_…` text; CONFIG_INVALID for anything else. */
export function parseWebhookSecret(text: Secret<string>): Secret<Uint8Array> {
  const [, base64 = ''] = SECRET.exec(text.reveal()) ?? [];
  const key = Buffer.from(base64, 'base64');
  if (key.length < SECRET_BYTES_MIN || key.length > SECRET_BYTES_MAX || key.toString('base64') !== base64) {
    const reason = `a secret of notify.webhooks is whsec_ and base64 of ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes`;
    throw new CountersignError('CONFIG_INVALID', { reason });
  }
  return new Secret(new Uint8Array(key));
}

/** The value of `webhook-signature`. */
export function signWebhook(secret: Secret<Uint8Array>, id: string, timestamp: number, body: string): string {
  const hmac = createHmac('sha256', secret.reveal()).update(`${id}.${timestamp}.${body}`, 'utf8');
  return `v1,${hmac.digest('base64')}`;
}

export function webhookTarget(url: string, secret: Secret<Uint8Array>, nowUs: () => number): Target {
  return {
    name: `webhook ${new URL(url).host}`,
    async send(notice: Notice, body: string, signal: AbortSignal): Promise<Attempt | undefined> {
      const id = noticeId(notice);
      const timestamp = Math.floor(nowUs() / 1_000_000);
      let status: number;
      try {
        const response = await fetch(url, {
          method: 'POST',
          body,
          redirect: 'manual',
          signal,
          headers: {
            'content-type': 'application/json',
            'user-agent': 'countersign',
            'webhook-id': id,
            'webhook-timestamp': String(timestamp),
            'webhook-signature': signWebhook(secret, id, timestamp, body),
          },
        });
        ({ status } = response);
        // Nobody reads what it says, and it may never end.
        await response.body?.cancel();
      } catch (error) {
        return { reason: signal.aborted ? 'no answer in time' : reasonOfFetch(error), again: true };
      }
      if (status >= 200 && status < 300) return undefined;
      const isRedirect = status >= 300 && status < 400;
      const reason = isRedirect ? `it redirects (${status}), which is not followed` : `it answered ${status}`;
      return { reason, again: status >= 500 || AGAIN.has(status) };
    },
  };
}

/** The message of `fetch` says only that it failed. */
function reasonOfFetch(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return reasonOf(cause ?? error);
}
