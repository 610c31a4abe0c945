/** The tables behind large results and COPY: documents with scores, wide; pairs of numbers, narrow. */

import { WireClient } from '../measure/wire-client.ts';
import type { Stage } from '../stage.ts';

export type SampleTable = 'wide' | 'narrow';

export const ROWS_COUNT = 100_000;

const WORDS =
  'ranking,model,document,query,score,passage,relevance,index,vector,candidate,answer,the,of,and,in';

const MAKE: Readonly<Record<SampleTable, string>> = {
  // About 1 kB a row: 120 words that compress as text does, and digests that do not.
  wide: `
    select setseed(0.5);
    create unlogged table wide as
      select i as id, random() as score, md5(i::text) as digest, now() as seen,
        (select string_agg((string_to_array('${WORDS}', ','))[1 + (random() * 14)::int], ' ')
           from generate_series(1, 120 + i * 0)) as body,
        md5((i + 1)::text) || md5((i + 2)::text) as signature
      from generate_series(1, ${ROWS_COUNT}) as i;
    create unlogged table copied (like wide)`,
  narrow: `
    create unlogged table narrow as
      select i as id, (random() * 1000000)::int as score from generate_series(1, ${ROWS_COUNT}) as i`,
};

const made = new WeakMap<Stage, Set<SampleTable>>();

/** Makes it once for a run. */
export async function prepareSampleTable(stage: Stage, table: SampleTable): Promise<void> {
  const tables = made.get(stage) ?? new Set();
  made.set(stage, tables);
  if (tables.has(table)) return;
  tables.add(table);
  const client = await WireClient.open(stage.direct);
  await client.query(MAKE[table]);
  await client.query(`vacuum analyze ${table}`);
  await client.close();
}
