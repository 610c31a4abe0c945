/**
 * What an operator makes of a column, as an SQL expression of the target's own.
 *
 * Spec: spec/masking.md, section 20. An expression shows no more than masking/operators would of the same value: what
 * SQL cannot do alike becomes `redact`, or NULL. None of them fails on any value, because errors tell. All functions
 * and operators are PostgreSQL's own and qualified, and compare by bytes, whatever the collation of the column is.
 */

import { constantOf, TEXT_TYPES } from '../masking/operators/constants.ts';
import type { BaseType, Generalise, Operator, TypeDescription, Wire } from '../masking/operators/operator.ts';
import { hasPartOfItsForm, keptOf, STARRED_HIDDEN_MIN } from '../masking/operators/stars.ts';
import { hasOneConstant } from '../masking/plan/type-kinds.ts';
import { quotedText } from './quoted.ts';

export interface ExpressedColumn {
  /** In SQL: `t."email"`. */
  readonly source: string;
  readonly type: TypeDescription;
  /** As PostgreSQL writes the type, or the one that a domain is of. */
  readonly typeText: string;
  /** Of PostgreSQL itself, and of no extension. */
  readonly isBuiltIn: boolean;
  /** It is no stored value: NULL would tell of what it is made of. */
  readonly isDerived: boolean;
}

const WIRE: Wire = {
  format: 'text',
  clientEncoding: 'UTF8',
  dateStyle: 'ISO, MDY',
  intervalStyle: 'postgres',
};
const NO_VALUE = new Uint8Array();
/** As `starred` of masking/operators/stars.ts keeps them; `-` is last, where it is itself. */
const SEPARATORS = ' ./:@_,()+-';

/** The value of the view's column. */
export function maskedExpression(column: ExpressedColumn, operator: Operator, entity: string): string {
  const { type, typeText, source, isDerived } = column;
  const nothing = `NULL::${typeText}`;
  if (operator.kind === 'nullify' || operator.kind === 'drop' || type.kind !== 'base') return nothing;
  if (isDerived) return (hasOneConstant(type) ? constant(column, type, entity) : undefined) ?? nothing;
  const masked = byOperator(column, type, operator, entity) ?? constant(column, type, entity);
  if (masked === undefined) return nothing;
  return `CASE WHEN ${source} IS NULL THEN ${nothing} ELSE ${masked} END`;
}

/** What `redact` gives; undefined where the type has nothing that tells nothing. */
function constant(
  { typeText, isBuiltIn }: ExpressedColumn,
  type: BaseType,
  entity: string,
): string | undefined {
  if (!isBuiltIn && !TEXT_TYPES.has(type.name)) return undefined;
  const bytes = constantOf(type, WIRE, entity, NO_VALUE);
  return bytes === undefined ? undefined : `${quotedText(Buffer.from(bytes).toString('utf8'))}::${typeText}`;
}

function byOperator(
  column: ExpressedColumn,
  type: BaseType,
  operator: Operator,
  entity: string,
): string | undefined {
  if (TEXT_TYPES.has(type.name)) {
    const text = ofText(`(${column.source}::pg_catalog.text COLLATE pg_catalog."C")`, operator, entity);
    return text === undefined ? undefined : `((${text}) COLLATE pg_catalog."default")::${column.typeText}`;
  }
  return operator.kind === 'generalise' ? generalised(column, type, operator) : undefined;
}

function ofText(text: string, operator: Operator, entity: string): string | undefined {
  if (operator.kind === 'mask') return starred(text);
  if (operator.kind !== 'partial') return undefined;
  if (entity === 'EMAIL') return partOfEmail(text, operator.keepFirst ?? 1);
  return hasPartOfItsForm(entity) ? starred(text) : withEnds(text, keptOf(entity, operator));
}

function call(name: string, ...values: readonly string[]): string {
  return `pg_catalog.${name}(${values.join(', ')})`;
}

function literal(text: string): string {
  return `${quotedText(text)}::pg_catalog.text`;
}

function joined(...texts: readonly string[]): string {
  return texts.reduce((one, other) => `(${one} OPERATOR(pg_catalog.||) ${other})`);
}

/** Where signs that stay stand four in a row, nothing stays. */
function starred(text: string): string {
  const run = literal(`[${SEPARATORS}]{4,}`);
  const all = call('repeat', literal('*'), call('length', text));
  const each = call('regexp_replace', text, literal(`[^${SEPARATORS}]`), literal('*'), literal('g'));
  return `CASE WHEN (${text} OPERATOR(pg_catalog.~) ${run}) THEN ${all} ELSE ${each} END`;
}

