/** Bodies of requests, with a bound, and the keys that came with them. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Problem } from './problem.ts';

/** A declared length is checked before a byte is awaited; an undeclared one while it comes. */
export async function readBytes(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const { 'content-encoding': encoding = 'identity', 'content-length': declared } = request.headers;
  if (encoding !== 'identity')
    throw new Problem('encoding', `Content-Encoding ${encoding} is not read here.`);
  if (declared !== undefined && Number(declared) > bytesMax) throw tooLarge(bytesMax);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request) {
      length += chunk.length;
      if (length > bytesMax) throw tooLarge(bytesMax);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    // The client left, or was too slow: nobody hears this answer.
    throw new Problem('invalid', 'The body ended early.', undefined, { cause });
  }
  return Buffer.concat(chunks, length);
}

function tooLarge(bytesMax: number): Problem {
  return new Problem('too-large', `The body has more than ${bytesMax} bytes.`);
}

/** Clients have one place for a key, and not all the same: whichever has it. */
export function isKeyed(headers: IncomingHttpHeaders, key: string | undefined): boolean {
  if (key === undefined) return true;
  const { authorization } = headers;
  const places = [authorization?.replace(/^Bearer +/i, ''), headers['api-key'], headers['x-api-key']];
  return places.some((given) => typeof given === 'string' && isEqual(given, key));
}

function isEqual(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
