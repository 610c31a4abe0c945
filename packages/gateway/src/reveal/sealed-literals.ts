/** What a leaf has sealed of a statement's literals. */

import { bodyValues } from '@countersign/ledger/body';
import type { Json } from '@countersign/ledger/jcs';
import { parseLeaf } from '@countersign/ledger/leaf';
import type { LogReader } from '../audit/log-reader.ts';
import { unsealBody } from '../audit/sealed-body.ts';
import { CountersignError } from '../core/errors.ts';
import { literalKeyOf, openLiterals } from '../keys/literal-key.ts';

export interface SealedLiterals {
  /** Names of the Masks that reached the session. */
  readonly masks: readonly string[];
  /** The fields of the body as they were. */
  open(): Readonly<Record<string, Json>>;
}

/**
 * NOT_FOUND where the leaf is none of the session's, or hides nothing.
 *
 * @param key of the session; zeroed by this
 */
export async function sealedLiterals(
  reader: Pick<LogReader, 'leaf'>,
  session: string,
  index: number,
  key: Uint8Array,
): Promise<SealedLiterals> {
  try {
    const stored = await reader.leaf(index);
    const parsed = stored === undefined ? undefined : parseLeaf(stored.leaf);
    const leaf = parsed?.kind === 'leaf' ? parsed.leaf : undefined;
    if (stored === undefined || leaf?.session !== session || leaf.body === undefined) throw missing(index);
    const body = bodyValues(unsealBody(stored.sealed, leaf.body, key));
    const sealed = firstText(body['sealed_literals']);
    if (sealed === undefined) throw missing(index);
    const literalKey = literalKeyOf(key);
    return {
      masks: maskNames(body['masks']),
      open: () =>
        parseFields(openLiterals(literalKey, { session, what: 'literals' }, Buffer.from(sealed, 'base64'))),
    };
  } finally {
    key.fill(0);
  }
}

/** What was sealed was made of JSON, and GCM says that it is that. */
function parseFields(bytes: Uint8Array): Readonly<Record<string, Json>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The session sealed it in this form.
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as Readonly<Record<string, Json>>;
}

function firstText(value: Json | undefined): string | undefined {
  const [first] = Array.isArray(value) ? value : [];
  return typeof first === 'string' ? first : undefined;
}

function maskNames(value: Json | undefined): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one) => {
    const name = typeof one === 'object' && one !== null && !Array.isArray(one) ? one['mask'] : undefined;
    return typeof name === 'string' ? [name] : [];
  });
}

function missing(index: number): CountersignError {
  return new CountersignError('NOT_FOUND', { what: `hidden literal in leaf ${index} of the session` });
}
