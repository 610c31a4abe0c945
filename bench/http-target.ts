/**
 * The target of HTTP that is measured: it answers at once, and always the same.
 *
 * Prints one line of JSON when it is ready; ends at SIGTERM, and when its standard input ends. `/download/N` gives
 * so many bytes, `/upload` takes any number and says how many; of a rerank call the version says which answer.
 */

import { createServer, type Socket } from 'node:net';
import { type Message, MessageReader } from './measure/message-reader.ts';
import { sampleBytes } from './measure/large-body.ts';
import { PERSONAL_ANSWER, RERANK_ANSWER } from './measure/rerank-sample.ts';

const OCTETS = 'application/octet-stream';

const ANSWERS: ReadonlyMap<string, Buffer> = new Map([
  ['/v1/rerank', answerOf(PERSONAL_ANSWER)],
  ['/v2/rerank', answerOf(RERANK_ANSWER)],
]);

const server = createServer({ noDelay: true }, (socket) => {
  const reader = new MessageReader();
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => reader.push(chunk, (message) => answer(socket, message)));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
process.on('SIGTERM', () => process.exit(0));
process.on('SIGINT', () => undefined);

function answer(socket: Socket, { head, bytes }: Message): void {
  const path = head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP/'));
  const known = ANSWERS.get(path);
  if (known !== undefined) socket.write(known);
  else if (path.startsWith('/download/')) void download(socket, Number(path.slice('/download/'.length)));
  else socket.write(answerOf(JSON.stringify({ bytes })));
}

async function download(socket: Socket, bytes: number): Promise<void> {
  socket.write(headOf(bytes, OCTETS));
  for (const piece of sampleBytes(bytes)) {
    if (socket.destroyed) return;
    // oxlint-disable-next-line no-await-in-loop -- At the pace of who reads.
    if (!socket.write(piece)) await roomIn(socket);
  }
}

function roomIn(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

function answerOf(json: string): Buffer {
  return Buffer.from(headOf(Buffer.byteLength(json), 'application/json') + json);
}

function headOf(bytes: number, type: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${bytes}\r\nX-Request-Id: 4711\r\n\r\n`;
}
