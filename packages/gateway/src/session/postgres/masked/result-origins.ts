/**
 * Where the columns of a result come from: by the statement that gives it, and the trees that the server sent.
 *
 * Spec: spec/masking.md, "By origin". `undefined` is the answer to everything that is not certain, and then no
 * value of the result is shown.
 */

import type { OutputColumn, StatementLabels } from '../../../core/column-labels.ts';
import type { Effect, ReadText, StatementFacts } from '../../../core/effects.ts';
import { cursorOf } from '../../../policy/returned.ts';
import { explained } from '../../../sql/labels/utility-labels.ts';
import type { Runs } from '../request.ts';
import { endsTransaction, mayDisarm } from './arming.ts';
import type { AskedStatement } from './mask-judge.ts';
import type { KnownTree, KnownTrees } from './known-trees.ts';

/** `shown`: it is of the server itself, and holds nothing of any table. */
export type ResultOrigins = readonly OutputColumn[] | 'shown' | undefined;

/** What a result is decided by. */
export interface ResultOf {
  readonly runs: Runs | undefined;
  /** Of a Query: which of its statements. */
  readonly at: number;
  /** That came since the last statement ended. */
  readonly trees: readonly KnownTree[];
}

/** What has been learned in the session. */
export interface Learned {
  readonly trees: KnownTrees;
  /** What the server said before the text ran, one for each of its statements. */
  readonly asked: (read: ReadText) => readonly AskedStatement[] | undefined;
  /** Whether a plan, or an error, of a statement may show what is masked. */
  readonly isClean: (labels: StatementLabels) => boolean;
  /** The server may have analysed anew what is prepared, and what it said of that belongs to nobody. */
  readonly unheard: () => void;
}

/** PostgreSQL's node names of what is analysed as a query. */
const QUERIES: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
]);

/** The statement that runs; undefined where nobody knows. */
export function statementOf({ runs, at }: ResultOf): StatementFacts | undefined {
  if (runs?.read?.kind !== 'read') return undefined;
  if (runs.kind === 'Query') return runs.read.statements[at];
  // Of the extended protocol it is one.
  return runs.read.statements.length === 1 ? runs.read.statements[0] : undefined;
}

/** The trees that its result has to be judged by. */
export function treesOf(result: ResultOf, learned: Learned): readonly KnownTree[] {
  const { runs, trees } = result;
  const portal = runs?.portal;
  if (runs?.kind !== 'Execute' || portal === undefined) return trees;
  return [...learned.trees.ofPortal(portal), ...trees];
}

export function originsOf(result: ResultOf, learned: Learned): ResultOrigins {
  const { runs, at } = result;
  // An Execute whose portal no Bind has made reads from a cursor.
  if (runs?.kind === 'Execute' && runs.portal === undefined && runs.portalName !== undefined) {
    return ofName('cursor', runs.portalName, learned);
  }
  const statement = statementOf(result);
  if (runs?.read === undefined || statement === undefined) return undefined;
  const trees = treesOf(result, learned);
  if (QUERIES.has(statement.node)) return outputsOf(trees);
  switch (statement.node) {
    case 'VariableShowStmt':
      return 'shown';
    case 'ExplainStmt':
      return explainedBy(learned.asked(runs.read)?.[at]?.labels);
    case 'FetchStmt':
      return ofName('cursor', cursorOf(statement), learned);
    case 'ExecuteStmt': {
      const anew = trees.filter(({ kind }) => kind !== 'utility');
      if (anew.length > 0) return outputsOf(anew);
      return isUnsaid(result) ? undefined : ofName('prepared', statement.prepared?.name, learned);
    }
    case 'CopyStmt': {
      const inner = trees.filter(({ kind }) => kind !== 'utility');
      // Of COPY table the server sends no tree; which table it is, it said before.
      return inner.length > 0 ? outputsOf(inner) : learned.asked(runs.read)?.[at]?.labels?.outputs;
    }
    default:
      return undefined;
  }
}

