/** Commands about masks that need no gateway. */

import type { Command } from './command.ts';
import { JSON_OPTION } from './command.ts';
import { loadedConfig, OFFLINE_OPTIONS } from './offline-config.ts';

const rotateKey: Command = {
  path: 'masking rotate-key',
  summary: 'Make masks with a new key; former keys go on recognising their masks. The gateway must not run',
  positionals: [],
  options: {
    ...OFFLINE_OPTIONS,
    reason: { type: 'string', value: 'TEXT', says: 'Why; it stands in the leaf' },
    by: { type: 'string', value: 'NAME', says: 'Who asked; it stands in the leaf' },
    ...JSON_OPTION,
  },
  async run(input) {
    const why = { reason: input.required('reason'), requestedBy: input.required('by') };
    const keys = await input.context.ports.rotateMaskingKey(await loadedConfig(input), why);
    await input.show(keys, [
      `Masks are made with key ${keys.current} from now on: values have other masks than before.`,
      keys.former.length === 0
        ? 'There is no former key.'
        : `Former keys that recognise and reveal their masks: ${keys.former.join(', ')}.`,
    ]);
    return undefined;
  },
};

export const MASKING_COMMANDS: readonly Command[] = [rotateKey];
