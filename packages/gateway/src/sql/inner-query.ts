/**
 * Which text the server has to analyse so that it tells what a statement calls: the statement, or the query in it.
 *
 * A tree is expanded only where a query stands by itself. EXPLAIN, CREATE TABLE AS, SELECT INTO, DECLARE and COPY
 * analyse theirs when they run, and PostgreSQL 15 shows nothing of them: so the query is cut out of the text. What
 * cannot be cut out is unknown. Untrusted: every byte.
 */

import type { StatementFacts } from '../core/effects.ts';
import { endOfName, TokenCursor } from './tokens.ts';

export type ServerQuestion =
  /** Nothing in it is resolved by the server that its text does not say. */
  | { readonly kind: 'none' }
  /** It has a query that nobody finds. */
  | { readonly kind: 'unknown' }
  /** @property isPlanned it is planned only: EXPLAIN without ANALYZE */
  | {
      readonly kind: 'query';
      readonly textBytes: Uint8Array;
      readonly isWhole: boolean;
      readonly isPlanned: boolean;
      /** Where it begins in the whole text, in bytes; undefined where it does not stand there. */
      readonly from: number | undefined;
    }
  /** `PREPARE name types AS query`, under another name. */
  | {
      readonly kind: 'prepare';
      readonly types: string;
      readonly textBytes: Uint8Array;
      readonly from: number;
    };

const NONE: ServerQuestion = { kind: 'none' };
const UNKNOWN: ServerQuestion = { kind: 'unknown' };

const PING = /^\s*select\s+\d+\s*$/i;
const PING_BYTES_MAX = 32;

const QUERIES: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
]);

interface Token {
  readonly kind: TokenCursor['kind'];
  /** Of a word, in lower case. */
  readonly word: string;
  readonly from: number;
  readonly to: number;
  /** How many brackets are open before it. */
  readonly depth: number;
}

/** @param bytes the whole text that the statement is in */
export function serverQuestion(
  { node, effects, from, to }: StatementFacts,
  bytes: Uint8Array,
): ServerQuestion {
  if (QUERIES.has(node)) {
    // What pools send to see whether anybody is there.
    if (to - from <= PING_BYTES_MAX && PING.test(textOf(bytes, from, to))) return NONE;
    const isInto = node === 'SelectStmt' && effects.some(({ effect }) => effect === 'create');
    return isInto ? withoutInto(bytes, from, to) : query(bytes, from, to, { isWhole: true });
  }
  switch (node) {
    case 'ExplainStmt':
    case 'CreateTableAsStmt':
    case 'DeclareCursorStmt':
    case 'PrepareStmt':
    case 'CopyStmt':
    case 'ExecuteStmt':
      return within(bytes, from, to, false);
    default:
      return NONE;
  }
}

function within(bytes: Uint8Array, from: number, to: number, isPlanned: boolean): ServerQuestion {
  const tokens = tokensOf(bytes, from, to);
  switch (tokens[0]?.word) {
    case 'explain':
      return explained(bytes, tokens, to);
    case 'create':
      return created(bytes, tokens, to, isPlanned);
    case 'declare':
      return behind(bytes, tokens, 'for', to, isPlanned);
    case 'prepare':
      return prepared(bytes, tokens, to);
    case 'copy':
      return copied(bytes, tokens);
    case 'execute':
      return executed(bytes, tokens);
    default:
      return tokens.length === 0 ? UNKNOWN : plainOrInto(bytes, tokens, from, to, isPlanned);
  }
}

function plainOrInto(
  bytes: Uint8Array,
  tokens: readonly Token[],
  from: number,
  to: number,
  isPlanned: boolean,
): ServerQuestion {
  const isInto = tokens.some(({ word, depth }, at) => {
    return word === 'into' && depth === 0 && !['insert', 'merge'].includes(tokens[at - 1]?.word ?? '');
  });
  return isInto ? withoutInto(bytes, from, to, isPlanned) : query(bytes, from, to, { isPlanned });
}

/** EXPLAIN ( options ) or EXPLAIN ANALYZE VERBOSE, and what is explained. */
function explained(bytes: Uint8Array, tokens: readonly Token[], to: number): ServerQuestion {
  let at = 1;
  let analyzes = false;
  // A query may stand in brackets itself: options begin with a name, which no query does.
  const isQuery = tokens[2]?.kind === 'open' || /^(?:select|with|values|table)$/.test(tokens[2]?.word ?? '');
  if (tokens[1]?.kind === 'open' && !isQuery) {
    const end = tokens.findIndex(({ kind, depth }) => kind === 'close' && depth === 1);
    if (end === -1) return UNKNOWN;
    analyzes = tokens.slice(2, end).some(mayAnalyze);
    at = end + 1;
  } else {
    while (mayAnalyze(tokens[at]) || tokens[at]?.word === 'verbose') {
      analyzes ||= mayAnalyze(tokens[at]);
      at += 1;
    }
  }
  const first = tokens[at];
  return first === undefined ? UNKNOWN : within(bytes, first.from, to, !analyzes);
}

/** A name in quotes may say it in other letters. */
function mayAnalyze(token: Token | undefined): boolean {
  if (token === undefined) return false;
  return /^analy[sz]e$/.test(token.word) || token.kind === 'quoted-name' || token.kind === 'unicode-name';
}

/** `CREATE … AS query WITH NO DATA`. */
function created(
  bytes: Uint8Array,
  tokens: readonly Token[],
  to: number,
  isPlanned: boolean,
): ServerQuestion {
  const last = tokens.slice(-3).map(({ word }) => word);
  let end = to;
  if (last.join(' ') === 'with no data') end = tokens.at(-3)?.from ?? to;
  else if (last.slice(1).join(' ') === 'with data') end = tokens.at(-2)?.from ?? to;
  return behind(bytes, tokens, 'as', end, isPlanned);
}

