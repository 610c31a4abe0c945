/** What changes the models and the ranking of Elasticsearch and OpenSearch. */

import { OPENSEARCH_PREDICT } from '../rerank-shapes.ts';
import { modelRoutes, type Route, type RouteDetails, route } from '../route.ts';

const ES = 'elasticsearch';
const OS = 'opensearch';
const ML = '/_plugins/_ml';

/** `custom` and twenty-five other services take an address and a secret, so that data may go anywhere. */
const INFERENCE: RouteDetails = {
  names: [['model', '/service_settings/model_id']],
};

export const ELASTICSEARCH_MODELS: readonly Route[] = [
  modelRoutes(
    ES,
    'redirect',
    'PUT',
    '/_inference/{inference_id} /_inference/{task}/{inference_id}',
    INFERENCE,
  ),
  modelRoutes(
    ES,
    'redirect',
    'PUT POST',
    '/_inference/{inference_id}/_update /_inference/{task}/{inference_id}/_update',
    INFERENCE,
  ),
  modelRoutes(ES, 'delete', 'DELETE', '/_inference/{inference_id} /_inference/{task}/{inference_id}'),
  modelRoutes(ES, 'redirect', 'PUT DELETE', '/_inference/_region_policy'),
  modelRoutes(
    ES,
    'probe',
    'GET',
    '/_ml/trained_models /_ml/trained_models/{model} /_ml/trained_models/{model}/_stats',
  ),
  modelRoutes(
    ES,
    'change',
    'PUT',
    '/_ml/trained_models/{model} /_ml/trained_models/{model}/definition/{part} /_ml/trained_models/{model}/vocabulary',
  ),
  modelRoutes(ES, 'change', 'PUT DELETE', '/_ml/trained_models/{model}/model_aliases/{alias}'),
  modelRoutes(
    ES,
    'change',
    'POST',
    [
      '/_ml/trained_models/{model}/deployment/_start',
      '/_ml/trained_models/{model}/deployment/_stop',
      '/_ml/trained_models/{model}/deployment/_update',
    ].join(' '),
  ),
  modelRoutes(ES, 'delete', 'DELETE', '/_ml/trained_models/{model}'),
  route('POST', '/_ml/trained_models/{model}/_infer /_ml/trained_models/{model}/deployment/_infer', [
    'egress:model',
  ]),
  modelRoutes(
    ES,
    'probe',
    'GET',
    '/_query_rules /_query_rules/{ruleset} /_query_rules/{ruleset}/_rule/{rule}',
  ),
  route('POST', '/_query_rules/{ruleset}/_test', ['read']),
  modelRoutes(ES, 'change', 'PUT DELETE', '/_query_rules/{ruleset} /_query_rules/{ruleset}/_rule/{rule}'),
  modelRoutes(ES, 'probe', 'GET', '/_synonyms /_synonyms/{set} /_synonyms/{set}/{rule}'),
  modelRoutes(ES, 'change', 'PUT DELETE', '/_synonyms/{set} /_synonyms/{set}/{rule}'),
  modelRoutes(ES, 'probe', 'GET', '/_application/search_application /_application/search_application/{name}'),
  modelRoutes(ES, 'change', 'PUT DELETE', '/_application/search_application/{name}'),
  route('GET POST', '/_application/search_application/{name}/_search', ['read'], { bodyInGet: true }),
].flat();

/** Learning to rank: an extension of both. */
const LTR: readonly Route[] = [
  modelRoutes(
    OS,
    'probe',
    'GET',
    '/_ltr /_ltr/_feature /_ltr/_featureset /_ltr/_model /_ltr/_model/{model} /_ltr/_stats',
  ),
  modelRoutes(OS, 'change', 'PUT POST', '/_ltr /_ltr/{store}'),
  modelRoutes(OS, 'delete', 'DELETE', '/_ltr /_ltr/{store}'),
  ...['_feature', '_featureset', '_model'].flatMap((kind) => [
    modelRoutes(OS, 'change', 'PUT POST', `/_ltr/${kind}/{id} /_ltr/{store}/${kind}/{id}`),
    modelRoutes(OS, 'delete', 'DELETE', `/_ltr/${kind}/{id} /_ltr/{store}/${kind}/{id}`),
  ]),
  modelRoutes(
    OS,
    'change',
    'POST',
    '/_ltr/_featureset/{id}/_createmodel /_ltr/{store}/_featureset/{id}/_createmodel',
  ),
  modelRoutes(OS, 'change', 'POST', '/_ltr/_featureset/{id}/_addfeatures /_ltr/_clearcache'),
].flat();

