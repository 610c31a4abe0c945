/**
 * The answer to a call that was sent under pseudonyms, for who may see what they stand for: what the answer repeats
 * of the call is as it came.
 *
 * Pipeline: in the place of maskResult, where no Mask reaches what comes back. Anything but JSON passes as it is.
 */

import type { Readable } from 'node:stream';
import type { HttpFields } from '../../core/http-message.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import { bodyFormatOf } from '../../masking/bodies/body-format.ts';
import type { BodyMasker } from '../../masking/bodies/body-masker.ts';
import { valueOf } from '../../protocols/http/fields.ts';
import type { UpstreamAnswer } from '../../upstream/http-exchange.ts';
import {
  type AnswerChange,
  type Came,
  changedRequest,
  contentThrough,
  passing,
  withoutContentFields,
} from './answer-change.ts';

export class RestoredAnswer implements AnswerChange {
  readonly #restoring: () => BodyMasker;

  constructor(restoring: () => BodyMasker) {
    this.#restoring = restoring;
  }

  request(fields: HttpFields): HttpFields {
    return changedRequest(fields);
  }

  answerFields(fields: HttpFields): HttpFields {
    return isRead(fields) ? withoutContentFields(fields) : fields;
  }

  content(answer: UpstreamAnswer, came: Came): Readable {
    return isRead(answer.fields)
      ? contentThrough(answer, this.#restoring(), came)
      : passing(answer.content, came);
  }

  body(): Record<string, BodyValue> {
    return {};
  }
}

function isRead(fields: HttpFields): boolean {
  const type = valueOf(fields, 'content-type');
  return (
    type !== undefined && bodyFormatOf(type) === 'json' && valueOf(fields, 'content-range') === undefined
  );
}