/** At the ends characters are counted, and in all of it letters and digits of ASCII: so fewer stay than elsewhere. */
function withEnds(text: string, { first, last }: { readonly first: number; readonly last: number }): string {
  if (first + last === 0) return starred(text);
  const counted = call(
    'length',
    call('regexp_replace', text, literal('[^a-zA-Z0-9]'), literal(''), literal('g')),
  );
  const middle = call(
    'substr',
    text,
    String(first + 1),
    `(${call('length', text)} OPERATOR(pg_catalog.-) ${first + last})`,
  );
  const parts = [
    ...(first === 0 ? [] : [call('"left"', text, String(first))]),
    starred(middle),
    ...(last === 0 ? [] : [call('"right"', text, String(last))]),
  ];
  const isShort = `(${counted} OPERATOR(pg_catalog.<) ${first + last + STARRED_HIDDEN_MIN})`;
  return `CASE WHEN ${isShort} THEN ${starred(text)} ELSE ${joined(...parts)} END`;
}

/** `m***@corp.com`. */
function partOfEmail(text: string, keepFirst: number): string {
  const domain = call('"substring"', text, literal('@[^@]*$'));
  const local = call('regexp_replace', text, literal('@[^@]*$'), literal(''));
  const isShort = `(${call('length', local)} OPERATOR(pg_catalog.<) ${keepFirst + STARRED_HIDDEN_MIN})`;
  const isQuoted = `(${call('"left"', local, '1')} OPERATOR(pg_catalog.=) ${literal('"')})`;
  const kept = `CASE WHEN (${isShort} OR ${isQuoted}) THEN ${literal('')} ELSE ${call('"left"', local, String(keepFirst))} END`;
  const isMail = `(${text} OPERATOR(pg_catalog.~) ${literal('^.+@[^@]*$')})`;
  return `CASE WHEN ${isMail} THEN ${joined(kept, literal('***'), domain)} ELSE ${starred(text)} END`;
}

const DEFAULT_WIDTH = 10;
const INTEGERS: ReadonlySet<string> = new Set(['int2', 'int4', 'int8']);

function generalised(
  { source, typeText }: ExpressedColumn,
  { name }: BaseType,
  operator: Generalise,
): string | undefined {
  if (INTEGERS.has(name)) {
    const whole = wholeNumber(`${source}::pg_catalog.int8`, operator);
    return whole === undefined ? undefined : `(${whole})::${typeText}`;
  }
  if (name === 'numeric') return `(${numeric(source, operator)})::${typeText}`;
  if (name === 'date' || name === 'timestamp' || name === 'timestamptz') {
    return moment(source, name, typeText, operator.unit ?? 'month');
  }
  return undefined;
}

/** Towards zero, as PostgreSQL divides; so it is in the range of its type. */
function wholeNumber(value: string, { width, decimals, ceiling }: Generalise): string | undefined {
  if (decimals !== undefined && width === undefined) return undefined;
  const step = `'${width ?? DEFAULT_WIDTH}'::pg_catalog.int8`;
  const coarse = `((${value} OPERATOR(pg_catalog./) ${step}) OPERATOR(pg_catalog.*) ${step})`;
  return below(value, ceiling, 'int8', coarse);
}

/** A remainder is exact, and a quotient is rounded. */
function numeric(value: string, { width, decimals, ceiling }: Generalise): string {
  const step = `'${width ?? DEFAULT_WIDTH}'::pg_catalog."numeric"`;
  const coarse =
    decimals === undefined
      ? `(${value} OPERATOR(pg_catalog.-) ${call('mod', value, step)})`
      : call('trunc', value, String(decimals));
  return below(value, ceiling, '"numeric"', coarse);
}

function below(value: string, ceiling: number | undefined, type: string, coarse: string): string {
  if (ceiling === undefined) return coarse;
  const most = `'${ceiling}'::pg_catalog.${type}`;
  return `CASE WHEN (${value} OPERATOR(pg_catalog.>) ${most}) THEN ${most} ELSE ${coarse} END`;
}

/** Beyond four digits of a year, before Christ, and at both infinities there is nothing, because some of it fails. */
function moment(
  source: string,
  name: 'date' | 'timestamp' | 'timestamptz',
  typeText: string,
  unit: string,
): string {
  const [first, last] =
    name === 'timestamptz'
      ? ['0001-01-02 00:00:00+00', '9999-12-30 00:00:00+00']
      : ['0001-01-02', '9999-12-30'];
  const type = `pg_catalog.${name}`;
  const isUsual = `((${source} OPERATOR(pg_catalog.>=) '${first}'::${type}) AND (${source} OPERATOR(pg_catalog.<=) '${last}'::${type}))`;
  const value = name === 'date' ? `${source}::pg_catalog."timestamp"` : source;
  const zone = name === 'timestamptz' ? [literal('UTC')] : [];
  const begin = call('date_trunc', literal(unit), value, ...zone);
  return `CASE WHEN ${isUsual} THEN (${begin})::${typeText} ELSE NULL::${typeText} END`;
}
