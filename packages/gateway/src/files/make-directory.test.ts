import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDirectory, makeDirectorySync } from './make-directory.ts';

let place: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'countersign-files-'));
});
afterEach(() => rm(place, { recursive: true }));

describe.each([
  ['makeDirectory', makeDirectory],
  ['makeDirectorySync', async (path: string) => makeDirectorySync(path)],
] as const)('%s', (_name, make) => {
  it('makes what is missing, for us alone, and is content with what is there', async () => {
    const path = join(place, 'a', 'b', 'c');
    await make(path);
    await make(path);
    expect((await stat(join(place, 'a'))).mode & 0o777).toBe(0o700);
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  it('says so where a file is in the way', async () => {
    const file = join(place, 'file');
    await writeFile(file, '');
    await expect(make(file)).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(make(join(file, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it.runIf(existsSync('/proc/self'))('ends where a file system has no such name', async () => {
    await expect(make('/proc/no-such-name/below')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
