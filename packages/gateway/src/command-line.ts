/**
 * What `bin/countersign.js` runs: the CLI with the rooms that it may not import itself.
 *
 * The gateway is loaded only by the commands that need it, so that a client starts at once.
 */

import { randomBytes } from 'node:crypto';
import { runCommandLine } from './cli/main.ts';
import type { CliPorts } from './cli/command.ts';

const SOFTWARE = 'countersign 0.1.0';

/** Runs the command line of this process; resolves with its exit status. */
export async function runProcess(words: readonly string[]): Promise<number> {
  process.stdout.on('error', (error) => {
    // Whoever reads the output has seen enough, as `head` does.
    if ('code' in error && error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return runCommandLine(words, {
    env: process.env,
    ports: PORTS,
    software: SOFTWARE,
    stopped: new Promise((resolve) => {
      // A second signal changes nothing: an orderly end is bounded, and SIGKILL is always there.
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal));
    }),
    print: (text) =>
      new Promise((resolve, reject) => {
        process.stdout.write(text, (error) => {
          if (error === undefined || error === null) resolve();
          else reject(error);
        });
      }),
    warn: (text) => {
      process.stderr.write(text);
    },
  });
}

const PORTS: CliPorts = {
  async startGateway(config, options) {
    const { startGateway } = await import('./main.ts');
    return startGateway(config, { ...options, software: SOFTWARE });
  },
  async recordRollback(config, acceptRollback) {
    const { openRooms } = await import('./wiring/rooms.ts');
    const rooms = await openRooms(config, {
      env: process.env,
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
      software: SOFTWARE,
      acceptRollback,
    });
    await rooms.close('the rollback is recorded');
  },
  async rotateMaskingKey(config, why) {
    const { openRooms } = await import('./wiring/rooms.ts');
    const rooms = await openRooms(config, {
      env: process.env,
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
      software: SOFTWARE,
    });
    try {
      return await rooms.maskingKeys.rotate(why);
    } finally {
      await rooms.close('the masking key is another');
    }
  },
  async restore(directory, data) {
    const { restore } = await import('./wiring/backup.ts');
    return restore(directory, data);
  },
  async openApi() {
    const { openApiDocument } = await import('./api/server.ts');
    return openApiDocument();
  },
};
