/**
 * A Mask as it is written → what plans are made of; or everything that is wrong with it, and where.
 *
 * Spec: spec/masking.md, section 8.
 */

import { CountersignError } from '../../core/errors.ts';
import { MASKING_PLAN_LIMITS } from '../../core/masking-limits.ts';
import type { Operator } from '../operators/operator.ts';
import { isEntity, OPERATOR_KINDS, parseOperator } from '../operators/parse-operator.ts';
import { FIELD_PATTERN_FORM, type FieldPattern, parseFieldPattern } from '../bodies/field-pattern.ts';
import { COLUMN_PATTERN_FORM, type ColumnPattern, parseColumnPattern } from './column-pattern.ts';
import { entitiesOf, NAMED_ENTITIES, wordProblem } from './detect-words.ts';
import {
  type Mask,
  type MaskDirection,
  type MaskMode,
  type MaskProblem,
  type MaskRef,
  USUAL_DIRECTIONS,
} from './mask.ts';
import { distanceOf, nearest } from './nearest.ts';

export type CompiledMask = ColumnMask | FieldMask | DetectingMask;

interface Compiled extends MaskRef {
  readonly description: string | undefined;
  readonly operator: Operator;
}

/** By origin: columns that are named. */
export interface ColumnMask extends Compiled {
  readonly kind: 'columns';
  readonly patterns: readonly ColumnPattern[];
  readonly entity: string;
  readonly mode: MaskMode;
}

/** By place: fields of the contents of HTTP that are named. */
export interface FieldMask extends Compiled {
  readonly kind: 'fields';
  readonly patterns: readonly FieldPattern[];
  readonly entity: string;
  readonly directions: readonly MaskDirection[];
}

/** By looks: what the scanner finds. */
export interface DetectingMask extends Compiled {
  readonly kind: 'detect';
  readonly entities: ReadonlySet<string>;
  readonly directions: readonly MaskDirection[];
  /** Texts of a call of a reranker go under pseudonyms in the place of what its operator makes. */
  readonly isRerankSafe: boolean;
}

/** What values of a named column, or field, are where the Mask does not say. */
const ENTITY_OTHERWISE = 'COLUMN';
const FIELD_OTHERWISE = 'FIELD';
/** Entities that operators know beside those of the scanner. */
const OTHER_ENTITIES: readonly string[] = [
  ENTITY_OTHERWISE,
  FIELD_OTHERWISE,
  'ADDRESS',
  'CITY',
  'FIRST_NAME',
  'IP_ADDRESS',
  'LAST_NAME',
  'PERSON',
  'STREET',
];

/** RESOURCE_INVALID with everything that is wrong where it is not well made. */
export function compileMask(document: Mask, version: number): CompiledMask {
  const problems = maskProblems(document);
  if (problems.length > 0) {
    const reason = spoken(problems);
    throw new CountersignError('RESOURCE_INVALID', { kind: 'Mask', name: document.name, reason });
  }
  const { name, description, columns, fields, detect, entity, mode = 'strict' } = document;
  const directions = document.direction ?? USUAL_DIRECTIONS;
  const common = {
    mask: name,
    version,
    description,
    operator: parseOperator(operatorValue(document.as), name),
  };
  if (columns !== undefined) {
    const patterns = columns.flatMap((text) => parseColumnPattern(text) ?? []);
    return {
      ...common,
      kind: 'columns',
      patterns,
      entity: entity ?? ENTITY_OTHERWISE,
      mode: modeOfColumns(mode),
    };
  }
  if (fields !== undefined) {
    const patterns = fields.flatMap((text) => parseFieldPattern(text) ?? []);
    return { ...common, kind: 'fields', patterns, entity: entity ?? FIELD_OTHERWISE, directions };
  }
  const entities = new Set((detect ?? []).flatMap((word) => entitiesOf(word) ?? []));
  return { ...common, kind: 'detect', entities, directions, isRerankSafe: mode === 'rerank-safe' };
}

/** Everything that is wrong beyond what the schema says. */
export function maskProblems(document: Mask): readonly MaskProblem[] {
  const { columns = [], fields = [], detect = [], entity, mode } = document;
  return [
    ...togetherProblems(document),
    ...columns.flatMap((text, index) => {
      if (parseColumnPattern(text) !== undefined) return [];
      return [{ path: ['columns', String(index)], says: `expected ${COLUMN_PATTERN_FORM}, not "${text}"` }];
    }),
    ...fields.flatMap((text, index) => {
      if (parseFieldPattern(text) !== undefined) return [];
      return [{ path: ['fields', String(index)], says: `expected ${FIELD_PATTERN_FORM}; not "${text}"` }];
    }),
    ...detect.flatMap((word, index) =>
      entitiesOf(word) === undefined ? [{ path: ['detect', String(index)], says: wordProblem(word) }] : [],
    ),
    ...operatorProblems(document.as),
    ...(mode === 'server-role' ? serverRoleProblems(document.as) : []),
    ...(entity === undefined ? [] : entityProblems(entity)),
    ...modeProblems(document),
    ...(document.direction !== undefined && document.columns !== undefined
      ? [
          {
            path: ['direction'],
            says: 'direction goes with fields and detect: rows of a database only come back',
          },
        ]
      : []),
  ];
}

