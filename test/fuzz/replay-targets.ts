/** What is read back from disk: segments of recordings, and the transcript that is made of them. */

import { equal } from 'node:assert/strict';
import { CountersignError } from '../../packages/gateway/src/core/errors.ts';
import type { RecordedEntry } from '../../packages/gateway/src/recording/recording-reader.ts';
import {
  BASE_BYTES,
  compressBlock,
  encodeHeader,
  ENTRY_HEADER_BYTES_MAX,
  HEADER_BYTES,
  LENGTH_BYTES,
  NO_PREVIOUS,
  openBlock,
  parseHeader,
  parseLength,
  readEntries,
  sealBlock,
  sha256,
  writeEntryHeader,
} from '../../packages/gateway/src/recording/segment-format.ts';
import { readTranscript } from '../../packages/gateway/src/recording/transcript.ts';
import { mutate, type Random, split } from './random.ts';
import type { Target } from './target.ts';
import { liarFrame, randomBackend, randomFrontend, recordedSessions } from './wire-inputs.ts';

const SESSIONS = recordedSessions();
const ID = 'ses_0123456789abcdefghjkmnpqrs';
const KEY = new Uint8Array(32).fill(7);
const ITEMS_MAX = 10_000;

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof CountersignError && thrown.code === 'RECORDING_INVALID';
}

type ByteEntry = { readonly channel: 0 | 1 | 2; readonly bytes: Uint8Array };

/** A recorded session, or one of random messages, with lies in it. */
function randomEntries(random: Random): ByteEntry[] {
  if (random.oneIn(2)) {
    const { chunks } = random.pick(SESSIONS);
    return chunks
      .filter(({ bytes }) => (bytes[0] ?? 0) >= 0x31)
      .slice(0, 40)
      .map(({ fromClient, bytes }) => ({
        channel: fromClient ? 0 : random.oneIn(40) ? 2 : 1,
        bytes: random.oneIn(12) ? mutate(bytes, random) : bytes,
      }));
  }
  return Array.from({ length: 1 + random.below(20) }, () => {
    const fromClient = random.oneIn(2);
    const frame = fromClient ? randomFrontend(random) : randomBackend(random);
    const channel = fromClient ? 0 : random.oneIn(10) ? 2 : 1;
    return { channel, bytes: random.oneIn(20) ? liarFrame(frame, random) : frame };
  });
}

async function transcript(entries: readonly ByteEntry[]): Promise<string> {
  const place = { segment: 0, block: 0 };
  const all: RecordedEntry[] = entries.map((entry) => ({ kind: 'bytes', timeUs: 1, ...place, ...entry }));
  const lines: string[] = [];
  for await (const item of readTranscript(all)) {
    lines.push(JSON.stringify(item));
    if (lines.length > ITEMS_MAX) throw new Error('a transcript without an end');
  }
  return lines.join('\n');
}

const transcripts: Target = {
  name: 'a recording that is replayed, split anywhere',
  weight: 3,
  refusal: () => false,
  async run(random) {
    const entries = randomEntries(random);
    const whole = await transcript(entries);
    if (random.oneIn(2)) return;
    const pieces = entries.flatMap(({ channel, bytes }) =>
      split(bytes, random).map((piece) => ({ channel, bytes: piece })),
    );
    // Statements of one chunk come out together; which come first is the same.
    equal(await transcript(pieces), whole);
  },
};

function segment(random: Random): Uint8Array {
  const header = encodeHeader({ sessionId: ID, number: 0, previous: NO_PREVIOUS, startUs: 5 });
  const plain = new Uint8Array(2_048);
  let at = BASE_BYTES;
  for (let i = random.below(4); i > 0; i--) {
    const bytes = random.bytes(random.length(300));
    if (at + ENTRY_HEADER_BYTES_MAX + bytes.length > plain.length) break;
    at = writeEntryHeader(plain, at, random.edge(), random.below(256), bytes.length);
    plain.set(bytes, at);
    at += bytes.length;
  }
  const used = random.oneIn(3) ? mutate(plain.subarray(0, at), random) : plain.subarray(0, at);
  const compressed = random.oneIn(4) ? mutate(compressBlock(used), random) : compressBlock(used);
  const place = { headerSha256: sha256(header), number: 0, last: random.oneIn(2) };
  return Buffer.concat([header, sealBlock(KEY, random.bytes(12), compressed, place)]);
}

const segments: Target = {
  name: 'a segment of a recording',
  weight: 3,
  refusal: isRefusal,
  run(random) {
    const file = random.oneIn(2) ? mutate(segment(random), random) : segment(random);
    if (file.length < HEADER_BYTES) return;
    parseHeader(file.subarray(0, HEADER_BYTES), ID);
    for (let at = HEADER_BYTES, number = 0; at + LENGTH_BYTES <= file.length; number++) {
      const { length, last } = parseLength(file.subarray(at, at + LENGTH_BYTES), ID);
      at += LENGTH_BYTES;
      if (at + length > file.length) return;
      const headerSha256 = sha256(file.subarray(0, HEADER_BYTES));
      const plain = openBlock(KEY, file.subarray(at, at + length), { headerSha256, number, last }, ID);
      for (const { bytes } of readEntries(plain, ID)) equal(bytes.length <= plain.length, true);
      at += length;
    }
  },
};

const entriesTarget: Target = {
  name: 'entries of a block',
  weight: 5,
  refusal: isRefusal,
  run(random) {
    const plain = new Uint8Array(BASE_BYTES + 64);
    let at = BASE_BYTES;
    for (let i = random.below(4); i > 0; i--) {
      const length = random.below(8);
      at = writeEntryHeader(plain, at, random.edge(), random.below(256), length) + length;
      if (at > plain.length - 40) break;
    }
    let last = 0;
    let bytes = 0;
    for (const entry of readEntries(mutate(plain.subarray(0, at), random), ID)) {
      bytes += entry.bytes.length + 3;
      equal(Number.isSafeInteger(entry.timeUs) && entry.timeUs >= last, true, `time ${entry.timeUs}`);
      last = entry.timeUs;
    }
    equal(bytes <= plain.length + 64, true);
  },
};

export const REPLAY_TARGETS: readonly Target[] = [transcripts, segments, entriesTarget];
