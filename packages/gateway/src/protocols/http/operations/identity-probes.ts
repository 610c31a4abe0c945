/**
 * Where services say which model they run, and which members of that are the model: one row a dialect.
 *
 * Only members that stay as they are while the model does: no load, no counters, no times of a start. A row lists paths
 * that are all asked for; a member that a service does not have is left out of the identity.
 * Sources: the services' own references (README.md says which of them were not tried).
 * Untrusted: answers.
 */

import { PROBE_LIMITS as LIMITS } from '../../../core/probe-limits.ts';
import type { JsonPattern } from '../../../core/rerank.ts';
import type { JsonNode } from '../json/json-node.ts';
import { bytesOf, type JsonBody, nodesAt, textOf } from './json-values.ts';

/** One request of a probe. */
export interface IdentityRequest {
  /** `{model}` stands for the name of the model. */
  readonly path: string;
  /** The array with an item for each model; left out, the answer is about one. */
  readonly list?: JsonPattern;
  /** The member of an item that names it. */
  readonly name?: JsonPattern;
  /** What makes the identity, behind the item or in the answer. */
  readonly members: readonly JsonPattern[];
}

export interface IdentityProbe {
  readonly requests: readonly IdentityRequest[];
}

/** Members by pointer, with the bytes of their values. */
type Members = Readonly<Record<string, string>>;

/** What one answer says; of a list, members of each model. */
export type ModelIdentity = Members | readonly Members[];

const OPENAI: Pick<IdentityRequest, 'list' | 'name'> = { list: '/data', name: '/id' };
const INFINITY_MEMBERS = words('/id /revision /dtype /backend /capabilities /version');

export const IDENTITY_PROBES: ReadonlyMap<string, IdentityProbe> = new Map([
  probe('tei', {
    path: '/info',
    members: words(
      '/model_id /model_sha /model_dtype /model_type /model_version /version /sha /docker_label',
    ),
  }),
  probe('infinity', { ...OPENAI, path: '/models', members: INFINITY_MEMBERS }),
  probe(
    'vllm',
    { ...OPENAI, path: '/v1/models', members: words('/id /root /parent /max_model_len') },
    { path: '/version', members: words('/version') },
  ),
  probe(
    'llamacpp',
    { ...OPENAI, path: '/v1/models', members: words('/id /meta/n_params /meta/size /meta/n_vocab') },
    { path: '/props', members: words('/model_path /build_info') },
  ),
  probe(
    'nim',
    { ...OPENAI, path: '/v1/models', members: words('/id /root') },
    { path: '/v1/metadata', members: words('/id /version /modelInfo') },
  ),
  probe('litellm', {
    path: '/v1/model/info',
    list: '/data',
    name: '/model_name',
    members: words(
      '/model_name /litellm_params/model /litellm_params/api_base /model_info/id /model_info/db_model',
    ),
  }),
  probe('localai', { ...OPENAI, path: '/v1/models', members: words('/id') }),
  probe('xinference', {
    ...OPENAI,
    path: '/v1/models',
    members: words('/id /model_name /model_revision /model_type /model_format /quantization'),
  }),
  ...['cohere-v1', 'cohere-v2'].map((name) =>
    probe(name, {
      path: '/v1/models/{model}',
      members: words('/name /is_deprecated /finetuned /endpoints /context_length /tokenizer_url'),
    }),
  ),
  probe('pinecone', {
    path: '/models/{model}',
    members: words('/model /short_description /type /provider_name /modality /max_sequence_length'),
  }),
  probe('weaviate-sidecar', {
    path: '/meta',
    members: words('/model /model_path /_name_or_path /transformers_version /architectures'),
  }),
  probe('elasticsearch', {
    path: '/_inference/rerank/{model}',
    list: '/endpoints',
    name: '/inference_id',
    members: words('/inference_id /service /service_settings /task_settings'),
  }),
  probe('opensearch', {
    path: '/_plugins/_ml/models/{model}',
    members: words('/name /model_version /model_content_hash_value /algorithm /model_state'),
  }),
]);

/** Whether its requests name a model in their paths. */
export function namesModel({ requests }: IdentityProbe): boolean {
  return requests.some(({ path }) => path.includes('{model}'));
}

/** The path that is asked for. */
export function identityPath({ path }: IdentityRequest, model: string | undefined): string {
  return path.replace('{model}', encodeURIComponent(model ?? ''));
}

/**
 * What an answer says of the model.
 *
 * @param model of a list, the only one that counts; undefined: all of them
 * @returns undefined where the answer says nothing of it, or of more models than limits allow
 */
export function readIdentity(
  request: IdentityRequest,
  body: JsonBody,
  model: string | undefined,
): ModelIdentity | undefined {
  if (body.root === undefined) return undefined;
  const { list, name, members } = request;
  if (list === undefined) {
    const found = membersOf(body, body.root, members);
    return Object.keys(found).length === 0 ? undefined : found;
  }
  const items = nodesAt(body.root, list)[0]?.node;
  if (items?.kind !== 'array') return undefined;
  const isMeant = (item: JsonNode): boolean =>
    model === undefined || name === undefined || textOf(body, nodesAt(item, name)[0]?.node) === model;
  const read = items.items
    .filter(isMeant)
    .slice(0, LIMITS.modelsMax + 1)
    .map((item) => membersOf(body, item, members))
    .filter((found) => Object.keys(found).length > 0);
  if (read.length === 0 || read.length > LIMITS.modelsMax) return undefined;
  // Servers list their models in the order of a table of their own.
  return read.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** Values as the bytes that came: null and what is not there say nothing. */
function membersOf(body: JsonBody, node: JsonNode, patterns: readonly JsonPattern[]): Members {
  const found: Record<string, string> = {};
  for (const pattern of patterns) {
    const value = nodesAt(node, pattern)[0]?.node;
    if (value === undefined || value.kind === 'null') continue;
    const text = bytesOf(body, value).toWellFormed();
    // What is longer is known by its beginning, its end and its length.
    const half = LIMITS.memberCharactersMax / 2;
    found[pattern] =
      text.length <= LIMITS.memberCharactersMax
        ? text
        : `${text.slice(0, half)}…${text.length}…${text.slice(-half)}`.toWellFormed();
  }
  return found;
}

function probe(name: string, ...requests: readonly IdentityRequest[]): readonly [string, IdentityProbe] {
  return [name, { requests }];
}

function words(text: string): readonly string[] {
  return text.split(' ');
}
