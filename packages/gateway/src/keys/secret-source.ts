/**
 * A secret that the operator keeps somewhere: a file, an environment variable, the output of a
 * command. One reader for the installation key and for the passwords of targets.
 *
 * Untrusted: the length of what comes. A line end at the end is not part of the secret.
 */

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { CountersignError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { Secret } from '../core/secret.ts';

/** Where a secret is; `command` is an argument vector, run without a shell. */
export type SecretSource =
  | { readonly file: string }
  | { readonly env: string }
  | { readonly command: readonly string[] };

/** What a source is read from, so that a test can give its own environment. */
export interface SourceOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly bytesMax: number;
  /** Permission bits that a file must not have. */
  readonly modeRefused: ModeRefused;
}

/** Nobody but the owner; or the owner and a group, as container platforms mount secrets. */
export type ModeRefused = 0o077 | 0o007;

/** The secret text of a source; empty text and anything that is not UTF-8 is refused. */
export async function readSecretSource(
  source: SecretSource,
  options: SourceOptions,
): Promise<Secret<string>> {
  const bytes = await readBytes(source, options);
  const text = decode(bytes, source).replace(/\r?\n$/, '');
  if (text === '') throw sourceFailed(`${nameOf(source)} is empty`);
  if (bytes.length > options.bytesMax) throw tooLong(source, options.bytesMax);
  return new Secret(text);
}

/** The source in words; never its content. */
function nameOf(source: SecretSource): string {
  if ('file' in source) return `file ${source.file}`;
  if ('env' in source) return `environment variable ${source.env}`;
  return `command ${source.command[0] ?? ''}`;
}

async function readBytes(source: SecretSource, options: SourceOptions): Promise<Uint8Array> {
  if ('file' in source) return readPrivateFile(source.file, options.bytesMax, options.modeRefused);
  if ('env' in source) {
    const value = options.env[source.env];
    if (value === undefined) throw sourceFailed(`${nameOf(source)} is not set`);
    return Buffer.from(value, 'utf8');
  }
  return runCommand(source.command, options);
}

/** The bytes of a file that not everybody may read. */
export async function readPrivateFile(
  file: string,
  bytesMax: number,
  modeRefused: ModeRefused,
): Promise<Uint8Array> {
  // A named pipe would wait for a writer; it is refused below.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw sourceFailed(`file ${file} cannot be opened`, error);
  });
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw sourceFailed(`${file} is not a file`);
    if ((status.mode & modeRefused) !== 0) {
      throw sourceFailed(`file ${file} can be read by others; run "chmod 600 ${file}"`);
    }
    const bytes = Buffer.alloc(bytesMax + 1);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    if (bytesRead > bytesMax) throw tooLong({ file }, bytesMax);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function runCommand(command: readonly string[], options: SourceOptions): Promise<Uint8Array> {
  const [program, ...parameters] = command;
  if (program === undefined) throw sourceFailed('a command is an array with the program first');
  return new Promise((resolve, reject) => {
    execFile(
      program,
      parameters,
      {
        encoding: 'buffer',
        timeout: LIMITS.keys.commandTimeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: options.bytesMax,
        env: { ...options.env },
      },
      (error, stdout) => {
        // The error's message has the command line and its stderr, which may hold the secret.
        if (error !== null) reject(sourceFailed(`command ${program} ${describeExit(error)}`));
        else resolve(stdout);
      },
    );
  });
}

function describeExit(error: { readonly code?: unknown; readonly killed?: boolean }): string {
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return 'printed too much';
  if (error.killed === true) return `took longer than ${LIMITS.keys.commandTimeoutMs} ms`;
  return `failed with ${String(error.code)}`;
}

function decode(bytes: Uint8Array, source: SecretSource): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // The decoder's error says nothing more, and its cause could hold the bytes.
    throw sourceFailed(`${nameOf(source)} is not UTF-8`);
  }
}

function tooLong(source: SecretSource, bytesMax: number): CountersignError {
  return sourceFailed(`${nameOf(source)} has more than ${bytesMax} bytes`);
}

/** Says why a source could not be read, without a byte of it. */
function sourceFailed(reason: string, cause?: unknown): CountersignError {
  return new CountersignError('CONFIG_INVALID', { reason }, { cause });
}
