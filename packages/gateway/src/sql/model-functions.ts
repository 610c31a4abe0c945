/**
 * Functions of known extensions that send rows to a model, or to an address, and those that change which model
 * that is. Nobody can know all: what is not in here is still a function that PostgreSQL does not come with.
 *
 * Spec: spec/policy.md §2. Sources: the references of pgai, EDB AI Accelerator (aidb), AlloyDB and Cloud SQL
 * (google_ml, ai), Azure (azure_ai, azure_openai, azure_ml, azure_cognitive), PostgresML (pgml), pg_net, pgsql-http,
 * Oracle's UTL_TO_RERANK and OceanBase's AI_RERANK.
 */

import type { Effect, QualifiedName } from '../core/effects.ts';

interface ModelFunctions {
  /** A name without a schema may be in any; undefined: the names are telling by themselves. */
  readonly schema: RegExp | undefined;
  readonly name: RegExp;
  readonly effects: readonly Effect[];
}

const SENDS: readonly Effect[] = ['egress:model'];
const CHANGES: readonly Effect[] = ['egress:model', 'model-change'];

const KNOWN: readonly ModelFunctions[] = [
  { schema: /^ai$/, name: /^(?:cohere|voyageai|openai|ollama|anthropic|litellm)_\w+$/, effects: SENDS },
  { schema: undefined, name: /^(?:cohere|voyageai)_(?:rerank|embed)\w*$/, effects: SENDS },
  { schema: /^(?:google_ml|ai)$/, name: /^\w+$/, effects: SENDS },
  { schema: /^google_ml$/, name: /^(?:create|alter|drop)_model$/, effects: CHANGES },
  { schema: /^aidb$/, name: /^(?:rerank_text\w*|encode_\w+|decode_\w+|summarize_text\w*)$/, effects: SENDS },
  { schema: undefined, name: /^rerank_text$/, effects: SENDS },
  { schema: /^aidb$/, name: /^(?:create|update|delete|register)_model\w*$/, effects: CHANGES },
  { schema: /^azure_(?:ai|openai|cognitive|ml)$/, name: /^\w+$/, effects: SENDS },
  { schema: /^pgml$/, name: /^(?:rank|transform|transform_stream|embed|generate)$/, effects: SENDS },
  { schema: /^pgml$/, name: /^(?:train|train_joint|deploy|tune|load_dataset)$/, effects: CHANGES },
  { schema: /^net$/, name: /^http_\w+$/, effects: SENDS },
  { schema: undefined, name: /^http(?:_(?:get|post|put|patch|delete|head))?$/, effects: SENDS },
  { schema: undefined, name: /^(?:utl_to_rerank|ai_rerank)$/, effects: SENDS },
];

/** What a call of a function of this name does beside being a call; usually nothing. */
export function modelEffects({ schema, name }: QualifiedName): readonly Effect[] {
  const found = new Set<Effect>();
  const folded = name.toLowerCase();
  for (const known of KNOWN) {
    if (!known.name.test(folded)) continue;
    if (known.schema !== undefined && !known.schema.test(schema?.toLowerCase() ?? '')) continue;
    for (const effect of known.effects) found.add(effect);
  }
  return [...found];
}
