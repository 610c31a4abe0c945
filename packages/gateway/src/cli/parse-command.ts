/** Words of a command line → a command and its input; and the help, from the same table. */

import { parseArgs } from 'node:util';
import { CountersignError } from '../core/errors.ts';
import { type CliContext, type Command, CommandInput } from './command.ts';

export type ParsedCommand =
  | { readonly kind: 'run'; readonly command: Command; readonly input: CommandInput }
  | { readonly kind: 'help'; readonly text: string };

/** The command of these words; REQUEST_INVALID where there is none, or it does not take them. */
export function parseCommand(
  words: readonly string[],
  commands: readonly Command[],
  context: CliContext,
): ParsedCommand {
  const [first, ...others] = words;
  if (first === undefined || first === '--help' || first === '-h')
    return { kind: 'help', text: overview(commands) };
  if (first === 'help') return parseCommand([...others, '--help'], commands, context);
  const command = commands.find(({ path }) => path === first || path === `${first} ${others[0] ?? ''}`);
  if (command === undefined) {
    const group = commands.filter(({ path }) => path.startsWith(`${first} `));
    if (group.length > 0 && (others[0] === undefined || others[0] === '--help')) {
      return { kind: 'help', text: overview(group) };
    }
    throw invalid(`there is no command "${[first, others[0] ?? ''].join(' ').trim().slice(0, 64)}"`);
  }
  const rest = words.slice(command.path.split(' ').length);
  if (rest.includes('--help') || rest.includes('-h')) return { kind: 'help', text: helpOf(command) };
  return { kind: 'run', command, input: parseInput(command, rest, context) };
}

function parseInput(command: Command, words: readonly string[], context: CliContext): CommandInput {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, short }]) => [
      name,
      short === undefined ? { type } : { type, short },
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
  if (length < needed || length > command.positionals.length) {
    throw invalid(`expected countersign ${command.path} ${command.positionals.join(' ')}`);
  }
  return new CommandInput(context, parsed.values, parsed.positionals);
}

function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((command) => callOf(command).length));
  const lines = commands.map((command) => `  ${callOf(command).padEnd(width)}  ${command.summary}`);
  return ['Usage: countersign COMMAND', '', ...lines, '', 'countersign COMMAND --help says more.', ''].join(
    '\n',
  );
}

function helpOf(command: Command): string {
  const options = Object.entries(command.options).map(([name, { short, value, says }]) => {
    const flag = short === undefined ? `--${name}` : `-${short}, --${name}`;
    return [value === undefined ? flag : `${flag} ${value}`, says] as const;
  });
  const width = Math.max(0, ...options.map(([flag]) => flag.length));
  const lines = options.map(([flag, says]) => `  ${flag.padEnd(width)}  ${says}`);
  return [
    `Usage: countersign ${callOf(command)} [OPTIONS]`,
    '',
    `${command.summary}.`,
    '',
    ...lines,
    '',
  ].join('\n');
}

function callOf({ path, positionals }: Command): string {
  return [path, ...positionals].join(' ');
}

function invalid(reason: string, cause?: unknown): CountersignError {
  return new CountersignError('REQUEST_INVALID', { reason }, { cause });
}
