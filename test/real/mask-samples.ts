/** Types, values and operators for mask-types.test.ts. */

import type { Operator, TypeDescription } from '../../packages/gateway/src/masking/operators/operator.ts';
import { ALL_OPERATORS, base } from '../../packages/gateway/src/masking/operators/testing-masks.ts';

export const SCHEMA: string = `
  create extension citext; create extension hstore; create extension ltree;
  create type mood as enum ('sad', 'ok', 'happy');
  create type addr as (street text, number int4, tags text[], since date);
  create domain email_d as text check (value like '%@%');
  create type three as (a text, b text, c text);
  create type textrange as range (subtype = text);
  create domain percent_d as int4 check (value between 0 and 100);
`;

/** Types whose OIDs each database chooses. */
export const OWN: Readonly<Record<string, TypeDescription>> = {
  citext: base('citext'),
  hstore: base('hstore'),
  ltree: base('ltree'),
  mood: { kind: 'enum', labels: ['sad', 'ok', 'happy'] },
  'mood[]': { kind: 'array', element: { kind: 'enum', labels: ['sad', 'ok', 'happy'] }, delimiter: ',' },
  addr: {
    kind: 'composite',
    fields: [
      base('text'),
      base('int4'),
      { kind: 'array', element: base('text'), delimiter: ',' },
      base('date'),
    ],
  },
  email_d: { kind: 'domain', base: base('text'), constant: 'redacted@invalid' },
  percent_d: { kind: 'domain', base: base('int4'), constant: '0' },
};
export const ADDRESSES: TypeDescription = { kind: 'array', element: OWN['addr']!, delimiter: ',' };

