/** Rows as applications have them: sixteen columns, ids, moments, amounts, text, JSON, and some personal data. */

import { Random } from '../../test/fuzz/random.ts';

/** Values one after another in one buffer, as rows lie in what a server sends. */
export interface RowMix {
  readonly columns: readonly string[];
  readonly bytes: Uint8Array;
  /** Where each value begins, row by row, and behind the last its end. */
  readonly offsets: Int32Array;
}

const WORDS =
  'the order was shipped yesterday and arrives soon please check whether all parts are in the box before you sign for it thank you'.split(
    ' ',
  );
const NAMES = ['Ana', 'Ben', 'Chen', 'Dana', 'Emil', 'Fatima', 'Goran', 'Hanna'];

/** The same rows at every run. */
export function rowMix(count: number): RowMix {
  const random = new Random(20_261_127);
  const columns = Object.keys(rowOf(new Random(0), 0));
  const values = Array.from({ length: count }, (_, at) => Object.values(rowOf(random, at))).flat();
  const offsets = new Int32Array(values.length + 1);
  for (const [at, value] of values.entries()) offsets[at + 1] = (offsets[at] ?? 0) + value.length;
  return { columns, bytes: new TextEncoder().encode(values.join('')), offsets };
}

function rowOf(random: Random, at: number): Readonly<Record<string, string>> {
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => random.below(16).toString(16)).join('');
  const words = (many: number): string =>
    Array.from({ length: many }, () => WORDS[random.below(WORDS.length)]).join(' ');
  const moment = new Date(1_700_000_000_000 + random.below(1_000_000_000)).toISOString();
  const name = NAMES[random.below(NAMES.length)] ?? '';
  return {
    id: String(100_000 + at),
    request_uuid: `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
    status: ['open', 'closed', 'pending'][random.below(3)] ?? '',
    created_at: moment.replace('T', ' ').replace('Z', '+00'),
    updated_at: moment,
    amount: `${random.below(100_000)}.${10 + random.below(90)}`,
    quantity: String(random.below(100)),
    score: `0.${100_000 + random.below(900_000)}`,
    name: `${name} ${NAMES[random.below(NAMES.length)]}son`,
    contact: `${name.toLowerCase()}.${random.below(1_000)}@example.org`,
    phone: `+1 415-555-01${10 + random.below(90)}`,
    digest: hex(32),
    sku: `SKU-${hex(4).toUpperCase()}-${random.below(10_000)}`,
    note: words(12),
    payload: JSON.stringify({
      kind: words(1),
      count: random.below(1_000),
      ok: true,
      tags: [words(1), words(1)],
      at: moment,
    }),
    url: `https://shop.example/items/${random.below(100_000)}?ref=${hex(6)}`,
  };
}
