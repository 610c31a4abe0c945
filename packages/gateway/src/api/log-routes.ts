/**
 * The log, read-only, as C2SP tlog-tiles (https://c2sp.org/tlog-tiles) says: for everybody, since its
 * leaves hold no personal data, and bodies are not in it.
 */

import { Type } from 'typebox';
import { CountersignError } from '../core/errors.ts';
import type { ApiPorts } from './ports.ts';
import { type Route, route } from './route.ts';
import { STRICT, text } from './schemas.ts';

const NODE = text(64, 'Name of the gateway');

const checkpoint = route({
  key: 'GET /ledger/:node/checkpoint',
  summary: 'The newest signed checkpoint',
  params: Type.Object({ node: NODE }, STRICT),
  answer: { contentType: 'text/plain', description: 'A signed note.' },
  async handle({ ports, params, reply }): Promise<string> {
    checkNode(ports, params.node);
    const note = await ports.reader.checkpoint();
    if (note === undefined) throw new CountersignError('NOT_FOUND', { what: 'checkpoint yet' });
    reply.header('content-type', 'text/plain; charset=utf-8').header('cache-control', 'no-cache');
    return note;
  },
});

const tile = route({
  key: 'GET /ledger/:node/tile/*',
  summary: 'A hash tile or an entry bundle',
  params: Type.Object(
    { node: NODE, '*': Type.String({ maxLength: 200, description: 'Level and index: 0/x001/234.p/5' }) },
    STRICT,
  ),
  answer: { contentType: 'application/octet-stream', description: 'The tile.' },
  async handle({ ports, params, reply }): Promise<Buffer> {
    checkNode(ports, params.node);
    const bytes = await ports.reader.tile(`tile/${params['*']}`);
    if (bytes === undefined) throw new CountersignError('NOT_FOUND', { what: 'tile of this path' });
    reply.header('content-type', 'application/octet-stream');
    reply.header('cache-control', 'public, max-age=31536000, immutable');
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  },
});

export const LOG_ROUTES: readonly Route[] = [checkpoint, tile];

function checkNode(ports: ApiPorts, node: string): void {
  if (node !== ports.node) throw new CountersignError('NOT_FOUND', { what: 'log of this name' });
}
