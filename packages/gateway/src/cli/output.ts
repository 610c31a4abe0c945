/** What people read: aligned columns, times in UTC, numbers with units, and no control character. */

import { type CountersignError, reasonOf } from '../core/errors.ts';
import { safeText } from '../recording/table-text.ts';

/** Columns under their heads; texts may be untrusted. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const safe = [head, ...rows].map((row) => row.map((cell) => safeText(cell)));
  const widths = head.map((_, i) => Math.max(...safe.map((row) => row[i]?.length ?? 0)));
  return safe.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** The same in at most so many characters a line, as far as cutting the named columns can do it. */
export function columnsWithin(
  charactersMax: number,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  cut: readonly string[],
): string[] {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => safeText(row[i] ?? '').length)),
  );
  const gaps = 2 * (head.length - 1);
  for (;;) {
    const over = widths.reduce((sum, width) => sum + width, gaps) - charactersMax;
    const widest = head.reduce<number>((best, title, i) => {
      const isCut = cut.includes(title) && (widths[i] ?? 0) > title.length;
      return isCut && (best === -1 || (widths[i] ?? 0) > (widths[best] ?? 0)) ? i : best;
    }, -1);
    if (over <= 0 || widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return columns(
    head,
    rows.map((row) => row.map((cell, i) => oneLine(cell, widths[i] ?? 0))),
  );
}

/** `label  value` lines. */
export function facts(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([label]) => label.length));
  return pairs.map(([label, value]) => `${label.padEnd(width)}  ${safeText(value)}`);
}

/** `2026-11-24 14:00:00Z`: to the second. */
export function shortTime(time: string | undefined): string {
  return time === undefined ? '-' : `${time.slice(0, 10)} ${time.slice(11, 19)}Z`;
}

/** `1.5 ms`, `3.2 s`, `4 min`. */
export function duration(us: number): string {
  if (us < 1_000_000) return `${(us / 1_000).toFixed(1)} ms`;
  if (us < 120_000_000) return `${(us / 1_000_000).toFixed(1)} s`;
  return `${Math.round(us / 60_000_000)} min`;
}

/** `3 leaves`, `1 leaf`. */
export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** One place where two versions of a resource differ. */
export function diffLine({
  path,
  from,
  to,
}: {
  readonly path: string;
  readonly from?: unknown;
  readonly to?: unknown;
}): string {
  const before = from === undefined ? '' : ` - ${JSON.stringify(from)}`;
  const after = to === undefined ? '' : ` + ${JSON.stringify(to)}`;
  return `  ${safeText(`${path}:${before}${after}`)}`;
}

/** A line of the operator's log: when, what, where, why, and the cause where the sentence does not have it already. */
export function errorLine(error: CountersignError, where: string, at: Date): string {
  const cause = error.cause === undefined ? '' : reasonOf(error.cause);
  const because = error.message.includes(cause.replace(/\.$/, '')) ? '' : ` (${cause})`;
  const line = `${at.toISOString()} ${error.code} ${where}: ${error.message}${because}`;
  // A target says what it likes.
  return safeText(line.replaceAll(/\s+/g, ' '));
}

/** A text on one line, cut. */
export function oneLine(text: string, charactersMax: number): string {
  const line = safeText(text.replaceAll(/\s+/g, ' ').trim());
  return line.length <= charactersMax ? line : `${line.slice(0, charactersMax - 1)}…`;
}

/**
 * A JSON text as it may reach a terminal. JSON escapes the control characters of ASCII and no others: those
 * of Latin-1 begin escape sequences too, and others change the direction of what follows.
 */
export function terminalJson(text: string): string {
  return text.replaceAll(/[\u007f-\u009f\u2028\u2029\p{Cf}]/gu, escaped);
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
