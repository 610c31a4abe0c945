import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { FailuresAtOnce } from './test/failures-at-once.ts';

/** More than an hour. */
const isSoak = process.env['COUNTERSIGN_SOAK'] !== undefined;

/** Half of all the time. Begun late, one of them would run beside an idle core. */
const LONGEST = [
  'test/leaks/non-interference.test.ts',
  'test/leaks/battery.test.ts',
  'test/differential/scripts.test.ts',
  'packages/verify/src/html.test.ts',
  'test/crash/durable-before-effect.test.ts',
  'packages/verify/src/attacks.test.ts',
  'test/leaks/server-role.test.ts',
  'test/e2e/row-count.test.ts',
  'test/differential/clients.test.ts',
  'test/e2e/server-role-attacks.test.ts',
];

/** The longest files first; without figures of an earlier run Vitest goes by their sizes. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- It is no array's.
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ moduleId }: TestSpecification): number {
  const at = LONGEST.findIndex((path) => moduleId.endsWith(`/${path}`));
  return at === -1 ? LONGEST.length : at;
}

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    reporters: isSoak ? ['default', new FailuresAtOnce()] : ['default'],
    exclude: ['**/node_modules/**'],
    execArgv: ['--conditions=source'],
    // What these import has a condition `source` of its own, and Node strips no types in node_modules.
    server: { deps: { inline: [/\/node_modules\/(ai|@ai-sdk|eventsource-parser)\//] } },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});
