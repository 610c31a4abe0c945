/** The operations of a session, a line each: statements with their rows, requests with what was answered. */

import type { StatementRow } from '../api/answers.ts';
import { columns, duration, oneLine, shortTime } from './output.ts';

const TEXT_CHARACTERS = 100;
const STATEMENT_HEAD = ['LEAF', 'AT', 'STATUS', 'ROWS', 'TOOK', 'STATEMENT'];
/** `HTTP` is the status of the answer, as the client got it. */
const REQUEST_HEAD = ['LEAF', 'AT', 'STATUS', 'HTTP', 'TOOK', 'REQUEST'];

/** Lines under their heads. */
export function operationTable(operations: readonly StatementRow[]): string[] {
  return operations.some(isRequest)
    ? columns(REQUEST_HEAD, operations.map(requestCells))
    : columns(STATEMENT_HEAD, operations.map(statementCells));
}

/** All of a session are, or none. */
function isRequest({ intent, outcome }: StatementRow): boolean {
  return intent?.['method'] !== undefined || outcome?.['http_status'] !== undefined;
}

function statementCells(row: StatementRow): string[] {
  const sql = row.intent?.['sql'];
  return cells(row, row.outcome?.['rows'], textOf(sql));
}

/** A text that is no UTF-8, or too long for a body, is not one there. */
function textOf(sql: unknown): string {
  return typeof sql === 'string' ? sql : sql === undefined ? '' : JSON.stringify(sql);
}

function requestCells(row: StatementRow): string[] {
  const { method, path } = row.intent ?? {};
  const request = typeof method === 'string' && typeof path === 'string' ? `${method} ${path}` : '';
  return cells(row, row.outcome?.['http_status'], request);
}

function cells({ leaf, at, status, outcome }: StatementRow, number: unknown, text: string): string[] {
  const took = outcome?.['duration_us'];
  return [
    String(leaf),
    shortTime(at),
    status,
    typeof number === 'number' || typeof number === 'string' ? String(number) : '-',
    typeof took === 'number' ? duration(took) : '-',
    oneLine(text, TEXT_CHARACTERS),
  ];
}
