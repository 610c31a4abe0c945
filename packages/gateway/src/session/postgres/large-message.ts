/**
 * A message too large to be held: spooled to disk encrypted, its digest made durable, then forwarded.
 *
 * Its beginning is kept in memory, because that is where the names are; its text or its values stand
 * in the intent by length and SHA-256, and in the recording in full.
 */

import type { Socket } from 'node:net';
import { LIMITS } from '../../core/limits.ts';

/** The spool as this side needs it. */
export interface SpoolFile {
  write(piece: Uint8Array): Promise<void>;
  /** No more is written; gives what was. */
  finish(): Promise<{ readonly bytes: number; readonly sha256: string }>;
  /** Streams all of it with the writer's backpressure, then deletes it. */
  forwardTo(target: Socket): Promise<void>;
  discard(): Promise<void>;
}

/** A large message that is complete. */
export interface SpooledMessage {
  readonly type: number;
  /** The first bytes of the body. */
  readonly head: Uint8Array;
  /** Bytes of the body, and SHA-256 of the whole frame. */
  readonly bodyBytes: number;
  readonly sha256: string;
  forwardTo(target: Socket): Promise<void>;
  discard(): Promise<void>;
}

/** A large message while it comes. */
export interface LargeMessage {
  write(piece: Uint8Array): Promise<void>;
  finish(): Promise<SpooledMessage>;
  /** The session has ended in the middle of it. */
  discard(): Promise<void>;
}

/**
 * Begins one.
 *
 * @param length the declared length, which counts itself
 * @param header the frame's header, as it came
 */
export type OpenLargeMessage = (type: number, length: number, header: Uint8Array) => LargeMessage;

/** Large messages of one session, each in a spool file of its own. */
export function largeMessages(openSpool: () => Promise<SpoolFile>): OpenLargeMessage {
  return (type, length, header) => {
    const opened = openSpool();
    // The first write awaits it; a failure must not be unhandled until then.
    opened.catch(() => undefined);
    const headPieces: Uint8Array[] = [];
    let headLeft: number = LIMITS.postgres.largeHeadBytesMax;
    let started = false;
    return {
      async write(piece) {
        const spool = await opened;
        if (!started) await spool.write(header);
        started = true;
        if (headLeft > 0) headPieces.push(piece.slice(0, headLeft));
        headLeft -= piece.length;
        await spool.write(piece);
      },
      async discard() {
        const spool = await opened;
        await spool.discard();
      },
      async finish() {
        const spool = await opened;
        const { sha256 } = await spool.finish();
        return {
          type,
          head: Buffer.concat(headPieces),
          bodyBytes: length - 4,
          sha256,
          forwardTo: (target) => spool.forwardTo(target),
          discard: () => spool.discard(),
        };
      },
    };
  };
}
