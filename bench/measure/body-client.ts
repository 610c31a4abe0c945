/** A client of HTTP that sends or takes one large content, and says how long it took. */

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { pathOf, type HttpWay } from '../peers/http-ground.ts';
import { sampleBytes } from './large-body.ts';

export type Direction = 'up' | 'down';

/** Milliseconds; rejects where not all bytes have arrived. */
export async function moveBody(way: HttpWay, direction: Direction, bytes: number): Promise<number> {
  const before = performance.now();
  const arrived = direction === 'up' ? await upload(way, bytes) : await download(way, bytes);
  const ms = performance.now() - before;
  if (arrived !== bytes) throw new Error(`${way.name}: ${arrived} of ${bytes} bytes have arrived`);
  return ms;
}

async function upload(way: HttpWay, bytes: number): Promise<number> {
  const outgoing = request({
    ...targetOf(way, '/upload'),
    method: 'POST',
    headers: { ...headersOf(way), 'content-type': 'application/octet-stream', 'content-length': bytes },
  });
  const answered = once(outgoing, 'response');
  // What breaks off while it is sent is told by the answer that does not come.
  answered.catch(() => undefined);
  for (const piece of sampleBytes(bytes)) {
    // oxlint-disable-next-line no-await-in-loop -- At the pace of who reads.
    if (!outgoing.write(piece)) await Promise.race([once(outgoing, 'drain'), answered]);
  }
  outgoing.end();
  const [answer] = await answered;
  const said: { readonly bytes?: number } = JSON.parse(await textOf(answer));
  return said.bytes ?? 0;
}

async function download(way: HttpWay, bytes: number): Promise<number> {
  const outgoing = request({ ...targetOf(way, `/download/${bytes}`), headers: headersOf(way) });
  outgoing.end();
  const [answer]: IncomingMessage[] = await once(outgoing, 'response');
  let arrived = 0;
  answer?.on('data', (chunk: Buffer) => {
    arrived += chunk.length;
  });
  if (answer !== undefined) await once(answer, 'end');
  return arrived;
}

function targetOf(way: HttpWay, path: string): { host: string; port: number; path: string; agent: false } {
  return { host: way.host, port: way.port, path: pathOf(way, { connection: 'files', path }), agent: false };
}

function headersOf({ token }: HttpWay): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
