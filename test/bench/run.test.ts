import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { WAY_NAMES } from '../../bench/stage.ts';
import { requirePresent } from '../real/require-present.ts';

const BENCH = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));

const there = ['/usr/bin/pgbench', '/usr/sbin/pgbouncer', '/usr/sbin/haproxy', '/usr/bin/setpriv'].every(
  (file) => requirePresent(file, existsSync(file)),
);

// Nothing is timed: that the measurements still work is all that is looked at.
it.skipIf(!there)(
  'a short run measures every way, fails at nothing and leaves nothing',
  { timeout: 240_000 },
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'countersign-bench-test-'));
    try {
      await chmod(directory, 0o711);
      const only = 'select/1/prepared,result/narrow,recording,masking/column';
      const ways = WAY_NAMES.join(',');
      const args = ['--only', only, '--ways', ways, '--rounds', '1', '--seconds', '1', '--dir', directory];
      const child = spawn(process.execPath, ['--conditions=source', BENCH, ...args]);
      let said = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => {
          said += chunk.toString();
        });
      }
      await once(child, 'close');
      expect(said.split('\n').filter((line) => line.startsWith('FAILED'))).toEqual([]);
      expect(child.exitCode).toBe(0);
      for (const name of WAY_NAMES) {
        // In both tables, with a figure.
        expect([...said.matchAll(new RegExp(`^\\| ${name} \\| [1-9]\\d* \\|`, 'gm'))]).toHaveLength(2);
      }
      expect(await readdir(directory)).toEqual([]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
);
