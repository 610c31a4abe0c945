import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bodyValues } from '@countersign/ledger/body';
import { type Leaf, parseLeaf } from '@countersign/ledger/leaf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { type CheckpointStore, fileCheckpointStore } from './checkpoint-store.ts';
import { LOG_FILES } from './file-port.ts';
import { LogReader } from './log-reader.ts';
import { LogWriter } from './log-writer.ts';
import { openLog } from './recovery.ts';
import { unsealBody } from './sealed-body.ts';

const ORIGIN = 'countersign.test/ledger/gw1';
const BOOT = makeId('boot', 0, new Uint8Array(10));
const START_US = 1_764_000_000_000_000;

let directory: string;
let secondPlace: CheckpointStore;
let nowUs: number;
/** What the clock says first. */
let firstUs: number[];
const bootKey = randomBytes(32);
const privateKey = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), randomBytes(32)]),
  format: 'der',
  type: 'pkcs8',
});
const publicKey = new Uint8Array(
  createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(12),
);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'countersign-writer-'));
  secondPlace = fileCheckpointStore(join(directory, 'second'));
  nowUs = START_US;
  firstUs = [];
});

afterEach(() => {
  secondPlace.close();
  rmSync(directory, { recursive: true, force: true });
});

function open(): LogWriter {
  LOG_FILES.makeDirectory(join(directory, 'ledger', 'journal'));
  const lastNote = secondPlace.read(ORIGIN);
  const writer = new LogWriter(
    {
      files: LOG_FILES,
      directory: join(directory, 'ledger'),
      origin: ORIGIN,
      bootId: BOOT,
      key: { privateKey, publicKey },
      secondPlace,
      segmentBytesMax: 65_536,
      ballastBytes: 65_536,
      clock: { nowUs: () => firstUs.shift() ?? nowUs, monotonicUs: () => nowUs },
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
    },
    openLog(LOG_FILES, join(directory, 'ledger'), lastNote),
    lastNote,
  );
  writer.openScope(BOOT, bootKey);
  return writer;
}

function gap(): Parameters<LogWriter['stage']>[0] {
  return { type: 'ledger.gap', kind: 'system', keyId: BOOT, body: { reason: 'test' } };
}

async function leaves(): Promise<
  { readonly leaf: Leaf; readonly body: Readonly<Record<string, unknown>> }[]
> {
  const found = [];
  for await (const { leaf: bytes, sealed } of new LogReader(join(directory, 'ledger')).leaves(0)) {
    const parsed = parseLeaf(bytes);
    if (parsed.kind !== 'leaf') throw new Error('version');
    const { leaf } = parsed;
    found.push({
      leaf,
      body: leaf.body === undefined ? {} : bodyValues(unsealBody(sealed, leaf.body, bootKey)),
    });
  }
  return found;
}

