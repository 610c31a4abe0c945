/** Notices of holds to the targets of the configuration. */

import { setTimeout as delay } from 'node:timers/promises';
import type { HoldRecord } from '../approvals/hold-record.ts';
import type { Config } from '../config/config.ts';
import { formatTimeUs } from '../core/clock.ts';
import { LIMITS } from '../core/limits.ts';
import { readSecretSource } from '../keys/secret-source.ts';
import { commandTarget } from '../notify/command.ts';
import type { Notice } from '../notify/notice.ts';
import { Notifier } from '../notify/notifier.ts';
import { parseWebhookSecret, webhookTarget } from '../notify/webhook.ts';
import type { Rooms } from './rooms.ts';

export interface NotifyWiring {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How telling somebody of a hold ended: a line for the operator's log. */
  readonly onNotice: (line: string) => void;
}

/** Reads the secrets now, so that a wrong one is found at start and not at the first hold. */
export async function openNotifier(config: Config, rooms: Rooms, wiring: NotifyWiring): Promise<Notifier> {
  const { env, onNotice: log } = wiring;
  const source = { env, bytesMax: LIMITS.notify.secretBytesMax, modeRefused: 0o077 } as const;
  const webhooks = await Promise.all(
    config.notify.webhooks.map(async ({ url, secret }) => {
      const key = parseWebhookSecret(await readSecretSource(secret, source));
      return webhookTarget(url, key, () => rooms.clock.nowUs());
    }),
  );
  const commands = config.notify.commands.map((command) => commandTarget(command, env));
  return new Notifier({ targets: [...webhooks, ...commands], log, pause });
}

/** It ends early with an error where the gateway ends. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return delay(ms, undefined, { signal }).catch(() => undefined);
}

/** What approvers are told of a hold, with where to decide on it. */
export function noticeOf(config: Config, record: HoldRecord): Notice {
  const { id, askedUs, expiresUs, document } = record;
  const { demand, requester, connection } = document;
  const { host, port } = config.listen.api;
  const baseUrl = config.notify.baseUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    type: 'hold.asked',
    timestamp: formatTimeUs(askedUs),
    data: {
      hold: id,
      rule: demand.rule.name,
      rule_version: demand.rule.version,
      approvers: demand.approvers,
      count: demand.count,
      requester: requester.name,
      ...(connection === undefined ? {} : { connection }),
      expires: formatTimeUs(expiresUs),
      link: `${baseUrl}/v1/approvals/${id}`,
    },
  };
}
