/** Notices of holds to the targets of the configuration. */

import { setTimeout as delay } from 'node:timers/promises';
import type { HoldRecord } from '../approvals/hold-record.ts';
import type { Config } from '../config/config.ts';
import { formatTimeUs } from '../core/clock.ts';
import { type CountersignError, toCountersignError } from '../core/errors.ts';
import type { LedgerEvent } from '../core/ledger-port.ts';
import { LIMITS } from '../core/limits.ts';
import { readSecretSource } from '../keys/secret-source.ts';
import { commandTarget } from '../notify/command.ts';
import type { Delivery, Notice } from '../notify/notice.ts';
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
      link: linkOf(config, record),
    },
  };
}

/** What reviewers are told of a hold that was opened in an emergency; undefined for any other. */
function openingNotice(config: Config, record: HoldRecord, what: 'used' | 'overdue'): Notice | undefined {
  const { id, opening, document } = record;
  if (opening === undefined) return undefined;
  const { demand, requester, connection } = document;
  return {
    type: `breakglass.${what}`,
    timestamp: formatTimeUs(opening.openedUs),
    data: {
      hold: id,
      rule: opening.rule.name,
      rule_version: opening.rule.version,
      held_by: demand.rule.name,
      reviewers: opening.reviewers,
      requester: requester.name,
      ...(connection === undefined ? {} : { connection }),
      until: formatTimeUs(opening.useUntilUs),
      review_by: formatTimeUs(opening.reviewByUs),
      link: linkOf(config, record),
    },
  };
}

/** Tells reviewers, and writes down how that went: of each target one leaf, also where there is none. */
export function tellOfOpening(
  config: Config,
  { ledger, bootId }: Pick<Rooms, 'ledger' | 'bootId'>,
  notifier: Notifier,
  {
    onNotice,
    onError,
  }: Pick<NotifyWiring, 'onNotice'> & {
    readonly onError: (error: CountersignError, where: string) => void;
  },
): (record: HoldRecord, what: 'used' | 'overdue') => void {
  return (record, what) => {
    const notice = openingNotice(config, record, what);
    if (notice === undefined) return;
    const write = (target: string, delivery: Delivery): void => {
      const event = notifiedEvent(record, notice.type, config.node, target, delivery);
      ledger.append({ ...event, kind: 'system', keyId: bootId }).catch((error: unknown) => {
        onError(toCountersignError(error), `notice of ${record.id}`);
      });
    };
    if (notifier.hasTargets) return notifier.tell(notice, write);
    const reason = 'the configuration has neither notify.webhooks nor notify.commands';
    onNotice(`notice of ${record.id}, which was opened by break-glass: told nobody, because ${reason}`);
    write('none', { kind: 'failed', tries: 0, reason });
  };
}

function notifiedEvent(
  { id, digest, opening, document }: HoldRecord,
  notice: string,
  node: string,
  target: string,
  delivery: Delivery,
): Omit<LedgerEvent, 'kind' | 'keyId'> {
  return {
    type: 'breakglass.notified',
    status: delivery.kind === 'delivered' ? 'ok' : 'failed',
    target: document.connection,
    ...(opening?.node === node ? { ref: opening.leaf } : {}),
    body: {
      hold_id: id,
      digest,
      notice,
      receiver: target,
      tries: delivery.tries,
      ...(delivery.kind === 'failed' ? { reason: delivery.reason } : {}),
    },
  };
}

function linkOf(config: Config, { id }: HoldRecord): string {
  return holdLink(config, id);
}

/** Where people look at a hold. */
export function holdLink(config: Config, id: string): string {
  return `${apiUrl(config)}/v1/approvals/${id}`;
}

/** Where the API is, as people reach it. */
export function apiUrl({ listen, notify }: Config): string {
  const { host, port } = listen.api;
  return notify.baseUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
