/** Reads texts one after the other, in a thread of its own that may be ended at any moment. */

import { parentPort, workerData } from 'node:worker_threads';
import { openParser } from '../sql/parser.ts';
import { readText } from '../sql/read-text.ts';
import type { ParserAnswer, ParserQuestion } from './parser-pool.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The pool gives it nothing else.
const { wasm } = workerData as { readonly wasm: Uint8Array };
const parser = await openParser(wasm);

parentPort?.on('message', ({ textBytes }: ParserQuestion) => {
  const answer: ParserAnswer = { read: readText(textBytes, parser) };
  parentPort?.postMessage(answer);
});
const ready: ParserAnswer = { read: undefined };
parentPort?.postMessage(ready);
