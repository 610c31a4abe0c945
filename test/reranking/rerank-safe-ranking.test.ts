/** What rerank-safe masking does to the ranking of the demo's reranker: nothing, with detection and all. */

import { expect, it } from 'vitest';
import { Secret } from '../../packages/gateway/src/core/secret.ts';
import { rerankSafe } from '../../packages/gateway/src/masking/bodies/rerank-safe.ts';
import { Scanner } from '../../packages/gateway/src/masking/detect/scanner.ts';
import { joined } from '../../packages/gateway/src/masking/operators/bytes.ts';
import { MaskingKeyRing } from '../../packages/gateway/src/masking/operators/key-ring.ts';
import { type Masking, MaskingExperiment, plain, USUAL } from './masking-experiment.ts';

const KEYS = new MaskingKeyRing({ id: 1, secret: new Secret(new Uint8Array(32).fill(7)) });
const SCANNER = new Scanner({ regions: ['US', 'GB'] });

/** The call as the gateway would send it. */
const SAFE: Masking = ({ query, documents }) => {
  const body = JSON.stringify({ query: plain(query), documents: documents.map(plain) });
  const { parts } = rerankSafe(new TextEncoder().encode(body), {
    texts: ['/query', '/documents/*'],
    connection: 'reranker',
    keys: KEYS.current,
    scanner: SCANNER,
    entities: undefined,
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- What went in, with other texts.
  return JSON.parse(new TextDecoder().decode(joined(parts))) as ReturnType<Masking>;
};

it('is exactly the unmasked ranking, with what the gateway finds and sends', { timeout: 240_000 }, () => {
  const experiment = new MaskingExperiment(20_261_127);
  const { none } = USUAL;
  if (none === undefined) throw new RangeError('there is a baseline');
  expect(experiment.effects(SAFE)).toEqual(experiment.effects(none));
});
