/** Tells reviewers of a model that is another one without anybody having agreed, and writes down how that went. */

import type { Config } from '../config/config.ts';
import { type CountersignError, toCountersignError } from '../core/errors.ts';
import type { Delivery, ModelNotice } from '../notify/notice.ts';
import type { Notifier } from '../notify/notifier.ts';
import type { FoundChange } from '../probes/model-probes.ts';
import { apiUrl } from './notify.ts';
import type { Rooms } from './rooms.ts';

interface Telling {
  readonly notifier: Notifier;
  readonly onNotice: (line: string) => void;
  readonly onError: (error: CountersignError, where: string) => void;
}

/** Of each target one leaf, also where there is none. */
export function tellOfModel(
  config: Config,
  { ledger, bootId }: Pick<Rooms, 'ledger' | 'bootId'>,
  { notifier, onNotice, onError }: Telling,
): (found: FoundChange) => void {
  return (found) => {
    const notice = modelNotice(config, found);
    const { connection, report } = found;
    const write = (receiver: string, delivery: Delivery): void => {
      ledger
        .append({
          type: 'model.notified',
          status: delivery.kind === 'delivered' ? 'ok' : 'failed',
          kind: 'system',
          keyId: bootId,
          target: connection.name,
          ref: report.leaf,
          body: {
            notice: notice.type,
            receiver,
            reviewers: [...connection.reviewers],
            tries: delivery.tries,
            ...(delivery.kind === 'failed' ? { reason: delivery.reason } : {}),
          },
        })
        .catch((error: unknown) => onError(toCountersignError(error), `notice of ${connection.name}`));
    };
    if (notifier.hasTargets) return notifier.tell(notice, write);
    const reason = 'the configuration has neither notify.webhooks nor notify.commands';
    onNotice(`notice of another model behind ${connection.name}: told nobody, because ${reason}`);
    write('none', { kind: 'failed', tries: 0, reason });
  };
}

function modelNotice(config: Config, { connection, report }: FoundChange): ModelNotice {
  const { name, model, reviewers } = connection;
  return {
    type: 'model.changed',
    timestamp: report.at,
    data: {
      connection: name,
      ...(model === undefined ? {} : { model }),
      what: report.kind,
      leaf: report.leaf,
      node: config.node,
      reviewers,
      link: `${apiUrl(config)}/v1/models/${name}`,
    },
  };
}
