/** What the service says about its models, in the form of each service that has one. Read only. */

import type { Limits } from './limits.ts';
import type { Model, ModelVersion, Models } from './models.ts';
import { DEFAULT_MODEL } from './models.ts';
import type { Place } from './routes.ts';

/** The version of the service itself, which is not that of a model. */
export const SERVICE_VERSION = '1.0.0';

/** The answer to a GET, or `undefined` where there is nothing at the place. @throws Problem for an unknown model. */
export function catalog(place: Place, models: Models, limits: Limits, isPinecone: boolean): unknown {
  const { service, path } = place;
  if (path === '/info') return info(models.model(DEFAULT_MODEL), limits);
  if (path === '/health') return { status: 'ok' };
  const [, name] = /^\/(?:v1\/)?models\/([\w.@-]+)$/.exec(path) ?? [];
  if (name !== undefined) {
    const model = models.model(name);
    if (isPinecone || service === 'pinecone') return pineconeModel(model);
    return path.startsWith('/v1/') ? cohereModel(model) : infinityModel(model);
  }
  if (path !== '/models' && path !== '/v1/models') return undefined;
  const list = models.list();
  if (isPinecone || service === 'pinecone') return { models: list.map(pineconeModel) };
  if (service === 'cohere') return { models: list.map(cohereModel) };
  return { data: list.map(infinityModel), object: 'list' };
}

/** As TEI says what it serves; `model_version` is ours. */
function info({ active }: Model, limits: Limits): unknown {
  return {
    model_id: active.name,
    model_sha: bare(active),
    model_version: active.version,
    model_dtype: 'float64',
    model_type: { reranker: { id2label: { 0: 'LABEL_0' }, label2id: { LABEL_0: 0 } } },
    max_concurrent_requests: limits.callsMax,
    max_input_length: active.parameters.wordsMax,
    max_batch_tokens: active.parameters.wordsMax * limits.teiDocumentsMax,
    max_batch_requests: null,
    max_client_batch_size: limits.teiDocumentsMax,
    auto_truncate: true,
    tokenization_workers: 1,
    version: SERVICE_VERSION,
    sha: null,
    docker_label: null,
  };
}

function bare({ digest }: ModelVersion): string {
  return digest.slice('sha256:'.length);
}

/** Infinity's and OpenAI's form, with `revision` and `dtype`; the version is ours. */
function infinityModel({ name, active, activatedAt }: Model): unknown {
  return {
    id: name,
    object: 'model',
    owned_by: 'infinity',
    created: Math.floor(activatedAt.getTime() / 1_000),
    backend: 'lexical',
    capabilities: ['rerank'],
    revision: bare(active),
    dtype: 'float64',
    version: active.version,
    stats: { queue_fraction: 0, queue_absolute: 0, results_pending: 0, batch_size: 1 },
  };
}

function cohereModel({ name, active }: Model): unknown {
  return {
    name,
    is_deprecated: false,
    endpoints: ['rerank'],
    finetuned: false,
    context_length: active.parameters.wordsMax,
    tokenizer_url: null,
    default_endpoints: [],
    features: null,
  };
}

function pineconeModel({ name, active }: Model): unknown {
  return {
    model: name,
    short_description: `A lexical reranking model, version ${active.version}.`,
    type: 'rerank',
    supported_parameters: [],
    modality: 'text',
    max_sequence_length: active.parameters.wordsMax,
    provider_name: 'Countersign demo',
  };
}
