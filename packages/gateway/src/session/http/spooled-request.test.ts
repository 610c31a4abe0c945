import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SIGV4_LIMITS } from '../../core/sigv4-limits.ts';
import { Spool } from '../../recording/spool.ts';
import type { ContentShare } from './content-budget.ts';
import { ContentBudget } from './content-budget.ts';
import { UnprovenContents } from './signed-request.ts';
import { spoolRequest } from './spooled-request.ts';

let directory: string;
let spool: Spool;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-spooled-'));
  spool = await Spool.prepare({ directory, randomBytes: (length) => new Uint8Array(randomBytes(length)) });
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

function bytesOf(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 31) % 251));
}

function inPieces(bytes: Buffer, piece: number): Readable {
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, at) =>
    bytes.subarray(at * piece, (at + 1) * piece),
  );
  return Readable.from(pieces, { objectMode: false });
}

const never = new AbortController().signal;

describe('a spooled request', () => {
  it.each([
    ['nothing', 0, 0],
    ['a little', 1_000, 0],
    ['as much as is held in memory', SIGV4_LIMITS.memoryBytesMax, 0],
    ['a byte more', SIGV4_LIMITS.memoryBytesMax + 1, 1],
    ['much', 3_000_000, 1],
  ])('gives back what came, and its digest: %s', async (_name, length, onDisk) => {
    const budget = new ContentBudget();
    const bytes = bytesOf(length);
    const options = { spool, owner: 'prn', share: budget.shareOf('prn', 'api'), signal: never };
    const spooled = await spoolRequest(inPieces(bytes, 65_000), options);
    expect(spooled).toMatchObject({
      bytes: length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    expect(spool.bytes > 0 ? 1 : 0).toBe(onDisk);
    expect(budget.bytes).toBe(onDisk === 0 ? length : 0);
    // Without a name, nobody finds it there.
    expect(await readdir(directory)).toEqual([]);
    const read: Buffer[] = [];
    for await (const piece of spooled.read()) read.push(Buffer.from(piece));
    expect(Buffer.concat(read).equals(bytes)).toBe(true);
    await spooled.release();
    await spooled.release();
    expect([spool.bytes, budget.bytes, budget.owners]).toEqual([0, 0, 0]);
  });

  it('goes to disk where others have the memory', async () => {
    const full: ContentShare = {
      take: () => {
        throw new Error('full');
      },
      give: (bytes) => {
        if (bytes !== 0) throw new Error('what was never taken');
      },
    };
    const spooled = await spoolRequest(inPieces(bytesOf(70_000), 1_000), {
      spool,
      owner: 'prn',
      share: full,
      signal: never,
    });
    expect(spooled.bytes).toBe(70_000);
    expect(spool.bytes).toBeGreaterThan(0);
    await spooled.release();
    expect(spool.bytes).toBe(0);
  });

  it.each([1_000, 2_000_000])(
    'leaves nothing behind where its client breaks off after %i bytes',
    async (length) => {
      const budget = new ContentBudget();
      const source = new PassThrough();
      const options = { spool, owner: 'prn', share: budget.shareOf('prn', 'api'), signal: never };
      const spooling = spoolRequest(source, options);
      source.write(bytesOf(length));
      setImmediate(() => source.destroy(new Error('gone')));
      await expect(spooling).rejects.toMatchObject({ code: 'HTTP_CONTENT_REFUSED' });
      // Longer than it takes to open a file: what is open only then must go too.
      await spool.open('prn').then((file) => file.discard());
      await expect.poll(() => [spool.bytes, budget.bytes], { timeout: 20_000 }).toEqual([0, 0]);
    },
  );

  it('ends at once where it is aborted, also while nothing comes', async () => {
    const budget = new ContentBudget();
    const source = new PassThrough();
    const abort = new AbortController();
    const options = { spool, owner: 'prn', share: budget.shareOf('prn', 'api'), signal: abort.signal };
    const spooling = spoolRequest(source, options);
    source.write(bytesOf(2_000_000));
    const ended = new Error('the session has ended');
    setImmediate(() => abort.abort(ended));
    await expect(spooling).rejects.toBe(ended);
    source.end();
    await expect.poll(() => [spool.bytes, budget.bytes], { timeout: 20_000 }).toEqual([0, 0]);
  });
});

describe('contents of nobody yet', () => {
  it('have a bound for each key, and one together', () => {
    const contents = new UnprovenContents();
    const own = contents.shareOf('a');
    own.take(SIGV4_LIMITS.unprovenKeyBytesMax);
    expect(() => own.take(1)).toThrow(/this access key/);
    const others = ['b', 'c'].map((key) => contents.shareOf(key));
    others[0]?.take(SIGV4_LIMITS.unprovenTotalBytesMax - SIGV4_LIMITS.unprovenKeyBytesMax);
    expect(() => others[1]?.take(1)).toThrow(/not checked yet/);
    own.give(SIGV4_LIMITS.unprovenKeyBytesMax);
    others[1]?.take(1);
    expect(contents.bytes).toBe(SIGV4_LIMITS.unprovenTotalBytesMax - SIGV4_LIMITS.unprovenKeyBytesMax + 1);
  });
});
