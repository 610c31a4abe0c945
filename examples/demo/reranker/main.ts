/**
 * The reranking service by itself.
 *
 * Usage: node --conditions=source examples/demo/reranker/main.ts [--port N] [--host ADDRESS] [--service NAME]
 * [--folder DIR]. Keys come by RERANKER_API_KEY and RERANKER_ADMIN_KEY. Runs until SIGTERM or Ctrl-C.
 */

import { parseArgs } from 'node:util';
import { isServiceName } from './routes.ts';
import { type RerankerOptions, startReranker } from './server.ts';

const USAGE =
  'Usage: main.ts [--port N] [--host ADDRESS] [--service cohere|jina|voyage|mixedbread|tei|infinity|pinecone] [--folder DIR]';
const PORT = 8_080;

function readOptions(): RerankerOptions {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: String(PORT) },
      host: { type: 'string', default: '127.0.0.1' },
      service: { type: 'string' },
      folder: { type: 'string' },
    },
  });
  const { host, service, folder } = values;
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new TypeError(`No such port: ${values.port}`);
  if (service !== undefined && !isServiceName(service)) throw new TypeError(`No such service: ${service}`);
  const { RERANKER_API_KEY: apiKey, RERANKER_ADMIN_KEY: adminKey } = process.env;
  return {
    port,
    host,
    ...(service === undefined ? {} : { service }),
    ...(folder === undefined ? {} : { folder }),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(adminKey === undefined ? {} : { adminKey }),
  };
}

/** `undefined` after having said why. */
function optionsOrUsage(): RerankerOptions | undefined {
  try {
    return readOptions();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

const options = optionsOrUsage();
if (options !== undefined) {
  const reranker = await startReranker(options);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void reranker.close());
  }
  process.stdout.write(`${reranker.url}\n`);
}
