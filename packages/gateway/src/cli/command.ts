/** A command of the CLI: what it takes, what it says of itself, and what it does. */

import type { Config } from '../config/config.ts';
import { CountersignError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { terminalJson } from './output.ts';

/** A gateway that `up` has started. */
export interface StartedGateway {
  readonly postgres: { readonly host: string; readonly port: number };
  readonly http: { readonly host: string; readonly port: number };
  readonly api: { readonly host: string; readonly port: number };
  /** The code that makes the first administrator, while there is none. */
  readonly firstCode: Secret<string> | undefined;
  /** Resolves when the gateway cannot go on. */
  readonly halted: Promise<CountersignError>;
  close(reason: string): Promise<void>;
}

/** What the CLI needs of rooms that it may not import; wired in src/command-line.ts. */
export interface CliPorts {
  startGateway(
    config: Config,
    options: {
      readonly onError: (error: CountersignError, where: string) => void;
      readonly onNotice: (line: string) => void;
    },
  ): Promise<StartedGateway>;
  /** Opens the ledger of a stopped gateway, writes `ledger.rollback` and signs. */
  recordRollback(
    config: Config,
    rollback: { readonly reason: string; readonly requestedBy: string },
  ): Promise<void>;
  /** Makes masks with a new key, and says which keys there are then. */
  rotateMaskingKey(
    config: Config,
    why: { readonly reason: string; readonly requestedBy: string },
  ): Promise<{ readonly current: number; readonly former: readonly number[] }>;
  /** Puts a backup into an empty data directory. */
  restore(
    directory: string,
    data: string,
  ): Promise<{ readonly bytes: number; readonly parts: readonly string[] }>;
  openApi(): Promise<string>;
}

/** The world around a command. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly ports: CliPorts;
  /** `countersign 0.1.0`. */
  readonly software: string;
  /** Resolves at the first signal to stop. */
  readonly stopped: Promise<string>;
  /** Writes to standard output. */
  print(text: string): Promise<void>;
  /** Writes to standard error. */
  warn(text: string): void;
}

interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** It may be given more than once. */
  readonly multiple?: true;
  /** What follows the flag in the help; empty for a boolean. */
  readonly value?: string;
  readonly says: string;
}

export interface Command {
  /** `sessions list`. */
  readonly path: string;
  readonly summary: string;
  /** Names of what stands without a flag; `[NAME]` may be left out, and `NAME…` be given more than once. */
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Gives the exit status where it is not 0. */
  run(input: CommandInput): Promise<number | undefined>;
}

/** What was given on the command line. */
export class CommandInput {
  readonly context: CliContext;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #positionals: readonly string[];

  constructor(
    context: CliContext,
    values: Readonly<Record<string, unknown>>,
    positionals: readonly string[],
  ) {
    this.context = context;
    this.#values = values;
    this.#positionals = positionals;
  }

  option(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** Every value of an option that may be given more than once. */
  options(name: string): readonly string[] {
    const values = this.#values[name];
    return Array.isArray(values) ? values.filter((value) => typeof value === 'string') : [];
  }

  required(name: string): string {
    const value = this.option(name);
    if (value !== undefined) return value;
    throw new CountersignError('REQUEST_INVALID', { reason: `--${name} is missing` });
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  /** A whole number of an option. */
  count(name: string): number | undefined {
    const text = this.option(name);
    if (text === undefined) return undefined;
    if (/^[0-9]{1,15}$/.test(text)) return Number(text);
    throw new CountersignError('REQUEST_INVALID', { reason: `--${name} must be a whole number` });
  }

  /** What stands at this place without a flag; its presence was checked. */
  positional(index: number): string {
    return this.#positionals[index] ?? '';
  }

  get positionals(): readonly string[] {
    return this.#positionals;
  }

  get json(): boolean {
    return this.flag('json');
  }

  /** Prints a line, or the value itself with --json. */
  async show(value: unknown, lines: readonly string[]): Promise<void> {
    const text = this.json ? terminalJson(JSON.stringify(value)) : lines.join('\n');
    await this.context.print(`${text}\n`);
  }
}

export const JSON_OPTION: { readonly json: OptionSpec } = {
  json: { type: 'boolean', says: 'Print JSON' },
};

/** Options of every command that asks a gateway. */
export const CLIENT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  server: {
    type: 'string',
    value: 'URL',
    says: 'The gateway; else COUNTERSIGN_SERVER, else that of the login',
  },
  ...JSON_OPTION,
};
