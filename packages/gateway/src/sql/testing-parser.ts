/** A parser for tests, from the package's own file. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { openParser, type Parser } from './parser.ts';

export async function testingOnlyParser(): Promise<Parser> {
  const file = createRequire(import.meta.url).resolve('libpg-query/wasm/libpg-query.wasm');
  return openParser(await readFile(file));
}
