/** The tables behind large results and COPY: documents with scores, wide; pairs of numbers, narrow. */

import { WireClient } from '../measure/wire-client.ts';
import type { Stage } from '../stage.ts';

export const ROWS_COUNT = 100_000;

const WORDS =
  'ranking,model,document,query,score,passage,relevance,index,vector,candidate,answer,the,of,and,in';

const prepared = new WeakSet<Stage>();

/** Makes them once for a run. */
export async function prepareSampleTables(stage: Stage): Promise<void> {
  if (prepared.has(stage)) return;
  prepared.add(stage);
  const client = await WireClient.open(stage.direct);
  // About 1 kB a row: 120 words that compress as text does, and digests that do not.
  await client.query(`
    select setseed(0.5);
    create unlogged table wide as
      select i as id, random() as score, md5(i::text) as digest, now() as seen,
        (select string_agg((string_to_array('${WORDS}', ','))[1 + (random() * 14)::int], ' ')
           from generate_series(1, 120 + i * 0)) as body,
        md5((i + 1)::text) || md5((i + 2)::text) as signature
      from generate_series(1, ${ROWS_COUNT}) as i;
    create unlogged table narrow as
      select i as id, (random() * 1000000)::int as score from generate_series(1, ${ROWS_COUNT}) as i;
    create unlogged table copied (like wide)`);
  await client.query('vacuum analyze wide, narrow');
  await client.close();
}
