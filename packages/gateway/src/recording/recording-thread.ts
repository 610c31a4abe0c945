/**
 * What the recorder's thread does with each message; without the thread, so that a broken disk can be
 * put under it.
 */

import { reasonOf } from '../core/errors.ts';
import type { FilePort } from './file-port.ts';
import { OpenFiles } from './open-files.ts';
import type { FromRecorder, RecorderThreadData, ToRecorder } from './recorder-messages.ts';
import { SegmentWriter } from './segment-writer.ts';

/** Answers; buffers in the second argument are moved. */
export type Reply = (message: FromRecorder, moved: ArrayBuffer[]) => void;

/** All sessions of one recorder. A session that failed is forgotten: later messages for it do nothing. */
export class RecordingThread {
  readonly #data: RecorderThreadData;
  readonly #files: FilePort;
  readonly #reply: Reply;
  readonly #open: OpenFiles;
  readonly #writers = new Map<number, SegmentWriter>();

  constructor(data: RecorderThreadData, files: FilePort, reply: Reply) {
    this.#data = data;
    this.#files = files;
    this.#reply = reply;
    this.#open = new OpenFiles(files, data.openFilesMax);
  }

  take(message: ToRecorder): void {
    const { session } = message;
    try {
      this.#take(message);
    } catch (error) {
      const writer = this.#writers.get(session);
      this.#writers.delete(session);
      this.#reply({ kind: 'failed', session, reason: reasonOf(error) }, []);
      try {
        writer?.release();
      } catch {
        // Its session has failed and knows it: a descriptor that cannot be closed is no reason to end the others.
      }
    }
  }

  #take(message: ToRecorder): void {
    const { session } = message;
    if (message.kind === 'open') {
      const { sessionId, key } = message;
      const { directory, segmentBytesMax } = this.#data;
      const options = { directory, sessionId, key, files: this.#files, open: this.#open, segmentBytesMax };
      this.#writers.set(session, new SegmentWriter(options));
      return;
    }
    const writer = this.#writers.get(session);
    if (writer === undefined) return;
    if (message.kind === 'abandon') {
      this.#writers.delete(session);
      writer.release();
      return;
    }
    if (message.kind === 'flush') {
      writer.flush();
      this.#reply({ kind: 'flushed', session, flush: message.flush }, []);
      return;
    }
    const { buffer, length, nonce, firstUs, lastUs, final, hurried } = message;
    const plain = new Uint8Array(buffer, 0, length);
    const segment = writer.write({ plain, nonce, firstUs, lastUs, final, hurried });
    this.#reply({ kind: 'written', session, buffer, length }, [buffer]);
    if (segment !== undefined) this.#reply({ kind: 'segment', session, segment }, []);
    if (!final) return;
    writer.release();
    this.#writers.delete(session);
    this.#reply({ kind: 'closed', session }, []);
  }
}
