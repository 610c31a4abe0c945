/** Reads a stream to its end, a piece at a time, without the promises and objects that Node's iterator makes. */

import { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

/** What a stream that closed before its end has done. */
const CUT_OFF = 'it ended before it was complete';

/**
 * Resolves when the stream has ended and every piece was taken; rejects where it breaks off, or `take` throws, and
 * then destroys the stream, as an iterator does.
 *
 * @param take sees one piece at a time; the next one comes when what it returns has resolved
 */
export function readStream(
  source: Readable,
  take: (chunk: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  if (source.readableEnded) return Promise.resolve();
  if (source.destroyed) return Promise.reject(source.errored ?? new Error(CUT_OFF));
  return new Promise((resolve, reject) => {
    let isTaking = false;
    const settle = (): void => {
      source.off('data', onData);
      source.off('end', onEnd);
      source.off('error', fail);
      source.off('close', onClose);
    };
    const fail = (error: unknown): void => {
      settle();
      // What is still on its way of an error must not end the process.
      source.on('error', () => undefined);
      leave(source);
      reject(error);
    };
    const onData = (chunk: unknown): void => {
      try {
        if (!(chunk instanceof Uint8Array)) throw new Error('a stream gave something that is no bytes');
        const taken = take(chunk);
        if (taken === undefined) return;
        isTaking = true;
        source.pause();
        taken.then(onTaken, fail);
      } catch (error) {
        fail(error);
      }
    };
    const onTaken = (): void => {
      isTaking = false;
      if (source.errored !== null) fail(source.errored);
      else if (source.readableEnded) finish();
      else if (source.destroyed) fail(new Error(CUT_OFF));
      else source.resume();
    };
    const finish = (): void => {
      settle();
      resolve();
    };
    const onEnd = (): void => {
      if (!isTaking) finish();
    };
    const onClose = (): void => {
      if (!isTaking && !source.readableEnded) fail(source.errored ?? new Error(CUT_OFF));
    };
    source.on('end', onEnd);
    source.on('error', fail);
    source.on('close', onClose);
    source.on('data', onData);
    // Where somebody has paused it, a listener alone does not make it flow.
    source.resume();
  });
}

/** Reads no further. The socket of a request stays: its answer goes there, and says why. */
function leave(source: Readable): void {
  if (source.destroyed) return;
  // Node's iterator does the same; only an answer has a status.
  if (source instanceof IncomingMessage && typeof source.statusCode !== 'number') {
    Reflect.set(source, 'socket', null);
  }
  source.destroy();
}
