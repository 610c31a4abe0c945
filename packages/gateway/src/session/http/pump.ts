/** Moves bytes from one stream to another at the pace of the slower one. */

import type { Readable, Writable } from 'node:stream';

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
  try {
    for await (const piece of source) {
      const chunk: unknown = piece;
      if (!(chunk instanceof Uint8Array)) throw new Error('a stream gave something that is no bytes');
      timer?.refresh();
      waitsForSink = true;
      const room = take(chunk);
      if (room !== undefined) await room;
      if (sink.destroyed) throw new Error('the other end has closed');
      if (!sink.write(chunk)) await drained(sink, stalledMsMax);
      waitsForSink = false;
      timer?.refresh();
    }
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
