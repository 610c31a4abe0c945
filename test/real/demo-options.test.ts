/** The words behind `npm run demo --`. */

import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HELP, readOptions, UsageError } from '../../examples/demo/options.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../examples/demo/main.ts', import.meta.url));

describe('the options of the demo', () => {
  it('are a tour in a directory that goes, where nothing is said', () => {
    expect(readOptions([])).toEqual({ help: false, json: false, tour: true, data: undefined });
    expect(readOptions(['--json', '--no-tour', '--data', 'here'])).toEqual({
      help: false,
      json: true,
      tour: false,
      data: resolve('here'),
    });
  });

  it('are refused with how they are called where one is unknown', () => {
    expect(() => readOptions(['--fast'])).toThrow(UsageError);
    expect(() => readOptions(['--fast'])).toThrow(
      /'--fast'[^]*Usage: npm run -s demo -- .*\nMore: .* --help$/,
    );
  });

  it('have a help that names each of them, fits 80 columns, and starts nothing', async () => {
    expect(['--help', '-h'].map((flag) => readOptions([flag]).help)).toEqual([true, true]);
    const { stdout, stderr } = await run(process.execPath, ['--conditions=source', MAIN, '--help']);
    expect([stdout, stderr]).toEqual([HELP, '']);
    for (const option of ['--json', '--no-tour', '--data DIR', '-h, --help']) {
      expect(HELP).toContain(`\n  ${option}`);
    }
    expect(Math.max(...HELP.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});
