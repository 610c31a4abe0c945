/**
 * Where the values of a statement come from, in the words that masks and leaves use.
 *
 * Spec: spec/masking.md, "By origin". Made by `sql/labels`, used by `masking/` and `session/`.
 */

/**
 * A column of a relation: `pg_attribute.attrelid` and `attnum`, as `16385.3`. `16385.0` is its row as a whole, and so
 * every column that it has. Relation 0 is one that is not there yet: `0.2` is the second column of what CREATE TABLE
 * AS makes, `0.0` whichever.
 */
export type ColumnLabel = `${number}.${number}`;

export function columnLabel(relation: number, attnum: number): ColumnLabel {
  return `${relation}.${attnum}`;
}

/** What a value may have been made of. */
export interface Origins {
  /** Columns whose values, or whose values' effects, may be in it. */
  readonly labels: ReadonlySet<ColumnLabel>;
  /** Why nobody knows what else may be in it: `function 16420`; undefined where all is known. */
  readonly opaque: string | undefined;
}

/** A column of a result, in the order of RowDescription. */
export interface OutputColumn extends Origins {
  /** It is this column as it is stored, through any number of sub-selects, views and joins. */
  readonly identity: ColumnLabel | undefined;
  readonly name: string;
  /** 0 where the tree does not say. */
  readonly typeOid: number;
  readonly typmod: number;
}

/** What a column may be used for beside being shown. */
export type UseKind =
  | 'predicate'
  | 'join'
  | 'group'
  | 'order'
  | 'distinct'
  | 'limit'
  | 'window'
  | 'set-operation'
  | 'row-set'
  | 'lock'
  /** It decides which other parts of an expression are computed: CASE, NULLIF, COALESCE, AND. */
  | 'choice'
  /** It goes to a function that fails on some values: whether there is an error tells of it. */
  | 'fallible'
  /** It goes to a function that shows or keeps it elsewhere: pg_notify, set_config, lo_from_bytea. */
  | 'sink'
  /** It goes to a function of which nobody knows what it does with it. */
  | 'unknown-sink'
  /** Whether a write succeeds tells of it: unique, exclusion, foreign keys, checks. */
  | 'constraint';

/** A use that rows, their number, their order or errors tell of. */
export interface LabelUse extends Origins {
  readonly kind: UseKind;
  /** `pg_class.oid` of the view whose definition uses it; undefined where the statement itself does. */
  readonly view: number | undefined;
}

/** A column that is written, and of what. */
export interface LabelWrite extends Origins {
  readonly target: ColumnLabel;
}

/** What one statement shows, uses and writes. */
export interface StatementLabels {
  /**
   * Of the query whose rows the client gets; undefined where it returns none, or nobody can tell. For COPY, PREPARE and
   * DECLARE those of the query in it, whose rows come as CopyData, by EXECUTE and by FETCH; for EXPLAIN its plan.
   */
  readonly outputs: readonly OutputColumn[] | undefined;
  readonly uses: readonly LabelUse[];
  readonly writes: readonly LabelWrite[];
  /** Relations that any part of it names. */
  readonly relations: ReadonlySet<number>;
  /** Tags of utility statements: `EXPLAINSTMT`; `?` where the server does not say, so that a query in it is unknown. */
  readonly utilities: readonly string[];
}