/** Type as SQL writes it, and values of it. */
export const SAMPLES: readonly (readonly [type: string, ...values: readonly string[]])[] = [
  ['bool', 'true'],
  ['int2', '-12345', '7'],
  ['int4', '123456789', '-5', '2147483647', '-2147483648'],
  ['int8', '42', '-77', '9223372036854775807', '-9223372036854775808', '1099511627775'],
  ['oid', '4294967295'],
  ['xid', '777'],
  ['float4', '3.25', 'NaN', '-1e30'],
  ['float8', '-12.5', 'Infinity', '1e300', '0.1'],
  ['numeric', '12345.678', '-0.00001', '1e40', 'NaN', '12345678901234567890.5', '0', '10000', '0.0001'],
  ['numeric(12,2)', '1234567.89'],
  ['numeric(3,0)', '999'],
  ['money', '12.34'],
  ['text', 'anna.schmidt@example.com', 'Jürgen "M" \\ Müller', '', '4111111111111111'],
  ['varchar', 'anna@example.com'],
  ['varchar(80)', 'anna@example.com', '日本語のテキスト'],
  ['varchar(30)', 'anna@example.com'],
  ['varchar(12)', 'a@example.de', '日本語のテキスト'],
  ['varchar(3)', 'a@b'],
  ['bpchar', 'abc'],
  ['char(40)', 'anna@example.com'],
  ['char(6)', 'ab1234'],
  ['name', 'anna@example.com'],
  ['"char"', 'x'],
  ['bytea', '\\x00ff5c27', 'plain \\\\ text', ''],
  ['uuid', '0190b3f4-9c7e-7cc2-b0d1-a5f2f3c4d5e6'],
  ['date', '1984-03-17', 'infinity', '-infinity', '0044-03-15 BC', '12024-02-29', '2000-02-29'],
  ['time', '12:34:56.789'],
  ['timetz', '12:34:56.789+05:30'],
  [
    'timestamp',
    '1984-03-17 12:34:56.789',
    'infinity',
    '1999-12-31 23:59:59.999999',
    '0001-02-03 04:05:06 BC',
  ],
  ['timestamptz', '1984-03-17 12:34:56+02', '-infinity', '1984-03-01 00:30:00+02'],
  ['interval', '1 year 2 months 3 days 04:05:06.789'],
  ['json', '{"a": ["x", 1.5e2, true, null, {"": "\\u0041"}], "a": 12345678}', '"s"', '[]'],
  ['jsonb', '{"a": ["x", 1.5e2, true, null, {"": "\\u0041\\ud83d\\ude00"}]}', '12345678', '{}'],
  ['jsonpath', '$.a[*] ? (@.b > 1)'],
  ['xml', '<a b="c">d</a>'],
  ['inet', '192.0.2.17', '192.0.2.17/8', '2001:db8::17', '::ffff:192.0.2.1', '::', '::1'],
  ['cidr', '10.0.0.0/8', '192.0.2.128/25', '2001:db8:1:2::/64', '0.0.0.0/0'],
  ['macaddr', '08:00:2b:01:02:03'],
  ['macaddr8', '08:00:2b:01:02:03:04:05'],
  ['bit', '1'],
  ['bit(11)', '10110100101'],
  ['varbit', '10110', ''],
  ['varbit(20)', '10110'],
  ['point', '(48.8584,2.2945)', '(NaN,0)'],
  ['lseg', '[(1,2),(3,4)]'],
  ['box', '(3,4),(1,2)'],
  ['line', '{1,2,3}'],
  ['path', '[(1,2),(3,4)]'],
  ['polygon', '((1,2),(3,4),(5,6))'],
  ['circle', '<(1,2),3>'],
  ['pg_lsn', '16/B374D848'],
  ['tsvector', "'cat':3 'fat':2"],
  ['tsquery', "'fat' & 'cat'"],
  ['int4range', '[17,42)', 'empty', '(,42)'],
  ['int8range', '[17,42)'],
  ['numrange', '[1.5,2.5]', '[,]'],
  ['daterange', '[1984-03-17,1984-05-01)', '[1984-03-17,)'],
  ['tsrange', '["1984-03-17 12:34:56","1985-01-01 00:00:00")'],
  ['tstzrange', '["1984-03-17 12:34:56+02",infinity]'],
  ['int4multirange', '{[1,5),[17,42)}', '{}'],
  ['datemultirange', '{[1984-03-17,1984-05-01),[1990-01-01,)}'],
  ['bool[]', '{t,f,NULL}'],
  ['int4[]', '{1,NULL,123456789}', '{}'],
  ['int8[]', '[2:3]={42,-7}'],
  ['text[]', '{"a b","c\\"d\\\\e",NULL,"NULL","",f}', '[0:1][1:1]={{"{"},{","}}'],
  ['varchar(12)[]', '{anna@a.com,b}'],
  ['numeric[]', '{1.50,NaN}'],
  ['uuid[]', '{0190b3f4-9c7e-7cc2-b0d1-a5f2f3c4d5e6}'],
  ['date[]', '{1984-03-17,infinity}'],
  ['timestamp[]', '{"1984-03-17 12:34:56"}'],
  ['box[]', '{(3,4),(1,2);(7,8),(5,6)}'],
  ['jsonb[]', '{"{\\"a\\": \\"x y\\"}"}'],
  ['bytea[]', '{"\\\\x00ff"}'],
  ['int4range[]', '{"[1,5)",empty}'],
  ['inet[]', '{192.0.2.17,2001:db8::17}'],
  ['citext', 'Anna@Example.com'],
  ['hstore', '"a"=>"b", "c"=>NULL'],
  ['ltree', 'top.science.astronomy'],
  ['mood', 'ok'],
  ['mood[]', '{ok,NULL,happy}'],
  ['addr', '("Main ""St"", 5",17,"{a,""b c"",NULL}",1984-03-17)', '(,,,)'],
  ['email_d', 'anna@example.com'],
  ['percent_d', '77'],
];

/** Beside the usual ones, options that change what comes out. */
export const OPERATORS: readonly Operator[] = [
  ...ALL_OPERATORS,
  { kind: 'partial', keepFirst: 2, keepLast: 0 },
  { kind: 'generalise', width: 1000, unit: 'year', ceiling: 90 },
  { kind: 'generalise', decimals: 2, unit: 'quarter' },
];