/** What may put anything under any name where no text shows it. */
const OPAQUE: ReadonlySet<Effect> = new Set<Effect>(['code', 'call', 'function-unknown', 'unknown']);
const ENDS_CURSORS: ReadonlySet<string> = new Set([
  'commit',
  'rollback',
  'rollback-to',
  'prepare-transaction',
]);

/** What may have the server analyse something that is prepared. */
const ANALYSE_PREPARED: ReadonlySet<string> = new Set(['ExecuteStmt', 'ExplainStmt', 'CreateTableAsStmt']);
/** Code of the client's own, which may do that. */
const CODE: ReadonlySet<Effect> = new Set<Effect>(['code', 'call', 'unknown']);

/** Whether the server may have been told, in the same text, to say nothing. */
function isUnsaid({ runs, at }: ResultOf): boolean {
  if (runs?.kind !== 'Query' || runs.read?.kind !== 'read') return false;
  return runs.read.statements.slice(0, at).some((one) => mayDisarm(one) || endsTransaction(one));
}

/** It has been analysed, and has run to its end or not: what the server said of what is prepared. */
function hearAnalyses(result: ResultOf, statement: StatementFacts | undefined, learned: Learned): void {
  const { runs, trees } = result;
  const anew = trees.filter(({ kind }) => kind !== 'utility');
  if (statement === undefined || statement.effects.some(({ effect }) => CODE.has(effect))) {
    return learned.unheard();
  }
  if (ANALYSE_PREPARED.has(statement.node)) {
    const name = statement.node === 'ExecuteStmt' ? statement.prepared?.name : undefined;
    if (name !== undefined && anew.length > 0) {
      if (!learned.trees.executed(name, anew)) learned.unheard();
    } else if (anew.length > 0 || isUnsaid(result)) learned.unheard();
  } else if (anew.length > 0 && runs?.kind === 'Execute' && QUERIES.has(statement.node)) {
    // What a portal runs was analysed before.
    learned.unheard();
  }
}

/** The server has run it, to its end or not: names may stand for something else. */
export function forgetBy(result: ResultOf, learned: Learned): void {
  const statement = statementOf(result);
  hearAnalyses(result, statement, learned);
  const asked = result.runs?.read === undefined ? undefined : learned.asked(result.runs.read);
  const isOpaque =
    statement === undefined ||
    asked?.[result.runs?.kind === 'Query' ? result.at : 0]?.runsHidden === true ||
    statement.effects.some(({ effect }) => OPAQUE.has(effect));
  if (isOpaque) learned.trees.forgetNames();
  if (statement?.node === 'DiscardStmt') learned.trees.forgetNames();
  if (statement?.transaction !== undefined && ENDS_CURSORS.has(statement.transaction)) {
    learned.trees.forgetCursors();
  }
}

/** What the server has completed: names that stand for something from here on. */
export function learnFrom(result: ResultOf, learned: Learned): void {
  const statement = statementOf(result);
  if (statement === undefined) return;
  const trees = treesOf(result, learned);
  if (statement.prepared?.verb === 'prepare' && statement.prepared.name !== undefined) {
    const prepared = trees.filter(({ kind }) => kind !== 'utility');
    learned.trees.named('prepared', statement.prepared.name, prepared);
  }
  // Of DECLARE the server prints its query, before its views are expanded.
  if (statement.node === 'DeclareCursorStmt') {
    const name = cursorOf(statement);
    if (name !== undefined) learned.trees.named('cursor', name, trees);
  }
}

function outputsOf(trees: readonly KnownTree[]): readonly OutputColumn[] | undefined {
  const [tree] = trees;
  return trees.length === 1 && tree !== undefined && tree.kind !== 'unread' ? tree.labels.outputs : undefined;
}

function ofName(kind: 'prepared' | 'cursor', name: string | undefined, learned: Learned): ResultOrigins {
  if (name === undefined) return undefined;
  return outputsOf(learned.trees.ofName(kind, name));
}

/** A plan tells of what conditions compare. */
function explainedBy(labels: StatementLabels | undefined): ResultOrigins {
  return labels === undefined ? undefined : explained(labels).outputs;
}