/** All of them in one line. */
export function spoken(problems: readonly MaskProblem[]): string {
  return problems
    .map(({ path, says }) => (path.length === 0 ? says : `${path.join('.')}: ${says}`))
    .join('; ');
}

/** What a Mask goes by, of which it has one. */
const SUBJECTS = ['columns', 'fields', 'detect'] as const;

function togetherProblems(document: Mask): readonly MaskProblem[] {
  const [first, ...more] = SUBJECTS.filter((subject) => document[subject] !== undefined);
  if (first === undefined) {
    return [{ path: [], says: 'it needs columns, fields or detect: what is masked' }];
  }
  if (more.length > 0) {
    return more.map((other) => ({
      path: [other],
      says: `expected ${first} or ${other}, and not both: make two Masks`,
    }));
  }
  return first === 'detect' && document.entity !== undefined
    ? [{ path: ['entity'], says: 'entity goes with columns and fields: what is detected says what it is' }]
    : [];
}

function modeOfColumns(mode: NonNullable<Mask['mode']>): MaskMode {
  if (mode === 'rerank-safe') throw new RangeError('rerank-safe is no mode of columns');
  return mode;
}

function modeProblems({ mode, columns, detect, direction }: Mask): readonly MaskProblem[] {
  if (mode === undefined) return [];
  const path = ['mode'];
  if (mode === 'rerank-safe') {
    if (detect !== undefined && direction?.includes('request') === true) return [];
    const says = 'rerank-safe goes with detect and direction: [request]: texts that are sent to a reranker';
    return [{ path, says }];
  }
  if (columns !== undefined) return [];
  const says =
    detect === undefined
      ? 'mode goes with columns: of a field there is nothing but its value to hide'
      : 'mode goes with columns: what is detected is not known before it is shown';
  return [{ path, says }];
}

function operatorValue(as: Mask['as']): object {
  return typeof as === 'string' ? { kind: as } : as;
}

function operatorProblems(as: Mask['as']): readonly MaskProblem[] {
  const kind = typeof as === 'string' ? as : as.kind;
  const path = typeof as === 'string' ? ['as'] : ['as', 'kind'];
  if (!OPERATOR_KINDS.includes(kind)) {
    const meant = nearest(kind, OPERATOR_KINDS);
    const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
    return [{ path, says: `expected an operator of ${OPERATOR_KINDS.join(', ')}, not "${kind}"${hint}` }];
  }
  if (typeof as === 'string') return [];
  // One after the other, so that each option that is wrong is named.
  return Object.keys(as).flatMap((option) => {
    if (option === 'kind' || isOperatorValue({ kind, [option]: as[option] })) return [];
    return [{ path: ['as', option], says: `${kind} has no such option, or not with this value` }];
  });
}

/** What the target can do without a key of the installation. */
const OPERATORS_OF_TARGET: readonly string[] = ['redact', 'mask', 'partial', 'generalise', 'nullify', 'drop'];

function serverRoleProblems(as: Mask['as']): readonly MaskProblem[] {
  const kind = typeof as === 'string' ? as : as.kind;
  if (!OPERATOR_KINDS.includes(kind) || OPERATORS_OF_TARGET.includes(kind)) return [];
  const says = `${kind} needs a key, which the target must not have: in mode server-role expected an operator of ${OPERATORS_OF_TARGET.join(', ')}`;
  return [{ path: typeof as === 'string' ? ['as'] : ['as', 'kind'], says }];
}

function isOperatorValue(value: object): boolean {
  try {
    parseOperator(value, '');
    return true;
  } catch (error) {
    if (error instanceof CountersignError && error.code === 'RESOURCE_INVALID') return false;
    throw error;
  }
}

/** A slip would make `partial` show the end of a secret. */
function entityProblems(entity: string): readonly MaskProblem[] {
  const path = ['entity'];
  if (!isEntity(entity)) {
    return [{ path, says: 'expected a name in capitals, digits and _, at most 40, as EMAIL' }];
  }
  const known = [...NAMED_ENTITIES, ...OTHER_ENTITIES];
  if (known.includes(entity) || entity.length < MASKING_PLAN_LIMITS.slipLengthMin) return [];
  const meant = known.find((name) => distanceOf(entity, name) === 1);
  return meant === undefined ? [] : [{ path, says: `"${entity}" is not known; did you mean "${meant}"?` }];
}
