/** Says what failed when it fails: a soak goes on for more than an hour behind that. */

import type { TestCase, Reporter } from 'vitest/node';

export class FailuresAtOnce implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state !== 'failed') return;
    const errors = result.errors.map(({ stack, message, diff = '' }) => `${stack ?? message}\n${diff}`);
    process.stderr.write(`\nFAILED ${test.module.moduleId} > ${test.fullName}\n${errors.join('\n')}\n`);
  }
}
