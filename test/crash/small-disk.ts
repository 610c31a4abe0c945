/** A real file system that is small, can be filled, and can be made read-only: tmpfs, mounted by root. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class SmallDisk implements Disposable {
  readonly path: string;

  constructor(mebibytes: number) {
    this.path = mkdtempSync(join(tmpdir(), 'countersign-disk-'));
    execFileSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${mebibytes}m,mode=700`,
      'countersign-test',
      this.path,
    ]);
  }

  /** Takes the last byte. */
  fill(): void {
    for (let bytes = 1_048_576; bytes >= 1; bytes = Math.floor(bytes / 4)) {
      for (;;) {
        try {
          writeFileSync(join(this.path, 'filler'), Buffer.alloc(bytes), { flag: 'a' });
        } catch (error) {
          if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') break;
          throw error;
        }
      }
    }
  }

  /** Gives back what {@link SmallDisk.fill} took. */
  free(): void {
    rmSync(join(this.path, 'filler'), { force: true });
  }

  remount(mode: 'ro' | 'rw'): void {
    execFileSync('mount', ['-o', `remount,${mode}`, this.path]);
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['--lazy', this.path]);
    rmdirSync(this.path);
  }
}

/** Whether this process may mount; a container without the right may not. */
export function mayMount(): boolean {
  try {
    using disk = new SmallDisk(1);
    return disk.path !== '';
  } catch {
    // Not root, or no such right: the tests that need it say that they were skipped.
    return false;
  }
}
