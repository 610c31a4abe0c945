/** Commands about masks: what they would hide, what a target has to be told, and their keys. */

import type { MaskDdlAnswer, MaskPreviewAnswer } from '../api/answers.ts';
import { clientOf } from './client.ts';
import { CLIENT_OPTIONS, type Command, JSON_OPTION } from './command.ts';
import { previewLines } from './mask-preview-text.ts';
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

const preview: Command = {
  path: 'mask preview',
  summary: 'Which columns of a database Masks hide, and what samples have beside them; shows no value',
  positionals: ['CONNECTION'],
  options: {
    database: { type: 'string', value: 'NAME', says: 'Another database than that of the connection' },
    for: { type: 'string', value: 'NAME', says: 'Only Masks that hide from this person or service account' },
    reason: { type: 'string', value: 'TEXT', says: 'Why; it stands in the leaf' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const path = `/v1/connections/${encodeURIComponent(input.positional(0))}/mask-preview`;
    const body = {
      database: input.option('database'),
      for: input.option('for'),
      reason: input.option('reason'),
    };
    const answer = await client.json<MaskPreviewAnswer>('POST', path, { body });
    await input.show(answer, previewLines(answer));
    return undefined;
  },
};

const ddl: Command = {
  path: 'mask ddl',
  summary: 'SQL with which an administrator of the target gives a role what Masks of mode server-role need',
  positionals: ['CONNECTION'],
  options: {
    database: { type: 'string', value: 'NAME', says: 'Another database than that of the connection' },
    role: {
      type: 'string',
      value: 'NAME',
      says: 'Another role than that of the credential; made where it is not there',
    },
    undo: { type: 'boolean', says: 'Back to the rights of before' },
    reason: { type: 'string', value: 'TEXT', says: 'Why; it stands in the leaf' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const path = `/v1/connections/${encodeURIComponent(input.positional(0))}/mask-ddl`;
    const body = {
      database: input.option('database'),
      role: input.option('role'),
      undo: input.flag('undo'),
      reason: input.option('reason'),
    };
    const answer = await client.json<MaskDdlAnswer>('POST', path, { body });
    await input.show(answer, answer.sql.trimEnd().split('\n'));
    return undefined;
  },
};

export const MASKING_COMMANDS: readonly Command[] = [preview, ddl, rotateKey];
