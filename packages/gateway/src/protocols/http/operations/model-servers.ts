/**
 * What changes which model answers: model servers, registries, and what deploys them.
 *
 * Sources and what was not verified: README.md. Model servers that rank have their own dialects; these routes
 * stand beside those of whatever dialect a connection has, because one server often speaks several.
 */

import { type Dialect, modelRoutes, type Route, route } from './route.ts';

function each(prefixes: readonly string[], paths: string): string {
  return prefixes.flatMap((prefix) => paths.split(' ').map((path) => `${prefix}${path}`)).join(' ');
}

const MLFLOW = ['/api/2.0/mlflow', '/ajax-api/2.0/mlflow', '/api/2.0/preview/mlflow'];
const SERVING = '/apis/serving.kserve.io/{version}/namespaces/{namespace}';
const APPS = '/apis/apps/v1/namespaces/{namespace}';
const RAY = '/apis/ray.io/{version}/namespaces/{namespace}';
const KUBERNETES = [
  ...['inferenceservices', 'trainedmodels', 'inferencegraphs', 'servingruntimes', 'llminferenceservices'].map(
    (kind) => `${SERVING}/${kind}`,
  ),
  '/apis/serving.kserve.io/{version}/clusterservingruntimes',
  '/apis/serving.kserve.io/{version}/localmodelcaches',
  `${APPS}/deployments`,
  `${APPS}/statefulsets`,
  `${APPS}/daemonsets`,
  `${RAY}/rayservices`,
];
const HUB = [
  '/api/models/{org}/{repo}',
  '/api/models/{repo}',
  '/api/datasets/{org}/{repo}',
  '/api/spaces/{org}/{repo}',
];
const SAGEMAKER_CHANGES = [
  'CreateModel',
  'UpdateEndpoint',
  'UpdateEndpointWeightsAndCapacities',
  'CreateEndpoint',
  'CreateEndpointConfig',
  'CreateInferenceComponent',
  'UpdateInferenceComponent',
  'UpdateInferenceComponentRuntimeConfig',
  'UpdateModelPackage',
  'CreateModelPackage',
];
const SAGEMAKER_DELETES = [
  'DeleteEndpoint',
  'DeleteEndpointConfig',
  'DeleteModel',
  'DeleteInferenceComponent',
  'DeleteModelPackage',
];
const SAGEMAKER_PROBES = [
  'DescribeEndpoint',
  'DescribeModel',
  'DescribeEndpointConfig',
  'ListEndpoints',
  'ListModels',
];

const VLLM: readonly Route[] = [
  modelRoutes('vllm', 'change', 'POST', '/v1/load_lora_adapter /v1/unload_lora_adapter', {
    names: [['model', '/lora_name']],
  }),
  // Weights are replaced while it runs.
  modelRoutes(
    'vllm',
    'change',
    'POST',
    '/init_weight_transfer_engine /start_weight_update /update_weights /finish_weight_update',
  ),
  modelRoutes('vllm', 'change', 'POST', '/pause /resume /sleep /wake_up /reset_prefix_cache /reset_mm_cache'),
  modelRoutes('vllm', 'change', 'POST DELETE', '/adapters /adapters/{model}'),
  // It calls anything in the workers.
  route('POST', '/collective_rpc', ['code', 'model-change'], { model: { system: 'vllm', change: 'change' } }),
].flat();

const LLAMACPP: readonly Route[] = [
  modelRoutes('llama.cpp', 'change', 'POST', '/models/load /models/unload', { names: [['model', '/model']] }),
  // It fetches a model from elsewhere.
  modelRoutes('llama.cpp', 'redirect', 'POST', '/models', { names: [['model', '/model']] }),
  modelRoutes('llama.cpp', 'delete', 'DELETE', '/models'),
  modelRoutes('llama.cpp', 'change', 'POST', '/lora-adapters /props'),
  route('GET', '/models', ['read'], {
    model: { system: 'llama.cpp', change: 'probe' },
    // A GET that changes what is there.
    alsoQuery: [
      ['reload', 'model-change'],
      ['autoload', 'model-change'],
    ],
  }),
].flat();

