/** A masked value in another form: encoded, digested, cut in pieces, told by numbers, lengths and counts. */

import { binary, shows, type Try } from './try.ts';

const ALL_EMAILS = 'from customers where id = 1';
const LETTERS = 'from customers c, generate_series(1, 14) g where c.id = 1 order by g';

/** One row of the first customer. */
const EXPRESSIONS: readonly (readonly [title: string, expression: string])[] = [
  ['hex', "encode(email::bytea, 'hex')"],
  ['base64', "encode(email::bytea, 'base64')"],
  ['base64 behind one byte', "encode(('a' || email)::bytea, 'base64')"],
  ['base64 behind two bytes', "encode(('ab' || email)::bytea, 'base64')"],
  ['escape', "encode(email::bytea, 'escape')"],
  ['bytea', 'email::bytea'],
  ['convert_to', "convert_to(email, 'LATIN1')"],
  ['md5', 'md5(email)'],
  ['sha256', 'sha256(email::bytea)'],
  ['sha512 in base64', "encode(sha512(email::bytea), 'base64')"],
  ['backwards', 'reverse(email)'],
  ['capitals', 'upper(email)'],
  ['capitals first', 'initcap(email)'],
  ['small letters', 'lower(national_id)'],
  ['a part', 'substr(email, 2, 10)'],
  ['a part by a pattern', "substring(email from '^[a-z]+')"],
  ['a part by SIMILAR', `substring(email similar '#"%#"@%' escape '#')`],
  ['left and right', 'left(email, 9) || right(email, 5)'],
  ['split_part', "split_part(email, '@', 1)"],
  ['overlay', "overlay(email placing 'x' from 1 for 1)"],
  ['padding', "lpad(email, 60, '-') || rpad(email, 60, '-')"],
  ['repetition', 'repeat(email, 2)'],
  ['something between', "regexp_replace(email, '(.)', '\\1-', 'g')"],
  ['a pattern that matches all', "(regexp_match(email, '(.*)@'))[1]"],
  ['string_to_array', 'string_to_array(email, null)'],
  ['numbers of characters', 'array(select ascii(substr(email, g, 1)) from generate_series(1, 14) g)'],
  [
    'bits',
    "(select string_agg(ascii(substr(email, g, 1))::bit(8)::text, '' order by g) from generate_series(1, 14) g)",
  ],
  [
    'numbers in hex',
    "(select string_agg(to_hex(ascii(substr(email, g, 1))), ' ' order by g) from generate_series(1, 14) g)",
  ],
  ['bytes by number', 'array(select get_byte(secret, g) from generate_series(0, 15) g)'],
  ['jsonb of letters', 'to_jsonb(string_to_array(email, null))'],
  ['XML of it', 'xmlcomment(email)'],
  ['a bit string of a number', "to_char(account_no / 1000, '999999999999')"],
  ['jsonpath', "('$.\"' || email || '\"')::jsonpath"],
  ['a query of text search', "plainto_tsquery('simple', notes)"],
  ['ltrim and btrim', "ltrim(btrim(email, '#'), '#')"],
  ['replace', "replace(email, '@', ' at ')"],
  ['normalize', 'normalize(email)'],
  [
    'a point for each letter',
    'array(select point(ascii(substr(email, g, 1)), 0)::text from generate_series(1, 14) g)',
  ],
  [
    'addresses for each letter',
    "array(select ascii(substr(email, g, 1)) || '/' from generate_series(1, 14) g)",
  ],
];

/** One row for each letter. */
const ROWS: readonly (readonly [title: string, expression: string])[] = [
  ['a letter a row', 'substr(c.email, g, 1)'],
  ['a letter a row, with its place', 'g, substr(c.email, g, 1)'],
  ['a number a row', 'ascii(substr(c.email, g, 1))'],
  ['a number in hex a row', 'to_hex(ascii(substr(c.email, g, 1)))'],
  ['a character of its number a row', 'chr(ascii(substr(c.email, g, 1)))'],
  ['a byte a row', 'get_byte(c.email::bytea, g - 1)'],
  ['eight bits a row', 'ascii(substr(c.email, g, 1))::bit(8)'],
  ['a width a row', "repeat('.', ascii(substr(c.email, g, 1)))"],
  ['an array of a letter a row', 'array[substr(c.email, g, 1)]'],
  ['a word that begins with the letter', "substr(c.email, g, 1) || 'Zebra'"],
];

const CUT: readonly (readonly [title: string, text: string])[] = [
  ['string_to_table', 'select string_to_table(email, null) from customers where id = 1'],
  ['regexp_split_to_table', "select regexp_split_to_table(email, '') from customers where id = 1"],
  ['regexp_matches', "select (regexp_matches(email, '.', 'g'))[1] from customers where id = 1"],
  ['letters in columns', `select ${columns((at) => `substr(email, ${at}, 1)`)} ${ALL_EMAILS}`],
  ['numbers in columns', `select ${columns((at) => `ascii(substr(email, ${at}, 1))`)} ${ALL_EMAILS}`],
  [
    'as many rows as the number, letter by letter',
    each((at) => `select 1 from generate_series(1, (select ascii(substr(email, ${at}, 1)) ${ALL_EMAILS}))`),
  ],
  [
    'LIMIT by the number, letter by letter',
    each(
      (at) =>
        `select 1 from generate_series(1, 200) limit (select ascii(substr(email, ${at}, 1)) ${ALL_EMAILS})`,
    ),
  ],
  [
    'ordinality',
    "select n, l from customers c, regexp_split_to_table(c.email, '') with ordinality r(l, n) where c.id = 1",
  ],
];

export const ENCODINGS: readonly Try[] = [
  ...EXPRESSIONS.map(([title, expression]) => shows(title, `select ${expression} ${ALL_EMAILS}`)),
  ...ROWS.map(([title, expression]) => shows(title, `select ${expression} ${LETTERS}`)),
  ...CUT.map(([title, text]) => shows(title, text)),
  shows('a number a row, in binary', binary(`select ascii(substr(c.email, g, 1)) ${LETTERS}`)),
  shows('a double number a row, in binary', binary(`select ascii(substr(c.email, g, 1))::bigint ${LETTERS}`)),
  shows('hex of bytes, in binary', binary("select encode(secret, 'hex') from customers")),
];

function columns(of: (at: number) => string): string {
  return Array.from({ length: 14 }, (_, at) => of(at + 1)).join(', ');
}

function each(of: (at: number) => string): string {
  return Array.from({ length: 10 }, (_, at) => of(at + 1)).join('; ');
}
