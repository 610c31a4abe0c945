/** How a session learns what a text does; one for all sessions. */

import type { ReadText } from '../core/effects.ts';

export interface SqlReader {
  /**
   * What a text does. The same bytes give the same object while they are remembered, so that what follows
   * from it can be remembered with it. A promise where a thread has to read it; it never rejects.
   */
  read(textBytes: Uint8Array): ReadText | Promise<ReadText>;
}
