/** Moves bytes from one stream to another at the pace of the slower one. */

import type { Readable, Writable } from 'node:stream';
import { readStream } from './read-stream.ts';

export interface PumpOptions {
  /**
   * Sees every piece before it is passed on. What it throws ends the pump.
   *
   * @returns a promise where the next piece must wait for it
   */
  readonly take: (chunk: Uint8Array) => Promise<void> | undefined;
  /** The source gives nothing for so long; undefined: it may be silent. */
  readonly silentMsMax: number | undefined;
  /** The sink takes nothing for so long; undefined: it may be slow. */
  readonly stalledMsMax: number | undefined;
}

/** One end gave nothing, or took nothing, for too long. */
export class Stalled extends Error {
  readonly end: 'source' | 'sink';

  constructor(end: 'source' | 'sink', ms: number) {
    super(end === 'source' ? `nothing came for ${ms / 1_000} s` : `nothing was taken for ${ms / 1_000} s`);
    this.end = end;
  }
}

/** Resolves when the source has ended; the sink is left open. Rejects where either breaks off. */
export async function pump(source: Readable, sink: Writable, options: PumpOptions): Promise<void> {
  const { take, silentMsMax, stalledMsMax } = options;
  let waitsForSink = false;
  const timer =
    silentMsMax === undefined
      ? undefined
      : setTimeout(() => {
          if (waitsForSink) timer?.refresh();
          else source.destroy(new Stalled('source', silentMsMax));
        }, silentMsMax);
  const done = (): void => {
    waitsForSink = false;
    timer?.refresh();
  };
  const give = (chunk: Uint8Array): Promise<void> | undefined => {
    if (sink.destroyed) throw new Error('the other end has closed');
    if (!sink.write(chunk)) return drained(sink, stalledMsMax).then(done);
    done();
    return undefined;
  };
  try {
    await readStream(source, (chunk) => {
      timer?.refresh();
      waitsForSink = true;
      const room = take(chunk);
      return room === undefined ? give(chunk) : room.then(() => give(chunk));
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when the sink has room again; rejects where it closes, or takes too long. */
function drained(sink: Writable, stalledMsMax: number | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const late =
      stalledMsMax === undefined
        ? undefined
        : setTimeout(() => {
            settle();
            reject(new Stalled('sink', stalledMsMax));
          }, stalledMsMax);
    const onDrain = (): void => {
      settle();
      resolve();
    };
    const onClose = (): void => {
      settle();
      reject(new Error('the other end has closed'));
    };
    const settle = (): void => {
      clearTimeout(late);
      sink.off('drain', onDrain);
      sink.off('close', onClose);
      sink.off('error', onClose);
    };
    sink.on('drain', onDrain);
    sink.on('close', onClose);
    sink.on('error', onClose);
    if (sink.destroyed) onClose();
  });
}
