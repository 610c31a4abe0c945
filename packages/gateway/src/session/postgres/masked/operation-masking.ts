/** What was masked of the answers to one Operation: what its outcome leaf says. */

import { MASKED_SESSION_LIMITS } from '../../../core/masking-limits.ts';
import type { BodyValue } from '../../../core/ledger-port.ts';
import { MaskCounts } from '../../../masking/rows/mask-counts.ts';

/** Owned by the running Operation. */
export class OperationMasking {
  readonly counts: MaskCounts = new MaskCounts();
  /** Columns of results that came as NULL, because nobody knew where they come from. */
  wholeColumns = 0;
  /** Errors and notices that came without what they said. */
  messages = 0;

  /** Fields of the outcome's body; spec/events.md. */
  body(): Record<string, BodyValue> {
    const all = this.counts.list().filter(({ mask }) => mask !== undefined);
    const stated = all.slice(0, MASKED_SESSION_LIMITS.statedMasksMax);
    const more = all.slice(stated.length).reduce((sum, { values }) => sum + values, 0);
    return {
      ...(stated.length === 0
        ? {}
        : {
            masked: stated.map(({ mask = '', version = 0, column, entity, operator, values }) => {
              return { mask, version, column, entity, operator, values };
            }),
          }),
      ...(more === 0 ? {} : { masked_more: more }),
      ...(this.wholeColumns === 0 ? {} : { masked_whole: this.wholeColumns }),
      ...(this.messages === 0 ? {} : { masked_in_errors: this.messages }),
    };
  }
}
