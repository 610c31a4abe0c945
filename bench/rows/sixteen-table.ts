/** The row mix as tables: `sixteen`, of which Masks name two columns, and `sixteen_clear`, of which they name none. */

import { rowMix } from '../measure/row-mix.ts';
import { frame, WireClient } from '../measure/wire-client.ts';
import type { Stage } from '../stage.ts';

export const SIXTEEN_ROWS = 100_000;

/** Rows of the mix that differ; each is there again and again, under other ids. */
const DIFFERENT_ROWS = 10_000;
const COLUMNS = `
  id int, request_uuid uuid, status text, created_at timestamptz, updated_at timestamptz, amount numeric,
  quantity int, score float8, name text, contact text, phone text, digest text, sku text, note text,
  payload jsonb, url text`;
const COLUMNS_COUNT = 16;

const made = new WeakSet<Stage>();

/** Makes them once for a run. */
export async function prepareSixteenTables(stage: Stage): Promise<void> {
  if (made.has(stage)) return;
  made.add(stage);
  const client = await WireClient.open(stage.direct);
  await client.query(`create unlogged table mix (${COLUMNS})`);
  await client.copyIn('copy mix from stdin', [frame('d', mixLines())]);
  for (const table of ['sixteen', 'sixteen_clear']) {
    await client.query(`
      create unlogged table ${table} (like mix);
      insert into ${table}
        select (again * ${DIFFERENT_ROWS} + row_number() over (partition by again))::int as id,
          request_uuid, status, created_at, updated_at, amount, quantity, score, name, contact, phone, digest, sku,
          note, payload, url
        from generate_series(0, ${SIXTEEN_ROWS / DIFFERENT_ROWS - 1}) as again, mix;
      alter table ${table} add primary key (id)`);
    await client.query(`vacuum analyze ${table}`);
  }
  await client.close();
}

/** As COPY reads them: the mix has no tab, no backslash and no end of a line. */
function mixLines(): Buffer {
  const { bytes, offsets } = rowMix(DIFFERENT_ROWS);
  const lines: string[] = [];
  const mix = Buffer.from(bytes);
  for (let field = 0; field < offsets.length - 1; field += COLUMNS_COUNT) {
    const values = Array.from({ length: COLUMNS_COUNT }, (_, column) =>
      mix.toString('utf8', offsets[field + column], offsets[field + column + 1]),
    );
    lines.push(`${values.join('\t')}\n`);
  }
  return Buffer.from(lines.join(''));
}
