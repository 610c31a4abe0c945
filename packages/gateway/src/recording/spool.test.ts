import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../core/limits.ts';
import { largeMessages } from '../session/postgres/large-message.ts';
import { Spool } from './spool.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spool-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** A slow target that keeps what it got. */
function sink(): { target: Writable; got: Buffer[] } {
  const got: Buffer[] = [];
  const target = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      got.push(Buffer.from(chunk));
      setImmediate(done);
    },
  });
  return { target, got };
}

describe('a spooled message', () => {
  const chunk = LIMITS.spool.chunkBytes;
  it.each([0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 5 * chunk + 17])(
    'of %i bytes is forwarded as it came, and leaves nothing',
    async (length) => {
      const spool = await Spool.prepare({ directory, randomBytes });
      const message = randomBytes(length);
      const file = await spool.open('ana');
      expect(await readdir(directory)).toEqual([]);
      for (let at = 0; at < length; at += 50_000) await file.write(message.subarray(at, at + 50_000));
      const sha256 = createHash('sha256').update(message).digest('hex');
      expect(await file.finish()).toEqual({ bytes: length, sha256 });
      expect(spool.bytes).toBe(length + 16 * Math.max(1, Math.ceil(length / chunk)));
      const { target, got } = sink();
      const passed: Uint8Array[] = [];
      await file.forwardTo(target, (piece) => passed.push(Uint8Array.from(piece)));
      expect(Buffer.concat(got).equals(message)).toBe(true);
      expect(Buffer.concat(passed).equals(message)).toBe(true);
      expect(spool.bytes).toBe(0);
    },
  );

  it('is refused to one user where others need a share, in messages and in bytes', async () => {
    const spool = await Spool.prepare({ directory, randomBytes, testingOnlyBytesMax: 400_000 });
    const stalled = await Promise.all(
      Array.from({ length: LIMITS.spool.ownerMessagesMax }, () => spool.open('ana')),
    );
    await expect(spool.open('ana')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const others = await Promise.all(Array.from({ length: 64 }, () => spool.open('otto')));
    await expect(spool.open('otto')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await expect(stalled[0]?.write(randomBytes(400_000))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await others[0]?.write(randomBytes(90_000));
    await Promise.all([...stalled, ...others].map((each) => each.discard()));
    expect(spool.bytes).toBe(0);
    const again = await spool.open('ana');
    await again.discard();
  });

  it('is refused where the disk share is used up, and another fits when it is gone', async () => {
    const spool = await Spool.prepare({ directory, randomBytes, testingOnlyBytesMax: 200_000 });
    const first = await spool.open('ana');
    await first.write(randomBytes(100_000));
    await first.finish();
    const second = await spool.open('ana');
    await expect(second.write(randomBytes(300_000))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await second.discard();
    await first.discard();
    expect(spool.bytes).toBe(0);
  });

  it('is discarded where the target is gone', async () => {
    const spool = await Spool.prepare({ directory, randomBytes });
    const file = await spool.open('ana');
    await file.write(randomBytes(200_000));
    await file.finish();
    const { target } = sink();
    target.destroy();
    await expect(file.forwardTo(target)).rejects.toMatchObject({ code: 'SPOOL_FAILED' });
    expect(spool.bytes).toBe(0);
    await expect(file.finish()).rejects.toMatchObject({ code: 'SPOOL_FAILED' });
  });

  it('fits the port of the session', async () => {
    await writeFile(join(directory, 'left.spool'), '');
    const spool = await Spool.prepare({ directory, randomBytes });
    expect(await readdir(directory)).toEqual([]);
    const header = Buffer.of(0x51, 0, 0, 0, 9);
    const large = largeMessages(() => spool.open('ana'))(0x51, 9, header);
    await large.write(Buffer.from('ab'));
    await large.write(Buffer.from('c\0'));
    const spooled = await large.finish();
    expect(spooled.sha256).toBe(createHash('sha256').update(header).update('abc\0').digest('hex'));
    await spooled.discard();
  });
});
