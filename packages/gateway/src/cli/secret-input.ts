/** Passwords and files that a person hands in: from a file, from a pipe, or typed without an echo. */

import { open, readFile, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CountersignError, reasonOf } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import type { CommandInput } from './command.ts';

/** A password from --password-file, from the terminal, or from the first line of standard input. */
export async function readPassword(input: CommandInput, question: string): Promise<Secret<string>> {
  const file = input.option('password-file');
  if (file !== undefined) return new Secret(firstLine(await readText(file)));
  if (process.stdin.isTTY) return typed(question);
  return new Secret(firstLine(await readText('-')));
}

/** The option that says where a password stands. */
export const PASSWORD_FILE = {
  'password-file': {
    type: 'string',
    value: 'FILE',
    says: 'Where the password stands; else asked for, or read from a pipe',
  },
} as const;

/** The option of a code that is used once. */
export const OTP_OPTION = {
  otp: { type: 'string', value: 'CODE', says: 'Code of the second factor; else asked for at a terminal' },
} as const;

/** A code from --otp, or typed where the password is; undefined where there is none. */
export async function askCode(input: CommandInput, question: string): Promise<string | undefined> {
  const isAsked = process.stdin.isTTY && input.option('password-file') === undefined;
  const given = input.option('otp') ?? (isAsked ? (await typed(question)).reveal() : '');
  const code = given.replaceAll(/\s/g, '');
  return code === '' ? undefined : code;
}

/** A file's text, or standard input for `-`; of bounded length. */
export async function readText(file: string): Promise<string> {
  return (await readBytes(file)).toString('utf8');
}

/** The same as bytes. */
export async function readBytes(file: string): Promise<Buffer> {
  const { fileBytesMax: allowed } = LIMITS.cli;
  try {
    if (file !== '-') {
      const { size } = await stat(file);
      if (size > allowed) throw tooLarge(size);
      return await readFile(file);
    }
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of process.stdin) {
      const bytes = Buffer.from(chunk);
      length += bytes.length;
      if (length > allowed) throw tooLarge(length);
      chunks.push(bytes);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    const what = file === '-' ? 'standard input' : file;
    const reason = `${what} cannot be read: ${whyUnread(error)}`;
    throw new CountersignError('REQUEST_INVALID', { reason }, { cause: error });
  }
}

/** Why a file cannot be read, in words; what has none says it as the system does. */
export function whyUnread(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return UNREAD.get(code) ?? reasonOf(error);
}

const UNREAD: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file'],
  ['ENOTDIR', 'there is no such file'],
  ['EACCES', 'this user may not read it'],
  ['EISDIR', 'it is a directory'],
]);

/** Fails where the file is there already: nothing is overwritten. */
export async function createFile(file: string): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(file, 'wx', 0o600);
  } catch (error) {
    const there = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    const reason = there ? `${file} is there already, and is not overwritten` : reasonOf(error);
    throw new CountersignError('REQUEST_INVALID', { reason }, { cause: error });
  }
}

async function typed(question: string): Promise<Secret<string>> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return new Secret(await lines.question(''));
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? '';
}

function tooLarge(actual: number): CountersignError {
  const { fileBytesMax: allowed } = LIMITS.cli;
  return new CountersignError('LIMIT_EXCEEDED', { limit: 'cli.fileBytesMax', allowed, actual });
}
