/**
 * Rows as CSV and as JSON lines: spec/evidence.md, section 3.
 *
 * RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), CRLF, UTF-8. A cell that a spreadsheet would run
 * as a formula gets an apostrophe before it.
 */

import { LedgerError } from './errors.ts';
import { type Json, jcs } from './jcs.ts';

/** A row: values by column; a column without a value is absent. */
export type Row = Readonly<Record<string, Json | undefined>>;

const FORMULA = /^[=+\-@\t\r\n]/;
const QUOTED = /[",\r\n]/;

/** One CSV row with its line end. */
export function formatCsvRow(cells: readonly (Json | undefined)[]): string {
  return `${cells.map(cell).join(',')}\r\n`;
}

/** One line of JSON: the columns that have a value. */
export function formatJsonLine(row: Row): string {
  const present: Record<string, Json> = {};
  for (const [column, value] of Object.entries(row)) if (value !== undefined) present[column] = value;
  return `${jcs(present)}\n`;
}

/** Rows of an untrusted CSV text in the one form that {@link formatCsvRow} writes; ENCODING for any other. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    const { value, end } = text[at] === '"' ? quotedCell(text, at) : plainCell(text, at);
    row.push(value);
    at = end;
    if (text[at] === ',') {
      at += 1;
      // A comma before the line end has an empty cell after it, which the next turn reads.
      if (at < text.length) continue;
    }
    if (!text.startsWith('\r\n', at)) throw new LedgerError('ENCODING', `CSV at character ${at}`);
    at += 2;
    rows.push(row);
    row = [];
  }
  return rows;
}

function cell(value: Json | undefined): string {
  if (value === undefined) return '';
  const text = typeof value === 'string' ? value : jcs(value);
  const guarded = FORMULA.test(text) ? `'${text}` : text;
  return QUOTED.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

function plainCell(text: string, from: number): { readonly value: string; readonly end: number } {
  let end = from;
  while (end < text.length && text[end] !== ',' && text[end] !== '\r') end += 1;
  const value = text.slice(from, end);
  if (QUOTED.test(value)) throw new LedgerError('ENCODING', `CSV at character ${from}`);
  return { value, end };
}

function quotedCell(text: string, from: number): { readonly value: string; readonly end: number } {
  let value = '';
  let at = from + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw new LedgerError('ENCODING', `CSV: a quote at character ${from} that never ends`);
    value += text.slice(at, quote);
    if (text[quote + 1] !== '"') return { value, end: quote + 1 };
    value += '"';
    at = quote + 2;
  }
}
