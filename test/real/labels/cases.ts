/** Reads vectors/sql/labels.txt. */

import { readFileSync } from 'node:fs';
import type { Words } from './rig.ts';

export interface Case extends Words {
  readonly sql: string;
  readonly before: string;
  /** First version that has it. */
  readonly since: number;
}

export function labelCases(): readonly Case[] {
  const file = new URL('../../../vectors/sql/labels.txt', import.meta.url);
  const [, ...blocks] = readFileSync(file, 'utf8').split(/\n(?=> )/);
  return blocks.map(parse);
}

function parse(block: string): Case {
  const lines = block.split('\n').filter((line) => line !== '');
  const take = (mark: string): string[] =>
    lines
      .filter((line) => line === mark || line.startsWith(`${mark} `))
      .map((line) => line.slice(mark.length + 1));
  const marks = ['>', '=', 'use', 'write', 'utility', 'since', 'before'];
  const strange = lines.find((line) => !marks.includes(line.split(' ', 1)[0] ?? ''));
  if (strange !== undefined) throw new Error(`a line of an unknown kind: ${strange}`);
  const out = take('=');
  return {
    sql: take('>')[0] ?? '',
    before: take('before')[0] ?? '',
    since: Number(take('since')[0] ?? 0),
    out: out.length === 0 ? undefined : out.filter((column) => column !== ''),
    uses: take('use'),
    writes: take('write'),
    utilities: take('utility'),
  };
}
