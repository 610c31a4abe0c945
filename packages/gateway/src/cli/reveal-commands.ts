/** Commands that show what Masks hide, when others have agreed. */

import type { RevealedLiteralsAnswer, RevealedValueAnswer } from '../api/answers.ts';
import { CountersignError } from '../core/errors.ts';
import { safeText } from '../recording/table-text.ts';
import { clientOf } from './client.ts';
import { CLIENT_OPTIONS, type Command } from './command.ts';

const REASON = {
  reason: { type: 'string', value: 'TEXT', says: 'Why; approvers read it, and it stands in the leaf' },
} as const;

const statement: Command = {
  path: 'reveal statement',
  summary:
    'Text and values of a statement whose literals are hidden; asks, and shows them once when approved',
  positionals: ['SESSION', 'LEAF'],
  options: { ...REASON, ...CLIENT_OPTIONS },
  async run(input) {
    const client = await clientOf(input);
    const path = `/v1/sessions/${encodeURIComponent(input.positional(0))}/reveal`;
    const body = { leaf: wholeNumber(input.positional(1), 'LEAF'), reason: input.required('reason') };
    const answer = await client.json<RevealedLiteralsAnswer>('POST', path, { body });
    const { sql, parameters } = answer;
    await input.show(answer, [
      ...(sql === undefined ? [] : textLines(sql)),
      ...(parameters === undefined ? [] : [`parameters ${safeText(JSON.stringify(parameters))}`]),
      '',
      `Leaf ${answer.leaf} says that it was shown.`,
    ]);
    return undefined;
  },
};

const value: Command = {
  path: 'reveal value',
  summary: 'What a masked value stands for, of token and fpe; asks, and shows it once when approved',
  positionals: ['VALUE'],
  options: {
    ...REASON,
    operator: { type: 'string', value: 'OPERATOR', says: 'token or fpe; token where left out' },
    entity: { type: 'string', value: 'ENTITY', says: 'What it is, as the Mask says; a token says it itself' },
    type: { type: 'string', value: 'TYPE', says: 'text, int4, int8, numeric or uuid; text where left out' },
    key: { type: 'string', value: 'NUMBER', says: 'Masking key, where the value does not say' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const client = await clientOf(input);
    const key = input.option('key');
    const body = {
      value: input.positional(0),
      operator: input.option('operator'),
      entity: input.option('entity'),
      type: input.option('type'),
      key: key === undefined ? undefined : wholeNumber(key, '--key'),
      reason: input.required('reason'),
    };
    const answer = await client.json<RevealedValueAnswer>('POST', '/v1/masking/reveal', { body });
    await input.show(answer, [safeText(answer.value), '', `Leaf ${answer.leaf} says that it was shown.`]);
    return undefined;
  },
};

export const REVEAL_COMMANDS: readonly Command[] = [statement, value];

function textLines(sql: unknown): readonly string[] {
  const text = typeof sql === 'string' ? sql : JSON.stringify(sql);
  return text.split('\n').map((line) => safeText(line));
}

function wholeNumber(text: string, what: string): number {
  if (/^(0|[1-9][0-9]{0,14})$/.test(text)) return Number(text);
  throw new CountersignError('REQUEST_INVALID', { reason: `expected a whole number as ${what}` });
}
