/**
 * Options of COPY … TO STDOUT and COPY … FROM STDIN → how its rows are written.
 *
 * Spec: PostgreSQL 18, "COPY"; ProcessCopyOptions in src/backend/commands/copy.c.
 * Refused: options that are not of that COPY or not known, values that the server refuses, and what would
 * make rows that nobody but the server can read: encodings with ASCII inside of characters (`SJIS`,
 * `BIG5`, `GBK`), and delimiters and NULLs that are no ASCII.
 */

import { utf8Bytes } from './byte-reader.ts';

/** An option as the grammar gives it: its name in small letters, and what stands behind it, if anything. */
export type CopyOption = readonly [
  name: string,
  value: string | number | boolean | readonly string[] | undefined,
];

export type CopyOutFormat = CopyOutText | CopyOutCSV | CopyOutBinary;

export interface CopyOutText {
  readonly kind: 'text';
  /** One byte. */
  readonly delimiter: number;
  /** What stands for NULL, as it is written. */
  readonly nullBytes: Uint8Array;
  readonly hasHeader: boolean;
  /** As PostgreSQL spells it; of the fields in any format. */
  readonly encoding: string;
}

export interface CopyOutCSV extends Omit<CopyOutText, 'kind'> {
  readonly kind: 'csv';
  readonly quote: number;
  readonly escape: number;
}

export interface CopyOutBinary {
  readonly kind: 'binary';
  readonly encoding: string;
}

export interface CopyRefused {
  readonly kind: 'refused';
  /** To follow "because". */
  readonly reason: string;
}

/** What tells fields apart in what a client sends; of anything else the server judges. */
export type CopyInFormat =
  | Pick<CopyOutText, 'kind' | 'delimiter'>
  | Pick<CopyOutCSV, 'kind' | 'delimiter' | 'quote' | 'escape'>
  | Pick<CopyOutBinary, 'kind'>;

/** @param clientEncoding what the session has, where the statement names none */
export function copyInFormat(
  options: readonly CopyOption[],
  clientEncoding: string,
): CopyInFormat | CopyRefused {
  const own = options.filter(([name]) => !NAMES_IN.has(name));
  const unknown = own.find(([name]) => !NAMES.has(name) || name === 'force_quote')?.[0];
  if (unknown !== undefined) return refused(`the option ${unknown} is not one of COPY FROM that is known`);
  return copyOutFormat(own, clientEncoding);
}

/** @param clientEncoding what the session has, where the statement names none */
export function copyOutFormat(
  options: readonly CopyOption[],
  clientEncoding: string,
): CopyOutFormat | CopyRefused {
  const given = new Map(options);
  if (given.size !== options.length) return refused('an option is given twice');
  const unknown = options.find(([name]) => !NAMES.has(name))?.[0];
  if (unknown !== undefined) return refused(`the option ${unknown} is not one of COPY TO that is known`);
  const kind = given.get('format') ?? 'text';
  if (kind !== 'text' && kind !== 'csv' && kind !== 'binary') return refused('its format is not known');
  const wrong = [...given.keys()].find((name) => NAMES.get(name)?.includes(kind) !== true);
  if (wrong !== undefined) return refused(`the format ${kind} has no option ${wrong}`);
  const encoding = encodingNamed(given.get('encoding') ?? clientEncoding);
  if (encoding === undefined) return refused('its encoding is not one that is read');
  if (kind === 'binary') return { kind, encoding };
  if (EMBEDS_ASCII.has(encoding)) return refused(`the encoding ${encoding} has ASCII inside of characters`);
  return kind === 'text' ? textFormat(given, encoding) : csvFormat(given, encoding);
}

type Given = ReadonlyMap<string, CopyOption[1]>;

/** Options of COPY TO, and the formats that have them. */
const NAMES: ReadonlyMap<string, readonly CopyOutFormat['kind'][]> = new Map([
  ['format', ['text', 'csv', 'binary']],
  ['encoding', ['text', 'csv', 'binary']],
  ['delimiter', ['text', 'csv']],
  ['null', ['text', 'csv']],
  ['header', ['text', 'csv']],
  ['quote', ['csv']],
  ['escape', ['csv']],
  // Quotes that came stay, and so it does not matter of which columns they are.
  ['force_quote', ['csv']],
]);

/** Of COPY FROM alone, and of its NULLs and headers, by which fields are not told apart. */
const NAMES_IN: ReadonlySet<string> = new Set([
  'convert_selectively',
  'default',
  'force_not_null',
  'force_null',
  'freeze',
  'header',
  'log_verbosity',
  'null',
  'on_error',
  'reject_limit',
]);

const BACKSLASH = 0x5c;
/** What follows a backslash as something else than itself. */
const NO_TEXT_DELIMITER = /[\\.a-z0-9]/;

function textFormat(given: Given, encoding: string): CopyOutText | CopyRefused {
  const delimiter = byteOf(given, 'delimiter', '\t');
  const nullText = textOf(given, 'null', '\\N');
  const hasHeader = booleanOf(given, 'header');
  if (delimiter === undefined || NO_TEXT_DELIMITER.test(String.fromCharCode(delimiter)))
    return badOption('delimiter');
  if (nullText === undefined || !isNull(nullText, delimiter)) return badOption('null');
  if (hasHeader === undefined) return badOption('header');
  return { kind: 'text', delimiter, nullBytes: utf8Bytes(nullText), hasHeader, encoding };
}

