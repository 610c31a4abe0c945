/** A replay for people: each statement or request with who, when, which leaf, and its result. */

import type { SessionRow } from '../api/answers.ts';
import type { ReplayedContent, ReplayedRequest } from '../recording/http-transcript.ts';
import type { ReplayedItem, ReplayedResult, ReplayedStatement } from '../recording/replayed-statement.ts';
import { safeLines, safeText, tableText } from '../recording/table-text.ts';
import { counted, duration, facts, shortTime } from './output.ts';

/** One line of a replay, as the API sends it. */
export type ReplayLine =
  | { readonly kind: 'session'; readonly session: SessionRow }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }
  | (ReplayedItem & { readonly leaf?: number } & OfLeaf)
  | (ReplayedRequest & OfLeaf);

interface OfLeaf {
  /** What became of it, by its outcome leaf; absent where none says it. */
  readonly leafStatus?: string;
}

/** The text of one line; ends in an empty line. */
export function replayText(line: ReplayLine): string {
  switch (line.kind) {
    case 'session':
      return block(sessionLines(line.session));
    case 'statement':
      return block(statementLines(line));
    case 'request':
      return block(requestLines(line));
    case 'event':
      return block([`${clock(line.timeUs)}  event ${safeText(line.json)}`]);
    case 'note':
      return block([`${clock(line.timeUs)}  note: ${safeText(line.text)}`]);
    case 'error':
      return block([`The replay stops here: ${safeText(line.message)} (${safeText(line.code)})`]);
    default:
      return line satisfies never;
  }
}

/** Who, from where, to what, when. */
export function sessionLines(session: SessionRow): string[] {
  const { id, name, connection, database, address, client } = session;
  const leaves = `${session.firstLeaf} to ${session.lastLeaf ?? '…'}`;
  return facts([
    ['session', id],
    ['who', name],
    ['from', client === '' ? address : `${address} (${client})`],
    ['connection', database === '' ? connection : `${connection}/${database}`],
    ['started', shortTime(session.startedAt)],
    ['ended', shortTime(session.endedAt)],
    ['status', session.status],
    ['leaves', leaves],
  ]);
}

/** The words of `sessions show`, for what has no leaf that says it. */
const WORDS: Readonly<Record<string, string>> = { completed: 'ok', failed: 'error' };

function wordOf({ outcome, leafStatus }: { readonly outcome: string } & OfLeaf): string {
  return safeText(leafStatus ?? WORDS[outcome] ?? outcome);
}

function statementLines(statement: ReplayedStatement & { readonly leaf?: number } & OfLeaf): string[] {
  const { leaf } = statement;
  const took = duration(Math.max(0, statement.endedUs - statement.startedUs));
  const place = leaf === undefined ? 'no leaf of its own' : `leaf ${leaf}`;
  const values = statement.parameters.map(
    (value, i) => `$${i + 1} = ${value === null ? '∅' : safeText(value)}`,
  );
  const more = statement.resultsCount - statement.results.length;
  return [
    `${clock(statement.startedUs)}  ${place}  ${wordOf(statement)}  ${took}`,
    ...safeLines(statement.sql).map((text) => `  ${text}`),
    ...(statement.sqlCut ? ['  … (cut)'] : []),
    ...values.map((text) => `  ${text}`),
    ...(statement.parametersCut ? ['  values were too large to be kept'] : []),
    ...statement.results.flatMap(resultLines),
    ...(more > 0 ? [counted(more, 'more result', 'more results')] : []),
    ...statement.notices.map(({ severity, message }) => `${safeText(severity)}: ${safeText(message)}`),
    ...errorLines(statement),
  ];
}

function requestLines(request: ReplayedRequest & OfLeaf): string[] {
  const { leaf, status, fromGateway, reason, upgraded } = request;
  const took = duration(Math.max(0, request.endedUs - request.startedUs));
  const place = leaf === undefined ? 'no leaf of its own' : `leaf ${leaf}`;
  const by = fromGateway ? ' (said by the gateway)' : '';
  return [
    `${clock(request.startedUs)}  ${place}  ${wordOf(request)}  ${took}`,
    `  ${safeText(request.method)} ${safeText(request.path)}`,
    ...contentLines(request.request).map((text) => `  ${text}`),
    ...(status === undefined ? [] : [`${status}${by}`]),
    ...contentLines(request.answer),
    ...(upgraded === undefined
      ? []
      : [`behind an upgrade: ${upgraded.toTarget} bytes to the target, ${upgraded.toClient} bytes back`]),
    ...(reason === undefined ? [] : [`Broken off: ${safeText(reason)}`]),
  ];
}

function contentLines({ bytes, text, isCut }: ReplayedContent): string[] {
  if (bytes === 0) return [];
  if (text === undefined) return [`${counted(bytes, 'byte', 'bytes')} that are no text, or coded`];
  return [...safeLines(text), ...(isCut ? [`… (cut; ${counted(bytes, 'byte', 'bytes')})`] : [])];
}

function resultLines(result: ReplayedResult): string[] {
  const { columns, rows, rowsCount, commandTag, suspended, copy } = result;
  const tag = commandTag === undefined ? [] : [safeText(commandTag)];
  const hidden = rowsCount - rows.length;
  return [
    ...(columns.length === 0 ? [] : tableText(columns, rows)),
    ...(hidden > 0 ? [`… ${counted(hidden, 'more row', 'more rows')}`] : []),
    ...(copy === undefined ? [] : [`COPY ${copy.direction}: ${copy.bytes} bytes`]),
    ...tag,
    ...(suspended ? ['The client asked for no more rows'] : []),
  ];
}

function errorLines({ error }: ReplayedStatement): string[] {
  if (error === undefined) return [];
  const { severity, sqlstate, message, detail, hint, fromGateway } = error;
  const by = fromGateway ? ' (said by the gateway)' : '';
  return [
    `${safeText(severity)} ${safeText(sqlstate)}: ${safeText(message)}${by}`,
    ...(detail === undefined ? [] : [`DETAIL: ${safeText(detail)}`]),
    ...(hint === undefined ? [] : [`HINT: ${safeText(hint)}`]),
  ];
}

/** `2026-11-24 14:00:00.123Z`. */
function clock(us: number): string {
  return new Date(Math.floor(us / 1_000)).toISOString().replace('T', ' ');
}

function block(lines: readonly string[]): string {
  return `${lines.join('\n')}\n\n`;
}
