/** Which leaves about given holds the log has, for a start that finds changes half done. */

import { bodyValues } from '@countersign/ledger/body';
import { openStoredBody } from '../audit/find-leaf.ts';
import type { LogReader } from '../audit/log-reader.ts';
import { parseOwnLeaf } from '../audit/own-leaf.ts';
import type { ScopeKeys } from '../core/ledger-port.ts';

/** A leaf about a hold. */
export interface HoldLeaf {
  readonly index: number;
  readonly type: string;
  readonly status: string | undefined;
  readonly holdId: string;
  readonly approver: string | undefined;
  /** Comment of a vote, or reason of a withdrawal. */
  readonly text: string | undefined;
}

/** The log as this room reads it. */
export interface HoldLog {
  /** Leaves that are durable. */
  size(): number;
  /** Leaves about these holds, from an index on. */
  leavesOf(ids: ReadonlySet<string>, from: number): Promise<readonly HoldLeaf[]>;
}

const TYPES: ReadonlySet<string> = new Set([
  'hold.asked',
  'approval.granted',
  'approval.denied',
  'approval.expired',
  'approval.withdrawn',
  'hold.executed',
  'breakglass.used',
  'breakglass.reviewed',
]);

/** Over the journal; a leaf whose key was destroyed tells nothing, as if it were not there. */
export function holdLog(
  ledger: { readonly size: number },
  reader: LogReader,
  keys: Pick<ScopeKeys, 'find'>,
): HoldLog {
  return {
    size: () => ledger.size,
    async leavesOf(ids, from) {
      const found: HoldLeaf[] = [];
      for await (const { index, leaf: bytes, sealed } of reader.leaves(from)) {
        const leaf = parseOwnLeaf(bytes, index);
        if (!TYPES.has(leaf.type)) continue;
        const body = await openStoredBody(leaf, sealed, keys);
        const values = body === undefined ? {} : bodyValues(body);
        const holdId = textOf(values['hold_id']);
        if (holdId === undefined || !ids.has(holdId)) continue;
        const text = textOf(values['comment']) ?? textOf(values['reason']);
        found.push({
          index,
          type: leaf.type,
          status: leaf.status,
          holdId,
          approver: textOf(values['approver']),
          text,
        });
      }
      return found;
    },
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
