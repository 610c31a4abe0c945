/** Packs of rules and Masks that are published with this package: YAML as `apply` takes it, and cases beside it. */

import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { CountersignError } from '../core/errors.ts';

/** The same from `src` and from `dist`. */
const DIRECTORY = fileURLToPath(new URL('../../packs', import.meta.url));
const RULES = '.yaml';
const CASES = '.test.yaml';

export interface PackFacts {
  readonly name: string;
  readonly rules: number;
  readonly masks: number;
  /** The first sentence of its file. */
  readonly summary: string;
}

export async function listPacks(): Promise<readonly PackFacts[]> {
  return Promise.all(
    (await packNames()).map(async (name) => {
      const text = await readPack(name, 'rules');
      const count = (kind: RegExp): number => text.match(kind)?.length ?? 0;
      return {
        name,
        rules: count(/^kind: Rule$/gm),
        masks: count(/^kind: Mask$/gm),
        summary: firstSentence(text),
      };
    }),
  );
}

/** The text of a pack, or of its cases. */
export async function readPack(name: string, part: 'rules' | 'cases'): Promise<string> {
  const names = await packNames();
  if (!names.includes(name)) {
    throw new CountersignError('NOT_FOUND', { what: `pack "${name}"; there are ${names.join(', ')}` });
  }
  return readFile(join(DIRECTORY, `${name}${part === 'rules' ? RULES : CASES}`), 'utf8');
}

/** Of the comment at its beginning, which may go over several lines. */
function firstSentence(text: string): string {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('# '));
  const paragraph = lines
    .slice(0, end === -1 ? lines.length : end)
    .map((line) => line.slice(2).trim())
    .join(' ');
  return /^.*?\.(?= |$)/.exec(paragraph)?.[0] ?? paragraph;
}

async function packNames(): Promise<readonly string[]> {
  const files = await readdir(DIRECTORY);
  return files
    .filter((file) => file.endsWith(RULES) && !file.endsWith(CASES))
    .map((file) => file.slice(0, -RULES.length))
    .toSorted();
}
