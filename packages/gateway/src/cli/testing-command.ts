/** For tests: the real command line, without a process of its own. */

import { runCommandLine } from './main.ts';

export interface TestingRun {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command of these words. What starts or changes a gateway itself is refused. */
export async function testingOnlyRun(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<TestingRun> {
  let out = '';
  let err = '';
  const status = await runCommandLine(words, {
    env,
    ports: {
      startGateway: notHere,
      recordRollback: notHere,
      rotateMaskingKey: notHere,
      restore: notHere,
      openApi: notHere,
    },
    software: 'countersign 1.2.3',
    stopped: new Promise(() => undefined),
    print: async (text) => void (out += text),
    warn: (text) => void (err += text),
  });
  return { status, out, err };
}

function notHere(): never {
  throw new Error('not in this test');
}
