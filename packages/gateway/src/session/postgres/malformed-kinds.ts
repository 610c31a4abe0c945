/** What a message that no decoder reads is to the response queue, and what it is called in a leaf. */

import { FRONTEND } from '../../protocols/postgres/messages.ts';
import type { RequestKind } from '../../protocols/postgres/states.ts';

/** By type byte; any other is `MalformedExtended`. */
export const MALFORMED_KINDS: Readonly<Partial<Record<number, RequestKind>>> = {
  [FRONTEND.Query]: 'MalformedSimple',
  [FRONTEND.FunctionCall]: 'MalformedSimple',
  [FRONTEND.Flush]: 'MalformedFlush',
  [FRONTEND.Sync]: 'MalformedSync',
};

export const MESSAGE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(FRONTEND).map(([name, type]) => [type, name]),
);
