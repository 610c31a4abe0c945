import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const PACKAGE = join(import.meta.dirname, '..');
const FLAGS = ['--conditions=source', '--input-type=module-typescript', '--eval'];

it('runs the example of README.md, which prints what its comment says', async () => {
  const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
  const [, example = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  const [, promised] = /console\.log\(.*\/\/ (.*)/.exec(example) ?? [];
  const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS, example], { cwd: PACKAGE });
  expect(stdout.trim()).toBe(promised);
});
