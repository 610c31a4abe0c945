/** What those who wait for a hold are told, by its state. */

import type { HoldRecord } from './hold-record.ts';
import type { HoldTexts } from './hold-texts.ts';
import type { Settlement } from './holds-port.ts';

/** Undefined while it is asked. */
export async function settlementOf(record: HoldRecord, texts: HoldTexts): Promise<Settlement | undefined> {
  switch (record.state) {
    case 'asked':
      return undefined;
    case 'granted': {
      const votes = await texts.votes(record);
      const approvers = votes.filter(({ decision }) => decision === 'approve').map(({ name }) => name);
      const openedBy = record.opening?.rule.name;
      return { state: 'granted', approvers, useUntilUs: record.useUntilUs ?? 0, openedBy };
    }
    case 'denied': {
      const denial = (await texts.votes(record)).find(({ decision }) => decision === 'deny');
      return { state: 'denied', by: record.endedBy ?? '', comment: denial?.comment };
    }
    case 'expired':
      return { state: 'expired' };
    case 'withdrawn':
      return { state: 'withdrawn', by: record.endedBy, reason: await texts.reason(record) };
    case 'executing':
    case 'executed':
    case 'failed':
      return { state: 'used' };
    default:
      return record.state satisfies never;
  }
}
