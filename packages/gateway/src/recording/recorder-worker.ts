/** Entry of the recorder's thread: the one owner of recording files while they are written. */

import { parentPort, workerData } from 'node:worker_threads';
import { FILES } from './file-port.ts';
import type { RecorderThreadData, ToRecorder } from './recorder-messages.ts';
import { RecordingThread } from './recording-thread.ts';

const port = parentPort;
// Our own main thread gave it; nothing else starts this file.
const data: RecorderThreadData = workerData;

if (port !== null) {
  FILES.makeDirectory(data.directory);
  const thread = new RecordingThread(data, FILES, (message, moved) => port.postMessage(message, moved));
  port.on('message', (message: ToRecorder) => thread.take(message));
}
