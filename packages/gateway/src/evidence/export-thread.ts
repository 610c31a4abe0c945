/**
 * An export in a thread of its own, so that sessions go on while millions of leaves are read: the main
 * thread does nothing for it but answer what it asks for.
 */

import { rm } from 'node:fs/promises';
import type { Worker } from 'node:worker_threads';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { startThread } from '../threads/start-thread.ts';
import { type EvidenceOptions, type EvidenceResult, makeTemporary } from './export.ts';
import { fromExportError, toExportError } from './export-errors.ts';
import type { Answer, ExportData, FromExport, Question, ToExport } from './export-messages.ts';

/** As {@link exportEvidence}, elsewhere. */
export type ThreadOptions = ExportData & Pick<EvidenceOptions, 'keys' | 'checkpointNow' | 'sign'>;

/** Writes a package; what was written before an error is removed. */
export async function exportInThread(options: ThreadOptions): Promise<EvidenceResult> {
  const { keys, checkpointNow, sign, ...workerData } = options;
  const temporary = await makeTemporary(options.out);
  const worker = startWorker({ ...workerData, temporary });
  const answer = (question: Question): Promise<Answer> | Answer => {
    if (question.ask === 'key') return keys.find(question.scope);
    return question.ask === 'sign' ? sign(question.text) : checkpointNow();
  };
  try {
    return await new Promise<EvidenceResult>((resolve, reject) => {
      worker.on('message', (message: FromExport) => {
        if (message.kind === 'done') resolve(message.result);
        else if (message.kind === 'failed') reject(fromExportError(message.error));
        else void reply(worker, message.id, async () => answer(message.question));
      });
      worker.once('error', reject);
      worker.once('exit', () => reject(new CountersignError('INTERNAL', {}, { cause: new Error(LOST) })));
    });
  } finally {
    await worker.terminate();
    // A thread that was lost has not removed what it wrote.
    await rm(temporary, { recursive: true, force: true });
  }
}

const LOST = 'the thread of the export has stopped';

function startWorker(workerData: ExportData): Worker {
  return startThread('./export-worker', import.meta.url, {
    name: 'evidence export',
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: LIMITS.evidence.threadHeapMegabytesMax },
  });
}

async function reply(worker: Worker, id: number, answer: () => Promise<Answer>): Promise<void> {
  const message: ToExport = await answer().then(
    (found) => ({ id, answer: found }),
    (error: unknown) => ({ id, error: toExportError(error) }),
  );
  worker.postMessage(message);
}
