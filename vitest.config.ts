import { defineConfig } from 'vitest/config';

/** Gigabytes and a million statements: only whole, and only when asked for. */
const big = process.env['COUNTERSIGN_SOAK'] === undefined ? ['test/big/**'] : [];

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', ...big],
    execArgv: ['--conditions=source'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
