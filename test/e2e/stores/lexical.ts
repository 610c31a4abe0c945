/** By what the stand-ins rank texts: the demo's own model, as it is shipped. */

import { readFileSync } from 'node:fs';
import { type Parameters, parseParameters } from '../../../examples/demo/reranker/parameters.ts';

export const LEXICAL: Parameters = parseParameters(
  readFileSync(new URL('../../../examples/demo/reranker/models/lexical-blend@1.4.0.json', import.meta.url)),
);