const TRITON: readonly Route[] = [
  modelRoutes(
    'triton',
    'change',
    'POST',
    '/v2/repository/models/{model}/load /v2/repository/models/{model}/unload',
  ),
  modelRoutes('triton', 'probe', 'POST', '/v2/repository/index'),
  modelRoutes(
    'triton',
    'probe',
    'GET',
    '/v2 /v2/health/live /v2/health/ready /v2/models/{model} /v2/models/{model}/*',
  ),
  modelRoutes(
    'triton',
    'change',
    'POST',
    '/inference.GRPCInferenceService/RepositoryModelLoad /inference.GRPCInferenceService/RepositoryModelUnload',
  ),
  route('POST', '/v2/models/{model}/infer /v2/models/{model}/versions/{version}/infer', ['rerank']),
].flat();

const TORCHSERVE: readonly Route[] = [
  modelRoutes('torchserve', 'redirect', 'POST', '/models', {
    alsoQuery: [['url', 'code']],
  }),
  modelRoutes(
    'torchserve',
    'change',
    'PUT',
    '/models/{model} /models/{model}/{version} /models/{model}/{version}/set-default',
  ),
  modelRoutes('torchserve', 'delete', 'DELETE', '/models/{model} /models/{model}/{version}'),
].flat();

const REGISTRIES: readonly Route[] = [
  modelRoutes('tf-serving', 'change', 'POST', '/tensorflow.serving.ModelService/HandleReloadConfigRequest'),
  modelRoutes(
    'kubernetes',
    'change',
    'POST PUT PATCH',
    KUBERNETES.flatMap((path) => [path, `${path}/{name}`]).join(' '),
  ),
  modelRoutes(
    'kubernetes',
    'delete',
    'DELETE',
    KUBERNETES.flatMap((path) => [path, `${path}/{name}`]).join(' '),
  ),
  modelRoutes('kubernetes', 'probe', 'GET', KUBERNETES.flatMap((path) => [path, `${path}/{name}`]).join(' ')),
  modelRoutes(
    'kubernetes',
    'change',
    'PUT PATCH',
    `${APPS}/deployments/{name}/scale ${APPS}/statefulsets/{name}/scale`,
  ),
  modelRoutes('ray', 'change', 'PUT', '/api/serve/applications'),
  modelRoutes('ray', 'delete', 'DELETE', '/api/serve/applications'),
  modelRoutes('ray', 'probe', 'GET', '/api/serve/applications'),
  modelRoutes(
    'mlflow',
    'change',
    'POST',
    each(MLFLOW, '/registered-models/create /registered-models/rename'),
  ),
  modelRoutes('mlflow', 'change', 'PATCH', each(MLFLOW, '/registered-models/update /model-versions/update')),
  modelRoutes('mlflow', 'delete', 'DELETE', each(MLFLOW, '/registered-models/delete /model-versions/delete')),
  modelRoutes(
    'mlflow',
    'change',
    'POST',
    each(MLFLOW, '/model-versions/create /model-versions/transition-stage'),
  ),
  route('POST DELETE', each(MLFLOW, '/registered-models/alias'), ['alias', 'model-change'], {
    model: { system: 'mlflow', change: 'change' },
    names: [
      ['model', '/name'],
      ['alias', '/alias'],
    ],
  }),
  modelRoutes(
    'mlflow',
    'change',
    'POST DELETE',
    each(
      MLFLOW,
      '/registered-models/set-tag /registered-models/delete-tag /model-versions/set-tag /model-versions/delete-tag',
    ),
  ),
  modelRoutes(
    'mlflow',
    'probe',
    'GET',
    each(
      MLFLOW,
      '/registered-models/get /registered-models/search /registered-models/alias /model-versions/get /model-versions/search',
    ),
  ),
  modelRoutes('mlflow', 'probe', 'POST', each(MLFLOW, '/registered-models/get-latest-versions')),
  modelRoutes(
    'mlflow',
    'change',
    'PUT',
    each(['/api/2.0', '/ajax-api/2.0'], '/mlflow-artifacts/artifacts/*'),
  ),
  modelRoutes(
    'huggingface',
    'change',
    'POST',
    each(HUB, '/commit/{revision} /preupload/{revision} /branch/{branch} /tag/{tag} /super-squash/{branch}'),
  ),
  modelRoutes('huggingface', 'delete', 'DELETE', each(HUB, '/branch/{branch} /tag/{tag} /lfs-files/{file}')),
  modelRoutes('huggingface', 'change', 'PUT', each(HUB, '/settings')),
  modelRoutes('huggingface', 'change', 'POST', '/api/repos/create /api/repos/move'),
  modelRoutes('huggingface', 'delete', 'DELETE', '/api/repos/delete'),
  modelRoutes(
    'huggingface',
    'change',
    'POST',
    '/{org}/{repo}/git-receive-pack /{org}/{repo}.git/git-receive-pack',
  ),
  modelRoutes(
    'huggingface',
    'change',
    'PUT POST',
    '/v2/endpoint/{namespace} /v2/endpoint/{namespace}/{name}',
  ),
  modelRoutes('huggingface', 'delete', 'DELETE', '/v2/endpoint/{namespace}/{name}'),
  modelRoutes('cohere', 'change', 'POST', '/v1/finetuning/finetuned-models /v1/datasets'),
  modelRoutes('cohere', 'change', 'PATCH', '/v1/finetuning/finetuned-models/{model}'),
  modelRoutes('cohere', 'delete', 'DELETE', '/v1/finetuning/finetuned-models/{model} /v1/datasets/{dataset}'),
  modelRoutes(
    'cohere',
    'probe',
    'GET',
    '/v1/finetuning/finetuned-models /v1/finetuning/finetuned-models/{model}',
  ),
  modelRoutes(
    'vespa',
    'change',
    'POST',
    '/application/v2/tenant/{tenant}/prepareandactivate /application/v2/tenant/{tenant}/session',
  ),
  modelRoutes(
    'vespa',
    'change',
    'PUT',
    ['content/*', 'prepared', 'active']
      .map((rest) => `/application/v2/tenant/{tenant}/session/{session}/${rest}`)
      .join(' '),
  ),
  modelRoutes('vespa', 'delete', 'DELETE', '/application/v2/tenant/{tenant}/application/{application}'),
  // The service of examples/demo/reranker.
  modelRoutes('lexical-reranker', 'change', 'POST', '/admin/models/{model}/activate'),
  modelRoutes('lexical-reranker', 'change', 'PUT', '/admin/models/{model}/versions/{version}'),
  modelRoutes('lexical-reranker', 'delete', 'DELETE', '/admin/models/{model}/versions/{version}'),
  modelRoutes('lexical-reranker', 'probe', 'GET', '/admin/models /admin/models/{model}'),
  ...SAGEMAKER_CHANGES.map((name) =>
    modelRoutes('sagemaker', 'change', 'POST', '/', { target: `SageMaker.${name}` }),
  ),
  ...SAGEMAKER_DELETES.map((name) =>
    modelRoutes('sagemaker', 'delete', 'POST', '/', { target: `SageMaker.${name}` }),
  ),
  ...SAGEMAKER_PROBES.map((name) =>
    modelRoutes('sagemaker', 'probe', 'POST', '/', { target: `SageMaker.${name}` }),
  ),
  route('POST', '/endpoints/{model}/invocations', ['rerank']),
  modelRoutes(
    'vertex',
    'change',
    'POST',
    ['deployModel', 'undeployModel', 'mutateDeployedModel']
      .map((verb) => `/{version}/projects/{project}/locations/{location}/endpoints/{endpoint}:${verb}`)
      .join(' '),
  ),
  modelRoutes(
    'azure-ml',
    'change',
    'PUT PATCH',
    '/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces/{workspace}/onlineEndpoints/{endpoint}',
  ),
  modelRoutes(
    'azure-ml',
    'delete',
    'DELETE',
    '/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces/{workspace}/onlineEndpoints/{endpoint}',
  ),
  modelRoutes('databricks', 'change', 'PUT', '/api/2.0/serving-endpoints/{model}/config'),
  modelRoutes('databricks', 'change', 'POST', '/api/2.0/serving-endpoints'),
  modelRoutes('databricks', 'delete', 'DELETE', '/api/2.0/serving-endpoints/{model}'),
  modelRoutes('databricks', 'change', 'PUT DELETE', '/api/2.1/unity-catalog/models/{model}/aliases/{alias}'),
  modelRoutes('bentocloud', 'change', 'POST PUT PATCH', '/api/v2/deployments /api/v2/deployments/{name}'),
  modelRoutes('litellm', 'change', 'POST', '/model/new /model/update /model/{model}/update'),
  modelRoutes('litellm', 'delete', 'POST', '/model/delete'),
  modelRoutes('litellm', 'redirect', 'POST', '/config/update /config/pass_through_endpoint'),
].flat();

export const MODEL_SERVERS: Dialect = {
  name: 'models',
  title: 'a model server',
  error: 'universal',
  routes: [VLLM, LLAMACPP, TRITON, TORCHSERVE, REGISTRIES].flat(),
};
