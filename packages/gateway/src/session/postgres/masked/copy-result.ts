/** What COPY … TO STDOUT sends, masked field by field. */

import type { StatementFacts } from '../../../core/effects.ts';
import { CountersignError } from '../../../core/errors.ts';
import type { RowMasker } from '../../../masking/rows/row-masker.ts';
import { copyOutFormat } from '../../../protocols/postgres/copy-options.ts';
import { CopyOutStream } from '../../../protocols/postgres/copy-out.ts';
import type { CopyResponse } from '../../../protocols/postgres/messages.ts';

/** Throws MASKING_IMPOSSIBLE where nobody can tell how its rows are written. */
export function copyResult(
  statement: StatementFacts | undefined,
  response: CopyResponse,
  masker: RowMasker,
  clientEncoding: string,
): CopyOutStream {
  if (statement?.copyOut === undefined) throw impossible('nobody has read its statement');
  const format = copyOutFormat(statement.copyOut, clientEncoding);
  if (format.kind === 'refused') throw impossible(format.reason);
  return new CopyOutStream(format, response, (index, value) => masker.maskField(index, value));
}

/** Whether a COPY can be masked as it is written. */
export function whyNoCopy({ copyOut }: StatementFacts, clientEncoding: string): string | undefined {
  const format = copyOut === undefined ? undefined : copyOutFormat(copyOut, clientEncoding);
  return format?.kind === 'refused' ? format.reason : undefined;
}

function impossible(reason: string): CountersignError {
  return new CountersignError('MASKING_IMPOSSIBLE', { what: 'what COPY sends', reason });
}
