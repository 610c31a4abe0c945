/** The command line of the demo. */

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface Options {
  readonly help: boolean;
  readonly json: boolean;
  readonly tour: boolean;
  readonly data: string | undefined;
}

/** Of lines for a terminal of 80 columns. */
export const HELP = `Usage: npm run -s demo -- [--json] [--no-tour] [--data DIR]

A real PostgreSQL with a reranking database and a real reranking service, the
gateway in front of both with rules and Masks, a tour of real traffic, and the
evidence package that proves it. It needs no Docker and no database of yours,
says what to type, and runs until Ctrl-C or SIGTERM.

Options:
  --json      Print one line for machines when it is ready: where everything
              is, with tokens, and nothing else
  --no-tour   Start everything, and make no traffic and no package
  --data DIR  Keep everything in DIR, and go on with it at the next start;
              else it is in a temporary directory, and removed at the end
  -h, --help  Print this

Ports: 15432 PostgreSQL, 8441 HTTP, 8440 API; a free one where one is taken.
`;

/** Wrong words: what is wrong, and how it is called. */
export class UsageError extends Error {}

/** @param words of the command line, behind the name of the program */
export function readOptions(words: readonly string[]): Options {
  const { help, json, 'no-tour': noTour, data } = parseOptions(words);
  return { help, json, tour: !noTour, data: data === undefined ? undefined : resolve(data) };
}

function parseOptions(words: readonly string[]): {
  readonly help: boolean;
  readonly json: boolean;
  readonly 'no-tour': boolean;
  readonly data?: string | undefined;
} {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        json: { type: 'boolean', default: false },
        'no-tour': { type: 'boolean', default: false },
        data: { type: 'string' },
      },
    });
    return values;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${reason}\n\n${HELP.split('\n', 1)[0]}\nMore: npm run -s demo -- --help`);
  }
}