describe('LogWriter', () => {
  it('never lets time go back, and says once that the clock did', async () => {
    const writer = open();
    writer.stage(gap());
    nowUs -= 10_000_000;
    writer.stage(gap());
    writer.stage(gap());
    nowUs += 20_000_000;
    writer.stage(gap());
    writer.commit();
    writer.close();
    const all = await leaves();
    expect(all.map(({ leaf }) => leaf.type)).toEqual([
      'ledger.gap',
      'clock.step',
      'ledger.gap',
      'ledger.gap',
      'ledger.gap',
    ]);
    const times = all.map(({ leaf }) => leaf.t);
    expect(times).toEqual(times.toSorted());
    expect(all[1]?.body).toMatchObject({ step_us: 10_000_000 });
    expect(new Set(times.slice(0, 4)).size).toBe(1);
  });

  it('clamps a small step in silence', async () => {
    const writer = open();
    writer.stage(gap());
    nowUs -= 900_000;
    writer.stage(gap());
    writer.commit();
    writer.close();
    expect((await leaves()).map(({ leaf }) => leaf.type)).toEqual(['ledger.gap', 'ledger.gap']);
  });

  it('goes on over the zeros that a journal ends in, and gives them back when it closes', async () => {
    const killed = open();
    killed.stage(gap());
    killed.commit();
    const [name = ''] = readdirSync(join(directory, 'ledger', 'journal'));
    const path = join(directory, 'ledger', 'journal', name);
    const length = statSync(path).size;
    const afterCrash = openLog(LOG_FILES, join(directory, 'ledger'), undefined);
    expect(afterCrash.cut).toBeUndefined();
    expect(afterCrash.segment?.bytes).toBeLessThan(length);

    const writer = open();
    writer.stage(gap());
    writer.commit();
    expect(statSync(path).size).toBe(length);
    writer.close();
    expect(statSync(path).size).toBeLessThan(2000);
    expect((await leaves()).map(({ leaf }) => leaf.n)).toEqual([0, 1]);
  });

  it('takes what follows zeros in a journal for a torn tail', () => {
    const writer = open();
    writer.stage(gap());
    writer.commit();
    writer.close();
    const [name = ''] = readdirSync(join(directory, 'ledger', 'journal'));
    const path = join(directory, 'ledger', 'journal', name);
    const end = statSync(path).size;
    appendFileSync(path, Buffer.concat([Buffer.alloc(4096), Buffer.of(1)]));
    const { cut, segment } = openLog(LOG_FILES, join(directory, 'ledger'), undefined);
    expect(cut).toMatchObject({ bytesCut: 4097, recordsKept: 1 });
    expect(segment?.bytes).toBe(end);
  });

  it('makes the leaves of all events of a request, or of none', async () => {
    const writer = open();
    const tooLong = { ...gap(), body: { reason: 'x'.repeat(2 * LIMITS.ledger.bodyBytesMax) } };
    const notText = { ...gap(), body: { reason: '\ud800' } };
    expect(() => writer.stageAll([gap(), tooLong])).toThrow(/bodyBytesMax/);
    expect(() => writer.stageAll([gap(), notText])).toThrow(/surrogate/);
    expect(writer.stageAll([gap(), gap()]).map(({ index }) => index)).toEqual([0, 1]);
    writer.commit();
    writer.close();
    expect((await leaves()).map(({ leaf }) => leaf.n)).toEqual([0, 1]);
  });

  it('lets an event answer the one before it in its request, whatever comes in between', async () => {
    const writer = open();
    const answering = (ref: number): Parameters<LogWriter['stage']>[0] => ({ ...gap(), ref });
    for (const events of [[answering(-1)], [gap(), answering(-2)], [gap(), gap(), answering(-2)]]) {
      expect(() => writer.stageAll(events)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    }
    // The clock goes back behind the first of them, and that is a leaf.
    firstUs = [START_US, START_US];
    nowUs -= 10_000_000;
    expect(writer.stageAll([gap(), answering(-1), answering(-1)]).map(({ index }) => index)).toEqual([
      0, 2, 3,
    ]);
    writer.commit();
    writer.close();
    expect((await leaves()).map(({ leaf: { type, ref } }) => [type, ref])).toEqual([
      ['ledger.gap', undefined],
      ['clock.step', undefined],
      ['ledger.gap', 0],
      ['ledger.gap', 2],
    ]);
  });

  it('stops for good where the second place was changed by somebody else', () => {
    const writer = open();
    writer.stage(gap());
    writer.commit();
    const note = writer.checkpoint();
    expect(secondPlace.swap(ORIGIN, note, note.replace('\n1\n', '\n2\n'))).toBe(true);
    writer.stage(gap());
    writer.commit();
    expect(() => writer.checkpoint()).toThrow(/second place/);
    expect(() => writer.stage(gap())).toThrow(/cannot be written/);
    writer.close();
  });

  it('stops for good where the journal cannot be written', () => {
    const writer = open();
    writer.stage(gap());
    writer.commit();
    writer.close();
    writer.stage(gap());
    expect(() => writer.commit()).toThrow(/cannot be written/);
    expect(() => writer.stage(gap())).toThrow(/cannot be written/);
  });

  it('signs nothing twice, and keeps what was asked for in the history', async () => {
    const writer = open();
    writer.stage(gap());
    writer.commit();
    const note = writer.checkpoint();
    expect(writer.checkpoint()).toBe(note);
    expect(writer.checkpoint(true)).toBe(note);
    writer.close();
    const history = await new LogReader(join(directory, 'ledger')).checkpoints();
    expect(history.map(({ size }) => size)).toEqual([1, 1]);
  });
});
