/** The configuration of commands that work on a data directory: `--config FILE --data DIR`. */

import { dirname, resolve } from 'node:path';
import { type Config, loadConfig } from '../config/config.ts';
import { CountersignError } from '../core/errors.ts';
import type { Command, CommandInput } from './command.ts';
import { readText } from './secret-input.ts';

export const OFFLINE_OPTIONS: Command['options'] = {
  config: { type: 'string', value: 'FILE', says: 'The configuration; defaults where absent' },
  data: { type: 'string', value: 'DIR', says: 'The data directory' },
};

/** The options of the file, with the data directory of the command line. */
export async function loadedConfig(input: CommandInput): Promise<Config> {
  const file = input.option('config');
  const data = resolve(input.required('data'));
  if (file === undefined) return loadConfig(undefined, { data });
  return loadConfig(await configText(file), { data, directory: dirname(resolve(file)) });
}

async function configText(file: string): Promise<string> {
  try {
    return await readText(file === '-' ? file : resolve(file));
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== 'REQUEST_INVALID') throw error;
    throw new CountersignError('CONFIG_INVALID', error.details, { cause: error });
  }
}