export const OPENSEARCH_MODELS: readonly Route[] = [
  route('POST', `${ML}/models/{model}/_predict ${ML}/models/{model}/_predict/stream`, ['rerank'], {
    rerank: OPENSEARCH_PREDICT,
  }),
  route('POST', `${ML}/_predict/{algorithm}/{model}`, ['rerank'], { rerank: OPENSEARCH_PREDICT }),
  modelRoutes(
    OS,
    'probe',
    'GET',
    `${ML}/models/{model} ${ML}/model_groups/{group} ${ML}/tasks/{task} ${ML}/stats`,
  ),
  modelRoutes(
    OS,
    'probe',
    'GET POST',
    `${ML}/models/_search ${ML}/model_groups/_search ${ML}/connectors/_search`,
    {
      bodyInGet: true,
    },
  ),
  modelRoutes(OS, 'probe', 'GET', `${ML}/connectors/{connector} ${ML}/profile ${ML}/profile/*`),
  modelRoutes(
    OS,
    'change',
    'POST',
    `${ML}/models/_register ${ML}/models/_upload ${ML}/models/meta ${ML}/models/_register_meta`,
  ),
  modelRoutes(OS, 'change', 'POST', `${ML}/models/{model}/upload_chunk/{chunk}`),
  modelRoutes(OS, 'change', 'PUT', `${ML}/models/{model}/upload_chunk/{chunk} ${ML}/models/{model}`),
  modelRoutes(
    OS,
    'change',
    'POST',
    ['_deploy', '_undeploy', '_load', '_unload'].map((word) => `${ML}/models/{model}/${word}`).join(' '),
  ),
  modelRoutes(
    OS,
    'change',
    'POST',
    `${ML}/models/_deploy ${ML}/models/_undeploy ${ML}/models/_load ${ML}/models/_unload`,
  ),
  modelRoutes(OS, 'delete', 'DELETE', `${ML}/models/{model} ${ML}/model_groups/{group}`),
  modelRoutes(OS, 'change', 'POST', `${ML}/model_groups/_register`),
  modelRoutes(OS, 'change', 'PUT', `${ML}/model_groups/{group}`),
  modelRoutes(OS, 'redirect', 'POST', `${ML}/connectors/_create`),
  modelRoutes(OS, 'redirect', 'PUT', `${ML}/connectors/{connector}`),
  modelRoutes(OS, 'delete', 'DELETE', `${ML}/connectors/{connector}`),
  modelRoutes(OS, 'change', 'POST PUT', `${ML}/controllers/{model}`),
  modelRoutes(OS, 'delete', 'DELETE', `${ML}/controllers/{model}`),
  modelRoutes(
    OS,
    'change',
    'POST',
    `${ML}/_train/{algorithm} ${ML}/_train_predict/{algorithm} ${ML}/agents/_register`,
  ),
  modelRoutes(OS, 'delete', 'DELETE', `${ML}/agents/{agent}`),
  route('POST', `${ML}/agents/{agent}/_execute ${ML}/_execute/{algorithm}`, ['egress:model', 'unknown']),
  modelRoutes(OS, 'probe', 'GET', '/_search/pipeline /_search/pipeline/{pipeline}'),
  modelRoutes(OS, 'change', 'PUT', '/_search/pipeline/{pipeline}'),
  modelRoutes(OS, 'delete', 'DELETE', '/_search/pipeline/{pipeline}'),
  modelRoutes(OS, 'change', 'POST', '/_plugins/_knn/models/_train /_plugins/_knn/models/{model}/_train'),
  modelRoutes(OS, 'delete', 'DELETE', '/_plugins/_knn/models/{model}'),
  LTR,
].flat();
