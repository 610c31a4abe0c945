/** Entry of an export's thread: it ends with the package, or with why there is none. */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { LogReader } from '../audit/log-reader.ts';
import { exportEvidence } from './export.ts';
import { fromExportError, toExportError } from './export-errors.ts';
import type { Answer, ExportData, FromExport, Question, ToExport } from './export-messages.ts';

/** Questions that wait for their answers. */
class Asking {
  readonly #port: MessagePort;
  readonly #waiting = new Map<
    number,
    { readonly resolve: (answer: Answer) => void; readonly reject: (error: unknown) => void }
  >();
  #next = 0;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: ToExport) => this.#take(message));
  }

  ask(question: Question): Promise<Answer> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      say(this.#port, { kind: 'question', id, question });
    });
  }

  async text(question: Question): Promise<string> {
    const answer = await this.ask(question);
    if (typeof answer !== 'string') throw new Error(`expected a text for ${question.ask}`);
    return answer;
  }

  #take(message: ToExport): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('error' in message) waiting?.reject(fromExportError(message.error));
    else waiting?.resolve(message.answer);
  }
}

async function run(port: MessagePort, { log, ...data }: ExportData): Promise<void> {
  const asking = new Asking(port);
  try {
    const result = await exportEvidence({
      ...data,
      reader: new LogReader(log),
      keys: { find: (scope) => findKey(asking, scope) },
      checkpointNow: () => asking.text({ ask: 'checkpoint' }),
      sign: (text) => asking.text({ ask: 'sign', text }),
    });
    say(port, { kind: 'done', result });
  } catch (error) {
    say(port, { kind: 'failed', error: toExportError(error) });
  } finally {
    port.close();
  }
}

async function findKey(asking: Asking, scope: string): Promise<Uint8Array | undefined> {
  const answer = await asking.ask({ ask: 'key', scope });
  return answer instanceof Uint8Array ? answer : undefined;
}

function say(port: MessagePort, message: FromExport): void {
  port.postMessage(message);
}

if (parentPort !== null) {
  // Our own main thread gave it; nothing else starts this file.
  const data: ExportData = workerData;
  await run(parentPort, data);
}