/** What follows a word outside of brackets. */
function behind(
  bytes: Uint8Array,
  tokens: readonly Token[],
  word: string,
  to: number,
  isPlanned: boolean,
): ServerQuestion {
  const at = tokens.findIndex((token) => token.word === word && token.depth === 0);
  const first = at === -1 ? undefined : tokens[at + 1];
  if (first === undefined) return UNKNOWN;
  if (first.word === 'execute') return executed(bytes, tokens.slice(at + 1));
  return query(bytes, first.from, to, { isPlanned });
}

function prepared(bytes: Uint8Array, tokens: readonly Token[], to: number): ServerQuestion {
  const at = tokens.findIndex(({ word, depth }) => word === 'as' && depth === 0);
  const first = at === -1 ? undefined : tokens[at + 1];
  if (first === undefined) return UNKNOWN;
  const open = tokens.find(({ kind }) => kind === 'open');
  const types =
    open === undefined || open.from > first.from ? '' : textOf(bytes, open.from, tokens[at]?.from ?? 0);
  return {
    kind: 'prepare',
    types,
    textBytes: bytes.slice(first.from, to),
    from: first.from,
  };
}

/** `EXECUTE name ( expressions )`: these are computed before anything else, also where it is only explained. */
function executed(bytes: Uint8Array, tokens: readonly Token[]): ServerQuestion {
  const open = tokens.find(({ kind }) => kind === 'open');
  if (open === undefined) return NONE;
  const close = tokens.find(({ kind, from, depth }) => {
    return kind === 'close' && from > open.from && depth === open.depth + 1;
  });
  if (close === undefined) return UNKNOWN;
  const textBytes = Buffer.concat([Buffer.from('SELECT '), bytes.subarray(open.to, close.from)]);
  return { kind: 'query', textBytes, isWhole: false, isPlanned: false, from: undefined };
}

/** `COPY ( query ) TO`, `COPY name ( columns ) TO`, `COPY name FROM`: row security and defaults call functions. */
function copied(bytes: Uint8Array, tokens: readonly Token[]): ServerQuestion {
  const first = tokens[1];
  if (first === undefined) return UNKNOWN;
  if (first.kind === 'open') {
    const end = tokens.find(({ kind, depth }) => kind === 'close' && depth === 1);
    return end === undefined ? UNKNOWN : query(bytes, first.to, end.from);
  }
  const name = textOf(bytes, first.from, endOfName(bytes, first.from));
  const isFrom = tokens.find(({ word, depth }) => depth === 0 && (word === 'from' || word === 'to'));
  if (isFrom === undefined || name === '') return UNKNOWN;
  const text = isFrom.word === 'from' ? `INSERT INTO ${name} DEFAULT VALUES` : shownBy(bytes, name, tokens);
  return {
    kind: 'query',
    textBytes: Buffer.from(text),
    isWhole: false,
    isPlanned: false,
    from: undefined,
  };
}

/** COPY table (columns) TO: a query with the same columns. */
function shownBy(bytes: Uint8Array, name: string, tokens: readonly Token[]): string {
  const before = tokens.findIndex(({ word, depth }) => depth === 0 && word === 'to');
  const open = tokens.findIndex(({ kind }) => kind === 'open');
  const close = tokens.findIndex(({ kind, depth }) => kind === 'close' && depth === 1);
  const first = tokens[open];
  const last = tokens[close];
  if (first === undefined || last === undefined || open > before || close > before) return `TABLE ${name}`;
  return `SELECT ${textOf(bytes, first.to, last.from)} FROM ${name}`;
}

/** `SELECT … INTO name …` is the query without these words. */
function withoutInto(bytes: Uint8Array, from: number, to: number, isPlanned = false): ServerQuestion {
  const tokens = tokensOf(bytes, from, to);
  const at = tokens.findIndex(({ word, depth }) => word === 'into' && depth === 0);
  const into = tokens[at];
  if (at === -1 || into === undefined) return UNKNOWN;
  let name = at + 1;
  while (/^(?:temporary|temp|local|global|unlogged|table)$/.test(tokens[name]?.word ?? '')) name += 1;
  const first = tokens[name];
  if (first === undefined) return UNKNOWN;
  const textBytes = bytes.slice(from, to);
  textBytes.fill(0x20, into.from - from, endOfName(bytes, first.from) - from);
  return { kind: 'query', textBytes, isWhole: false, isPlanned, from };
}

function query(
  bytes: Uint8Array,
  from: number,
  to: number,
  { isWhole = false, isPlanned = false }: { readonly isWhole?: boolean; readonly isPlanned?: boolean } = {},
): ServerQuestion {
  return { kind: 'query', textBytes: bytes.slice(from, to), isWhole, isPlanned, from };
}

function tokensOf(bytes: Uint8Array, from: number, to: number): readonly Token[] {
  const cursor = new TokenCursor(bytes.subarray(0, to), from);
  const tokens: Token[] = [];
  let depth = 0;
  while (cursor.next()) {
    const { kind } = cursor;
    if (kind === 'comment' || kind === 'semicolon') continue;
    const word = kind === 'word' ? textOf(bytes, cursor.from, cursor.to).toLowerCase() : '';
    tokens.push({ kind, word, from: cursor.from, to: cursor.to, depth });
    if (kind === 'open') depth += 1;
    if (kind === 'close') depth -= 1;
  }
  return tokens;
}

function textOf(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.subarray(from, to)).toString('utf8');
}
