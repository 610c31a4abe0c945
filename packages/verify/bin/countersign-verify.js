#!/usr/bin/env node
// A checkout runs its sources as they are; an installed package has what was compiled.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const installed = import.meta.url.includes('/node_modules/');
if (installed || process.execArgv.includes('--conditions=source')) {
  const { runCli } = await import(installed ? '../dist/cli.js' : '../src/cli.ts');
  const { status, stdout, stderr } = await runCli(process.argv.slice(2));
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exitCode = status;
} else {
  const args = ['--conditions=source', fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 70;
}
