/** What COPY … TO STDOUT sends, masked field by field. */

import type { StatementFacts } from '../../../core/effects.ts';
import { CountersignError } from '../../../core/errors.ts';
import type { RowMasker } from '../../../masking/rows/row-masker.ts';
import { copyInFormat, copyOutFormat } from '../../../protocols/postgres/copy-options.ts';
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

/** Why nothing of a COPY could be masked as it is written, or looked through as it comes. */
export function whyNoCopy({ copyOut, copyIn }: StatementFacts, clientEncoding: string): string | undefined {
  const out = copyOut === undefined ? undefined : copyOutFormat(copyOut, clientEncoding);
  if (out?.kind === 'refused') return `what it copies cannot be masked: ${out.reason}`;
  const into = copyIn === undefined ? undefined : copyInFormat(copyIn, clientEncoding);
  if (into?.kind === 'refused') return `what it copies cannot be looked through: ${into.reason}`;
  return undefined;
}

function impossible(reason: string): CountersignError {
  return new CountersignError('MASKING_IMPOSSIBLE', { what: 'what COPY sends', reason });
}