function csvFormat(given: Given, encoding: string): CopyOutCSV | CopyRefused {
  const delimiter = byteOf(given, 'delimiter', ',');
  const nullText = textOf(given, 'null', '');
  const hasHeader = booleanOf(given, 'header');
  const quote = byteOf(given, 'quote', '"');
  const escape = byteOf(given, 'escape', quote === undefined ? '' : String.fromCharCode(quote));
  if (delimiter === undefined || delimiter === BACKSLASH) return badOption('delimiter');
  if (quote === undefined || quote === delimiter) return badOption('quote');
  if (escape === undefined) return badOption('escape');
  if (nullText === undefined || !isNull(nullText, delimiter, quote)) return badOption('null');
  if (hasHeader === undefined) return badOption('header');
  return { kind: 'csv', delimiter, nullBytes: utf8Bytes(nullText), hasHeader, encoding, quote, escape };
}

/** One byte of ASCII, not one that ends lines. */
function byteOf(given: Given, name: string, otherwise: string): number | undefined {
  const text = given.get(name) ?? otherwise;
  if (typeof text !== 'string' || text.length !== 1 || !isAscii(text) || /[\r\n]/.test(text))
    return undefined;
  return text.charCodeAt(0);
}

function textOf(given: Given, name: string, otherwise: string): string | undefined {
  const text = given.get(name) ?? otherwise;
  return typeof text === 'string' && isAscii(text) ? text : undefined;
}

/** Without a zero byte, which no text of PostgreSQL has. */
function isAscii(text: string): boolean {
  return text.split('').every((character) => character > '\0' && character <= '\x7f');
}

/** As `header`, `header true`, `header 1`, `header on`: defGetCopyHeaderChoice. */
function booleanOf(given: Given, name: string): boolean | undefined {
  if (!given.has(name)) return false;
  const value = given.get(name) ?? true;
  if (typeof value === 'boolean') return value;
  const word = String(value).toLowerCase();
  if (word === 'true' || word === 'on' || word === '1') return true;
  return word === 'false' || word === 'off' || word === '0' ? false : undefined;
}

function isNull(text: string, ...notInside: readonly number[]): boolean {
  return !/[\r\n]/.test(text) && !notInside.some((byte) => text.includes(String.fromCharCode(byte)));
}

/** `pg_encname_tbl`: names without all but letters and digits. */
const ENCODINGS: Readonly<Record<string, string>> = {
  UTF8: 'UTF8',
  UNICODE: 'UTF8',
  SQLASCII: 'SQL_ASCII',
  KOI8: 'KOI8R',
  KOI8R: 'KOI8R',
  KOI8U: 'KOI8U',
  WIN: 'WIN1251',
  ALT: 'WIN866',
  EUCJP: 'EUC_JP',
  EUCCN: 'EUC_CN',
  EUCKR: 'EUC_KR',
  EUCTW: 'EUC_TW',
  EUCJIS2004: 'EUC_JIS_2004',
  MULEINTERNAL: 'MULE_INTERNAL',
  SJIS: 'SJIS',
  MSKANJI: 'SJIS',
  SHIFTJIS: 'SJIS',
  WIN932: 'SJIS',
  WINDOWS932: 'SJIS',
  SHIFTJIS2004: 'SHIFT_JIS_2004',
  BIG5: 'BIG5',
  WIN950: 'BIG5',
  WINDOWS950: 'BIG5',
  GBK: 'GBK',
  WIN936: 'GBK',
  WINDOWS936: 'GBK',
  UHC: 'UHC',
  WIN949: 'UHC',
  WINDOWS949: 'UHC',
  GB18030: 'GB18030',
  JOHAB: 'JOHAB',
};
/** Parts of ISO 8859 that are called Latin: the number of each. */
const LATIN: Readonly<Record<string, number>> = {
  1: 1,
  2: 2,
  3: 3,
  4: 4,
  9: 5,
  10: 6,
  13: 7,
  14: 8,
  15: 9,
  16: 10,
};
/** PG_ENCODING_IS_CLIENT_ONLY: a byte behind another may be a backslash, a quote or a delimiter. */
const EMBEDS_ASCII: ReadonlySet<string> = new Set([
  'SJIS',
  'SHIFT_JIS_2004',
  'BIG5',
  'GBK',
  'UHC',
  'GB18030',
  'JOHAB',
]);

/** The server's own name of an encoding. */
function encodingNamed(value: CopyOption[1]): string | undefined {
  const name = String(value)
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '');
  const known = ENCODINGS[name];
  if (known !== undefined) return known;
  const latin = /^LATIN([1-9]|10)$/.exec(name);
  if (latin !== null) return name;
  const windows = /^WIN(?:DOWS)?(866|874|125[0-8])$/.exec(name)?.[1];
  if (windows !== undefined) return `WIN${windows}`;
  const part = /^ISO8859(\d{1,2})$/.exec(name)?.[1];
  if (part === undefined) return undefined;
  if (LATIN[part] !== undefined) return `LATIN${LATIN[part]}`;
  return Number(part) >= 5 && Number(part) <= 8 ? `ISO_8859_${part}` : undefined;
}

function badOption(name: string): CopyRefused {
  return refused(`its option ${name} has a value that the server refuses, or that is no ASCII`);
}

function refused(reason: string): CopyRefused {
  return { kind: 'refused', reason };
}
