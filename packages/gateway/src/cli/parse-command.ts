/** Words of a command line → a command and its input; and the help, from the same table. */

import { parseArgs } from 'node:util';
import { CountersignError } from '../core/errors.ts';
import { type CliContext, type Command, CommandInput } from './command.ts';

export type ParsedCommand =
  | { readonly kind: 'run'; readonly command: Command; readonly input: CommandInput }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' };

/** Columns of the narrowest terminal that the help is written for. */
const HELP_COLUMNS = 80;

/** The command of these words; REQUEST_INVALID where there is none, or it does not take them. */
export function parseCommand(
  words: readonly string[],
  commands: readonly Command[],
  context: CliContext,
): ParsedCommand {
  const [first, ...others] = words;
  if (first === undefined || first === '--help' || first === '-h')
    return { kind: 'help', text: overview(commands, '') };
  if (first === '--version') return { kind: 'version' };
  if (first === 'help') return parseCommand([...others, '--help'], commands, context);
  const command = commands.find(({ path }) => path === first || path === `${first} ${others[0] ?? ''}`);
  if (command === undefined) {
    const group = commands.filter(({ path }) => path.startsWith(`${first} `));
    if (group.length > 0 && [undefined, '--help', '-h'].includes(others[0])) {
      return { kind: 'help', text: overview(group, ` ${first}`) };
    }
    const given = [first, others[0] ?? ''].join(' ').trim().slice(0, 64);
    const where = group.length > 0 ? `countersign ${first} --help` : 'countersign --help';
    throw invalid(`there is no command "${given}" (see ${where})`);
  }
  const rest = words.slice(command.path.split(' ').length);
  if (rest.includes('--help') || rest.includes('-h')) return { kind: 'help', text: helpOf(command) };
  return { kind: 'run', command, input: parseInput(command, rest, context) };
}

function parseInput(command: Command, words: readonly string[], context: CliContext): CommandInput {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, short, multiple = false }]) => [
      name,
      short === undefined ? { type, multiple } : { type, short, multiple },
    ]),
  );
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : '').split('. ');
    throw invalid(`${reason} (see countersign ${command.path} --help)`, error);
  }
  const needed = command.positionals.filter((name) => !name.startsWith('[')).length;
  const { length } = parsed.positionals;
  const isOpen = command.positionals.at(-1)?.endsWith('…') === true;
  if (length < needed || (length > command.positionals.length && !isOpen)) {
    throw invalid(`expected countersign ${callOf(command)}`);
  }
  return new CommandInput(context, parsed.values, parsed.positionals);
}

/** The commands, or those of one group: ` sessions`. */
function overview(commands: readonly Command[], group: string): string {
  const rows = commands.map((command) => [callOf(command), command.summary] as const);
  const own = [
    ['--help', 'This text; after a command, what that takes'],
    ['--version', 'The version of this program'],
  ] as const;
  return [
    `Usage: countersign${group} COMMAND`,
    '',
    ...table(rows),
    '',
    ...(group === '' ? [...table(own), ''] : []),
    'countersign COMMAND --help says more.',
    '',
  ].join('\n');
}

function helpOf(command: Command): string {
  const options = Object.entries(command.options).map(([name, { short, value, says }]) => {
    const flag = short === undefined ? `--${name}` : `-${short}, --${name}`;
    return [value === undefined ? flag : `${flag} ${value}`, says] as const;
  });
  const usage = `Usage: countersign ${callOf(command)}${options.length === 0 ? '' : ' [OPTIONS]'}`;
  const listed = options.length === 0 ? [] : [...table(options), ''];
  return [usage, '', ...wrapped(`${command.summary}.`, HELP_COLUMNS), '', ...listed].join('\n');
}

/** Two columns; the second goes on below itself where the line is too short for it. */
function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.flatMap(([name, says]) =>
    wrapped(says, HELP_COLUMNS - width - 4).map(
      (line, index) => `  ${(index === 0 ? name : '').padEnd(width)}  ${line}`,
    ),
  );
}

/** Lines of whole words. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function callOf({ path, positionals }: Command): string {
  return [path, ...positionals].join(' ');
}

function invalid(reason: string, cause?: unknown): CountersignError {
  return new CountersignError('REQUEST_INVALID', { reason }, { cause });
}
