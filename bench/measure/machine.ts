/** The machine and the programs that a figure belongs to. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** One line for people. */
export function describeMachine(directory: string): string {
  const memoryGib = (totalmem() / 2 ** 30).toFixed(0);
  return [
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, ${memoryGib} GiB`,
    `Linux ${release()}`,
    `data on ${fileSystemOf(readFileSync('/proc/mounts', 'utf8'), directory)}`,
    `Node ${process.versions.node}`,
    `load ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')} at the start`,
  ].join(' · ');
}

/** The type of the file system, by the longest mount point above the directory. */
export function fileSystemOf(mounts: string, directory: string): string {
  const above = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point = '']) => point !== '' && `${directory}/`.startsWith(point === '/' ? '/' : `${point}/`))
    .toSorted(([, one = ''], [, other = '']) => one.length - other.length);
  return above.at(-1)?.[2] ?? 'an unknown file system';
}

/** The first line that a program says about its version; undefined where it is not there. */
export function versionOf(program: string, argument: string): string | undefined {
  const { stdout, stderr, error } = spawnSync(program, [argument], { encoding: 'utf8' });
  // nginx says it where others say what went wrong.
  return error === undefined ? `${stdout}${stderr}`.split('\n')[0]?.trim() : undefined;
}
