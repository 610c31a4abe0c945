/** What is wrong with files that somebody handed in: a line for each, `file:line: what was expected`. */

import { isUtf8 } from 'node:buffer';
import { byLine, CountersignError, type ErrorProblem } from '../core/errors.ts';
import { safeText } from '../recording/table-text.ts';
import type { CommandInput } from './command.ts';
import { terminalJson } from './output.ts';
import { readBytes, whyUnread } from './secret-input.ts';

/** Something that is wrong with a file. */
export interface FileProblem {
  readonly file: string;
  /** From 1; absent where it is about what does not stand in the file. */
  readonly line?: number;
  readonly says: string;
}

/** A file that can be read, or why not. */
export type FileText = { readonly file: string; readonly text: string } | FileProblem;

/** As bad usage: files that nobody can read are no test that failed. */
const MALFORMED_STATUS = 2;
/** Between files: what is wrong with one leaves the documents of the next as they are. */
const SEPARATOR = '\n---\n';
const LINE_FEED = 0x0a;
/** Codes of what the gateway says of a text. */
const ABOUT_TEXTS: ReadonlySet<string> = new Set(['REQUEST_INVALID', 'RESOURCE_INVALID', 'LIMIT_EXCEEDED']);

/** The text of a file, or standard input for `-`. */
export async function readFileText(file: string): Promise<FileText> {
  let bytes: Buffer;
  try {
    bytes = await readBytes(file);
  } catch (error) {
    // What is too long has no cause: it says so itself.
    const cause = error instanceof CountersignError ? error.cause : undefined;
    return { file, line: 1, says: `it cannot be read: ${whyUnread(cause ?? error)}` };
  }
  // Decoded anyway, a name would be another one, and a rule on it would be about nothing.
  return isUtf8(bytes)
    ? { file, text: bytes.toString('utf8') }
    : { file, line: lineOfOtherBytes(bytes), says: 'expected UTF-8, and a byte is none' };
}

/** Sends the documents of files; the status of a refusal that says what is wrong with them, else undefined. */
export async function sendFiles(
  input: CommandInput,
  files: readonly string[],
  send: (text: string) => Promise<void>,
): Promise<number | undefined> {
  const read = await Promise.all(files.map((file) => readFileText(file)));
  const unread = read.flatMap((one) => ('text' in one ? [] : [one]));
  if (unread.length > 0) return complainOf(input, unread);
  const texts = read.flatMap((one) => ('text' in one ? [one] : []));
  try {
    await send(texts.map(({ text }) => text).join(SEPARATOR));
    return undefined;
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    const { problems, details, message } = error;
    if (problems.length > 0)
      return complainOf(
        input,
        problems.toSorted(byLine).map((problem) => inFile(problem, texts)),
      );
    // One that is too long has no line, and one that would leave no administrator neither.
    if (!ABOUT_TEXTS.has(String(details['code']))) throw error;
    return complainOf(input, [{ file: namesOf(texts), says: message }]);
  }
}

/**
 * Prints everything, file by file in the order of its lines, each once: several files of cases may name one file of
 * resources.
 */
export function complainOf(input: CommandInput, problems: readonly FileProblem[]): number {
  const found = new Map(problems.map((problem) => [problemLine(problem), problem]));
  const byFile = Map.groupBy(found.values(), ({ file }) => file);
  const once = [...byFile.values()].flatMap((ofOne) => ofOne.toSorted(byLine));
  const lines = once.map((problem) => `${problemLine(problem)}\n`);
  const text = input.json ? `${terminalJson(JSON.stringify({ problems: once }))}\n` : lines.join('');
  input.context.warn(text);
  return MALFORMED_STATUS;
}

/** `cases.yaml:12: cases.3: there is no rule "x"`. */
function problemLine({ file, line, says }: FileProblem): string {
  const shown = file === '-' ? '(standard input)' : file;
  return safeText(line === undefined ? `${shown}: ${says}` : `${shown}:${line}: ${says}`);
}

/** A line of all texts together as one of the file that it is in. */
function inFile(
  { kind = '', name = '', line, says: expected }: ErrorProblem,
  texts: readonly { readonly file: string; readonly text: string }[],
): FileProblem {
  const says = kind === '' && name === '' ? expected : `${kind || 'resource'} "${name}": ${expected}`;
  let before = 0;
  for (const { file, text } of texts) {
    // The separator begins with the end of the last line.
    const linesCount = text.split('\n').length + 1;
    if (line === undefined) break;
    if (line <= before + linesCount) return { file, line: line - before, says };
    before += linesCount;
  }
  return { file: namesOf(texts), says };
}

function namesOf(texts: readonly { readonly file: string }[]): string {
  return texts.map(({ file }) => file).join(', ');
}

function lineOfOtherBytes(bytes: Uint8Array): number {
  let line = 1;
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(LINE_FEED, from);
    const to = end === -1 ? bytes.length : end;
    if (!isUtf8(bytes.subarray(from, to))) return line;
    from = to + 1;
  }
  return line;
}
