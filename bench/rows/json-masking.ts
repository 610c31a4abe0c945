/** What masking JSON as it goes by costs a core: answers of a reranker that repeat their documents, and rows as JSON. */

import type { BodyTools } from '../../packages/gateway/src/masking/bodies/body-leaves.ts';
import { bodyMasker } from '../../packages/gateway/src/masking/bodies/body-masker.ts';
import { BodyPlan } from '../../packages/gateway/src/masking/bodies/body-plan.ts';
import { Scanner } from '../../packages/gateway/src/masking/detect/scanner.ts';
import { MaskingKeyRing } from '../../packages/gateway/src/masking/operators/key-ring.ts';
import { compileMask } from '../../packages/gateway/src/masking/plan/compile-mask.ts';
import type { Mask } from '../../packages/gateway/src/masking/plan/mask.ts';
import { SessionMasks } from '../../packages/gateway/src/masking/plan/session-masks.ts';
import { MaskCounts } from '../../packages/gateway/src/masking/rows/mask-counts.ts';
import { MaskMemory } from '../../packages/gateway/src/masking/rows/mask-memory.ts';
import { Secret } from '../../packages/gateway/src/core/secret.ts';
import { rowMix } from '../measure/row-mix.ts';
import { formatSpread, spreadOf } from '../measure/statistics.ts';
import { metIf, type Row, type RowResult } from './row.ts';

const DOCUMENTS = 100;
const ROWS = 400;
/** As a socket gives them. */
const CHUNK_BYTES = 65_536;
const BYTES_A_ROUND = 40_000_000;
const GOAL = 150;

export const JSON_MASKING_ROW: Row = {
  id: 'json-masking',
  run: (stage) => Promise.resolve(measure(stage.rounds)),
};

const EVERYBODY = { kind: 'Mask', on: [], who: [], unless: [], as: 'redact' } as const;
const FIELD: Mask = {
  ...EVERYBODY,
  name: 'fields',
  fields: ['/results/*/document/customer/email', '/**/national_id'],
};
const LOOKS: Mask = {
  ...EVERYBODY,
  name: 'looks',
  detect: ['email', 'card', 'iban', 'phone', 'secret', 'ssn'],
};

const PLANS: readonly (readonly [what: string, masks: readonly Mask[]])[] = [
  ['by fields', [FIELD]],
  ['by looks', [LOOKS]],
  ['by both', [FIELD, LOOKS]],
];

function measure(rounds: number): RowResult {
  const contents = [
    ['a reranker that repeats its documents', answer()],
    ['vectors of 1,536 numbers', vectors()],
    ['rows of sixteen columns', rows()],
  ] as const;
  const lines: (readonly string[])[] = [];
  let byBoth: readonly number[] = [];
  for (const [content, bytes] of contents) {
    for (const [what, masks] of PLANS) {
      const rates = ratesOf(bytes, masks, rounds);
      if (content === contents[0][0] && masks.length > 1) byBoth = rates;
      lines.push([content, String(bytes.length), what, formatSpread(rates, 0)]);
    }
  }
  return {
    tables: [
      {
        title: 'Masking JSON as it goes by',
        columns: ['content', 'bytes', 'masked', 'MB/s of one core'],
        rows: lines,
        notes: ['Chunks of 64 KiB; one value in ten of the texts is personal. CPU time of the process.'],
      },
    ],
    goals: [
      {
        what: 'masking JSON of a reranker, by fields and by looks',
        goal: `≥ ${GOAL} MB/s of one core`,
        measured: formatSpread(byBoth, 0),
        met: metIf(spreadOf(byBoth).median, (value) => value >= GOAL),
      },
    ],
  };
}

function ratesOf(bytes: Uint8Array, masks: readonly Mask[], rounds: number): readonly number[] {
  const plan = new BodyPlan(new SessionMasks(masks.map((mask) => compileMask(mask, 1))));
  const options = { regions: ['US', 'GB', 'DE'] };
  const tools: BodyTools = {
    keys: new MaskingKeyRing({ id: 1, secret: new Secret(new Uint8Array(32).fill(7)) }),
    scanner: new Scanner(options),
    scannerOptions: options,
    memory: new MaskMemory(),
    counts: new MaskCounts(),
  };
  const passes = Math.ceil(BYTES_A_ROUND / bytes.length);
  let given = 0;
  function pass(): void {
    const masker = bodyMasker('json', plan, tools);
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      for (const part of masker.push(bytes.subarray(at, at + CHUNK_BYTES))) given += part.length;
    }
    for (const part of masker.finish()) given += part.length;
  }
  for (let index = 0; index < passes; index += 1) pass();
  const rates: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    for (let index = 0; index < passes; index += 1) pass();
    rates.push((bytes.length * passes) / process.cpuUsage(before).user);
  }
  if (given === 0) throw new Error('nothing was given on');
  return rates;
}

const SENTENCES = [
  'The parcel came two days late and the box was open, but everything was in it.',
  'Please send the return label by mail; the order number is 4711-0815.',
  'I have had this kettle for three years and the handle is loose now.',
  'Your colleague on the telephone was kind and could not help me with the invoice.',
  'It says 18 March 2026 on the receipt, and the price was 49.90 EUR with a discount.',
];

function answer(): Uint8Array {
  const results = Array.from({ length: DOCUMENTS }, (_, index) => ({
    index,
    relevance_score: 1 / (index + 1.37),
    document: {
      id: `doc-${index * 7919}`,
      text: Array.from({ length: 8 }, (__, at) =>
        at === 4 && index % 2 === 0
          ? `Write to customer${index}@example.org or call +49 30 ${1_000_000 + index}.`
          : SENTENCES[(index + at) % SENTENCES.length],
      ).join(' '),
      customer: { email: `customer${index}@example.org`, since: '2019-04-01' },
    },
  }));
  const usage = { id: '0b8e7d5a-1f7c-4a57-9d1f-0c3a6f2f5a10', meta: { billed_units: { search_units: 1 } } };
  return new TextEncoder().encode(JSON.stringify({ ...usage, results }));
}

function vectors(): Uint8Array {
  const points = Array.from({ length: 20 }, (_, index) => ({
    id: index,
    vector: Array.from({ length: 1_536 }, (__, at) => Math.sin(index * 1_536 + at)),
  }));
  return new TextEncoder().encode(JSON.stringify({ points }));
}

function rows(): Uint8Array {
  const { columns, bytes, offsets } = rowMix(ROWS);
  const decoder = new TextDecoder();
  const list = Array.from({ length: ROWS }, (_, row) =>
    Object.fromEntries(
      columns.map((name, column) => {
        const field = row * columns.length + column;
        return [name, decoder.decode(bytes.subarray(offsets[field], offsets[field + 1]))];
      }),
    ),
  );
  return new TextEncoder().encode(JSON.stringify(list));
}
