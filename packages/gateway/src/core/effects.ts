/**
 * What a statement or an HTTP request does, in the words that rules, leaves and explanations use.
 *
 * Spec: spec/policy.md §2. Made by `sql/` and `protocols/http/operations/`, decided on by `policy/`. Offsets
 * count bytes of the text as the client sent it, from 0; a range ends before `to`.
 */

/**
 * Every effect. A statement has all that apply; `unknown` stands for what was not understood, never for
 * nothing.
 */
export const EFFECTS = [
  // Data.
  'read',
  'lock',
  'sequence',
  'insert',
  'update',
  'update-unqualified',
  'delete',
  'delete-unqualified',
  'merge',
  'truncate',
  'copy-in',
  'export',
  'large-object',
  // Definitions.
  'create',
  'alter',
  'alter-drop',
  'drop',
  'rename',
  'alias',
  'comment',
  'refresh',
  'maintain',
  // Rights.
  'grant',
  'role',
  // The session.
  'setting',
  'setting-risky',
  'transaction',
  'two-phase',
  'prepare',
  'execute',
  'cursor',
  'notify',
  'explain',
  // Code, and what leaves the database.
  'code',
  'call',
  'function-unknown',
  'host',
  'remote',
  'admin',
  'sleep',
  // Models that rank.
  'rerank',
  'model-change',
  'model-redirect',
  'model-delete',
  'egress:model',
  'unknown',
] as const;

/** Of requests over HTTP only: no statement of SQL has them. */
export const HTTP_EFFECTS: ReadonlySet<Effect> = new Set<Effect>([
  'rerank',
  'alias',
  'model-change',
  'model-redirect',
  'model-delete',
]);

export type Effect = (typeof EFFECTS)[number];

/** A name as it stands in the text, folded as PostgreSQL folds it. */
export interface QualifiedName {
  readonly schema: string | undefined;
  readonly name: string;
}

/** An effect, and the tokens that cause it. */
export interface FoundEffect {
  readonly effect: Effect;
  readonly from: number;
  readonly to: number;
  /** What it is about: a table, a function, a setting; for people. */
  readonly object: string | undefined;
  /** One of the functions of the statement, where the text does not show that it is called. */
  readonly by?: CalledFunction | undefined;
}

export type WriteVerb = 'insert' | 'update' | 'delete' | 'merge' | 'truncate' | 'copy-in';

export interface WrittenTable extends QualifiedName {
  readonly verb: WriteVerb;
  /** Names of the columns that are set; `all` where the statement does not name them. */
  readonly columns: readonly string[] | 'all';
}

export interface CalledFunction extends QualifiedName {
  readonly from: number;
  readonly to: number;
}

export type TransactionVerb =
  | 'begin'
  | 'commit'
  | 'rollback'
  | 'savepoint'
  | 'release'
  | 'rollback-to'
  | 'prepare-transaction'
  | 'commit-prepared'
  | 'rollback-prepared';

/** An option of a command: its name in small letters, and what stands behind it, if anything. */
export type CommandOption = readonly [
  name: string,
  value: string | number | boolean | readonly string[] | undefined,
];

/** One statement of a text. */
export interface StatementFacts {
  /** The name of the node in PostgreSQL's raw parse tree, `UpdateStmt`. */
  readonly node: string;
  readonly from: number;
  readonly to: number;
  readonly effects: readonly FoundEffect[];
  readonly writes: readonly WrittenTable[];
  readonly reads: readonly QualifiedName[];
  readonly functions: readonly CalledFunction[];
  /** A SET, RESET or set_config of a constant: which setting, and to what; undefined for its default. */
  readonly settings: readonly { readonly name: string; readonly value: string | undefined }[];
  readonly transaction: TransactionVerb | undefined;
  /** Options of a COPY … TO STDOUT; absent of anything else. */
  readonly copyOut?: readonly CommandOption[];
  /** The same of a COPY … FROM. */
  readonly copyIn?: readonly CommandOption[];
  /** The name that PREPARE gives, and EXECUTE or DEALLOCATE uses; undefined for ALL. */
  readonly prepared:
    | { readonly verb: 'prepare' | 'execute' | 'deallocate'; readonly name: string | undefined }
    | undefined;
  /**
   * Whether it may run in a transaction and leaves nothing behind where that is rolled back, so that its
   * rows can be counted before COMMIT.
   */
  readonly undoable: boolean;
  /** Of an HTTP request: nothing of it can be counted while it runs, so that all is decided by what it asks. */
  readonly http?: HttpFacts;
}

/** A value of a JSON body; the bytes of a number stay as they came. */
export type JsonScalar =
  | { readonly kind: 'string' | 'number'; readonly text: string }
  | { readonly kind: 'true' | 'false' | 'null' | 'object' | 'array' };

/** What conditions on HTTP look at. */
export interface HttpFacts {
  readonly method: string;
  /** Behind normalisation: what is forwarded. */
  readonly path: string;
  /** Values of the body that a pointer with `*` finds; undefined: there is a body, and nobody has read it. */
  readonly valuesAt: (pointer: string) => readonly JsonScalar[] | undefined;
  /** Documents that are to be ranked; undefined where there are none, `unknown` where nobody could count them. */
  readonly documents: number | 'unknown' | undefined;
  /** Models that it names; undefined where it names none, `unknown` where nobody could read which. */
  readonly models: readonly string[] | 'unknown' | undefined;
  /** Rows that it writes, by their own names; undefined: nobody can tell, as by a filter. */
  readonly rows: number | undefined;
  /** Rows that it gives at most; undefined: nobody can tell. */
  readonly returned: number | undefined;
}

/** Why the bytes may mean something else to the server than they do to a parser with default settings. */
export interface TextDoubts {
  /** A backslash in a plain literal: needs `standard_conforming_strings = on`. */
  readonly backslash: boolean;
  /** U&'' or U&"" or UESCAPE. */
  readonly unicodeEscape: boolean;
  /** A byte above 127: needs `client_encoding = UTF8`. */
  readonly nonAscii: boolean;
}

/** A whole text. */
export interface TextFacts {
  readonly statements: readonly StatementFacts[];
  readonly doubts: TextDoubts;
}

/** What became of reading a text. */
export type ReadText =
  | ({ readonly kind: 'read' } & TextFacts)
  /**
   * PostgreSQL 18's grammar does not accept it, and a target with the same grammar will say so. One with
   * another, a fork or a version to come, may take it: so it is not known to do nothing.
   */
  | { readonly kind: 'syntax-error'; readonly message: string; readonly at: number | undefined }
  /** It cannot be inspected within bounds, or at all. */
  | { readonly kind: 'uninspectable'; readonly reason: string };
