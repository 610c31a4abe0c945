/** The names of a message that lies in the spool: they stand at its beginning. */

import { LIMITS } from '../../core/limits.ts';
import { FRONTEND } from '../../protocols/postgres/messages.ts';
import type { SpooledMessage } from './large-message.ts';

/** No Parse and no Bind is remembered under it, because it is not ASCII. */
export const NEVER_A_NAME = '\u00ff';

/** The names at the beginning of a large Parse or Bind, cut as the server cuts them. */
export function readNames({ type, head }: Pick<SpooledMessage, 'type' | 'head'>): readonly [string, string] {
  const count = { [FRONTEND.Parse]: 1, [FRONTEND.Bind]: 2 }[type] ?? 0;
  const max = LIMITS.postgres.nameBytesMax;
  // What is not ASCII is not remembered by name, so that its encoding does not matter here.
  const names = Buffer.from(head).toString('latin1').split('\0');
  const read = (index: number): string => {
    const name = names[index];
    const whole = index < names.length - 1;
    if (name === undefined || index >= count) return index < count ? NEVER_A_NAME : '';
    return whole || name.length >= max ? name.slice(0, max) : NEVER_A_NAME;
  };
  return [read(0), read(1)];
}
