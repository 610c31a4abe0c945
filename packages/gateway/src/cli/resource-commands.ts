/** Commands about resources: apply, diff, get, delete, and the password of a connection. */

import { stringify } from 'yaml';
import type { ChangeRow, ChangesAnswer, DiffAnswer, HeldByRow, ResourcesAnswer } from '../api/answers.ts';
import { CountersignError } from '../core/errors.ts';
import { safeText } from '../recording/table-text.ts';
import { clientOf } from './client.ts';
import { CLIENT_OPTIONS, type Command, type CommandInput } from './command.ts';
import { sendFiles } from './file-problems.ts';
import { columns, diffLine, shortTime, terminalJson } from './output.ts';
import { readPassword } from './secret-input.ts';

const FILE = {
  file: {
    type: 'string',
    short: 'f',
    multiple: true,
    value: 'FILE',
    says: 'YAML documents; - is standard input; may be given more than once, and is one change',
  },
} as const;

/** How people write kinds. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ['people', 'Person'],
  ['access', 'Access'],
  ...['Person', 'Group', 'ServiceAccount', 'Connection', 'Rule', 'Mask', 'Detector'].flatMap(
    (kind): [string, string][] => [
      [kind.toLowerCase(), kind],
      [`${kind.toLowerCase()}s`, kind],
    ],
  ),
]);

function sendFile(path: 'apply' | 'diff', summary: string): Command {
  return {
    path,
    summary,
    positionals: [],
    options: { ...FILE, ...CLIENT_OPTIONS },
    async run(input) {
      const files = input.options('file');
      if (files.length === 0) throw new CountersignError('REQUEST_INVALID', { reason: '--file is missing' });
      const client = await clientOf(input);
      return sendFiles(input, files, async (text) =>
        showChanges(
          input,
          path === 'diff',
          await client.json<ChangesAnswer & Partial<DiffAnswer>>('POST', `/v1/resources/${path}`, {
            body: { text },
          }),
        ),
      );
    },
  };
}

const get: Command = {
  path: 'get',
  summary: 'Resources of a kind, or one of them',
  positionals: ['KIND', '[NAME]'],
  options: {
    output: { type: 'string', short: 'o', value: 'yaml|json', says: 'The documents, as apply takes them' },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const output = input.json ? 'json' : (input.option('output') ?? 'table');
    const client = await clientOf(input);
    const answer = await client.json<ResourcesAnswer>('GET', pathOf(input));
    const documents = answer.resources.map(({ document }) => document);
    switch (output) {
      case 'json':
        await input.context.print(`${terminalJson(JSON.stringify(documents, undefined, 2))}\n`);
        return undefined;
      case 'yaml':
        await input.context.print(documents.map((document) => stringify(document)).join('---\n'));
        return undefined;
      case 'table': {
        const rows = answer.resources.map(({ kind, name, version, changedAt, changedBy }) => [
          kind,
          name,
          String(version),
          shortTime(changedAt),
          changedBy,
        ]);
        await input.show(answer, columns(['KIND', 'NAME', 'VERSION', 'CHANGED', 'BY'], rows));
        return undefined;
      }
      default:
        throw new CountersignError('REQUEST_INVALID', { reason: '--output must be yaml or json' });
    }
  },
};

const remove: Command = {
  path: 'delete',
  summary: 'Delete a resource that no other names',
  positionals: ['KIND', 'NAME'],
  options: CLIENT_OPTIONS,
  async run(input) {
    const client = await clientOf(input);
    await showChanges(input, false, await client.json<ChangesAnswer>('DELETE', pathOf(input)));
    return undefined;
  },
};

const password: Command = {
  path: 'connection password',
  summary: 'Set the password of a connection whose credential is { sealed: true }',
  positionals: ['NAME'],
  options: {
    'password-file': {
      type: 'string',
      value: 'FILE',
      says: 'Where it stands; else asked for, or read from a pipe',
    },
    ...CLIENT_OPTIONS,
  },
  async run(input) {
    const name = input.positional(0);
    const client = await clientOf(input);
    const body = { password: (await readPassword(input, `Password of ${name}: `)).reveal() };
    const answer = await client.json('PUT', `/v1/connections/${encodeURIComponent(name)}/password`, { body });
    await input.show(answer, [`Password of ${name} is set; nobody can read it back`]);
    return undefined;
  },
};

export const RESOURCE_COMMANDS: readonly Command[] = [
  sendFile('apply', 'Make or change resources: all of them or none'),
  sendFile('diff', 'What apply would change'),
  get,
  remove,
  password,
];

function pathOf(input: CommandInput): string {
  const [kind = '', name] = input.positionals;
  const known = KINDS.get(kind.toLowerCase()) ?? kind;
  const path = `/v1/resources/${encodeURIComponent(known)}`;
  return name === undefined ? path : `${path}/${encodeURIComponent(name)}`;
}

async function showChanges(
  input: CommandInput,
  isDiff: boolean,
  answer: ChangesAnswer & Partial<DiffAnswer>,
): Promise<void> {
  const { changes, heldBy = [] } = answer;
  const lines = changes.length === 0 ? ['Nothing given'] : changes.flatMap(changeLines);
  const head = isDiff ? ['Nothing is changed yet; apply would make of it:'] : [];
  await input.show(answer, [...head, ...lines, ...heldBy.map(heldByLine)]);
}

function heldByLine({ rule, version, what, approvers, count }: HeldByRow): string {
  const who = `${count} of ${approvers.join(', ')}`;
  return safeText(`apply would be held by rule "${rule}" (version ${version}): ${what}; it waits for ${who}`);
}

function changeLines({ kind, name, action, version, diff }: ChangeRow): string[] {
  const entries = action === 'deleted' ? [] : diff.map(diffLine);
  return [`${kind}/${name} ${action}, version ${version}`, ...entries];
}
