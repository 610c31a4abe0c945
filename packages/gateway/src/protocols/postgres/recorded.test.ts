import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeBackend, decodeFrontend } from './decode.ts';
import { encodeBackend, encodeFrontend } from './encode.ts';
import { BACKEND_FRAMES, FRAME, FRONTEND_FRAMES, FrameReader, startupPacketLength } from './frames.ts';
import { BACKEND, type FrontendMessage } from './messages.ts';
import { ResponseQueue } from './response-queue.ts';
import { decodeStartupPacket } from './startup.ts';
import { FIRST_PHASE, type RequestKind } from './states.ts';

const VECTORS = new URL('../../../../../vectors/postgres/', import.meta.url);

type Direction = '>' | '<';

interface Frame {
  readonly direction: Direction;
  readonly type: number;
  readonly body: Uint8Array;
  readonly bytes: Uint8Array;
}

interface Recorded {
  readonly title: string;
  readonly outcomes: string;
  readonly chunks: readonly { readonly direction: Direction; readonly bytes: Uint8Array }[];
}

function readCases(file: string): readonly Recorded[] {
  const blocks = readFileSync(new URL(file, VECTORS), 'utf8').split('\ncase: ').slice(1);
  return blocks.map((block) => {
    const [title = '', outcomes = '', ...lines] = block.trimEnd().split('\n');
    const chunks = lines.map((line) => ({
      direction: line.startsWith('>') ? ('>' as const) : ('<' as const),
      bytes: new Uint8Array(Buffer.from(line.slice(2), 'hex')),
    }));
    return { title, outcomes, chunks };
  });
}

const pipelines = readCases('recorded-pipelines.txt');
const clients = readCases('recorded-clients.txt').map(afterLogin);

/** The same session from its first ReadyForQuery on, and its start-up packets decoded on the way. */
function afterLogin(recorded: Recorded): Recorded & { readonly startup: readonly string[] } {
  const startup: string[] = [];
  const chunks: { readonly direction: Direction; readonly bytes: Uint8Array }[] = [];
  for (const { direction, bytes } of recorded.chunks) {
    if (startup.at(-1) === 'StartupMessage') {
      chunks.push({ direction, bytes });
    } else if (direction === '>') {
      expect(startupPacketLength(bytes)).toBe(bytes.length);
      startup.push(decodeStartupPacket(bytes).kind);
    }
  }
  return { ...recorded, chunks, startup };
}

/** All frames, in the order in which they passed; the chunks cut into pieces of a length. */
function framesOf(recorded: Recorded, pieceLength: number): readonly Frame[] {
  const readers = {
    '>': new FrameReader({ ...FRONTEND_FRAMES, except: [] }),
    '<': new FrameReader({ ...BACKEND_FRAMES, except: [] }),
  };
  const frames: Frame[] = [];
  for (const { direction, bytes } of recorded.chunks) {
    const reader = readers[direction];
    for (let offset = 0; offset < bytes.length; offset += pieceLength) {
      reader.push(bytes.subarray(offset, offset + pieceLength));
      while (reader.next() === FRAME.whole) {
        const whole = reader.bytes.slice(reader.start, reader.end);
        frames.push({ direction, type: reader.type, body: reader.body().slice(), bytes: whole });
      }
    }
  }
  expect([readers['>'].atBoundary, readers['<'].atBoundary]).toEqual([true, true]);
  return frames;
}

function requestKind(message: FrontendMessage): RequestKind | undefined {
  if (message.kind === 'Describe') return message.target === 'S' ? 'DescribeStatement' : 'DescribePortal';
  return isRequest(message.kind) ? message.kind : undefined;
}

function isRequest(kind: string): kind is RequestKind {
  return kind === 'Flush' || kind in FIRST_PHASE;
}

/** Gives the frames to a queue, and what became of each request. */
function replay(frames: readonly Frame[], order: 'as recorded' | 'client first'): string {
  const outcomes: string[] = [];
  const queue = new ResponseQueue<number>((index, outcome) => {
    outcomes[index] = outcome;
  });
  let requests = 0;
  function send(frame: Frame): boolean {
    const message = decodeFrontend(frame.type, frame.body);
    const kind = requestKind(message);
    if (kind !== undefined) queue.push(kind, requests++);
    else if (message.kind.startsWith('Copy')) return queue.copy(frame.type) !== 'wait';
    return true;
  }
  const rest = [...frames];
  while (rest.length > 0) {
    const fromClient = order === 'as recorded' ? -1 : rest.findIndex(({ direction }) => direction === '>');
    const next = rest[Math.max(fromClient, 0)];
    if (next === undefined) break;
    if (next.direction === '>' && send(next)) rest.splice(rest.indexOf(next), 1);
    else {
      const answer = rest.find(({ direction }) => direction === '<');
      if (answer === undefined) throw new Error('the client waits for nothing');
      queue.accept(answer.type);
      rest.splice(rest.indexOf(answer), 1);
    }
  }
  queue.close();
  return `outcomes: ${outcomes.join(' ')}`;
}

/** What is known of a Sync, whatever the timing. */
function known(text: string): string {
  return text.replaceAll('swallowed', 'completed');
}

/** Without the messages of the login, which the queue does not see. */
function session(frames: readonly Frame[]): readonly Frame[] {
  const ready = frames.findIndex(
    ({ direction, type }) => direction === '<' && type === BACKEND.ReadyForQuery,
  );
  return frames.slice(ready + 1);
}

describe.each([...pipelines, ...clients])('$title', (recorded) => {
  const frames = framesOf(recorded, Number.MAX_SAFE_INTEGER);

  test('each message decodes, and encodes to the same bytes', () => {
    for (const { direction, type, body, bytes } of frames) {
      const message = direction === '>' ? decodeFrontend(type, body) : decodeBackend(type, body);
      const again =
        direction === '>'
          ? encodeFrontend(decodeFrontend(type, body))
          : encodeBackend(decodeBackend(type, body));
      expect(message.kind).not.toBe('Unknown');
      expect(again).toEqual(bytes);
    }
  });

  test.each([1, 2, 3, 5, 7])('in pieces of %i bytes it is the same', (length) => {
    expect(framesOf(recorded, length)).toEqual(frames);
  });
});

describe('the queue says what became of each request', () => {
  test.each([
    ...pipelines.map((recorded) => ({ ...recorded, frames: framesOf(recorded, 8192) })),
    ...clients.map((recorded) => ({ ...recorded, frames: session(framesOf(recorded, 8192)) })),
  ])('$title', ({ frames, outcomes }) => {
    expect(replay(frames, 'as recorded')).toBe(outcomes);
    // The further the client is ahead, the less is known of a Sync behind a COPY FROM STDIN.
    expect(known(replay(frames, 'client first'))).toBe(known(outcomes));
  });
});

test('a client starts with SSLRequest or StartupMessage', () => {
  expect(clients.map(({ startup }) => startup.join(' '))).toMatchInlineSnapshot(`
    [
      "SSLRequest StartupMessage",
      "SSLRequest StartupMessage",
      "StartupMessage",
      "StartupMessage",
    ]
  `);
});
